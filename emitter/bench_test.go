package emitter_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/deltahook/deltahook/differ"
	"github.com/deltahook/deltahook/emitter"
)

// BenchmarkSend compares a signed delivery over loopback with a bare POST of
// the same body by net/http in the same run.
func BenchmarkSend(b *testing.B) {
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { _, _ = io.Copy(io.Discard, r.Body) }))
	defer server.Close()
	body, err := emitter.RenderStandard(event(differ.Updated))
	if err != nil {
		b.Fatal(err)
	}
	d := emitter.Delivery{Event: "evt_0193581a-0000-7000-8000-000000000000", Body: body}
	e := endpoint(b, emitter.Settings{URL: server.URL, Secrets: secrets(vectorShared)}, emitter.EndpointOptions{Egress: loopback})
	client := &http.Client{Transport: &http.Transport{}}
	defer client.CloseIdleConnections()

	ours := func() {
		if a := e.Send(b.Context(), d); a.Status != 200 {
			b.Fatalf("%+v", a)
		}
	}
	bare := func() {
		r, err := client.Post(server.URL, "application/json", bytes.NewReader(body))
		if err != nil {
			b.Fatal(err)
		}
		_, _ = io.Copy(io.Discard, r.Body)
		_ = r.Body.Close()
	}
	for name, send := range map[string]func(){"deltahook": ours, "bare": bare} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				send()
			}
		})
	}
	b.Run("ratio", func(b *testing.B) {
		var took [2]time.Duration
		for n := 0; b.Loop(); n++ {
			for i := range 2 { // each goes first every other time
				which := (i + n) % 2
				start := time.Now()
				[]func(){ours, bare}[which]()
				took[which] += time.Since(start)
			}
		}
		b.ReportMetric(float64(took[0])/float64(took[1]), "deltahook/bare")
	})
}

func BenchmarkSign(b *testing.B) {
	for name, text := range map[string]string{"v1": vectorShared, "v1a": vectorPrivate} {
		for _, size := range []int{512, 20 << 10} {
			b.Run(fmt.Sprintf("%s/%d", name, size), func(b *testing.B) {
				all, body, at := signers(b, text), make([]byte, size), time.Now()
				b.ReportAllocs()
				b.SetBytes(int64(size))
				for b.Loop() {
					emitter.Sign(all, "evt_0193581a-0000-7000-8000-000000000000", at, body)
				}
			})
		}
	}
}

func BenchmarkJudge(b *testing.B) {
	p := emitter.RetrySettings{}.Policy()
	a := emitter.Attempt{Status: 503, Reason: "the receiver answered 503 Service Unavailable", RetryAfter: time.Minute}
	b.ReportAllocs()
	for b.Loop() {
		emitter.Judge(a, p, 3, judgeTime, 0.3)
	}
}

func BenchmarkRenderStandard(b *testing.B) {
	for _, fields := range []int{2, 500} {
		b.Run(fmt.Sprintf("%d fields", fields), func(b *testing.B) {
			state := map[string]string{}
			for i := range fields {
				state[fmt.Sprintf("field_%d", i)] = "some text of a usual length"
			}
			e := event(differ.Updated)
			e.New, _ = json.Marshal(state)
			e.Old = e.New
			b.ReportAllocs()
			for b.Loop() {
				if _, err := emitter.RenderStandard(e); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
