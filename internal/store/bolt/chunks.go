package bolt

import (
	"errors"
	"io"
)

// chunks reads a file in larger pieces than it is asked for: pages that belong
// together lie side by side, mostly. It is for one goroutine.
type chunks struct {
	of   io.ReaderAt
	kept [8]struct {
		at    int64 // its number, from 1; 0: none
		bytes []byte
	}
}

const chunkSize = 256 << 10

// view gives bytes of the file. Where they lie in one chunk they are the
// chunk's, and stay as they are until something else is read.
func (c *chunks) view(at int64, size int) ([]byte, error) {
	number := at/chunkSize + 1
	from := int(at % chunkSize)
	if from+size > chunkSize {
		b := make([]byte, size)
		_, err := c.of.ReadAt(b, at)
		return b, err
	}
	kept := &c.kept[number%int64(len(c.kept))]
	if kept.at != number {
		if kept.bytes == nil {
			kept.bytes = make([]byte, chunkSize)
		}
		kept.at = 0
		n, err := c.of.ReadAt(kept.bytes[:chunkSize], at-int64(from))
		if err != nil && !errors.Is(err, io.EOF) {
			return nil, err
		}
		kept.at, kept.bytes = number, kept.bytes[:n]
	}
	if from+size > len(kept.bytes) {
		return nil, io.ErrUnexpectedEOF
	}
	return kept.bytes[from : from+size : from+size], nil
}
