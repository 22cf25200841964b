package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/deltahook/deltahook/internal/web"
	"github.com/deltahook/deltahook/test/loopback"
)

// TestWatchKill is TestKill's sibling: it kills the program by kill -9 while
// watch keys come and go over the API, in a file and with the items of another
// source, and while they retire. In the end exactly those are watched that
// should be, and each was told in full.
func TestWatchKill(t *testing.T) {
	seed, kills := killSeed(t)
	kills = max(2, kills/10) // each is longer than one of TestKill: keys are polled each second
	c := &keyCampaign{
		campaign: &campaign{t: t, dir: t.TempDir(), seed: seed, kills: kills, rng: rand.New(rand.NewPCG(seed, 5)), receiver: newMoody(t, seed)},
		keys:     newKeyWorld(t, seed), api: map[string]fate{}, file: map[string]bool{},
	}
	c.writeFile(false)
	write(t, c.dir, "deltahook.yaml", c.keys.config(c.receiver.URL))
	began := time.Now()
	for i := range kills {
		c.strike(i)
		if (i+1)%checkEvery == 0 {
			c.checkStore(false)
		}
	}
	killing := time.Since(began)
	p := c.rest()
	retired := c.holdKeys(p)
	c.holdStory(retired)
	p.stop(t)
	c.inspect(p)
	c.checkStore(true)
	c.silence(retired)
	t.Logf("seed %d: %d kills in %s; %d keys ever, %d retired in the end, %d attempts; %s",
		seed, kills, killing.Round(time.Millisecond), len(c.keys.truth().served), len(retired), len(c.receiver.sightings()), c.receiver)
}

// fate is what is known of a key that the API was asked to put or to remove.
type fate int

const (
	there fate = iota
	gone
	perhapsThere // no answer came to the PUT
	perhapsGone  // or to the DELETE
)

type keyCampaign struct {
	*campaign
	keys *keyWorld
	next int
	api  map[string]fate
	file map[string]bool
}

func (c *keyCampaign) fresh(kind string) string {
	c.next++
	// Odd names, for what is encoded on the way.
	return fmt.Sprintf("%s %d/ü%%2F+&?#%s", kind, c.next, []string{"", ".", ",", "\\", `"`}[c.next%5])
}

// strike lets the program run for a while, and keys come and go meanwhile.
func (c *keyCampaign) strike(i int) {
	c.run++
	c.keys.begin()
	p := launch(c.t, c.dir, c.run)
	life := time.Duration(c.rng.Int64N(int64(1800 * time.Millisecond)))
	if i%15 == 14 {
		life = 12 * time.Second // the file is read, bookmarks are written
	}
	ctx, cancel := context.WithTimeout(c.t.Context(), life)
	defer cancel()
	var told sync.WaitGroup
	told.Go(func() {
		for ctx.Err() == nil {
			c.act(ctx)
			select {
			case <-time.After(time.Duration(c.rng.Int64N(int64(60 * time.Millisecond)))):
			case <-ctx.Done():
			}
		}
	})
	select {
	case <-ctx.Done():
	case <-p.done:
		c.t.Fatalf("run %d ended by itself:\n%s", c.run, tail(p.stderr.String()))
	}
	p.kill()
	told.Wait()
	c.inspect(p)
}

// act does one thing to the keys.
func (c *keyCampaign) act(ctx context.Context) {
	switch c.rng.IntN(8) {
	case 0, 1, 2:
		key := c.fresh("api")
		c.api[key] = perhapsThere
		if status := c.ask(ctx, http.MethodPut, key); status == http.StatusCreated {
			c.api[key] = there
		} else if status != 0 {
			c.t.Errorf("PUT of %s: %d", key, status)
		}
	case 3, 4:
		for key, f := range c.api {
			if f != there {
				continue
			}
			c.api[key] = perhapsGone
			if status := c.ask(ctx, http.MethodDelete, key); status == http.StatusNoContent {
				c.api[key] = gone
			} else if status != 0 {
				c.t.Errorf("DELETE of %s: %d", key, status)
			}
			return
		}
	case 5:
		c.file[c.fresh("file")] = true
		if c.rng.IntN(2) == 0 {
			for key := range c.file {
				delete(c.file, key)
				break
			}
		}
		c.writeFile(true)
	default:
		c.keys.order(c.rng, c.fresh)
	}
}

