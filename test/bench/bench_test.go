// Package bench_test measures the whole path of a poll: HTTP on loopback, the
// judge, the differ, and the store where something changed. Beside each stands
// a bare baseline in the same run, the least that anyone could do, and the
// ratio of the two.
package bench_test

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"fmt"
	"hash/maphash"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"runtime"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"go.etcd.io/bbolt"

	"github.com/deltahook/deltahook/differ"
	"github.com/deltahook/deltahook/emitter"
	"github.com/deltahook/deltahook/internal/egress"
	"github.com/deltahook/deltahook/internal/store/bolt"
	"github.com/deltahook/deltahook/poller"
)

// api answers with a list of about size bytes, made once: the server's part of
// the time is small.
type api struct {
	head, tail []byte // around the first item's step
	step       atomic.Int64
}

func newAPI(size int) *api {
	const item = `{"id":"item-%d","status":"in transit","price":112.1300,"at":{"city":"Berlin","time":"2026-11-23T10:00:00Z"},"step":`
	a := &api{head: fmt.Appendf([]byte(`{"items":[`), item, 0)}
	for i := 1; len(a.head)+len(a.tail) < size-140; i++ {
		a.tail = fmt.Appendf(a.tail, "0},"+item, i)
	}
	a.tail = append(a.tail, "0}]}"...)
	return a
}

// ServeHTTP answers with the list as it stands.
func (a *api) ServeHTTP(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(a.body())
}

func (a *api) body() []byte {
	body := make([]byte, 0, len(a.head)+len(a.tail)+20)
	body = append(body, a.head...)
	if n := a.step.Load(); n > 0 {
		body = strconv.AppendInt(body, n, 10) // what follows it is a digit more
	}
	return append(body, a.tail...)
}

// path is one source through poller, differ and a store on disk.
type path struct {
	source    *poller.Source
	differ    *differ.Differ
	newDiffer func() *differ.Differ // over the same store, as after a restart
	marks     poller.Bookmarks
}

// newPath is the path of a source at url, whose first answer was taken in;
// with no url nothing was asked yet.
func newPath(b *testing.B, url string) *path {
	b.Helper()
	client := poller.NewClient(poller.ClientOptions{Egress: egress.Policy{AllowPrivate: true}})
	b.Cleanup(client.Close)
	source, err := poller.NewSource("bench", poller.Settings{
		Schedule: "@every 1h", Request: poller.RequestSettings{URL: cmp.Or(url, "http://unused.example")},
	}, poller.ResponseSettings{}, client)
	if err != nil {
		b.Fatal(err)
	}
	diffed, err := differ.NewSource("bench", differ.Settings{}, differ.ResponseSettings{Items: "items", ID: differ.Paths{"id"}}, []string{"shop"})
	if err != nil {
		b.Fatal(err)
	}
	store, err := bolt.Open(filepath.Join(b.TempDir(), "bench.db"), bolt.Options{})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = store.Close() })
	endpoint, err := emitter.NewEndpoint("shop", emitter.Settings{URL: "https://receiver.example/"}, emitter.EndpointOptions{})
	if err != nil {
		b.Fatal(err)
	}
	telling := emitter.New([]*emitter.Endpoint{endpoint}, store, emitter.Options{}) // renders; nothing is sent
	p := &path{source: source, newDiffer: func() *differ.Differ {
		return differ.New([]*differ.Source{diffed}, store, telling, differ.Options{})
	}}
	p.differ = p.newDiffer()
	if url != "" {
		p.poll(b)
	}
	return p
}

func (p *path) poll(b *testing.B) {
	b.Helper()
	answer, err := p.source.Ask(b.Context(), p.marks)
	if err != nil {
		b.Fatal(err)
	}
	if err := p.differ.Take(b.Context(), answer); err != nil {
		b.Fatal(err)
	}
	p.marks = answer.Bookmarks
}

// bare is the least that a poll can be: GET, read into a buffer that is used
// again, hash.
type bare struct {
	client *http.Client
	url    string
	seed   maphash.Seed
	buffer bytes.Buffer
}

func newBare(b *testing.B, url string) *bare {
	b.Helper()
	transport := &http.Transport{}
	b.Cleanup(transport.CloseIdleConnections)
	return &bare{client: &http.Client{Transport: transport}, url: url, seed: maphash.MakeSeed()}
}

func (p *bare) poll(b *testing.B) (body []byte, hash uint64) {
	b.Helper()
	req, err := http.NewRequestWithContext(b.Context(), http.MethodGet, p.url, nil)
	if err != nil {
		b.Fatal(err)
	}
	resp, err := p.client.Do(req)
	if err != nil {
		b.Fatal(err)
	}
	defer resp.Body.Close()
	p.buffer.Reset()
	if _, err := p.buffer.ReadFrom(resp.Body); err != nil {
		b.Fatal(err)
	}
	return p.buffer.Bytes(), maphash.Bytes(p.seed, p.buffer.Bytes())
}

