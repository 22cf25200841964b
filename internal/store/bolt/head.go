package bolt

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
)

// fileHead is one of the two heads of a file: bbolt writes them by turns, last of
// a transaction, and goes by the later one that is whole.
type fileHead struct {
	pageSize int
	root     uint64 // page of the tree of buckets
	end      uint64 // how many pages the file has
	txid     uint64
}

// headSize is what is read of a page for it.
const headSize = pageHead + 64

// readHeads reads both heads as bbolt does, and gives the later one. whole says
// how many of the two are.
func readHeads(file io.ReaderAt) (latest fileHead, whole int, err error) {
	first, err := readHead(file, 0)
	if err == nil {
		latest, whole = first, 1
	}
	// Where the first is not whole, nobody knows how large a page is.
	sizes := []int{first.pageSize}
	if whole == 0 {
		sizes = nil
		for size := 1 << 10; size <= 1<<16; size <<= 1 {
			sizes = append(sizes, size)
		}
	}
	for _, size := range sizes {
		second, failed := readHead(file, int64(size))
		if failed != nil || second.pageSize != size {
			continue
		}
		if whole++; whole == 1 || second.txid > latest.txid {
			latest = second
		}
		break
	}
	if whole == 0 {
		return fileHead{}, 0, fmt.Errorf("neither of the file's two heads is whole: %w", err)
	}
	return latest, whole, nil
}

func readHead(file io.ReaderAt, at int64) (h fileHead, err error) {
	page := make([]byte, headSize)
	if _, err := file.ReadAt(page, at); err != nil {
		return h, err
	}
	meta := page[pageHead:]
	sum := fnv.New64a()
	_, _ = sum.Write(meta[:56])
	switch {
	case binary.NativeEndian.Uint32(meta) != boltMagic || binary.NativeEndian.Uint32(meta[4:]) != boltVersion:
		return h, errors.New("it is none of bbolt's")
	case binary.NativeEndian.Uint64(meta[56:]) != sum.Sum64():
		return h, errors.New("its checksum is another")
	}
	h.pageSize = int(binary.NativeEndian.Uint32(meta[8:]))
	h.root, h.end, h.txid = binary.NativeEndian.Uint64(meta[16:]), binary.NativeEndian.Uint64(meta[40:]), binary.NativeEndian.Uint64(meta[48:])
	if h.pageSize < 1<<10 || h.pageSize > 1<<16 || h.pageSize&(h.pageSize-1) != 0 {
		return h, fmt.Errorf("pages of %d bytes", h.pageSize)
	}
	return h, nil
}