// writeFile writes the file of keys, sometimes one half after the other.
func (c *keyCampaign) writeFile(torn bool) {
	c.t.Helper()
	text := "# keys\n"
	for key := range c.file {
		text += key + "\n"
	}
	path := filepath.Join(c.dir, "keys.txt")
	if torn && c.rng.IntN(2) == 0 {
		half := strings.LastIndex(text[:len(text)/2+1], "\n") + 1
		if err := os.WriteFile(path, []byte(text[:half]), 0o600); err != nil {
			c.t.Error(err)
		}
		time.Sleep(time.Duration(c.rng.Int64N(int64(30 * time.Millisecond))))
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		c.t.Error(err)
	}
}

// ask sends a request for a key over the socket. 0: no answer came.
func (c *keyCampaign) ask(ctx context.Context, method, key string) int {
	socket := web.SocketPath(filepath.Join(c.dir, "deltahook.db"))
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", socket)
	}}}
	req, err := http.NewRequestWithContext(ctx, method, "http://deltahook/api/v1/sources/keyed/watches/"+url.PathEscape(key), http.NoBody)
	if err != nil {
		c.t.Error(err)
		return 0
	}
	resp, err := client.Do(req)
	if err != nil {
		return 0
	}
	_ = resp.Body.Close()
	if resp.StatusCode == http.StatusInternalServerError {
		return 0 // it is starting, or ending
	}
	return resp.StatusCode
}

// rest ends all change, settles what nobody knows, and waits until all is told.
func (c *keyCampaign) rest() *process {
	c.t.Helper()
	c.keys.settle()
	c.receiver.soothe()
	c.run++
	c.keys.begin()
	p := launch(c.t, c.dir, c.run)
	p.Addr(c.t)
	for key, f := range c.api {
		switch f {
		case perhapsThere:
			c.sure(key, http.MethodPut, there, http.StatusCreated, http.StatusNoContent)
		case perhapsGone:
			c.sure(key, http.MethodDelete, gone, http.StatusNoContent, http.StatusNotFound)
		}
	}
	c.await(p, "the keys that should be watched", func() bool { return slices.Equal(c.wanted(), c.watched(p)) })
	c.keys.begin()
	c.await(p, "all keys to be polled", func() bool { return c.keys.asks(c.live(p)) })
	c.keys.touch(c.live(p))
	c.await(p, "all changes to be told", func() bool { return len(c.lost()) == 0 })
	c.await(p, "the queue to be empty", func() bool { return p.metric(c.t, "deltahook_deliveries_waiting") == 0 })
	return p
}

func (c *keyCampaign) sure(key, method string, is fate, statuses ...int) {
	c.t.Helper()
	if status := c.ask(c.t.Context(), method, key); !slices.Contains(statuses, status) {
		c.t.Errorf("%s of %s answered %d", method, key, status)
	}
	c.api[key] = is
}

// wanted are the keys that should be watched.
func (c *keyCampaign) wanted() []string {
	keys := slices.Clone(configuredKeys)
	for key, f := range c.api {
		if f == there {
			keys = append(keys, key)
		}
	}
	for key := range c.file {
		keys = append(keys, key)
	}
	keys = append(keys, c.keys.named()...)
	slices.Sort(keys)
	return slices.Compact(keys)
}

type listedKey struct {
	Key     string
	Retired bool
}

func (c *keyCampaign) list(p *process) (keys []listedKey) {
	for query := (url.Values{"limit": {"100"}}); ; {
		_, body := p.get(c.t, "/api/v1/sources/keyed/watches?"+query.Encode())
		var page struct {
			Keys []listedKey
			Next string
		}
		if err := json.Unmarshal([]byte(body), &page); err != nil {
			c.t.Fatal(err)
		}
		keys = append(keys, page.Keys...)
		if page.Next == "" {
			return keys
		}
		query.Set("cursor", page.Next)
	}
}

func (c *keyCampaign) watched(p *process) (keys []string) {
	for _, k := range c.list(p) {
		keys = append(keys, k.Key)
	}
	return keys
}

func (c *keyCampaign) live(p *process) (keys []string) {
	for _, k := range c.list(p) {
		if !k.Retired {
			keys = append(keys, k.Key)
		}
	}
	return keys
}

// holdKeys holds that those are retired that are delivered, and no other.
func (c *keyCampaign) holdKeys(p *process) (retired []string) {
	c.t.Helper()
	if got, want := c.watched(p), c.wanted(); !slices.Equal(got, want) {
		c.t.Errorf("watched are\n  %q, want\n  %q", got, want)
	}
	for _, k := range c.list(p) {
		if k.Retired != c.keys.over(k.Key) {
			c.t.Errorf("%s is retired: %v; delivered: %v", k.Key, k.Retired, c.keys.over(k.Key))
		}
		if k.Retired {
			retired = append(retired, k.Key)
		}
	}
	return retired
}

