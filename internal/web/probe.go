package web

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"time"
)

// probeTimeout is how long a daemon may take to say that it lives.
const probeTimeout = 3 * time.Second

// Probe asks the daemon whose server.listen is listen whether it lives: nil
// where /healthz answers 200. An address that stands for all of a machine's
// is asked on loopback.
func Probe(ctx context.Context, listen string) error {
	host, port, err := net.SplitHostPort(listen)
	if err != nil {
		return fmt.Errorf("admin address %s: %w", listen, err)
	}
	switch host {
	case "", "0.0.0.0":
		host = "127.0.0.1"
	case "::":
		host = "::1"
	}
	ctx, cancel := context.WithTimeout(ctx, probeTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+net.JoinHostPort(host, port)+"/healthz", http.NoBody)
	if err != nil {
		return fmt.Errorf("admin address %s: %w", listen, err)
	}
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	if err := expectOK(client.Do(req)); err != nil {
		return fmt.Errorf("admin address %s: %w", listen, err)
	}
	return nil
}
