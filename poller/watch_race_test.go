package poller_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
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

// diary is a register that keeps the order of what is done to it.
type diary struct {
	register

	order sync.Mutex
	done  []string
}

func (l *diary) Enrol(ctx context.Context, source, key string) error {
	l.note("put " + key)
	return l.register.Enrol(ctx, source, key)
}

func (l *diary) Forget(ctx context.Context, source string, keys ...string) error {
	if err := l.register.Forget(ctx, source, keys...); err != nil {
		return err
	}
	for _, key := range keys {
		l.note("forget " + key)
	}
	return nil
}

func (l *diary) note(what string) {
	l.order.Lock()
	defer l.order.Unlock()
	l.done = append(l.done, what)
}

func (l *diary) took() []string {
	l.order.Lock()
	defer l.order.Unlock()
	return slices.Clone(l.done)
}

func newDiary() *diary { return &diary{register: register{enrolled: map[string]bool{}}} }

func watch(t *testing.T, p *poller.Poller, keys ...string) {
	t.Helper()
	for _, key := range keys {
		if _, err := p.Watch(t.Context(), "s", key); err != nil {
			t.Error(err)
		}
	}
}

func unwatch(t *testing.T, p *poller.Poller, keys ...string) {
	t.Helper()
	for _, key := range keys {
		if err := p.Unwatch(t.Context(), "s", key); err != nil {
			t.Error(err)
		}
	}
}

// while runs p for so long, and do beside it.
func while(t *testing.T, p *poller.Poller, d time.Duration, do func()) {
	t.Helper()
	done := make(chan struct{})
	go func() {
		defer close(done)
		do()
	}()
	run(t, p, d)
	<-done
}

// A key of which something is stored from before, and that is put anew before
// it was forgotten, is forgotten first: not after it was put.
func TestWatchPutOfAKeyThatIsToBeForgotten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newDiary()
		p := poller.New([]*poller.Source{watched(t, newCrowd(), "@every 1m", poller.WatchSettings{Keys: []string{"a"}, API: true})},
			map[string]poller.Bookmarks{poller.Unit("s", "old"): {}, poller.Unit("s", "older"): {}}, &sink{}, poller.Options{Watches: l})
		watch(t, p, "old")
		run(t, p, time.Minute)
		if want := []string{"forget old", "put old", "forget older"}; !slices.Equal(l.took(), want) {
			t.Errorf("done was %q, want %q", l.took(), want)
		}
	})
}

// What could not be forgotten is tried again, and a key is not put anew before.
func TestWatchForgetsAgain(t *testing.T) {
	path := filepath.Join(t.TempDir(), "keys.txt")
	put := func(text string) {
		t.Helper()
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	put("a\nb\n")
	synctest.Test(t, func(t *testing.T) {
		c, l := newCrowd(), newDiary()
		p := poller.New([]*poller.Source{watched(t, c, "@every 10s", poller.WatchSettings{File: path})}, nil, &sink{}, poller.Options{Watches: l})
		fail := func(err error) {
			l.mu.Lock()
			defer l.mu.Unlock()
			l.err = err
		}
		while(t, p, 10*time.Minute, func() {
			time.Sleep(time.Minute)
			fail(errors.New("disk full"))
			put("b\n")
			time.Sleep(30 * time.Second)
			put("a\nb\n#\n")
			time.Sleep(30 * time.Second)
			before := len(c.times("a"))
			time.Sleep(3 * time.Minute)
			if n := len(c.times("a")); n != before {
				t.Errorf("a was asked for %d times, though what it was before could not be forgotten", n-before)
			}
			fail(nil)
			time.Sleep(3 * time.Minute)
			if n := len(c.times("a")); n <= before {
				t.Error("a was not asked for when it was forgotten and put anew")
			}
		})
		if want := []string{"forget a"}; !slices.Equal(l.took(), want) {
			t.Errorf("done was %q, want %q", l.took(), want)
		}
	})
}

// A key that is new is polled within a minute, also where others are removed
// and slots move meanwhile.
func TestWatchNewKeyKeepsItsFirstPoll(t *testing.T) {
	for _, c := range []struct {
		batch        int
		first        []string // put, and polled
		then         []string // put
		remove, want string
	}{
		{0, nil, []string{"a", "b"}, "a", "b"},           // b takes a's number
		{2, []string{"a", "b"}, []string{"c"}, "a", "c"}, // c takes a's place
		{3, []string{"a", "b", "c"}, []string{"d", "e"}, "b", "e"},
	} {
		t.Run(fmt.Sprint("batch ", c.batch), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				api := newCrowd()
				p := poller.New([]*poller.Source{watched(t, api, "@daily", poller.WatchSettings{API: true, Batch: c.batch})}, nil, &sink{}, poller.Options{Watches: newDiary()})
				while(t, p, 30*time.Hour, func() {
					time.Sleep(time.Hour)
					watch(t, p, c.first...)
					time.Sleep(time.Hour)
					put := time.Now()
					watch(t, p, c.then...)
					unwatch(t, p, c.remove)
					if c.batch == 3 { // the second hole gives the last slot up
						unwatch(t, p, "d")
					}
					time.Sleep(2 * time.Minute)
					if times := api.times(c.want); len(times) == 0 || times[0].Sub(put) > time.Minute+time.Second {
						t.Errorf("%s was asked for at %v; it was put at %v", c.want, times, put)
					}
				})
			})
		})
	}
}

