package poller_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/deltahook/deltahook/poller"
)

// crowd is an API that is asked for keys, one a line, and notes when.
type crowd struct {
	mu       sync.Mutex
	requests []time.Time
	asked    map[string][]time.Time
	slow     time.Duration // each answer takes so long
}

func newCrowd() *crowd { return &crowd{asked: map[string][]time.Time{}} }

func (c *crowd) RoundTrip(r *http.Request) (*http.Response, error) {
	text, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	c.requests = append(c.requests, time.Now())
	for key := range strings.FieldsSeq(string(text)) {
		c.asked[key] = append(c.asked[key], time.Now())
	}
	c.mu.Unlock()
	time.Sleep(c.slow)
	return reply(200, "{}")
}

// times are when a key was asked for.
func (c *crowd) times(key string) []time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.asked[key])
}

// total is how many requests there were.
func (c *crowd) total() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.requests)
}

// register is a poller.Watches.
type register struct {
	mu        sync.Mutex
	enrolled  map[string]bool
	forgotten []string
	named     []string
	settled   bool
	err       error
}

func (r *register) Named(string) ([]string, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.named), r.settled
}

// name has items of another source name these keys.
func (r *register) name(settled bool, keys ...string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.named, r.settled = keys, settled
}

func (r *register) Enrol(_ context.Context, source, key string) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.err == nil {
		r.enrolled[poller.Unit(source, key)] = true
	}
	return r.err
}

func (r *register) Forget(_ context.Context, source string, keys ...string) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, key := range keys {
		if r.err == nil {
			r.forgotten = append(r.forgotten, poller.Unit(source, key))
		}
	}
	return r.err
}

// watched is a source called s that asks c for its keys in its body.
func watched(t testing.TB, c *crowd, schedule string, w poller.WatchSettings) *poller.Source {
	t.Helper()
	body := "{{ key }}"
	if w.Batch > 0 {
		body = `{{ join(keys, "\n") }}`
	}
	s, err := poller.NewSource("s", poller.Settings{
		Schedule: schedule, Watch: w, Request: poller.RequestSettings{URL: "http://x.example/", Body: body},
	}, poller.ResponseSettings{}, poller.NewClientOver(c, poller.ClientOptions{}))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func numbered(from, to int) (keys []string) {
	for i := range to - from {
		keys = append(keys, fmt.Sprintf("k%05d", from+i))
	}
	return keys
}

// evenly holds that no second had more than twice the mean of the requests
// from a time on.
func evenly(t *testing.T, c *crowd, from time.Time, mean float64) {
	t.Helper()
	seconds := map[time.Duration]int{}
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, at := range c.requests {
		if !at.Before(from) {
			seconds[at.Sub(from).Truncate(time.Second)]++
		}
	}
	for second, n := range seconds {
		if float64(n) > 2*mean {
			t.Errorf("%d requests in the second at %v, and the mean is %.1f", n, second, mean)
		}
	}
}

// TestWatchIsSpread: 10,000 keys, 30 in a request, every minute; 1,000 are
// added and 1,000 removed while it runs. No second has more than twice its
// share, each key is asked for in each two intervals, and none after it was
// removed.
func TestWatchIsSpread(t *testing.T) {
	for _, batch := range []int{30, 0} {
		t.Run(fmt.Sprint("batch ", batch), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				const keys, changed = 10_000, 1_000
				c, out := newCrowd(), &sink{}
				s := watched(t, c, "@every 1m", poller.WatchSettings{API: true, Batch: batch})
				p := poller.New([]*poller.Source{s}, nil, out, poller.Options{Watches: &register{enrolled: map[string]bool{}}})
				add := func(keys []string) {
					for _, key := range keys {
						if added, err := p.Watch(t.Context(), "s", key); err != nil || !added {
							t.Fatalf("Watch(%s) = %v, %v", key, added, err)
						}
					}
				}
				add(numbered(0, keys))
				ctx, stop := context.WithCancel(t.Context())
				ended := make(chan error, 1)
				start := time.Now()
				go func() { ended <- p.Run(ctx) }()

				time.Sleep(5 * time.Minute)
				mean := float64(keys) / float64(max(1, batch)) / 60
				if n := float64(c.total()); n > 5*60*mean*1.01+5 || n < 5*60*mean*0.99-5 {
					t.Errorf("%v requests in 5 minutes, want %v", n, 5*60*mean)
				}
				evenly(t, c, start, mean)

				removed := map[string]time.Time{}
				added := map[string]time.Time{}
				order := rand.New(rand.NewPCG(1, 2)).Perm(keys)
				for i, key := range numbered(keys, keys+changed) {
					time.Sleep(100 * time.Millisecond)
					old := fmt.Sprintf("k%05d", order[i])
					if err := p.Unwatch(t.Context(), "s", old); err != nil {
						t.Fatal(err)
					}
					removed[old] = time.Now()
					added[key] = time.Now()
					add([]string{key})
				}
				time.Sleep(5 * time.Minute)
				evenly(t, c, start, mean)
				stop()
				if err := <-ended; err != nil {
					t.Fatal(err)
				}
				end := time.Now()
				for _, key := range numbered(0, keys+changed) {
					times := c.times(key)
					if gone, ok := removed[key]; ok {
						if n := len(times); n > 0 && times[n-1].After(gone) {
							t.Errorf("%s was asked for %v after it was removed", key, times[n-1].Sub(gone))
						}
						continue
					}
					last := start
					if at, ok := added[key]; ok {
						last = at
					}
					for _, at := range append(times, end) {
						if at.Sub(last) > 2*time.Minute+time.Second {
							t.Fatalf("%s was not asked for from %v for %v", key, last.Sub(start), at.Sub(last))
						}
						last = at
					}
				}
			})
		})
	}
}

