package differ_test

import (
	"bytes"
	"testing"

	"github.com/deltahook/deltahook/differ"
)

// FuzzPage reads pages of samples that hold anything. What is read from one is
// written so that the same is read again.
func FuzzPage(f *testing.F) {
	f.Add(int64(0), []byte(nil))
	f.Add(int64(1<<40), []byte("\x01abcd\x88\xdc\x03"))
	f.Add(int64(-3), []byte("\x01abcd\x88\xdc\x03\x02\x01\x08\x40\x59\x00\x00\x00\x00\x00\x00"))
	f.Add(int64(7), append([]byte("\x01abcd\x88\xdc\x03\x1f\x03\x08"), make([]byte, 8+1+8+24)...))
	f.Fuzz(func(t *testing.T, number int64, data []byte) {
		once, n := differ.Repage(number, data)
		if n > 32 {
			t.Fatalf("%d buckets on a page", n)
		}
		if once == nil {
			return
		}
		if twice, m := differ.Repage(number, once); m != n || !bytes.Equal(once, twice) {
			t.Errorf("%d buckets are read again as %d:\n%x\n%x", n, m, once, twice)
		}
	})
}
