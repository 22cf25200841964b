package bolt

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"go.etcd.io/bbolt"
)

// repairSuffix is of the new file, until it takes the old one's place.
const repairSuffix = ".repair"

// Repaired is what Repair did.
type Repaired struct {
	Before  int64          `json:"before"` // bytes of the damaged file
	After   int64          `json:"after"`
	Kept    string         `json:"kept"`    // the name that the damaged file has now
	Records map[string]int `json:"records"` // that the new file has, by bucket
	Lost    []string       `json:"lost"`    // what was left out, in words: the first 1,000
	Revived int            `json:"revived"` // deliveries among them that were made anew from what else is known, and wait
	Counts  map[string]int `json:"counts"`  // of all that was left out, by bucket; "page": pages
}

// lose notes what is left out.
func (r *Repaired) lose(b, format string, args ...any) {
	r.Counts[b]++
	if len(r.Lost) < maxFaults {
		r.Lost = append(r.Lost, fmt.Sprintf(format, args...))
	}
}

// Repair writes a damaged file at path anew, from what is whole of it. Pages and
// records that cannot be read are left out, and so is what is of no use without
// them; queues and counts are made from the deliveries that there are. The new
// file is checked, made durable and put in the old one's place, which is kept
// beside it under another name. Until then the old one is only read: whatever
// goes wrong, and a kill, leave it as it is, and the next Repair begins anew. A
// file that another process holds gives ErrInUse.
func Repair(ctx context.Context, path string, log *slog.Logger) (*Repaired, error) {
	r, err := repair(ctx, path, log)
	if err != nil {
		return nil, fmt.Errorf("repair store %s: %w", path, err)
	}
	return r, nil
}

func repair(ctx context.Context, path string, log *slog.Logger) (r *Repaired, err error) {
	target, err := resolved(path)
	if err != nil {
		return nil, err
	}
	old, info, err := hold(target)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, old.Close()) }() // until then nobody else opens it
	if err := roomFor(target, info.Size()); err != nil {
		return nil, err
	}
	r = &Repaired{Before: info.Size(), Records: map[string]int{}, Lost: []string{}, Counts: map[string]int{}}
	beside := target + repairSuffix
	if err := r.build(ctx, old, beside, info, log); err != nil {
		return nil, errors.Join(err, ignoreMissing(os.Remove(beside)))
	}
	r.Kept = target + ".damaged-" + time.Now().UTC().Format("20060102T150405.000Z")
	// There is a store under its name at every moment.
	if err := os.Link(target, r.Kept); err != nil {
		return nil, errors.Join(err, ignoreMissing(os.Remove(beside)))
	}
	if err := os.Rename(beside, target); err != nil {
		return nil, err
	}
	if err := syncFolder(filepath.Dir(target)); err != nil {
		return nil, err
	}
	fresh, err := os.Stat(target)
	if err != nil {
		return nil, err
	}
	r.After = fresh.Size()
	return r, nil
}

// hold opens a file and keeps every other process from opening it.
func hold(path string) (*os.File, os.FileInfo, error) {
	file, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return nil, nil, err
	}
	for end := time.Now().Add(lockWait); ; time.Sleep(lockWait / 30) {
		err = syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if err == nil || !errors.Is(err, syscall.EWOULDBLOCK) || time.Now().After(end) {
			break
		}
	}
	if errors.Is(err, syscall.EWOULDBLOCK) {
		err = ErrInUse
	}
	info, statErr := file.Stat()
	if err := errors.Join(err, statErr); err != nil {
		return nil, nil, errors.Join(err, file.Close())
	}
	return file, info, nil
}

// build makes the new file: records first, then what hangs together.
func (r *Repaired) build(ctx context.Context, old *os.File, beside string, as os.FileInfo, log *slog.Logger) error {
	if err := ignoreMissing(os.Remove(beside)); err != nil { // what a killed one left
		return err
	}
	if err := r.salvage(ctx, old, as.Size(), beside); err != nil {
		return err
	}
	s, err := Open(beside, Options{Logger: log})
	if err != nil {
		return err
	}
	err = s.mend(ctx, r)
	if err == nil {
		err = s.Check(ctx)
	}
	if err == nil {
		err = s.view(r.count)
	}
	if err := errors.Join(err, s.Close()); err != nil {
		return err
	}
	return finish(beside, as)
}