// TestWatchAnswerOfARemovedKey: what is in flight when a key is removed is not
// taken in for it, but for the others that it is of.
func TestWatchAnswerOfARemovedKey(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, out, r := newCrowd(), &sink{}, &register{enrolled: map[string]bool{}}
		c.slow = 10 * time.Second
		p := poller.New([]*poller.Source{watched(t, c, "@every 1m", poller.WatchSettings{Keys: []string{"a"}, API: true, Batch: 3})},
			map[string]poller.Bookmarks{
				poller.Unit("s", "b"):    {Enrolled: true},
				poller.Unit("s", "over"): {Enrolled: true, Retired: time.Now()},
				poller.Unit("s", "old"):  {},
			}, out, poller.Options{Watches: r})
		done := make(chan struct{})
		go func() {
			defer close(done)
			for len(c.times("b")) == 0 {
				time.Sleep(time.Second)
			}
			if err := p.Unwatch(t.Context(), "s", "b"); err != nil {
				t.Error(err)
			}
		}()
		run(t, p, 90*time.Second)
		<-done
		if len(out.taken) == 0 {
			t.Fatal("nothing was taken in")
		}
		for _, a := range out.taken {
			if !slices.Equal(a.Keys, []string{"a"}) {
				t.Errorf("an answer of %q was taken in, want a alone", a.Keys)
			}
		}
		if want := []string{"s\x00old", "s\x00b"}; !slices.Equal(r.forgotten, want) {
			t.Errorf("forgotten are %q, want %q", r.forgotten, want)
		}
		if n := len(c.times("over")); n > 0 {
			t.Errorf("a retired key was asked for %d times", n)
		}
	})
}