// lost are the promises that are not kept, or not yet.
func (c *keyCampaign) lost() (found []string) {
	w, heard, last := c.keys.truth(), map[string]bool{}, map[string]string{}
	got := c.receiver.sightings()
	for _, s := range got {
		if t, err := readTold(s); err == nil {
			heard[t.key] = true
		}
	}
	wanted := c.wanted()
	// Of a key that was removed, what was told last is as good as any; of one
	// that was over before it was told of, there is nothing to tell.
	for at := range w.final {
		if !slices.Contains(wanted, at.key) || !heard[at.key] && c.keys.over(at.key) {
			delete(w.final, at)
		}
	}
	for _, s := range inOrder(got) {
		if t, err := readTold(s); err == nil && t.kind == "any" && !slices.Contains(wanted, t.key) && compareNewer(last, t) {
			w.final[t.thing] = t.new
		}
	}
	return violations(w, got)
}

// compareNewer notes the revision that was told of an item, and reports whether
// it is the latest.
func compareNewer(last map[string]string, t told) bool {
	revision := fmt.Sprintf("%09d", t.revision)
	if last[t.key] > revision {
		return false
	}
	last[t.key] = revision
	return true
}

// holdStory holds what was told against what was, and that the end of each key
// was told.
func (c *keyCampaign) holdStory(retired []string) {
	c.t.Helper()
	// An event may have reached one endpoint when its key was removed, and be
	// on its way to the other.
	found := c.lost()
	for _, v := range found[:min(len(found), mostShown)] {
		c.t.Error(v)
	}
	if len(retired) == 0 {
		c.t.Error("no key retired: the test says little")
	}
}

// silence starts the program once more: it has nothing to tell, and asks for no
// key that is over.
func (c *keyCampaign) silence(retired []string) {
	c.t.Helper()
	before := len(c.receiver.sightings())
	c.run++
	c.keys.begin()
	p := launch(c.t, c.dir, c.run)
	p.Addr(c.t)
	c.await(p, "all keys to be polled", func() bool { return c.keys.asks(c.live(p)) })
	if got, want := c.watched(p), c.wanted(); !slices.Equal(got, want) {
		c.t.Errorf("after a restart watched are\n  %q, want\n  %q", got, want)
	}
	p.stop(c.t)
	c.inspect(p)
	if late := c.receiver.sightings()[before:]; len(late) > 0 {
		c.t.Errorf("when all was told, %d more were sent; the first is %s", len(late), late[0].body)
	}
	for _, key := range retired {
		if n := c.keys.count(key); n > 0 {
			c.t.Errorf("%s was asked for %d times though it was over", key, n)
		}
	}
}

// keyWorld is an API of orders, and of the parcels that they name and others.
type keyWorld struct {
	URL string

	mu     sync.Mutex
	rng    *rand.Rand
	calm   bool
	orders map[string][]string // keys by the order that names them
	serial map[string]int
	done   map[string]bool
	served map[thing]map[string]int
	asked  map[string]int
}

var configuredKeys = []string{"conf one", "conf/two", "conf%3"}

func newKeyWorld(tb testing.TB, seed uint64) *keyWorld {
	tb.Helper()
	w := &keyWorld{
		rng: rand.New(rand.NewPCG(seed, 6)), orders: map[string][]string{}, serial: map[string]int{}, done: map[string]bool{},
		served: map[thing]map[string]int{}, asked: map[string]int{},
	}
	server := loopback.NewServer(tb, w.ServeHTTP)
	tb.Cleanup(server.Close)
	w.URL = server.URL
	return w
}

// ServeHTTP is one poll: of the orders, or of a batch of keys.
func (w *keyWorld) ServeHTTP(rw http.ResponseWriter, req *http.Request) {
	w.mu.Lock()
	var delay time.Duration
	lot := 100
	if !w.calm {
		lot = w.rng.IntN(100)
		delay = time.Duration(w.rng.IntN(40)) * time.Millisecond
	}
	var list []string
	if req.URL.Path == "/orders" {
		for id, keys := range w.orders {
			text, _ := json.Marshal(keys)
			list = append(list, fmt.Sprintf(`{"id":%q,"keys":%s}`, id, text))
		}
	} else {
		for key := range strings.SplitSeq(req.URL.Query().Get("keys"), "|") {
			if lot >= 6 {
				w.asked[key]++
			}
			if w.calm || w.rng.IntN(10) > 0 { // one that the answer lacks is unknown in it
				list = append(list, w.item(key, lot >= 6))
			}
		}
	}
	w.mu.Unlock()
	time.Sleep(delay)
	body := fmt.Sprintf(`{"list":[%s]}`, strings.Join(list, ","))
	rw.Header().Set("Content-Type", "application/json")
	switch {
	case lot < 3:
		rw.WriteHeader(http.StatusBadGateway)
	case lot < 6:
		rw.Header().Set("Content-Length", fmt.Sprint(len(body)+10))
		_, _ = rw.Write([]byte(body))
		panic(http.ErrAbortHandler)
	default:
		_, _ = rw.Write([]byte(body))
	}
}