// An answer that was asked for before a key was removed and put anew is not the
// new one's.
func TestWatchAnswerFromBefore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, out := newCrowd(), &sink{}
		c.slow = 10 * time.Second
		p := poller.New([]*poller.Source{watched(t, c, "@every 1m", poller.WatchSettings{Keys: []string{"a"}, API: true, Batch: 3})},
			nil, out, poller.Options{Watches: newDiary()})
		watch(t, p, "b")
		while(t, p, 15*time.Second, func() {
			for len(c.times("b")) == 0 {
				time.Sleep(time.Second)
			}
			unwatch(t, p, "b")
			watch(t, p, "b")
		})
		if len(out.taken) == 0 || !slices.Equal(out.taken[0].Keys, []string{"a"}) {
			t.Errorf("taken in is %+v, want an answer of a alone", out.taken)
		}
	})
}

// A streak of failures ends with the keys that made it: the next is told.
func TestWatchFailingKeyIsRemoved(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log strings.Builder
		s, err := poller.NewSource("s", poller.Settings{
			Schedule: "@every 1m", Watch: poller.WatchSettings{API: true}, Request: poller.RequestSettings{URL: "http://x.example/{{ key }}"},
		}, poller.ResponseSettings{}, poller.NewClientOver(roundTripper(func(r *http.Request) (*http.Response, error) {
			if strings.HasPrefix(r.URL.Path, "/bad") {
				return reply(500, "")
			}
			return reply(200, "{}")
		}), poller.ClientOptions{}))
		if err != nil {
			t.Fatal(err)
		}
		p := poller.New([]*poller.Source{s}, nil, &sink{}, poller.Options{Watches: newDiary(), Logger: slog.New(slog.NewTextHandler(&log, nil))})
		watch(t, p, "good", "bad1")
		while(t, p, time.Hour, func() {
			time.Sleep(10 * time.Minute)
			unwatch(t, p, "bad1")
			time.Sleep(10 * time.Minute)
			watch(t, p, "bad2")
		})
		if n := strings.Count(log.String(), `msg="poll failed"`); n != 2 {
			t.Errorf("%d failures were told, want 2:\n%s", n, log.String())
		}
		for _, key := range []string{"bad1", "bad2"} {
			if !strings.Contains(log.String(), `msg="poll failed" source=s watch=`+key) {
				t.Errorf("the failure of %s is not told by its name:\n%s", key, log.String())
			}
		}
	})
}

// At the start a file of keys may be half written: what it lacks is forgotten
// when it stands still.
func TestWatchFileHalfWrittenAtTheStart(t *testing.T) {
	path := filepath.Join(t.TempDir(), "keys.txt")
	if err := os.WriteFile(path, []byte("a\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	synctest.Test(t, func(t *testing.T) {
		marks := map[string]poller.Bookmarks{}
		for _, key := range []string{"a", "b", "c"} {
			marks[poller.Unit("s", key)] = marked
		}
		c, l := newCrowd(), newDiary()
		p := poller.New([]*poller.Source{watched(t, c, "@every 10s", poller.WatchSettings{File: path})}, marks, &sink{}, poller.Options{Watches: l})
		while(t, p, time.Minute, func() {
			time.Sleep(2 * time.Second)
			if err := os.WriteFile(path, []byte("a\nb\n"), 0o600); err != nil {
				t.Error(err)
			}
		})
		if want := []string{"forget c"}; !slices.Equal(l.took(), want) {
			t.Errorf("done was %q, want %q", l.took(), want)
		}
		if len(c.times("b")) < 4 {
			t.Errorf("b was asked for %d times", len(c.times("b")))
		}
	})
}

// The bound on keys holds at the start, whatever the keys' origins.
func TestWatchBoundAtTheStart(t *testing.T) {
	path := filepath.Join(t.TempDir(), "keys.txt")
	if err := os.WriteFile(path, []byte(strings.Join(numbered(0, 100_000), "\n")), 0o600); err != nil {
		t.Fatal(err)
	}
	s := watched(t, newCrowd(), "@daily", poller.WatchSettings{Keys: []string{"x", "y"}, File: path, API: true, Batch: 100})
	p := poller.New([]*poller.Source{s}, map[string]poller.Bookmarks{poller.Unit("s", "z"): {Enrolled: true}}, &sink{}, poller.Options{Watches: newDiary()})
	keys, err := p.Watched("s")
	if err != nil || len(keys) != 100_000 {
		t.Fatalf("%d keys are watched, %v", len(keys), err)
	}
	for i, want := range []string{"z", "y", "x"} {
		if keys[len(keys)-1-i].Key != want {
			t.Errorf("%s is not watched: it has the right of way", want)
		}
	}
	if _, err := p.Watch(t.Context(), "s", "more"); !errors.Is(err, poller.ErrTooManyKeys) {
		t.Errorf("one more: %v", err)
	}
}

