package bolt

import (
	"bytes"
	"encoding/binary"
	"errors"
	"hash/fnv"
	"io"
	"os"
	"syscall"
)

// clearStub says whether the file at path is one that bbolt began to make and
// could not finish: the disk was full, or the process was killed. It empties
// such a file, unless readOnly, so that it is made anew. It does so under the
// lock that bbolt takes, for another process may be making it right now.
func clearStub(path string, readOnly bool) (bool, error) {
	file, err := os.Open(path)
	if err != nil {
		return false, err
	}
	defer file.Close()
	if stub, err := isStub(file); err != nil || !stub || readOnly {
		return stub, err
	}
	switch err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); {
	case errors.Is(err, syscall.EWOULDBLOCK):
		return true, nil // bbolt waits for the lock, and looks at the file then
	case err != nil:
		return false, err
	}
	if stub, err := isStub(file); err != nil || !stub {
		return stub, err
	}
	return true, os.Truncate(path, 0)
}

// isStub says whether a file is a beginning of what every new file begins
// with, or nothing but zeros and not longer.
func isStub(file *os.File) (bool, error) {
	whole := seed(os.Getpagesize())
	begin, err := io.ReadAll(io.NewSectionReader(file, 0, int64(len(whole))+1))
	if err != nil {
		return false, err
	}
	zero := len(bytes.TrimLeft(begin, "\x00")) == 0
	return len(begin) <= len(whole) && zero || len(begin) < len(whole) && bytes.HasPrefix(whole, begin), nil
}

// What the heads of a bbolt file begin with.
const boltMagic, boltVersion = 0xED0CDAED, 2

// seed is what bbolt writes first of all, in one piece: two heads of the
// database, a page of the freelist and an empty leaf, all of pageSize.
func seed(pageSize int) []byte {
	const (
		metaFlag, freelistFlag = 0x04, 0x10
		freelist, root, end    = 2, 3, 4
	)
	file := make([]byte, end*pageSize)
	for i, flag := range []uint16{metaFlag, metaFlag, freelistFlag, leafFlag} {
		page := file[i*pageSize:]
		binary.NativeEndian.PutUint64(page, uint64(i))
		binary.NativeEndian.PutUint16(page[8:], flag)
		if flag != metaFlag {
			continue
		}
		meta := page[pageHead:]
		for j, v := range []uint32{boltMagic, boltVersion, uint32(pageSize), 0} {
			binary.NativeEndian.PutUint32(meta[4*j:], v)
		}
		for j, v := range []uint64{root, 0, freelist, end, uint64(i)} {
			binary.NativeEndian.PutUint64(meta[16+8*j:], v)
		}
		sum := fnv.New64a()
		_, _ = sum.Write(meta[:56])
		binary.NativeEndian.PutUint64(meta[56:], sum.Sum64())
	}
	return file
}
