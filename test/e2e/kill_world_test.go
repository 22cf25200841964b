package e2e

import (
	"bytes"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/deltahook/deltahook/test/loopback"
)

// thing is an item of a source.
type thing struct{ source, key string }

// truth is what the world was, for the checker. A state is the text of an
// item's picked fields, as the API spells them.
type truth struct {
	served map[thing]map[string]int       // each state that an answer held, and its serial
	known  map[thing]map[string]time.Time // since when the program sent the ETag of a state, and got a 304
	final  map[thing]string               // the state in the end; an item that is not there has none
	emits  map[string]bool                // sources whose first answer is told
	to     []string                       // the endpoints that are told

	// superseded are the ids of events whose place another one took at wiki;
	// nil: it is not known.
	superseded map[string]bool
}

func newTruth(to ...string) truth {
	return truth{
		to:     to,
		served: map[thing]map[string]int{}, known: map[thing]map[string]time.Time{},
		final: map[thing]string{}, emits: map[string]bool{},
	}
}

// world is an API of many sources whose items change at every other poll. It
// keeps each state that it told anybody: what a webhook says must be among
// them.
type world struct {
	URL  string
	news chan struct{} // capacity 1: an answer that holds a change was sent

	mu      sync.Mutex
	rng     *rand.Rand
	calm    bool // nothing changes by itself, and no answer fails
	sources map[string]*region
	served  map[thing]map[string]int
	known   map[thing]map[string]time.Time
	asked   map[string]int // polls that were answered since the last begin, by source
}

// region is one source: a list of items, or a document that is one item.
type region struct {
	kind    regionKind
	items   map[string]itemState
	serials map[string]int // of items, those that are not there included
	edition int            // its ETag
}

type itemState struct {
	serial int
	text   string
}

// regionKind is how a source is configured.
type regionKind struct {
	document bool
	etag     bool
	emit     bool // the first answer is told
	confirm  int  // answers in a row that must lack an item
}

// The kinds of source, in turn.
var regionKinds = []regionKind{
	{emit: true, confirm: 1},
	{emit: true, confirm: 2, etag: true},
	{confirm: 1, etag: true},
	{document: true, emit: true, etag: true, confirm: 1},
	{confirm: 2},
	{document: true, confirm: 1},
}

const itemsInRegion = 6

func newWorld(tb testing.TB, seed uint64, sources int) *world {
	tb.Helper()
	w := &world{
		news: make(chan struct{}, 1), rng: rand.New(rand.NewPCG(seed, 1)),
		sources: map[string]*region{}, asked: map[string]int{},
		served: map[thing]map[string]int{}, known: map[thing]map[string]time.Time{},
	}
	for i := range sources {
		name := fmt.Sprintf("src%02d", i)
		r := &region{kind: regionKinds[i%len(regionKinds)], items: map[string]itemState{}, serials: map[string]int{}}
		for _, key := range r.keys(name) {
			r.change(w.rng, key)
		}
		w.sources[name] = r
	}
	server := loopback.NewServer(tb, w.ServeHTTP)
	tb.Cleanup(server.Close)
	w.URL = server.URL
	return w
}

// keys are the items that a source can have. A document's key is the source's
// name.
func (r *region) keys(name string) (keys []string) {
	if r.kind.document {
		return []string{name}
	}
	for i := range itemsInRegion {
		keys = append(keys, fmt.Sprintf("item-%d", i))
	}
	return keys
}

// change gives an item a state that it never had.
func (r *region) change(rng *rand.Rand, key string) {
	r.edition++
	r.serials[key]++
	n := r.serials[key]
	// A note of some length, so that the store's pages split and overflow.
	note := strings.Repeat("x", rng.IntN(40)*rng.IntN(40))
	r.items[key] = itemState{n, fmt.Sprintf(`{"n":%d,"price":%d.50,"note":%q}`, n, rng.IntN(100), note)}
}

// turn lets the world go on in one source, as it does while nobody looks.
func (w *world) turn(name string, r *region) {
	keys := r.keys(name)
	for range 1 + w.rng.IntN(3) {
		key := keys[w.rng.IntN(len(keys))]
		if _, there := r.items[key]; there && !r.kind.document && w.rng.IntN(4) == 0 {
			delete(r.items, key)
			r.edition++
			continue
		}
		r.change(w.rng, key)
	}
}

// ServeHTTP is one poll.
func (w *world) ServeHTTP(rw http.ResponseWriter, req *http.Request) {
	name := strings.TrimPrefix(req.URL.Path, "/")
	a := w.answer(name, req.Header.Get("If-None-Match"))
	select {
	case <-time.After(a.delay):
	case <-req.Context().Done():
	}
	rw.Header().Set("Content-Type", "application/json")
	if a.etag != "" {
		rw.Header().Set("ETag", a.etag)
	}
	if a.cut {
		rw.Header().Set("Content-Length", fmt.Sprint(len(a.body)+100))
	}
	rw.WriteHeader(a.status)
	_, _ = rw.Write(a.body) // the poller may be dead
	if a.cut {
		panic(http.ErrAbortHandler)
	}
	_ = http.NewResponseController(rw).Flush() // the same
	if a.news {
		select {
		case w.news <- struct{}{}:
		default:
		}
	}
}

type pollAnswer struct {
	status int
	etag   string
	body   []byte
	delay  time.Duration
	cut    bool
	news   bool
}