// count counts what there is in the new file.
func (r *Repaired) count(t *tx) error {
	for _, b := range buckets() {
		if n := t.bucket(b).Stats().KeyN; n > 0 {
			r.Records[string(b)] = n
		}
	}
	return nil
}

// salvage copies the records that are whole into a new file.
func (r *Repaired) salvage(ctx context.Context, old *os.File, size int64, beside string) (err error) {
	head, _, err := readHeads(old)
	if err != nil {
		return fmt.Errorf("nothing can be found in it: %w; restore a backup", err)
	}
	db, err := bbolt.Open(beside, 0o600, &bbolt.Options{NoFreelistSync: true, FreelistType: bbolt.FreelistMapType, NoSync: true})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	c := &salvage{ctx: ctx, db: db, sequences: map[bucket]uint64{}, r: r}
	w := newPages(old, head.pageSize, int64(head.end)*int64(head.pageSize))
	w.tell = func(err error) { r.lose("page", "%s", err) }
	w.begin, w.record = c.begin, c.record
	if err := w.refuse(cut(size, int64(len(w.seen))*int64(w.size))); err != nil {
		return err
	}
	if err := w.walk(head.root, keyRange{}, w.bucket); err != nil {
		return err
	}
	if err := c.flush(); err != nil {
		return err
	}
	return c.lay()
}

// salvage is records on their way into a new file.
type salvage struct {
	ctx       context.Context
	db        *bbolt.DB
	r         *Repaired
	of        bucket // "": one that is not known
	pending   []pair
	size      int
	sequences map[bucket]uint64
}

type pair struct {
	b    bucket
	k, v []byte
}

func (c *salvage) begin(name string, sequence uint64) {
	c.of = ""
	for _, b := range buckets() {
		if string(b) == name {
			c.of, c.sequences[b] = b, sequence
		}
	}
}

// record takes a record in, if it is whole.
func (c *salvage) record(p *page, e element) error {
	if c.of == "" {
		return nil
	}
	key := bytes.Clone(e.key)
	value, err := p.read(e.at, e.length)
	if err == nil {
		_, err = unseal(c.of, key, value)
	}
	if err != nil {
		if c.of == bucketMeta && string(key) == schemaKey {
			return nil // it is written anew
		}
		c.r.lose(string(c.of), "%s is damaged", describe(c.of, key))
		return nil
	}
	if c.of == bucketMeta && string(key) == schemaKey {
		f, _ := unseal(c.of, key, value)
		if m, _ := readMaker(f); m.schema > schema {
			return m.tooNew("")
		}
	}
	if c.of == bucketMeta && string(key) == upgradeKey {
		return nil // its indexes are made anew
	}
	c.pending = append(c.pending, pair{c.of, key, bytes.Clone(value)})
	if c.size += len(key) + len(value); c.size < compactStep {
		return nil
	}
	return c.flush()
}

// flush writes what was taken in.
func (c *salvage) flush() error {
	if err := c.ctx.Err(); err != nil {
		return err
	}
	err := c.db.Update(func(btx *bbolt.Tx) error {
		for _, p := range c.pending {
			b, err := btx.CreateBucketIfNotExists([]byte(p.b))
			if err != nil {
				return err
			}
			b.FillPercent = 0.9
			if err := b.Put(p.k, p.v); err != nil {
				return err
			}
		}
		return nil
	})
	c.pending, c.size = nil, 0
	return err
}

// lay makes it a file of this schema.
func (c *salvage) lay() error {
	return c.db.Update(func(btx *bbolt.Tx) error {
		for _, name := range buckets() {
			b, err := btx.CreateBucketIfNotExists([]byte(name))
			if err != nil {
				return err
			}
			if err := b.SetSequence(c.sequences[name]); err != nil {
				return err
			}
		}
		return maker{schema: schema}.put(btx)
	})
}

// finish gives a new file what the old one has, and makes it durable.
func finish(path string, as fs.FileInfo) error {
	if err := os.Chmod(path, as.Mode().Perm()); err != nil {
		return err
	}
	if owner, ok := as.Sys().(*syscall.Stat_t); ok && (int(owner.Uid) != os.Getuid() || int(owner.Gid) != os.Getgid()) {
		if err := os.Chown(path, int(owner.Uid), int(owner.Gid)); err != nil {
			return err
		}
	}
	file, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	return errors.Join(file.Sync(), file.Close())
}
