package bolt

import (
	"bufio"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"go.etcd.io/bbolt"
)

const (
	// backupSuffix is of a copy while it is made. It has no name any more by
	// the time that something is in it, so that a kill leaves nothing.
	backupSuffix = ".backup"
	// backupStep is how much of a copy is written between two times that it
	// is made durable: a commit beside it has the disk write that much more,
	// at most, before it is durable itself.
	backupStep = 64 << 20
	// backupBuffer is how much is read at a time.
	backupBuffer = 1 << 20
)

// ErrCopying says that a copy of the store is there already: one at a time is
// made and kept.
var ErrCopying = errors.New("another backup is being taken")

// Backup writes what the store holds at one moment: a file that can be opened
// as it is, of the size of the store's. Others may write meanwhile, and see
// nothing of it; but until it ends the store's file grows by what they write,
// for nothing in it is used again. So w must not be slow: see Copy. progress,
// if any, is told how many bytes of how many are written. What was written
// before an error is of no use.
func (s *Store) Backup(ctx context.Context, w io.Writer, progress func(done, of int64)) error {
	err := s.guard(func() error {
		return s.db.View(func(btx *bbolt.Tx) error {
			// bbolt reads the file and not the memory it is mapped to: a
			// sector that can't be read is an error, and nothing else.
			buffer := bufio.NewWriterSize(&watched{ctx: ctx, w: w, of: btx.Size(), progress: progress}, backupBuffer)
			if _, err := btx.WriteTo(buffer); err != nil {
				return err
			}
			return buffer.Flush()
		})
	})
	if err != nil {
		return fmt.Errorf("backup: %w", closedError(err))
	}
	return nil
}

// watched is a writer that a context ends.
type watched struct {
	ctx      context.Context
	w        io.Writer
	done, of int64
	progress func(done, of int64)
}

// Write writes.
func (w *watched) Write(p []byte) (int, error) {
	if err := w.ctx.Err(); err != nil {
		return 0, err
	}
	n, err := w.w.Write(p)
	if w.done += int64(n); w.progress != nil {
		w.progress(w.done, w.of)
	}
	return n, err
}

// Copy is a copy of a store as it was at one moment, to be read once, as slowly
// as it may be. It is for one goroutine.
type Copy struct {
	Size  int64
	Sum   [sha256.Size]byte // SHA-256 of all of it
	Taken time.Time

	file    *os.File
	release func()
}

// Read reads on.
func (c *Copy) Read(p []byte) (int, error) { return c.file.Read(p) }

// Close gives the space of it free.
func (c *Copy) Close() error {
	defer c.release()
	return c.file.Close()
}

// Copy makes a backup in a file beside the store that has no name: its space is
// free when it is closed, and when the process is killed. That there is room is
// looked at first (ErrNoSpace). While one is there another gives ErrCopying.
func (s *Store) Copy(ctx context.Context) (*Copy, error) {
	if !s.copying.TryLock() {
		return nil, ErrCopying
	}
	c := &Copy{Taken: time.Now().UTC(), release: s.copying.Unlock}
	if err := s.fill(ctx, c); err != nil {
		s.copying.Unlock()
		return nil, fmt.Errorf("backup: %w", err)
	}
	return c, nil
}

func (s *Store) fill(ctx context.Context, c *Copy) (err error) {
	path := s.db.Path()
	if err := roomFor(path, s.size()); err != nil {
		return err
	}
	if c.file, err = unnamed(path + backupSuffix); err != nil {
		return err
	}
	sum := sha256.New()
	err = s.Backup(ctx, io.MultiWriter(&paced{file: c.file}, sum), func(done, _ int64) { c.Size = done })
	if err == nil {
		_, err = c.file.Seek(0, io.SeekStart)
	}
	if err != nil {
		return errors.Join(err, c.file.Close())
	}
	sum.Sum(c.Sum[:0])
	return nil
}

// size is how large a backup becomes, about.
func (s *Store) size() (n int64) {
	err := s.guard(func() error {
		return s.db.View(func(btx *bbolt.Tx) error {
			n = btx.Size()
			return nil
		})
	})
	if err != nil {
		return 0 // it is closed: whoever goes on learns so
	}
	return n
}

// unnamed makes a file that nobody else can open, and that is gone with the
// process.
func unnamed(path string) (*os.File, error) {
	if err := ignoreMissing(os.Remove(path)); err != nil {
		return nil, err
	}
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return nil, err
	}
	if err := os.Remove(path); err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return file, nil
}

// paced is a file that never has much in memory that is still to be written to
// the disk.
type paced struct {
	file  *os.File
	since int
}

// Write writes.
func (p *paced) Write(b []byte) (int, error) {
	n, err := p.file.Write(b)
	if p.since += n; err == nil && p.since >= backupStep {
		p.since = 0
		err = p.file.Sync()
	}
	return n, err
}
