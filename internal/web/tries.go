package web

import (
	"net/http"
	"net/netip"
	"strconv"
	"sync"
	"time"
)

// How often a wrong token may be shown: so many at once, and then one each.
const (
	triesOfOne   = 10 // from one address, by form or header
	againOfOne   = 6 * time.Second
	triesOfAll   = 100 // from all together, by the form
	againOfAll   = time.Second
	maxAddresses = 10000 // that are remembered
)

// tries counts the wrong tokens that were shown, by address: an IPv4 address,
// or the /64 of an IPv6 one. The sign-in form is bounded over all addresses
// too. A header is not: who has the token is not kept out by what others
// guess from elsewhere.
type tries struct {
	mu  sync.Mutex
	by  map[netip.Prefix]*bucket
	all bucket
}

// bucket counts what was taken out of it; time fills it again.
type bucket struct {
	taken float64
	at    time.Time
}

// wait is how long it is until one more can be taken.
func (b *bucket) wait(now time.Time, most int, each time.Duration) time.Duration {
	if !b.at.IsZero() {
		b.taken = max(0, b.taken-float64(now.Sub(b.at))/float64(each))
	}
	b.at = now
	if over := b.taken + 1 - float64(most); over > 0 {
		return time.Duration(over * float64(each))
	}
	return 0
}

// try counts a token that was shown, unless it is the right one, or says how
// long it has to wait: then whether it was right must not be told.
func (t *tries) try(address string, form, right bool, now time.Time) time.Duration {
	t.mu.Lock()
	defer t.mu.Unlock()
	from := addressOf(address)
	one := t.by[from]
	if one != nil {
		if wait := one.wait(now, triesOfOne, againOfOne); wait > 0 {
			return wait
		}
	}
	if form {
		if wait := t.all.wait(now, triesOfAll, againOfAll); wait > 0 {
			return wait
		}
	}
	if right {
		return 0
	}
	if one == nil {
		one = t.add(from, now)
	}
	one.taken++
	if form {
		t.all.taken++
	}
	return 0
}

// add makes the bucket of an address. Where all places are taken, those that
// are full again go, and where none is, any other.
func (t *tries) add(from netip.Prefix, now time.Time) *bucket {
	if t.by == nil {
		t.by = make(map[netip.Prefix]*bucket)
	}
	if len(t.by) >= maxAddresses {
		t.forget(now)
	}
	b := &bucket{at: now}
	t.by[from] = b
	return b
}

func (t *tries) forget(now time.Time) {
	for from, b := range t.by {
		if b.wait(now, triesOfOne, againOfOne); b.taken == 0 {
			delete(t.by, from)
		}
	}
	for from := range t.by {
		if len(t.by) < maxAddresses {
			return
		}
		delete(t.by, from)
	}
}

// addressOf is whose try it is; an address that is none counts as one of its own.
func addressOf(remote string) netip.Prefix {
	at, err := netip.ParseAddrPort(remote)
	if err != nil {
		return netip.Prefix{}
	}
	addr, bits := at.Addr().Unmap().WithZone(""), 32
	if addr.Is6() {
		bits = 64
	}
	from, _ := addr.Prefix(bits) // the bits fit
	return from
}

func tooMany(w http.ResponseWriter, wait time.Duration) { w.Header().Set("Retry-After", seconds(wait)) }

// seconds are whole ones, at least one.
func seconds(d time.Duration) string {
	return strconv.Itoa(max(1, int((d+time.Second-1)/time.Second)))
}
