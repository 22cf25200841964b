package decode

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"

	"github.com/andybalholm/brotli"
	"github.com/klauspost/compress/flate"
	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zlib"
	"github.com/klauspost/compress/zstd"
)

// AcceptEncoding is the header that asks for what an Inflater undoes.
const AcceptEncoding = "gzip, deflate, br, zstd"

const (
	mostCodings   = 2       // one on top of the other
	largestWindow = 8 << 20 // what RFC 9659 allows zstd to look back
)

// CodingError is a content encoding that cannot be undone.
type CodingError struct{ Coding string }

// Error is the coding.
func (e *CodingError) Error() string {
	return fmt.Sprintf("the content encoding %q, which was not asked for", e.Coding)
}

// Inflater undoes content encodings and keeps what that needs for the next
// body. The zero value is ready; it is safe for concurrent use.
type Inflater struct{ gzip, br, zstd sync.Pool }

// stream is a decompressor that can be used again.
type stream interface {
	io.Reader
	Reset(r io.Reader) error
}

// Read gives to use what r holds, with the codings of a Content-Encoding
// header undone. What use is given must not be kept. After all of it was read
// r is read to its end, so that a body that was cut is found; use decides how
// much it reads, for a small r may hold very much. An error is use's, r's, a
// *CodingError, or says that r is not what the header says.
func (f *Inflater) Read(r io.Reader, codings string, use func(io.Reader) error) error {
	var names []string
	for name := range strings.SplitSeq(strings.ToLower(codings), ",") {
		if name = strings.TrimSpace(name); name != "" && name != "identity" {
			names = append(names, name)
		}
	}
	if len(names) > mostCodings {
		return &CodingError{codings}
	}
	return f.undo(r, names, use)
}

// undo undoes the last of the codings, then the others.
func (f *Inflater) undo(r io.Reader, names []string, use func(io.Reader) error) error {
	if len(names) == 0 {
		return use(r)
	}
	last := len(names) - 1
	buffered := bufio.NewReader(r)
	if _, err := buffered.Peek(1); errors.Is(err, io.EOF) {
		return use(strings.NewReader("")) // an empty body, which many servers send without coding it
	}
	var pool *sync.Pool
	var plain io.Reader
	switch names[last] {
	case "gzip", "x-gzip":
		pool = &f.gzip
	case "br":
		pool = &f.br
	case "zstd":
		pool = &f.zstd
	case "deflate":
		var err error
		if plain, err = deflated(buffered); err != nil {
			return err
		}
	default:
		return &CodingError{names[last]}
	}
	if pool != nil {
		s, err := taken(pool, names[last])
		if err != nil {
			return err
		}
		if err := s.Reset(buffered); err != nil {
			return err
		}
		defer func() {
			_ = s.Reset(strings.NewReader("")) // so that it lets go of r; gzip minds the emptiness
			pool.Put(s)
		}()
		plain = s
	}
	if err := f.undo(plain, names[:last], use); err != nil {
		return err
	}
	return ended(plain, buffered)
}

// ended reads what is left after use had enough, where that is nothing.
func ended(plain io.Reader, r *bufio.Reader) error {
	if n, err := io.CopyN(io.Discard, plain, 1); n > 0 || !errors.Is(err, io.EOF) {
		if n > 0 {
			return nil // use stopped early: it is not interested in the rest
		}
		return err
	}
	if _, err := r.ReadByte(); !errors.Is(err, io.EOF) {
		if err == nil {
			return errors.New("the body goes on after the end of what was compressed")
		}
		return err
	}
	return nil
}

func taken(pool *sync.Pool, coding string) (stream, error) {
	if s, ok := pool.Get().(stream); ok {
		return s, nil
	}
	switch coding {
	case "br":
		return new(brotli.Reader), nil
	case "zstd":
		return zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true), zstd.WithDecoderMaxWindow(largestWindow))
	}
	return new(gzip.Reader), nil
}

// deflated undoes "deflate", which by RFC 9110 is the zlib format, and by
// many servers the bare stream.
func deflated(r *bufio.Reader) (io.Reader, error) {
	head, _ := r.Peek(2) // fewer are no zlib
	if len(head) == 2 && head[0]&0x0f == 8 && (int(head[0])<<8|int(head[1]))%31 == 0 {
		return zlib.NewReader(r)
	}
	return flate.NewReader(r), nil
}
