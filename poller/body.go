package poller

import (
	"bytes"
	"io"
	"net/http"
)

// drained is how much of a body is read away so that its connection can be
// used again; of a longer one the connection is given up.
const drained = 64 << 10

// discard ends an answer whose body is of no interest.
func discard(body io.ReadCloser) {
	_, _ = io.CopyN(io.Discard, body, drained)
	_ = body.Close()
}

// read reads the whole body, decompressed no larger than limit. It grows in a
// buffer that is used again, and is copied out at its size.
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
	n, err := buf.ReadFrom(io.LimitReader(resp.Body, limit+1))
	if err != nil {
		return nil, err
	}
	if n > limit {
		return nil, Failf(ClassTooLarge, "over %d bytes, which is what request.max_body allows", limit)
	}
	return bytes.Clone(buf.Bytes()), nil
}
