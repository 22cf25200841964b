package bolt

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"

	"go.etcd.io/bbolt"
)

// walkPages reads every page that holds keys, from the file and not through
// bbolt, and gives the first fault in how they hang together; with tell it gives
// each to that, and goes on with the next page.
//
// It is there because of what bbolt does with such a fault while it opens a
// file to write: it walks the pages in a goroutine of its own, follows what
// they say, and panics where nobody can recover it, or fills the memory.
// The format of pages is that of bbolt's internal/common, version 2.
func (s *Store) walkPages(path string, tell func(error)) error {
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return err
	}
	return s.db.View(func(btx *bbolt.Tx) error {
		w := newPages(file, s.db.Info().PageSize, btx.Size())
		w.tell = tell
		if err := w.refuse(cut(info.Size(), btx.Size())); err != nil {
			return err
		}
		return w.walk(uint64(btx.Cursor().Bucket().RootPage()), keyRange{}, w.bucket)
	})
}

// cut is the fault of a file that has fewer bytes than its pages.
func cut(has, of int64) error {
	if has >= of {
		return nil
	}
	return fmt.Errorf("the file is %w: it has %d bytes of %d", errCut, has, of)
}

// errCut is ErrDamaged of a file whose end is missing.
var errCut = fmt.Errorf("%w", ErrDamaged)

// The layout of a page: a head of id (8), flags (2), count (2) and overflow
// (4), then an element for each key, then keys and values. An element is 16
// bytes in both kinds of page, and places are counted from its own beginning.
const (
	pageHead    = 16
	elementSize = 16

	branchFlag = 0x01
	leafFlag   = 0x02
	bucketFlag = 0x01 // of a leaf's element
)

// maxDepth is more than the depth of any tree of 64-bit pages.
const maxDepth = 64

type pages struct {
	file  *chunks
	size  int
	seen  []bool // by page; its length is the number of pages
	depth int
	below bool      // it walks a bucket, and not the tree of those
	leaf  []element // of the leaf that is looked at

	// Each may be nil.
	tell   func(error)                          // gets each fault, and the walk goes on
	begin  func(bucket string, sequence uint64) // a bucket that is walked next
	record func(p *page, e element) error       // of it; its error ends the walk
}

// newPages is for a file of so many bytes.
func newPages(file io.ReaderAt, size int, all int64) *pages {
	return &pages{file: &chunks{of: file}, size: size, seen: make([]bool, all/int64(size))}
}

// halt is an error that is no fault of a page.
type halt struct{ error }

// Unwrap is the error.
func (h halt) Unwrap() error { return h.error }

// refuse is what becomes of a fault: where it is told, it ends nothing.
func (w *pages) refuse(err error) error {
	if _, ends := err.(halt); err == nil || ends || w.tell == nil { //nolint:errorlint // it is never wrapped
		return err
	}
	w.tell(err)
	return nil
}

// torn names the page of a fault, unless it says already what is damaged.
func torn(page uint64, err error) error {
	if _, ends := err.(halt); err == nil || ends || errors.Is(err, ErrDamaged) { //nolint:errorlint // it is never wrapped
		return err
	}
	return fmt.Errorf("page %d is %w: %w", page, ErrDamaged, err)
}

// keyRange is which keys may stand in a page. A nil bound is none.
type keyRange struct{ from, to []byte }

func (r keyRange) holds(key []byte) bool {
	return (r.from == nil || bytes.Compare(r.from, key) <= 0) && (r.to == nil || bytes.Compare(key, r.to) < 0)
}

// element is a key of a page and what belongs to it.
type element struct {
	key    []byte
	child  uint64 // of a branch
	flags  uint32 // of a leaf
	at     int    // place of the value in the page, of a leaf
	length int    // of the value, of a leaf
}

// walk reads a page and those below it. each gets a leaf's elements.
func (w *pages) walk(id uint64, within keyRange, each func(*page, element) error) error {
	if w.depth++; w.depth > maxDepth {
		return w.refuse(torn(id, errors.New("too deep")))
	}
	defer func() { w.depth-- }()
	p, err := w.page(id)
	if err != nil {
		return w.refuse(torn(id, err))
	}
	// What lies below is read while the keys of a branch are needed, and while
	// those of a leaf are that has buckets.
	var elements []element
	if p.flags == branchFlag || !w.below {
		p.start = bytes.Clone(p.start)
		elements, err = p.elements(nil, within)
	} else {
		elements, err = p.elements(w.leaf, within)
		w.leaf = elements
	}
	if err != nil {
		return w.refuse(torn(id, err))
	}
	for i, e := range elements {
		if p.flags == leafFlag {
			if err := w.refuse(torn(id, each(p, e))); err != nil {
				return err
			}
			continue
		}
		below := keyRange{e.key, within.to}
		if i+1 < len(elements) {
			below.to = elements[i+1].key
		}
		if err := w.walk(e.child, below, each); err != nil {
			return err
		}
	}
	return nil
}