// TestWatchRetires: a key that the sink retires is polled no more, until it is
// removed and added anew.
func TestWatchRetires(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, r := newCrowd(), &register{enrolled: map[string]bool{}}
		out := &sink{refer: func(_ context.Context, a *poller.Answer) error {
			if slices.Contains(a.Keys, "b") {
				a.Retire("b")
			}
			return nil
		}}
		p := poller.New([]*poller.Source{watched(t, c, "@every 1m", poller.WatchSettings{Keys: []string{"a"}, API: true})}, nil, out, poller.Options{Watches: r})
		watch := func(want bool) {
			if added, err := p.Watch(t.Context(), "s", "b"); err != nil || added != want {
				t.Errorf("Watch = %v, %v; want %v", added, err, want)
			}
		}
		watch(true)
		done := make(chan struct{})
		go func() {
			defer close(done)
			time.Sleep(10 * time.Minute)
			watch(false)
			time.Sleep(10 * time.Minute)
			if keys, err := p.Watched("s"); err != nil || len(keys) != 2 || !keys[1].Retired || keys[0].Retired {
				t.Errorf("Watched = %+v, %v", keys, err)
			}
			if n := len(c.times("b")); n != 1 {
				t.Errorf("b was asked for %d times, want once", n)
			}
			if err := p.Unwatch(t.Context(), "s", "b"); err != nil {
				t.Error(err)
			}
			watch(true)
		}()
		run(t, p, 30*time.Minute)
		<-done
		if a, b := len(c.times("a")), len(c.times("b")); a != 30 || b != 2 {
			t.Errorf("a was asked for %d times and b %d, want 30 and 2", a, b)
		}
	})
}

// TestWatchRefuses: what cannot be watched or removed, and why.
func TestWatchRefuses(t *testing.T) {
	c, r := newCrowd(), &register{enrolled: map[string]bool{}}
	p := poller.New([]*poller.Source{watched(t, c, "@hourly", poller.WatchSettings{Keys: []string{"a"}, API: true})}, nil, &sink{}, poller.Options{Watches: r})
	for _, c := range []struct {
		source, key string
		want        error
	}{
		{"t", "a", poller.ErrNoSource},
		{"s", " ", poller.ErrBadWatchKey},
		{"s", "a ", poller.ErrBadWatchKey},
		{"s", "\u00a0a", poller.ErrBadWatchKey},
		{"s", "", poller.ErrBadWatchKey},
		{"s", "a\x00b", poller.ErrBadWatchKey},
		{"s", "\xff", poller.ErrBadWatchKey},
		{"s", strings.Repeat("x", 513), poller.ErrBadWatchKey},
		{"s", strings.Repeat("x", 512), nil},
	} {
		if _, err := p.Watch(t.Context(), c.source, c.key); !errors.Is(err, c.want) {
			t.Errorf("Watch(%s, %.10q) = %v, want %v", c.source, c.key, err, c.want)
		} else if err != nil && !strings.HasPrefix(err.Error(), "source "+c.source+": ") {
			t.Errorf("Watch(%s, %.10q) = %v, which does not name the source", c.source, c.key, err)
		}
	}
	if err := p.Unwatch(t.Context(), "s", "a"); !errors.Is(err, poller.ErrKeyConfigured) {
		t.Errorf("Unwatch of a configured key = %v", err)
	}
	if err := p.Unwatch(t.Context(), "s", "z"); !errors.Is(err, poller.ErrNotWatched) {
		t.Errorf("Unwatch of no key = %v", err)
	}
	r.err = errors.New("disk full")
	if _, err := p.Watch(t.Context(), "s", "new"); err == nil {
		t.Error("a key was added that was not stored")
	}
	if err := p.Unwatch(t.Context(), "s", strings.Repeat("x", 512)); err == nil {
		t.Error("a key was removed that was not forgotten")
	}
	if keys, err := p.Watched("s"); err != nil || len(keys) != 2 {
		t.Errorf("Watched = %d keys, %v; want 2: nothing changed", len(keys), err)
	}
}

