package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// partSuffix is of a file that is not finished.
const partSuffix = ".part"

// part is a file in the making: it gets its name when it is whole and durable.
// What a killed process left of one is made anew.
type part struct {
	path string // the name to be
	file *os.File
	done bool
}

func newPart(path string) (*part, error) {
	file, err := os.OpenFile(path+partSuffix, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	p := &part{path: path, file: file}
	if err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		return nil, errors.Join(fmt.Errorf("%s: another process writes it: %w", p.name(), err), file.Close())
	}
	if err := errors.Join(file.Truncate(0), file.Chmod(0o600)); err != nil {
		p.discard()
		return nil, err
	}
	return p, nil
}

func (p *part) name() string { return p.path + partSuffix }

// Write writes.
func (p *part) Write(b []byte) (int, error) { return p.file.Write(b) }

// sync makes durable what was written, and tells how much it is. Others may
// open it then.
func (p *part) sync() (size int64, err error) {
	info, err := p.file.Stat()
	if err != nil {
		return 0, err
	}
	return info.Size(), errors.Join(p.file.Sync(), p.file.Close())
}

// place gives the file its name.
func (p *part) place() error {
	if err := os.Rename(p.name(), p.path); err != nil {
		return err
	}
	p.done = true
	dir, err := os.Open(filepath.Dir(p.path))
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}

// discard removes what has not got its name.
func (p *part) discard() {
	if p.done {
		return
	}
	if err := p.file.Close(); err == nil || errors.Is(err, fs.ErrClosed) {
		_ = os.Remove(p.name()) // the next one makes it anew
	}
}