// compare times ours and bare in turns, each first every other time, and
// reports the time of each and the ratio.
func compare(b *testing.B, ours, bare func()) {
	b.Helper()
	ours() // connections are open and caches warm
	bare()
	var took [2]time.Duration
	n := 0
	for ; b.Loop(); n++ {
		for i := range 2 {
			which := (i + n) % 2
			start := time.Now()
			[]func(){ours, bare}[which]()
			took[which] += time.Since(start)
		}
	}
	b.ReportMetric(float64(took[0].Microseconds())/float64(n), "µs/poll")
	b.ReportMetric(float64(took[1].Microseconds())/float64(n), "µs/bare")
	b.ReportMetric(float64(took[0])/float64(took[1]), "poll/bare")
	b.ReportMetric(0, "ns/op") // of both together: says nothing
}

// BenchmarkUnchangedPoll is a poll whose answer changes nothing: the same
// bytes, so nothing is read item by item and nothing is written.
func BenchmarkUnchangedPoll(b *testing.B) {
	for _, c := range sizes {
		b.Run(c.name, func(b *testing.B) {
			server := httptest.NewServer(newAPI(c.size))
			defer server.Close()
			ours, bare := newPath(b, server.URL), newBare(b, server.URL)
			compare(b, func() { ours.poll(b) }, func() { bare.poll(b) })
		})
	}
}

// BenchmarkRespelledPoll is a poll whose answer differs from the last one in
// what is no change: a request number beside the items. Every item is read,
// none is written.
func BenchmarkRespelledPoll(b *testing.B) {
	for _, c := range sizes {
		b.Run(c.name, func(b *testing.B) {
			var asked atomic.Int64
			body := newAPI(c.size).body()
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Type", "application/json")
				_, _ = w.Write(append(fmt.Appendf(make([]byte, 0, len(body)+40), `{"request":%d,`, asked.Add(1)), body[1:]...))
			}))
			defer server.Close()
			ours, bare := newPath(b, server.URL), newBare(b, server.URL)
			compare(b, func() { ours.poll(b) }, func() { bare.poll(b) })
		})
	}
}

// BenchmarkChangedPoll is a poll in which one item has changed: its event is
// rendered, and item, event and delivery are durable before it ends. The bare
// one puts the body and its hash into a bbolt file, durable too.
func BenchmarkChangedPoll(b *testing.B) {
	for _, c := range sizes {
		b.Run(c.name, func(b *testing.B) {
			answers := newAPI(c.size)
			server := httptest.NewServer(answers)
			defer server.Close()
			ours, bare := newPath(b, server.URL), newBare(b, server.URL)
			db, err := bbolt.Open(filepath.Join(b.TempDir(), "bare.db"), 0o600, &bbolt.Options{NoFreelistSync: true})
			if err != nil {
				b.Fatal(err)
			}
			defer db.Close()
			compare(b, func() {
				answers.step.Add(1)
				ours.poll(b)
			}, func() {
				body, hash := bare.poll(b)
				if err := db.Update(func(tx *bbolt.Tx) error {
					bucket, err := tx.CreateBucketIfNotExists([]byte("bodies"))
					if err != nil {
						return err
					}
					return bucket.Put([]byte("last"), binary.BigEndian.AppendUint64(body, hash))
				}); err != nil {
					b.Fatal(err)
				}
			})
		})
	}
}

// BenchmarkMemory says what an item costs in memory while its source is held:
// its content is on disk. Keys have 11 bytes here.
func BenchmarkMemory(b *testing.B) {
	const items = 100_000
	var body bytes.Buffer
	body.WriteString(`{"items":[`)
	for i := range items {
		if i > 0 {
			body.WriteByte(',')
		}
		fmt.Fprintf(&body, `{"id":"item-%06d","status":"in transit","price":112.1300}`, i)
	}
	body.WriteString(`]}`)
	p := newPath(b, "")
	answer := &poller.Answer{Source: "bench", Received: time.Now(), Status: 200, Pages: [][]byte{body.Bytes()}}
	if err := p.differ.Take(b.Context(), answer); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		before := heap()
		held := p.newDiffer()
		if _, err := held.Load(b.Context()); err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(float64(heap()-before)/items, "B/item")
		runtime.KeepAlive(held)
	}
}

// heap is how many bytes are in use.
func heap() uint64 {
	runtime.GC()
	runtime.GC() // pools are emptied at the second only
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

var sizes = []struct {
	name string
	size int
}{{"2KB", 2 << 10}, {"200KB", 200 << 10}}
