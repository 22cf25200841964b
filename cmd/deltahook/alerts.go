package main

import (
	"sync/atomic"

	"github.com/deltahook/deltahook/differ"
	"github.com/deltahook/deltahook/poller"
)

// alerts hands what stages say of themselves to the differ, which is made
// after them. Nothing is said before it is there.
type alerts struct{ differ atomic.Pointer[differ.Differ] }

func (a *alerts) access(is poller.Access) {
	if d := a.differ.Load(); d != nil {
		d.AccessIs(is)
	}
}
