package bench_test

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/deltahook/deltahook/configs"
	"github.com/deltahook/deltahook/differ"
	"github.com/deltahook/deltahook/emitter"
	"github.com/deltahook/deltahook/internal/store/bolt"
	"github.com/deltahook/deltahook/poller"
)

// Of the large installation.
const (
	manySources = 10_000
	manyRounds  = 10 // answers in which all items of a source change
	manyItems   = 10 // of a source: so a million events, each told to one endpoint
	longItems   = 50_000
	early       = 4 // rounds that the first ten sources take part in, the only ones that tell the endpoint quiet
)

// manyConfig is its configuration. Each source tells one endpoint: the first
// ten quiet, of which nothing was heard since; every fiftieth broken, which
// takes nothing; the others share the rest.
func manyConfig(api, hooks string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "store: deltahook.db\nserver: {listen: \"127.0.0.1:0\"}\nreload: {watch: false}\negress: {endpoints: {allow: [127.0.0.0/8]}}\nendpoints:\n")
	for i := range 38 {
		fmt.Fprintf(&b, "  e%02d: {url: \"%s/ok\", signature: none}\n", i, hooks)
	}
	fmt.Fprintf(&b, "  quiet: {url: \"%s/ok\", signature: none}\n  broken: {url: \"%s/broken\", signature: none}\nsources:\n", hooks, hooks)
	for i := range manySources {
		to := fmt.Sprintf("e%02d", i%38)
		switch {
		case i < 10:
			to = "quiet"
		case i%50 == 49:
			to = "broken"
		}
		fmt.Fprintf(&b, "  s%05d: {schedule: \"@every 20s\", request: {url: \"%s/s%05d\"}, response: {items: items, id: id}, events: {parcel.moved: {to: [%s]}}}\n", i, api, i, to)
	}
	fmt.Fprintf(&b, "  long: {schedule: \"@every 1h\", request: {url: \"%s/long\"}, response: {items: items, id: id}, events: {long.moved: {to: [e00]}}}\n", api)
	return b.String()
}

// manyList is what a source answers in a round: of its first item another
// number from there on.
func manyList(source string, items, round, step int) []byte {
	var b bytes.Buffer
	b.WriteString(`{"items":[`)
	for i := range items {
		if i > 0 {
			b.WriteByte(',')
		}
		if i > 0 {
			step = 0
		}
		fmt.Fprintf(&b, `{"id":"%s-%05d","status":"in transit %d","step":%d,"price":112.13,"at":{"city":"Berlin","time":"2026-11-23T10:00:00Z"}}`, source, i, round, step)
	}
	b.WriteString(`]}`)
	return b.Bytes()
}

// manyAPI answers for all of them as in the last round; each hundredth answer
// has a change.
func manyAPI() http.Handler {
	var polls atomic.Int64
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		source := r.URL.Path[1:]
		items, round, step := manyItems, manyRounds, 0
		if n, err := strconv.Atoi(source[1:]); err == nil && n < 10 {
			round = early
		} else if err != nil {
			items, round = longItems, 0
		} else if now := polls.Add(1); now%100 == 0 {
			step = int(now)
		}
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write(manyList(source, items, round, step))
	})
}

// manyStore makes the store of the installation in a folder that has its
// configuration, unless it is there.
func manyStore(b *testing.B, dir string) {
	b.Helper()
	path := filepath.Join(dir, "deltahook.db")
	if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
		return
	}
	began := time.Now()
	cfg, err := configs.Load(filepath.Join(dir, "deltahook.yaml"), nil)
	if err != nil {
		b.Fatal(err)
	}
	making := path + ".new"
	_ = os.Remove(making)
	store, err := bolt.Open(making, bolt.Options{})
	if err != nil {
		b.Fatal(err)
	}
	manyEvents(b, cfg, store)
	b.Logf("the events are there after %s", time.Since(began).Round(time.Second))
	manyOutcomes(b, store)
	if err := errors.Join(store.Close(), os.Rename(making, path)); err != nil {
		b.Fatal(err)
	}
	b.Logf("the store was made in %s", time.Since(began).Round(time.Second))
}

// differOf is the differ of a configuration, over a store.
func differOf(b *testing.B, cfg *configs.Config, store *bolt.Store) *differ.Differ {
	b.Helper()
	var endpoints []*emitter.Endpoint
	var names []string
	for name, s := range cfg.Endpoints {
		e, err := emitter.NewEndpoint(name, s, emitter.EndpointOptions{})
		if err != nil {
			b.Fatal(err)
		}
		endpoints, names = append(endpoints, e), append(names, name)
	}
	var sources []*differ.Source
	for name, s := range cfg.Sources {
		one, err := differ.NewSource(name, s.Diff, s.Response.Read, names)
		if err != nil {
			b.Fatal(err)
		}
		sources = append(sources, one)
	}
	return differ.New(sources, store, emitter.New(endpoints, store, emitter.Options{}), differ.Options{})
}

// manyEvents has a differ take in what all sources answered.
func manyEvents(b *testing.B, cfg *configs.Config, store *bolt.Store) {
	b.Helper()
	d := differOf(b, cfg, store)
	take := func(source string, items, round int) error {
		return d.Take(b.Context(), &poller.Answer{Source: source, Received: time.Now(), Status: http.StatusOK, Pages: [][]byte{manyList(source, items, round, 0)}})
	}
	if err := take("long", longItems, 0); err != nil {
		b.Fatal(err)
	}
	for round := range manyRounds + 1 {
		var all errgroup.Group
		all.SetLimit(256)
		for i := range manySources {
			if i >= 10 || round <= early {
				all.Go(func() error { return take(fmt.Sprintf("s%05d", i), manyItems, round) })
			}
		}
		if err := all.Wait(); err != nil {
			b.Fatal(err)
		}
	}
}

// manyOutcomes settles the deliveries: those to the endpoint broken wait, after
// an attempt each; of the others one in a hundred is dead, and one in ten of
// those to quiet.
func manyOutcomes(b *testing.B, store *bolt.Store) {
	b.Helper()
	page := emitter.DeliveryPage{}
	for {
		var err error
		if page, err = store.Deliveries(b.Context(), emitter.Filter{}, emitter.Page{Limit: emitter.MaxPage, Cursor: page.Next}); err != nil {
			b.Fatal(err)
		}
		outcomes := make([]emitter.Outcome, 0, len(page.Deliveries))
		for _, d := range page.Deliveries {
			o := emitter.Outcome{
				Delivery: emitter.Delivery{Number: d.Number, Endpoint: d.Endpoint},
				Attempt:  emitter.Attempt{At: time.Now(), Took: 30 * time.Millisecond, Status: http.StatusOK, Response: []byte(`{"taken":true}`)},
				Verdict:  emitter.Verdict{State: emitter.Delivered},
			}
			switch {
			case d.Endpoint == "broken":
				o.Attempt.Status, o.Verdict = http.StatusServiceUnavailable, emitter.Verdict{State: emitter.Waiting, Due: time.Now().Add(time.Hour)}
			case d.Number%100 == 7, d.Endpoint == "quiet" && d.Number%10 == 3:
				o.Attempt.Status, o.Verdict = http.StatusGone, emitter.Verdict{State: emitter.Dead}
			}
			outcomes = append(outcomes, o)
		}
		if err := store.Settle(b.Context(), outcomes); err != nil {
			b.Fatal(err)
		}
		if page.Next == "" {
			return
		}
	}
}
