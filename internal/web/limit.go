package web

import (
	"net"
	"sync"
)

// limited is a listener with at most cap(slots) connections open at once: no
// TLS means no HTTP/2, so it bounds the requests as well. Who comes when all
// are taken waits in the kernel's queue; the server's timeouts see to it that
// a slot comes free.
type limited struct {
	net.Listener
	slots  chan struct{}
	closed chan struct{}
	once   sync.Once
}

func limit(l net.Listener, n int) *limited {
	return &limited{Listener: l, slots: make(chan struct{}, n), closed: make(chan struct{})}
}

// Accept waits for a slot, then for a connection.
func (l *limited) Accept() (net.Conn, error) {
	select {
	case l.slots <- struct{}{}:
	case <-l.closed:
		return nil, net.ErrClosed
	}
	c, err := l.Listener.Accept()
	if err != nil {
		<-l.slots
		return nil, err
	}
	return &slotted{Conn: c, free: func() { <-l.slots }}, nil
}

// Close ends a wait in Accept too.
func (l *limited) Close() error {
	l.once.Do(func() { close(l.closed) })
	return l.Listener.Close()
}

// slotted is a connection that frees its slot when it is closed, once.
type slotted struct {
	net.Conn
	free func()
	once sync.Once
}

// Close closes the connection and frees its slot.
func (c *slotted) Close() error {
	err := c.Conn.Close()
	c.once.Do(c.free)
	return err
}
