package main

import (
	"context"
	"os"
	"time"
)

// lookEvery is how often the files of the configuration are looked at. One that
// changed must have stood still for as long: it may still be written.
const lookEvery = time.Second

// follow reloads at SIGHUP and, where the configuration says so, when its files
// have changed, until ctx ends. It looks at the files rather than has the system
// tell: that works over a network and through a container's mounts as well, and
// whether a file was written, renamed into place or is behind a link that was
// exchanged.
func (r *reloader) follow(ctx context.Context, hangup <-chan os.Signal) error {
	if r.path == "" {
		return nil
	}
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	for before := ""; ; {
		select {
		case <-ctx.Done():
			return nil
		case <-hangup:
			_, _ = r.Reload(ctx) // the log says what came of it
			continue
		case <-tick.C:
		}
		cfg := r.running.Load()
		if !cfg.Reload.Watch {
			continue
		}
		now := cfg.Stamp(r.path)
		if now == before && now != *r.read.Load() {
			_, _ = r.Reload(ctx)
		}
		before = now
	}
}
