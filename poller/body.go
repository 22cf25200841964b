package poller

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"strings"

	"github.com/deltahook/deltahook/internal/decode"
)

// drained is how much of a body is read away so that its connection can be
// used again; of a longer one the connection is given up.
const drained = 64 << 10

// discard ends an answer whose body is of no interest.
func discard(body io.ReadCloser) {
	_, _ = io.CopyN(io.Discard, body, drained)
	_ = body.Close()
}

// read reads the whole body, decompressed no larger than limit, nor larger on
// the wire. It grows in a buffer that is used again, and is copied out at its
// size.
func (c *Client) read(resp *http.Response, limit int64) ([]byte, error) {
	if resp.ContentLength > limit {
		return nil, Failf(ClassTooLarge, "%d bytes, and request.max_body allows %d", resp.ContentLength, limit)
	}
	buf, ok := c.buffers.Get().(*bytes.Buffer)
	if !ok {
		buf = new(bytes.Buffer)
	}
	defer func() {
		if buf.Cap() <= largestPooled {
			buf.Reset()
			c.buffers.Put(buf)
		}
	}()
	err := c.inflate(resp, limit, func(plain io.Reader) error {
		n, err := buf.ReadFrom(io.LimitReader(plain, limit+1))
		if err == nil && n > limit {
			return tooLarge(limit)
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return bytes.Clone(buf.Bytes()), nil
}

// inflate gives use the body with its content encoding undone, of which the
// header then no longer tells. More than limit bytes on the wire are a failure.
func (c *Client) inflate(resp *http.Response, limit int64, use func(io.Reader) error) error {
	codings := strings.Join(resp.Header["Content-Encoding"], ",")
	err := c.inflater.Read(&capped{r: resp.Body, left: limit, limit: limit}, codings, use)
	if coding, ok := errors.AsType[*decode.CodingError](err); ok {
		return &Failure{Class: ClassFormat, Err: coding}
	}
	if err == nil && codings != "" {
		resp.Header.Del("Content-Encoding")
		resp.Header.Del("Content-Length")
	}
	return err
}

func tooLarge(limit int64) *Failure {
	return Failf(ClassTooLarge, "over %d bytes, which is what request.max_body allows", limit)
}

// capped reads at most limit bytes: what is compressed may be endless and hold
// nothing.
type capped struct {
	r           io.Reader
	left, limit int64
}

// Read fails where there is more.
func (c *capped) Read(p []byte) (int, error) {
	if int64(len(p)) > c.left+1 {
		p = p[:c.left+1]
	}
	n, err := c.r.Read(p)
	if c.left -= int64(n); c.left < 0 {
		return n, tooLarge(c.limit)
	}
	return n, err
}
