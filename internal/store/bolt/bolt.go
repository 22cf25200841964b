package bolt

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"math"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.etcd.io/bbolt"
	berrors "go.etcd.io/bbolt/errors"
)

// schema is the version of the file's layout that doc.go describes. Files from
// version 1 on are brought to it when they are opened to write.
const schema = 6

// lockWait is how long Open waits for another process to let go of the file,
// as a restart overlaps.
const lockWait = 1500 * time.Millisecond

// States of a store that can't be used. Errors wrap them.
var (
	ErrClosed   = errors.New("the store is closed")
	ErrInUse    = errors.New("in use by another deltahook")
	ErrReadOnly = errors.New("the store was opened to read only")
)

// Options is how a file is opened. The zero value opens it to write.
type Options struct {
	// ReadOnly opens a file that is there and leaves it as it is: what
	// writes gives ErrReadOnly. Several processes may have a file open so,
	// but none while another has it open to write.
	ReadOnly bool
	// Logger gets the stack of a damaged page, where one was met. Nil: it
	// is not logged.
	Logger *slog.Logger
	// Metrics is where a file that is opened to write registers its
	// metrics; one of a Registerer at most. Nil: nothing is measured.
	Metrics prometheus.Registerer
}

// Store is an open file: a differ.Store, a differ.Archive, an emitter.Queue, an
// emitter.Archive, a poller.Ledger and an auth.Store. All methods may be called concurrently.
type Store struct {
	db      *bbolt.DB
	log     *slog.Logger
	metrics *metrics

	queue  chan *request
	closed chan struct{} // closed when the committer has answered everything

	turns turns // of what Pending gives
	hands hands

	copying sync.Mutex // held while there is a Copy

	step int // about how many records of what is forgotten a transaction removes

	// failing says whether the last transaction could not be written.
	failing atomic.Bool

	// gate is held to send on queue, and locked to close it.
	gate     sync.RWMutex
	refusing error // why requests are refused; nil: they aren't
}

// Open opens the file at path, or makes it with mode 0600 where there is none.
// A file that another process holds gives ErrInUse within two seconds. A file
// of a newer schema, or of another program, is refused. One of an older schema
// is upgraded, in steps: killed meanwhile, it goes on when it is opened again.
// Opened to read only, it is read as it is.
func Open(path string, o Options) (*Store, error) {
	log := o.Logger
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	s := &Store{log: log, queue: make(chan *request, maxWaiting), closed: make(chan struct{}), turns: newTurns(), hands: newHands(), step: sweepStep}
	if err := s.open(path, o.ReadOnly); err != nil {
		return nil, fmt.Errorf("store %s: %w", path, err)
	}
	if o.ReadOnly {
		s.refusing = ErrReadOnly
		close(s.closed)
		return s, nil
	}
	err := s.view(func(t *tx) error {
		s.hands.opened = t.bucket(bucketDeliveries).Sequence()
		return nil
	})
	if err != nil {
		return nil, errors.Join(fmt.Errorf("store %s: %w", path, err), s.db.Close())
	}
	s.metrics = newMetrics(o.Metrics, path, s.Writes)
	go s.write()
	return s, nil
}

// Writes says whether the last that was to be written was: it is false from
// the first transaction that the disk refused until one succeeds.
func (s *Store) Writes() bool { return !s.failing.Load() }

// Close answers all requests that wait and lets go of the file. It may be
// called again.
func (s *Store) Close() error {
	s.gate.Lock()
	if s.refusing == nil {
		close(s.queue)
	}
	s.refusing = ErrClosed
	s.gate.Unlock()
	<-s.closed
	return s.db.Close()
}

func (s *Store) open(path string, readOnly bool) error {
	fresh, err := s.look(path, readOnly)
	if err != nil {
		return err
	}
	if !fresh {
		if err := s.inspect(path, readOnly); err != nil || readOnly {
			return err
		}
	}
	if err := s.mount(path, false); err != nil {
		return err
	}
	err = s.lay(path)
	if err == nil {
		err = s.upgrade()
	}
	if err != nil {
		return errors.Join(err, s.db.Close())
	}
	if fresh {
		return syncFolder(filepath.Dir(path))
	}
	return nil
}

// look says whether the file at path is still to be made, and warns where
// others than the user may read it. With readOnly, one must be there.
func (s *Store) look(path string, readOnly bool) (fresh bool, err error) {
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		fresh = true
	case err != nil:
		return false, err
	case !info.Mode().IsRegular():
		return false, errors.New("not a file")
	default:
		if fresh, err = clearStub(path, readOnly); err != nil {
			return false, err
		}
	}
	if fresh && readOnly {
		return false, fs.ErrNotExist
	}
	if err == nil && info.Mode().Perm()&0o077 != 0 {
		s.log.Warn("others may read the store; it holds what the APIs answered: chmod 600", "store", path, "mode", info.Mode().Perm().String())
	}
	return fresh, nil
}

