package web

import (
	"context"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// pipes is a listener whose connections stay in the process, so that time can
// be the bubble's.
type pipes struct {
	conns  chan net.Conn
	closed chan struct{}
}

func newPipes() *pipes { return &pipes{make(chan net.Conn), make(chan struct{})} }

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error   { close(p.closed); return nil }
func (p *pipes) Addr() net.Addr { return &net.UnixAddr{Name: "pipe", Net: "unix"} }

func (p *pipes) dial() net.Conn {
	here, there := net.Pipe()
	p.conns <- there
	return here
}

func TestRunCutsWhatDoesNotEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, p := New(Options{}), newPipes()
		s.add(p, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }))
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- s.Run(ctx) }()

		c := p.dial()
		if _, err := io.WriteString(c, "GET / HTTP/1.1\r\nHost: x\r\n\r\n"); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		begin := time.Now()
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		if took := time.Since(begin); took != drain {
			t.Errorf("Run ended after %v, want %v", took, drain)
		}
		if _, err := io.ReadAll(c); err != nil {
			t.Errorf("the connection wasn't closed: %v", err)
		}
	})
}

func TestSlowHeadersAreCut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, p := New(Options{}), newPipes()
		s.add(p, s.admin())
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- s.Run(ctx) }()

		c := p.dial()
		begin := time.Now()
		if _, err := io.WriteString(c, "GET /healthz HTTP/1.1\r\nHost: "); err != nil {
			t.Fatal(err)
		}
		answer, _ := io.ReadAll(c)
		if took := time.Since(begin); took != headerTimeout || strings.Contains(string(answer), "200") {
			t.Errorf("after %v: %q, want the connection closed after %v", took, answer, headerTimeout)
		}
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
}

func TestConnectionsAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPipes()
		l := limit(p, 2)
		accepted := make(chan net.Conn, 3)
		ended := make(chan error, 1)
		go func() {
			for {
				c, err := l.Accept()
				if err != nil {
					ended <- err
					return
				}
				accepted <- c
			}
		}()
		p.dial()
		p.dial()
		third := make(chan net.Conn, 1)
		go func() { third <- p.dial() }()
		synctest.Wait()
		if len(accepted) != 2 || len(third) != 0 {
			t.Fatalf("%d connections accepted, want 2 and the third to wait", len(accepted))
		}
		first := <-accepted
		_ = first.Close()
		_ = first.Close() // a second close frees no second slot
		synctest.Wait()
		if len(accepted) != 2 || len(third) != 1 {
			t.Fatal("the third connection still waits, though a slot is free")
		}
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
		if err := <-ended; err == nil {
			t.Error("Accept goes on after Close")
		}
	})
}

func FuzzReadSnapshot(f *testing.F) {
	f.Add(`{"state":{"source":"a","version":1,"shape":"","since":"2026-01-01T00:00:00Z","bookmarks":{}}}
{"item":{"key":"k","hash":"000102030405060708090a0b0c0d0e0f","revision":1,"content":{"n":1.10}}}
{"item":{"key":"gone","gone":true,"revision":2}}
{"end":{"items":2}}`)
	f.Add(`{"item":{"key":"k"}}`)
	f.Add(`{"state":{"bookmarks":null}}{"end":{"items":0}}`)
	f.Fuzz(func(t *testing.T, text string) {
		state, items, _, err := readSnapshot(strings.NewReader(text))
		if err != nil {
			return
		}
		for _, item := range items {
			if _, ok := state.Items[item.Key]; !ok {
				t.Errorf("item %q has no mark", item.Key)
			}
		}
	})
}