// answer decides what a poll gets. Of 100 answers 6 fail, and 30 take a while.
func (w *world) answer(name, known string) pollAnswer {
	w.mu.Lock()
	defer w.mu.Unlock()
	r := w.sources[name]
	if r == nil {
		return pollAnswer{status: http.StatusNotFound}
	}
	a := pollAnswer{status: http.StatusOK}
	fate := 100
	if !w.calm {
		if w.rng.IntN(10) < 6 {
			w.turn(name, r)
			a.news = true
		}
		fate = w.rng.IntN(100)
		if w.rng.IntN(10) < 3 {
			a.delay = time.Duration(w.rng.IntN(80)) * time.Millisecond
		}
	}
	if fate < 3 {
		return pollAnswer{status: http.StatusBadGateway, body: []byte(`{"error":"try later"}`), delay: a.delay}
	}
	w.asked[name]++
	if r.kind.etag {
		a.etag = fmt.Sprintf("%q", fmt.Sprint("e", r.edition))
		if known == a.etag {
			for key, s := range r.items {
				at := thing{name, key}
				if w.known[at] == nil {
					w.known[at] = map[string]time.Time{}
				}
				if _, before := w.known[at][s.text]; !before {
					w.known[at][s.text] = time.Now()
				}
			}
			a.status = http.StatusNotModified
			return a
		}
	}
	a.cut = fate < 6
	a.body = w.tell(name, r, !a.cut)
	return a
}

// tell spells a source out, in an order and with a noise that are new each
// time, and remembers what was told where that is meant to be believed.
func (w *world) tell(name string, r *region, believed bool) []byte {
	keys := slices.Sorted(maps.Keys(r.items))
	w.rng.Shuffle(len(keys), func(i, j int) { keys[i], keys[j] = keys[j], keys[i] })
	var list []string
	for _, key := range keys {
		s := r.items[key]
		at := thing{name, key}
		if w.served[at] == nil {
			w.served[at] = map[string]int{}
		}
		if believed {
			w.served[at][s.text] = s.serial
		}
		list = append(list, fmt.Sprintf(`{"noise":%d,"id":%q,"is":%s}`, w.rng.Uint32(), key, s.text))
	}
	if r.kind.document {
		return []byte(list[0])
	}
	return fmt.Appendf(nil, `{"noise":%d,"list":[%s]}`, w.rng.Uint32(), strings.Join(list, ","))
}

// settle ends all change of the world's own.
func (w *world) settle() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.calm = true
}

// touch changes every item of the sources whose first answer was not told: an
// item of theirs that never changed since could not be told from a lost one.
func (w *world) touch() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for name, r := range w.sources {
		if r.kind.emit {
			continue
		}
		for _, key := range r.keys(name) {
			r.change(w.rng, key)
		}
	}
}

// begin is the start of a run of the program.
func (w *world) begin() {
	w.mu.Lock()
	defer w.mu.Unlock()
	clear(w.asked)
}

// asks reports whether the program had at least two answers from every source
// since its start. When the second is asked for, the first is committed. A
// third may be one that its predecessor asked for before it was killed.
func (w *world) asks() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	for name := range w.sources {
		if w.asked[name] < 3 {
			return false
		}
	}
	return true
}

// truth is what there is to check against. It shares nothing.
func (w *world) truth() truth {
	w.mu.Lock()
	defer w.mu.Unlock()
	t := newTruth("shop", "audit", "wiki")
	for at, states := range w.served {
		t.served[at] = maps.Clone(states)
	}
	for at, states := range w.known {
		t.known[at] = maps.Clone(states)
	}
	for name, r := range w.sources {
		t.emits[name] = r.kind.emit
		for key, s := range r.items {
			t.final[thing{name, key}] = s.text
		}
	}
	return t
}

// pace is what has updates wait at wiki, until all comes to rest.
func (w *world) pace() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.calm {
		return ""
	}
	return ", rate: 8/s"
}

// config is the configuration that watches the world. A webhook carries the
// number of the start that sent it, for what a killed program sent may lie in a
// socket when its successor is at work already. A poll doesn't: what depends on
// the start would make it another request, which no ETag stands for.
// Edits may have made another one of it.
func (w *world) config(receiverURL string, e *edits) string {
	var b bytes.Buffer
	fmt.Fprintf(&b, `store: deltahook.db
server: {listen: "127.0.0.1:0"}
defaults:
  source:
    schedule: "@every 1s"
    request: {timeout: 5s}
  endpoint:
    secrets: [%s]
    headers: {X-Run: "${RUN}"}
    timeout: 10s
    retry: {schedule: [%s100ms], jitter: 50%%}
egress: {endpoints: {allow: [127.0.0.0/8]}}
endpoints:
  shop: {url: "%[3]s/shop"}
  audit: {url: "%[3]s/audit", %[4]s}
  wiki: {url: "%[3]s/wiki", coalesce: true%[5]s}
sources:
`, whsec, strings.Repeat("50ms, ", 60), receiverURL, e.endpoint(), w.pace())
	for _, name := range w.names() {
		now, settings, there := e.source(name)
		if !there {
			continue
		}
		k := w.sources[name].kind
		baseline, items := "silent", "items: list, id: id, "
		if k.emit {
			baseline = "emit"
		}
		if k.document {
			items = ""
		}
		fmt.Fprintf(&b, `  %[6]s:
%[7]s    request: {url: "%[2]s/%[1]s"}
    response: {%[3]spick: {n: is.n, price: is.price, note: is.note}}
    changes: {baseline: %[4]s, confirm_deletes: %[5]d}
    events:
      %[1]s.any: {}
      %[1]s.enter: {when: (new.n ?? 1) %% 2 == 0, trigger: enter, to: [audit]}
      %[1]s.third: {on: [created, updated], when: new.n %% 3 == 0, to: [audit]}
`, name, w.URL, items, baseline, k.confirm, now, settings)
	}
	return b.String()
}
