package web

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"syscall"

	"github.com/deltahook/deltahook/differ"
)

// maxAsks is how often a snapshot is asked for when commits get in between.
const maxAsks = 5

// maxSnapshot is how many bytes of a snapshot are taken in: more than the
// largest answer makes, less than what fills a machine.
const maxSnapshot = 1 << 30

// maxWord is how much of an answer that is no snapshot is read.
const maxWord = 8 << 10

// maxDetail is how many characters of it are shown.
const maxDetail = 200

// Client asks a running daemon, on its socket (Dial) or its admin address
// (Connect). Close it after use.
type Client struct {
	http  *http.Client
	base  string // scheme and host
	token string // "": it is asked for none
	most  int64  // bytes of a snapshot
}

// Dial finds the daemon that holds the store at path and makes sure that it
// answers. ErrNoDaemon: there is none; any other error: there is something,
// but it is not this user's to ask: only a socket of the user's own or of
// root's is believed.
func Dial(ctx context.Context, store string) (*Client, error) {
	path := SocketPath(store)
	err := guardDir(path)
	if err == nil {
		err = guardOwner(path)
	}
	if err == nil {
		var c net.Conn
		if c, err = dialSocket(ctx, path); err == nil {
			_ = c.Close()
		}
	}
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ECONNREFUSED):
		return nil, fmt.Errorf("socket %s: %w", path, ErrNoDaemon)
	case err != nil:
		return nil, fmt.Errorf("socket %s: %w", path, err)
	}
	// The host is not used to find the daemon; a URL must have one.
	return &Client{most: maxSnapshot, base: "http://deltahook", http: &http.Client{Transport: &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return dialSocket(ctx, path)
		},
		MaxConnsPerHost:        2, // one that does much, and one that asks how far it is
		ResponseHeaderTimeout:  answerTimeout,
		MaxResponseHeaderBytes: maxHeader,
	}}}, nil
}

// Close ends the connection.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// Alive is nil where the daemon says within 3 s that it lives.
func (c *Client) Alive(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, probeTimeout)
	defer cancel()
	return expectOK(c.get(ctx, "/healthz"))
}

// Snapshot gives the state of a source and the items that are there (those
// that are gone are in the state only), in the order of their keys; contents
// are the stored ones less the space between tokens. A source that was never
// committed gives a state of Version 0 and no items.
func (c *Client) Snapshot(ctx context.Context, source string) (differ.State, []differ.Item, error) {
	for range maxAsks {
		state, items, changed, err := c.ask(ctx, source)
		if err != nil {
			return differ.State{}, nil, fmt.Errorf("snapshot of %s: %w", source, err)
		}
		if !changed {
			return state, items, nil
		}
	}
	return differ.State{}, nil, fmt.Errorf("snapshot of %s: it changed each of the %d times it was read", source, maxAsks)
}

func (c *Client) ask(ctx context.Context, source string) (differ.State, []differ.Item, bool, error) {
	resp, err := c.get(ctx, "/api/v1/sources/"+url.PathEscape(source)+"/snapshot")
	if err != nil {
		return differ.State{}, nil, false, err
	}
	if resp.StatusCode == http.StatusNotFound {
		_ = resp.Body.Close()
		return differ.State{Source: source}, nil, false, nil
	}
	if resp.StatusCode != http.StatusOK {
		return differ.State{}, nil, false, expectOK(resp, nil)
	}
	defer resp.Body.Close()
	return readSnapshot(&bounded{r: resp.Body, most: c.most})
}

// post asks for something to be done.
func (c *Client) post(ctx context.Context, path string) error {
	return c.change(ctx, http.MethodPost, path)
}

// change asks for something to be done that has no answer but that it was.
func (c *Client) change(ctx context.Context, method, path string) error {
	resp, err := c.do(ctx, method, path)
	if err != nil {
		return err
	}
	if resp.StatusCode == http.StatusNoContent || resp.StatusCode == http.StatusCreated {
		return resp.Body.Close()
	}
	return expectOK(resp, nil)
}

// read asks for something and decodes it.
func (c *Client) read(ctx context.Context, path string, v any) error {
	resp, err := c.get(ctx, path)
	if err != nil {
		return err
	}
	return c.decode(resp, v)
}

// decode reads an answer that succeeded, and closes it.
func (c *Client) decode(resp *http.Response, v any) error {
	if resp.StatusCode != http.StatusOK && resp.StatusCode != http.StatusAccepted {
		return expectOK(resp, nil)
	}
	defer resp.Body.Close()
	if err := json.NewDecoder(&bounded{r: resp.Body, most: c.most}).Decode(v); err != nil {
		return fmt.Errorf("%w: %w", ErrStrange, err)
	}
	return nil
}

func (c *Client) get(ctx context.Context, path string) (*http.Response, error) {
	return c.do(ctx, http.MethodGet, path)
}

func (c *Client) do(ctx context.Context, method, path string) (*http.Response, error) {
	return c.send(ctx, method, path, http.NoBody)
}

// send sends a body, and headers as names and values by turns.
func (c *Client) send(ctx context.Context, method, path string, body io.Reader, header ...string) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, method, c.base+path, body)
	if err != nil {
		return nil, err
	}
	if c.token != "" {
		req.Header.Set("Authorization", "Bearer "+c.token)
	}
	for pair := range slices.Chunk(header, 2) {
		req.Header.Set(pair[0], pair[1])
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrUnreached, errors.Unwrap(err)) // less the URL
	}
	return resp, nil
}

// expectOK closes the answer and turns one that is not 200 into an error with
// the words of its body.
func expectOK(resp *http.Response, err error) error {
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode == http.StatusOK {
		return nil
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxWord))
	if err != nil {
		return fmt.Errorf("status %d: %w", resp.StatusCode, err)
	}
	var p problem
	if json.Unmarshal(body, &p) == nil && p.Detail != "" {
		return &Refused{resp.StatusCode, p.Detail}
	}
	return fmt.Errorf("%w: status %d: %s", ErrStrange, resp.StatusCode, clipped(strings.Join(strings.Fields(string(body)), " "), maxDetail))
}

// bounded is a reader that fails where more than most bytes come.
type bounded struct {
	r         io.Reader
	got, most int64
}

// Read reads.
func (b *bounded) Read(p []byte) (int, error) {
	n, err := b.r.Read(p)
	if b.got += int64(n); b.got > b.most {
		return 0, fmt.Errorf("it is larger than %d bytes", b.most)
	}
	return n, err
}
