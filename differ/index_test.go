package differ_test

import (
	"bytes"
	"fmt"
	"testing"

	"github.com/deltahook/deltahook/differ"
)

// FuzzKeys holds the index of a memory against a map.
func FuzzKeys(f *testing.F) {
	f.Add([]byte("a,b,a,c,,b"))
	var many bytes.Buffer
	for i := range 1000 {
		fmt.Fprintf(&many, "%d,", i*i%701)
	}
	f.Add(many.Bytes())
	f.Fuzz(func(t *testing.T, text []byte) {
		var keys differ.Keys
		model := map[string]int{}
		for part := range bytes.SplitSeq(text, []byte(",")) {
			key := string(part)
			want, there := model[key]
			if !there {
				want = -1
			}
			if got := keys.Find(key); got != want {
				t.Fatalf("%q is number %d, want %d", key, got, want)
			}
			if !there {
				model[key] = len(model)
			}
			got := keys.Put(key)
			if got != model[key] {
				t.Fatalf("%q became number %d, want %d", key, got, model[key])
			}
			clear(part) // the key must be a copy
		}
		for key, i := range model {
			if keys.Find(key) != i || keys.At(i) != key {
				t.Fatalf("%q is number %d, want %d, which is %q", key, keys.Find(key), i, keys.At(i))
			}
		}
	})
}

func TestKeysOfAllSizesAreFound(t *testing.T) {
	var keys differ.Keys
	for i := range 100_000 {
		if got := keys.Put(fmt.Sprint("item-", i)); got != i {
			t.Fatalf("key %d became number %d", i, got)
		}
		if i&(i-1) == 0 && keys.Find("item-0") != 0 {
			t.Fatalf("the first of %d keys is not found", i)
		}
	}
	for i := range 100_000 {
		if got := keys.Find(fmt.Sprint("item-", i)); got != i {
			t.Fatalf("key %d is number %d", i, got)
		}
		if got := keys.Find(fmt.Sprint("other-", i)); got != -1 {
			t.Fatalf("a key that is not there is number %d", got)
		}
	}
}

func BenchmarkKeys(b *testing.B) {
	const n = 100_000
	names, others := make([]string, n), make([]string, n)
	var keys differ.Keys
	model := make(map[string]int, n)
	for i := range n {
		names[i], others[i] = fmt.Sprint("item-", i), fmt.Sprint("other-", i)
		model[names[i]] = keys.Put(names[i])
	}
	for name, find := range map[string]func(int) bool{
		"there":         func(i int) bool { return keys.Find(names[i%n]) >= 0 },
		"not-there":     func(i int) bool { return keys.Find(others[i%n]) < 0 },
		"there/map":     func(i int) bool { return model[names[i%n]] >= 0 },
		"not-there/map": func(i int) bool { _, ok := model[others[i%n]]; return !ok },
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				if !find(i) {
					b.Fatal("wrong")
				}
			}
		})
	}
}