// bucket walks the bucket of an element of the root.
func (w *pages) bucket(p *page, e element) error {
	const head = 16 // root (8) and sequence (8)
	if e.flags != bucketFlag || e.length < head {
		return errors.New("no bucket")
	}
	value, err := p.read(e.at, e.length)
	if err != nil {
		return err
	}
	if w.begin != nil {
		w.begin(string(e.key), binary.NativeEndian.Uint64(value[8:]))
	}
	if root := binary.NativeEndian.Uint64(value); root != 0 {
		w.below = true
		defer func() { w.below = false }()
		return w.walk(root, keyRange{}, w.plain)
	}
	inline, err := parsePage(value[head:], len(value)-head)
	if err != nil {
		return err
	}
	if inline.flags != leafFlag {
		return errors.New("a bucket within a page is no leaf")
	}
	elements, err := inline.elements(nil, keyRange{})
	for i := 0; err == nil && i < len(elements); i++ {
		err = w.plain(inline, elements[i])
	}
	return err
}

// plain refuses buckets within buckets, of which there are none.
func (w *pages) plain(p *page, e element) error {
	if e.flags != 0 {
		return errors.New("no plain value")
	}
	if w.record != nil {
		if err := w.record(p, e); err != nil {
			return halt{err}
		}
	}
	return nil
}

// page is a page and its first bytes.
type page struct {
	file   io.ReaderAt // from the page's beginning; nil: start is all of it
	length int         // with its overflow
	start  []byte
	id     uint64
	flags  uint16
	count  int
}

// page reads a page that nothing else referred to.
func (w *pages) page(id uint64) (*page, error) {
	if id < 2 || id >= uint64(len(w.seen)) {
		return nil, fmt.Errorf("the file has %d pages", len(w.seen))
	}
	at := int64(id) * int64(w.size)
	start, err := w.file.view(at, w.size)
	if err != nil {
		return nil, err
	}
	p, err := parsePage(start, (len(w.seen)-int(id))*w.size)
	if err != nil {
		return nil, err
	}
	if p.length > w.size {
		p.file = io.NewSectionReader(w.file.of, at, int64(p.length))
	}
	if p.id != id || p.flags != branchFlag && p.flags != leafFlag || p.flags == branchFlag && p.count == 0 {
		return nil, fmt.Errorf("it says that it is page %d, kind %x, %d keys", p.id, p.flags, p.count)
	}
	for i := range p.length / w.size {
		if w.seen[int(id)+i] {
			return nil, fmt.Errorf("page %d is used twice", int(id)+i)
		}
		w.seen[int(id)+i] = true
	}
	return p, nil
}

// parsePage reads the head of a page of which start is the beginning. With its
// overflow it may not have more than most bytes.
func parsePage(start []byte, most int) (*page, error) {
	if len(start) < pageHead {
		return nil, io.ErrUnexpectedEOF
	}
	p := &page{
		start: start,
		id:    binary.NativeEndian.Uint64(start), flags: binary.NativeEndian.Uint16(start[8:]),
		count: int(binary.NativeEndian.Uint16(start[10:])),
	}
	overflow := int64(binary.NativeEndian.Uint32(start[12:]))
	if (overflow+1)*int64(len(start)) > int64(most) {
		return nil, fmt.Errorf("%d pages of overflow", overflow)
	}
	p.length = int(overflow+1) * len(start)
	return p, nil
}

// read gives bytes of the page.
func (p *page) read(at, n int) ([]byte, error) {
	switch {
	case at < 0 || n < 0 || at > p.length || n > p.length-at:
		return nil, fmt.Errorf("bytes %d to %d of %d", at, at+n, p.length)
	case at+n <= len(p.start):
		return p.start[at : at+n], nil
	}
	b := make([]byte, n)
	_, err := p.file.ReadAt(b, int64(at))
	return b, err
}

// elements reads the keys, which must ascend within a range, into the room of
// what was read before.
func (p *page) elements(room []element, within keyRange) ([]element, error) {
	list, err := p.read(pageHead, p.count*elementSize)
	if err != nil {
		return nil, err
	}
	elements := slices.Grow(room[:0], p.count)[:p.count]
	for i := range elements {
		b := list[i*elementSize:]
		word := func(at int) int { return int(binary.NativeEndian.Uint32(b[at:])) }
		e, at := &elements[i], pageHead+i*elementSize
		*e = element{}
		var size int
		if p.flags == branchFlag {
			at, size, e.child = at+word(0), word(4), binary.NativeEndian.Uint64(b[8:])
		} else {
			e.flags, at, size, e.length = uint32(word(0)), at+word(4), word(8), word(12)
			e.at = at + size
			if e.at < 0 || e.length < 0 || e.at > p.length || e.length > p.length-e.at {
				return nil, fmt.Errorf("value %d is not in the page", i)
			}
		}
		if e.key, err = p.read(at, size); err != nil {
			return nil, fmt.Errorf("key %d: %w", i, err)
		}
		if !within.holds(e.key) || i > 0 && bytes.Compare(elements[i-1].key, e.key) >= 0 {
			return nil, fmt.Errorf("key %d is not in order", i)
		}
	}
	return elements, nil
}
