package main

import (
	"sync/atomic"

	"github.com/deltahook/deltahook/differ"
	"github.com/deltahook/deltahook/internal/credential"
)

// alerts hands what stages say of themselves to the differ, which is made
// after them. Nothing is said before it is there.
type alerts struct{ differ atomic.Pointer[differ.Differ] }

func (a *alerts) access(is credential.Access) {
	d := a.differ.Load()
	if d == nil {
		return
	}
	said := differ.Access{Auth: is.Auth, Setting: is.Setting, Expired: is.Expired}
	for _, by := range is.Users {
		if by.Source != "" {
			said.Sources = append(said.Sources, by.Source)
		} else {
			said.Endpoints = append(said.Endpoints, by.Endpoint)
		}
	}
	d.AccessIs(said)
}