// item is a key as it is now, after what happened to it since.
func (w *keyWorld) item(key string, believed bool) string {
	if w.serial[key] == 0 || !w.calm && !w.done[key] && w.rng.IntN(2) == 0 {
		w.serial[key]++
		w.done[key] = w.serial[key] > 3 && w.rng.IntN(8) == 0
	}
	at := thing{"keyed", key}
	if w.served[at] == nil {
		w.served[at] = map[string]int{}
	}
	if believed {
		w.served[at][w.state(key)] = w.serial[key]
	}
	id, _ := json.Marshal(key)
	return fmt.Sprintf(`{"key":%s,"is":%s,"noise":%d}`, id, w.state(key), w.rng.Uint32())
}

func (w *keyWorld) state(key string) string {
	status := "IT"
	if w.done[key] {
		status = "DL"
	}
	return fmt.Sprintf(`{"n":%d,"s":%q}`, w.serial[key], status)
}

// order has an order come, change or go.
func (w *keyWorld) order(rng *rand.Rand, fresh func(string) string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	var ids []string
	for id := range w.orders {
		ids = append(ids, id)
	}
	switch {
	case len(ids) > 3 && rng.IntN(3) == 0:
		delete(w.orders, ids[rng.IntN(len(ids))])
	case len(ids) > 0 && rng.IntN(3) == 0: // one more names what another does
		from := w.orders[ids[rng.IntN(len(ids))]]
		w.orders[fresh("order")] = append(slices.Clone(from), fresh("named"))
	default:
		w.orders[fresh("order")] = []string{fresh("named"), fresh("named")}
	}
}

func (w *keyWorld) named() (keys []string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, some := range w.orders {
		keys = append(keys, some...)
	}
	return keys
}

func (w *keyWorld) settle() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.calm = true
}

func (w *keyWorld) begin() {
	w.mu.Lock()
	defer w.mu.Unlock()
	clear(w.asked)
}

func (w *keyWorld) count(key string) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.asked[key]
}

// asks reports whether each of the keys was asked for three times.
func (w *keyWorld) asks(keys []string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return !slices.ContainsFunc(keys, func(key string) bool { return w.asked[key] < 3 })
}

// touch changes keys: of one that never changed, nothing could be told.
func (w *keyWorld) touch(keys []string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, key := range keys {
		w.serial[key]++
	}
}

func (w *keyWorld) over(key string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.done[key]
}

func (w *keyWorld) truth() truth {
	w.mu.Lock()
	defer w.mu.Unlock()
	t := newTruth("shop", "audit")
	for at, states := range w.served {
		t.served[at] = maps.Clone(states)
		t.final[at] = w.state(at.key)
	}
	return t
}

func (w *keyWorld) config(receiverURL string) string {
	keys, _ := json.Marshal(configuredKeys)
	return fmt.Sprintf(`store: deltahook.db
server: {listen: "127.0.0.1:0"}
defaults:
  source: {schedule: "@every 1s", request: {timeout: 5s}}
  endpoint:
    secrets: [%[1]s]
    headers: {X-Run: "${RUN}"}
    timeout: 10s
    retry: {schedule: [%[2]s100ms], jitter: 50%%}
egress: {endpoints: {allow: [127.0.0.0/8]}}
endpoints:
  shop: {url: "%[3]s/shop"}
  audit: {url: "%[3]s/audit", concurrency: 2}
sources:
  orders:
    request: {url: "%[4]s/orders"}
    response: {items: list, id: id, pick: {keys: keys}}
    changes: {confirm_deletes: 1, max_deletes: 100%%}
    events: {orders.none: {when: "false"}}
  keyed:
    request: {url: "%[4]s/keys", query: {keys: '{{ join(keys, "|") }}'}}
    watch: {keys: %[5]s, file: keys.txt, api: true, from: {source: orders, path: keys}, batch: 4, id: key, until: new.s == "DL"}
    response: {items: list, id: key, pick: {n: is.n, s: is.s}}
    events:
      keyed.any: {}
      keyed.enter: {when: (new.n ?? 1) %% 2 == 0, trigger: enter, to: [audit]}
      keyed.third: {on: [created, updated], when: new.n %% 3 == 0, to: [audit]}
`, whsec, strings.Repeat("50ms, ", 60), receiverURL, w.URL, keys)
}
