package main

import (
	"errors"
	"fmt"
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
	if err := p.claim(); err != nil {
		return nil, errors.Join(fmt.Errorf("%s: another process writes it: %w", p.name(), err), file.Close())
	}
	if err := errors.Join(file.Truncate(0), file.Chmod(0o600)); err != nil {
		p.discard()
		return nil, err
	}
	return p, nil
}

// claim locks the file that has the name: another process may have given it its
// own name since it was opened here.
func (p *part) claim() error {
	if err := syscall.Flock(int(p.file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		return err
	}
	named, err := os.Stat(p.name())
	if err != nil {
		return err
	}
	own, err := p.file.Stat()
	if err == nil && !os.SameFile(own, named) {
		err = errors.New("the file is another one now")
	}
	return err
}

func (p *part) name() string { return p.path + partSuffix }

// Write writes.
func (p *part) Write(b []byte) (int, error) { return p.file.Write(b) }

// sync makes durable what was written, and tells how much it is. Others may
// read it then, but not write it.
func (p *part) sync() (size int64, err error) {
	info, err := p.file.Stat()
	if err != nil {
		return 0, err
	}
	if err := p.file.Sync(); err != nil {
		return 0, err
	}
	return info.Size(), syscall.Flock(int(p.file.Fd()), syscall.LOCK_SH|syscall.LOCK_NB)
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
	return errors.Join(dir.Sync(), dir.Close(), p.file.Close())
}

// discard removes what has not got its name.
func (p *part) discard() {
	if !p.done {
		_ = os.Remove(p.name()) // the next one makes it anew
	}
	_ = p.file.Close() // it is whole, or of no use
}
