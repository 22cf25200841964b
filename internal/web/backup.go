package web

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"
)

const (
	// backupChunk is how much of a backup a client must take within
	// writeTimeout: one that is slower than 35 KB/s is cut off.
	backupChunk = 1 << 20
	// digestField and digestPrefix are where the checksum of a backup stands
	// (RFC 9530), as base64 between colons.
	digestField  = "Repr-Digest"
	digestPrefix = "sha-256=:"
)

// Backups is who copies the store.
type Backups interface {
	// Backup gives a copy of the store as it is now, complete and on disk.
	// Where there is one already that is not closed, the error wraps
	// ErrConflict.
	Backup(ctx context.Context) (*Backup, error)
}

// Backup is a copy of the store: read it once, and close it.
type Backup struct {
	io.ReadCloser
	Size  int64
	Sum   [sha256.Size]byte // SHA-256
	Taken time.Time
}

// copying is the operation that gives the store away.
func (s *Server) copying() []route {
	if s.o.Backups == nil {
		return nil
	}
	return []route{{"POST /api/v1/backup", s.backup, nil}}
}

// backup sends a copy of the store. It is no GET: it costs much, and a page of
// another site may have a browser send those.
func (s *Server) backup(w http.ResponseWriter, r *http.Request) {
	if s.open() && !onSocket(r) {
		refuse(w, http.StatusForbidden, "a backup holds refresh tokens: it is given where server.token is set, or on the socket beside the store")
		return
	}
	control := http.NewResponseController(w)
	// It is made at the pace of the disk. A request's time to be read would end
	// it: net/http reads on, to see the client go.
	_, _ = control.SetReadDeadline(time.Time{}), control.SetWriteDeadline(time.Time{})
	b, err := s.o.Backups.Backup(r.Context())
	if err != nil {
		failed(w, err)
		return
	}
	defer b.Close()
	h := w.Header()
	h.Set("Content-Type", "application/octet-stream")
	h.Set("Content-Length", strconv.FormatInt(b.Size, 10))
	h.Set("Content-Disposition", `attachment; filename="deltahook-`+b.Taken.UTC().Format("20060102T150405Z")+`.db"`)
	h.Set(digestField, digestPrefix+base64.StdEncoding.EncodeToString(b.Sum[:])+":")
	for {
		allow(w, writeTimeout)
		if _, err := io.CopyN(w, b, backupChunk); errors.Is(err, io.EOF) {
			return
		} else if err != nil {
			break
		}
	}
	panic(http.ErrAbortHandler) // the head is out: a cut body is all that can still tell
}

// onSocket says whether a request came over the unix socket.
func onSocket(r *http.Request) bool {
	at, ok := r.Context().Value(http.LocalAddrContextKey).(net.Addr)
	return ok && at.Network() == "unix"
}

// Backup has the daemon copy its store, and writes the copy to w. That it came
// as it was sent is known by its checksum; without a nil error what was written
// is of no use. progress, if any, is told how many bytes of how many came.
func (c *Client) Backup(ctx context.Context, w io.Writer, progress func(done, of int64)) error {
	resp, err := c.send(ctx, http.MethodPost, "/api/v1/backup", http.NoBody, "Accept-Encoding", "identity")
	if err != nil {
		return err
	}
	if resp.StatusCode != http.StatusOK {
		return expectOK(resp, nil)
	}
	defer resp.Body.Close()
	want, err := digest(resp.Header)
	if err != nil {
		return err
	}
	sum := sha256.New()
	var done int64
	for {
		n, err := io.CopyN(io.MultiWriter(w, sum), resp.Body, backupChunk)
		if done += n; progress != nil {
			progress(done, resp.ContentLength)
		}
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return fmt.Errorf("the backup broke off after %d bytes: %w", done, err)
		}
	}
	if !bytes.Equal(sum.Sum(nil), want) {
		return errors.New("the backup came damaged: its checksum is another")
	}
	return nil
}

// digest is the checksum that an answer says it has.
func digest(h http.Header) ([]byte, error) {
	_, text, _ := strings.Cut(h.Get(digestField), digestPrefix)
	text, _, closed := strings.Cut(text, ":")
	sum, err := base64.StdEncoding.DecodeString(text)
	if err != nil || !closed || len(sum) != sha256.Size {
		return nil, errors.New("the answer has no checksum: something on the way to the daemon drops " + digestField)
	}
	return sum, nil
}
