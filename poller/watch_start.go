package poller

import (
	"context"
	"maps"
	"slices"
	"time"
)

// Watches stores the watch keys that are added at run time, and knows those
// that items of other sources name. The differ is one.
type Watches interface {
	// Enrol stores that a key was added over the API, and returns when that
	// is durable.
	Enrol(ctx context.Context, source, key string) error

	// Forget drops all that is remembered of keys, and returns when that is
	// durable. Nothing of them is in Sink.Take or Sink.Keep meanwhile.
	Forget(ctx context.Context, source string, keys ...string) error

	// Named gives the keys that items of another source name, in their
	// order. settled false: there may be more, which is not known yet.
	Named(source string) (keys []string, settled bool)
}

// keysOf are the marks of watch keys, by source and key.
func keysOf(marks map[string]Bookmarks) map[string]map[string]Bookmarks {
	stored := map[string]map[string]Bookmarks{}
	for unit, m := range marks {
		source, key := CutUnit(unit)
		if key == "" {
			continue
		}
		if stored[source] == nil {
			stored[source] = map[string]Bookmarks{}
		}
		stored[source][key] = m
	}
	return stored
}

// fanOut makes the fan of a source: its keys from the configuration, the file,
// the items of another source and, where they are stored as enrolled, the API.
// What is stored of other keys is to be forgotten.
func (p *Poller) fanOut(s *Source, stored map[string]Bookmarks) *fan {
	f := newFan(s)
	left := 0
	fill := func(from whence, keys ...string) {
		for _, key := range keys {
			if f.origins[key] == 0 && len(f.origins) >= maxWatchKeys {
				left++
				continue
			}
			p.fill(f, key, from, stored)
		}
	}
	known := slices.Sorted(maps.Keys(stored))
	fill(fromConfig, s.watch.keys...)
	for _, key := range known {
		if stored[key].Enrolled && s.watch.api {
			fill(fromAPI, key)
		}
	}
	// Those that are not known for certain are watched on.
	doubtful := func(from whence) {
		for _, key := range known {
			if !stored[key].Enrolled {
				fill(from, key)
			}
		}
	}
	if s.watch.file != "" {
		keys, whole := p.firstRead(f)
		fill(fromFile, keys...)
		if !whole {
			doubtful(fromFile)
		}
	}
	if s.watch.fed && p.watches != nil {
		keys, settled := p.watches.Named(s.name)
		fill(fromItems, keys...)
		if !settled {
			doubtful(fromItems)
		}
	}
	for _, key := range known {
		if f.origins[key] == 0 && !(stored[key].Enrolled && s.watch.api) {
			f.dead[key] = true
		}
	}
	if left > 0 {
		p.tellLeft(f, left)
	}
	return f
}

// firstRead reads the file of keys at the start. whole is false where keys may
// be missing: it cannot be read, or may still be written. tend reads it again.
func (p *Poller) firstRead(f *fan) (keys []string, whole bool) {
	at := stampOf(f.source.watch.file)
	keys, err := readWatchFile(f.source.watch.file)
	if err != nil {
		p.log.Warn("the file of watch keys cannot be read: those that are known are watched on", "source", f.source.name, "err", err)
		return nil, false
	}
	if stampOf(f.source.watch.file) != at || time.Since(at.at) < watchFileEvery {
		return keys, false
	}
	f.read = at
	return keys, true
}

// fill puts in a key at the start.
func (p *Poller) fill(f *fan, key string, from whence, stored map[string]Bookmarks) {
	m := stored[key]
	if f.origins[key] == 0 && !m.Retired.IsZero() {
		f.origins[key], f.retired[key] = from, true
		return
	}
	j, _ := f.put(key, from)
	switch {
	case j == nil:
		return
	case m.Next.IsZero(), !m.Next.After(time.Now()) && !f.source.skipMissed:
		j.soon = true
	}
	if f.source.watch.batch == 0 {
		j.marks = m
		if m.Failures > 0 {
			p.failingStarts(j)
		}
	}
}

func (p *Poller) tellLeft(f *fan, left int) {
	p.log.Warn("too many watch keys: some are not watched", "source", f.source.name, "most", maxWatchKeys, "left_out", left)
}