// A source that has no watch any more forgets its keys.
func TestWatchIsTakenAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newDiary()
		p := poller.New(sources(t, ok, "", map[string]string{"s": "@hourly"}), map[string]poller.Bookmarks{
			"s": marked, poller.Unit("s", "a"): {Enrolled: true}, poller.Unit("s", "b"): {}, poller.Unit("other", "c"): {},
		}, &sink{}, poller.Options{Watches: l})
		run(t, p, time.Minute)
		if want := []string{"forget a", "forget b"}; !slices.Equal(l.took(), want) {
			t.Errorf("done was %q, want %q", l.took(), want)
		}
	})
}

// Keys that items of another source name come and go with them; until that
// source has been answered, those that are known stay.
func TestWatchOfItems(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, l := newCrowd(), newDiary()
		l.name(false, "b")
		p := poller.New([]*poller.Source{watched(t, c, "@every 10s", poller.WatchSettings{Keys: []string{"k"}, Fed: true, API: true})}, map[string]poller.Bookmarks{
			poller.Unit("s", "a"): marked, poller.Unit("s", "done"): {Retired: time.Now()}, poller.Unit("s", "mine"): {Enrolled: true},
		}, &sink{}, poller.Options{Watches: l})
		name := func(settled bool, keys ...string) {
			l.name(settled, keys...)
			p.Follow("s")
			p.Follow("unknown")
			time.Sleep(time.Minute)
		}
		asked := func(want string) {
			t.Helper()
			c.mu.Lock()
			defer c.mu.Unlock()
			var got []string
			for key, at := range c.asked {
				if time.Since(at[len(at)-1]) < 15*time.Second {
					got = append(got, key)
				}
			}
			slices.Sort(got)
			if strings.Join(got, " ") != want {
				t.Errorf("asked for is %q, want %q", got, want)
			}
		}
		while(t, p, time.Hour, func() {
			time.Sleep(time.Minute)
			asked("a b k mine")
			name(false, "b", "c")
			asked("a b c k mine")
			name(true, "b", "done", "k", "mine")
			asked("b k mine")
			if err := p.Unwatch(t.Context(), "s", "b"); !errors.Is(err, poller.ErrKeyConfigured) {
				t.Errorf("Unwatch of a key that an item names = %v", err)
			}
			keys, err := p.Watched("s")
			if got := fmt.Sprint(keys); err != nil || got != "[{b [items] false} {done [items] true} {k [config items] false} {mine [items api] false}]" {
				t.Errorf("Watched = %s, %v", got, err)
			}
			name(true)
			asked("k mine")
			name(true, "done")
			asked("done k mine")
		})
		if want := []string{"forget a", "forget c", "forget b", "forget done"}; !slices.Equal(sorted(l.took()), sorted(want)) {
			t.Errorf("done was %q, want %q", l.took(), want)
		}
	})
}

// A key that an item names anew, and that could not be forgotten, is put in once
// it could be, whatever the file of keys did meanwhile.
func TestWatchOfItemsIsOwedBesideAFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "keys.txt")
	put := func(text string) {
		t.Helper()
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	put("f\n")
	synctest.Test(t, func(t *testing.T) {
		c, l := newCrowd(), newDiary()
		l.name(true, "a")
		p := poller.New([]*poller.Source{watched(t, c, "@every 10s", poller.WatchSettings{File: path, Fed: true})}, nil, &sink{}, poller.Options{Watches: l})
		fail := func(err error) {
			l.mu.Lock()
			defer l.mu.Unlock()
			l.err = err
		}
		name := func(keys ...string) {
			l.name(true, keys...)
			p.Follow("s")
			synctest.Wait()
		}
		while(t, p, 10*time.Minute, func() {
			time.Sleep(time.Minute)
			fail(errors.New("disk full"))
			name()
			name("a")
			put("f\ng\n")
			time.Sleep(30 * time.Second)
			before := len(c.times("a"))
			fail(nil)
			time.Sleep(3 * time.Minute)
			if n := len(c.times("a")); n <= before {
				t.Error("a was not asked for when it was forgotten and named anew")
			}
			if len(c.times("g")) == 0 {
				t.Error("g was not asked for, which the file names")
			}
		})
	})
}

func sorted(list []string) []string {
	slices.Sort(list)
	return list
}