// inspect opens an existing file to read and looks whether it can be opened to
// write. It leaves the file open where readOnly.
func (s *Store) inspect(path string, readOnly bool) error {
	if err := s.mount(path, true); err != nil {
		return err
	}
	err := s.guard(func() error { return s.walkPages(path, nil) })
	if err == nil {
		err = s.guard(func() error {
			return s.db.View(func(btx *bbolt.Tx) error {
				_, err := readSchema(btx)
				return err
			})
		})
	}
	if readOnly && err == nil {
		return nil
	}
	if errors.Is(err, errNew) && !readOnly {
		err = nil
	}
	return errors.Join(err, s.db.Close())
}

// mount opens the bbolt file. Where another process put a new one in its place
// (see Compact) while its lock was waited for, the new one is opened.
func (s *Store) mount(path string, readOnly bool) error {
	for {
		var opened os.FileInfo
		if err := s.mountOnce(path, readOnly, &opened); err != nil {
			return err
		}
		now, err := os.Stat(path)
		if err == nil && os.SameFile(opened, now) {
			return nil
		}
		if err := errors.Join(err, s.db.Close()); err != nil {
			return err
		}
	}
}

func (s *Store) mountOnce(path string, readOnly bool, opened *os.FileInfo) error {
	open := func(name string, flag int, mode os.FileMode) (*os.File, error) {
		file, err := os.OpenFile(name, flag, mode)
		if err == nil {
			*opened, err = file.Stat()
		}
		return file, err
	}
	return s.guard(func() error {
		db, err := bbolt.Open(path, 0o600, &bbolt.Options{
			Timeout:         lockWait,
			ReadOnly:        readOnly,
			NoFreelistSync:  true,
			FreelistType:    bbolt.FreelistMapType,
			InitialMmapSize: initialMap,
			NoStatistics:    true,
			OpenFile:        open,
		})
		switch {
		case errors.Is(err, berrors.ErrTimeout):
			return ErrInUse
		case errors.Is(err, berrors.ErrInvalid), errors.Is(err, berrors.ErrChecksum), errors.Is(err, berrors.ErrVersionMismatch):
			return fmt.Errorf("%w, or not a deltahook store: neither of the file's two heads is whole: %w", ErrDamaged, err)
		case err != nil && *opened != nil && (*opened).Size() < int64(2*os.Getpagesize()):
			return fmt.Errorf("%w, or not a deltahook store: it has %d bytes", ErrDamaged, (*opened).Size())
		case err != nil:
			return err
		}
		db.AllocSize = growth
		s.db = db
		return nil
	})
}

// initialMap is the address space that the file is given at once: while it is
// smaller, a commit never waits for readers, of which a backup is a long one,
// because the file must be mapped anew; above, once for each GiB. It takes no
// memory and makes no file larger.
const initialMap = min(16<<30, math.MaxInt/8)

// growth is by how much the file grows at a time, each time with an fsync.
const growth = 1 << 20

// lay makes the buckets of a new file, and those that a file of an older schema
// lacks.
func (s *Store) lay(path string) error {
	return s.guard(func() error {
		return s.db.Update(func(btx *bbolt.Tx) error {
			version, err := readSchema(btx)
			if err != nil && !errors.Is(err, errNew) || version == schema {
				return err
			}
			for _, b := range buckets() {
				if _, err := btx.CreateBucketIfNotExists([]byte(b)); err != nil {
					return err
				}
			}
			if version > 0 && version < 3 {
				if err := sortFresh(newTx(btx)); err != nil {
					return err
				}
			}
			if version > 0 {
				if err := newTx(btx).beginUpgrade(); err != nil {
					return err
				}
				s.log.Info("the store is upgraded; older versions of deltahook cannot open it any more",
					"store", path, "schema", version, "to", schema)
			}
			key := []byte(schemaKey)
			return btx.Bucket([]byte(bucketMeta)).Put(key, newRecord(1).uint(schema).seal(bucketMeta, key))
		})
	})
}

const schemaKey = "schema"

var errNew = errors.New("the store has no content yet")

// readSchema gives the schema of a file, and refuses one that this version
// can't work with. One without any bucket is new: its maker was stopped before
// lay.
func readSchema(btx *bbolt.Tx) (version uint64, err error) {
	if k, _ := btx.Cursor().First(); k == nil {
		return 0, errNew
	}
	meta := btx.Bucket([]byte(bucketMeta))
	if meta == nil {
		return 0, errors.New("a bbolt file of another program")
	}
	key := []byte(schemaKey)
	f, err := unseal(bucketMeta, key, meta.Get(key))
	if err != nil {
		return 0, err
	}
	version = f.uint()
	switch {
	case f.short || version == 0:
		return 0, damaged(bucketMeta, key)
	case version > schema:
		return 0, tooNew(version)
	}
	for _, b := range buckets() {
		if b.since() <= version && btx.Bucket([]byte(b)) == nil {
			return 0, fmt.Errorf("bucket %s is missing: the store is %w", b, ErrDamaged)
		}
	}
	return version, nil
}

func tooNew(version uint64) error {
	return fmt.Errorf("it has schema version %d and this deltahook knows versions up to %d: a newer deltahook wrote it; "+
		"run that one, or restore a backup from before the upgrade", version, schema)
}

// syncFolder makes a new file's name durable.
func syncFolder(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