// TestWatchSaysWhatASourceIs: that there is none of the name, that it is
// disabled, that it has no watch keys, and that it takes none are four things.
func TestWatchSaysWhatASourceIs(t *testing.T) {
	source := func(name string, s poller.Settings) *poller.Source {
		s.Schedule, s.Request.URL = "@hourly", "http://x.example/"
		one, err := poller.NewSource(name, s, poller.ResponseSettings{}, poller.NewClientOver(newCrowd(), poller.ClientOptions{}))
		if err != nil {
			t.Fatal(err)
		}
		return one
	}
	keys := poller.RequestSettings{Body: "{{ key }}"}
	p := poller.New([]*poller.Source{
		source("plain", poller.Settings{}),
		source("off", poller.Settings{Disabled: true, Request: keys, Watch: poller.WatchSettings{API: true}}),
		source("fixed", poller.Settings{Request: keys, Watch: poller.WatchSettings{Keys: []string{"a"}}}),
	}, nil, &sink{}, poller.Options{})
	for _, c := range []struct {
		source        string
		shown, change error
	}{
		{"nobody", poller.ErrNoSource, poller.ErrNoSource},
		{"off", poller.ErrDisabled, poller.ErrDisabled},
		{"plain", poller.ErrNoKeys, poller.ErrNoWatch},
		{"fixed", nil, poller.ErrNoWatch},
	} {
		_, err := p.Watched(c.source)
		_, one := p.WatchedKey(c.source, "a")
		if !errors.Is(err, c.shown) || !errors.Is(one, c.shown) {
			t.Errorf("the watch keys of %s: %v and %v, want %v", c.source, err, one, c.shown)
		}
		_, added := p.Watch(t.Context(), c.source, "b")
		if removed := p.Unwatch(t.Context(), c.source, "a"); !errors.Is(added, c.change) || !errors.Is(removed, c.change) {
			t.Errorf("to change those of %s: %v and %v, want %v", c.source, added, removed, c.change)
		}
	}
}

// TestWatchFile: keys come and go with the file; one that cannot be read, or
// is still written, changes nothing.
func TestWatchFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "keys.txt")
	put := func(text string) {
		t.Helper()
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	put("\ufeff# parcels\r\n\n a \nb\na\n")
	synctest.Test(t, func(t *testing.T) {
		c, r := newCrowd(), &register{enrolled: map[string]bool{}}
		p := poller.New([]*poller.Source{watched(t, c, "@every 10s", poller.WatchSettings{File: path})}, nil, &sink{}, poller.Options{Watches: r})
		var counts []int
		done := make(chan struct{})
		go func() {
			defer close(done)
			count := func() { counts = append(counts, len(c.times("a")), len(c.times("b")), len(c.times("c"))) }
			time.Sleep(time.Minute + time.Second)
			count()
			put("b\nc and more\n") // c has a space in it: two words to the API
			time.Sleep(21 * time.Second)
			before := len(c.times("a"))
			time.Sleep(time.Minute)
			if n := len(c.times("a")); n != before {
				t.Errorf("a was asked for %d times after it was removed", n-before)
			}
			put("bad\x07key\n")
			time.Sleep(time.Minute)
			count()
		}()
		run(t, p, 4*time.Minute)
		<-done
		if counts[0] != 6 || counts[1] != 6 || counts[2] != 0 || counts[5] < 12 {
			t.Errorf("a, b and c were asked for %d times, in two looks", counts)
		}
		if !slices.Equal(r.forgotten, []string{"s\x00a"}) {
			t.Errorf("forgotten are %q, want a", r.forgotten)
		}
	})
}

// TestWatchIsSpreadOnCron: the keys of a cron schedule don't come all at once.
func TestWatchIsSpreadOnCron(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCrowd()
		s := watched(t, c, "*/5 * * * *", poller.WatchSettings{Keys: numbered(0, 600)})
		marks := map[string]poller.Bookmarks{}
		for _, key := range numbered(0, 600) {
			marks[poller.Unit("s", key)] = marked
		}
		start := time.Now()
		run(t, poller.New([]*poller.Source{s}, marks, &sink{}, poller.Options{}), 20*time.Minute)
		evenly(t, c, start, 2)
		if n := c.total(); n < 4*600-5 || n > 4*600+5 {
			t.Errorf("%d requests in 20 minutes, want 2400", n)
		}
	})
}
