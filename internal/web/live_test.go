package web_test

import (
	"bufio"
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/deltahook/deltahook/internal/web"
)

// screen is a page that listens: a response that notes what came and when.
type screen struct {
	httptest.ResponseRecorder
	mu       sync.Mutex
	begun    time.Time
	lines    []string
	reads    []time.Time // deadlines
	writes   []time.Time
	refusing bool
}

func (s *screen) Write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.refusing {
		return 0, http.ErrHandlerTimeout
	}
	s.lines = append(s.lines, time.Since(s.begun).String()+" "+strings.ReplaceAll(strings.TrimSpace(string(b)), "\n", " "))
	return len(b), nil
}

func (s *screen) SetReadDeadline(t time.Time) error {
	s.reads = append(s.reads, t)
	return nil
}

func (s *screen) SetWriteDeadline(t time.Time) error {
	s.writes = append(s.writes, t)
	return nil
}

// watch has a screen listen until cancel; ended is closed then.
func watch(ctx context.Context, live *web.Live, end <-chan struct{}, query string) (s *screen, ended chan struct{}) {
	s, ended = &screen{begun: time.Now(), ResponseRecorder: *httptest.NewRecorder()}, make(chan struct{})
	go func() {
		defer close(ended)
		web.Stream(live, end).ServeHTTP(s, httptest.NewRequestWithContext(ctx, http.MethodGet, "/stream?"+query, http.NoBody))
	}()
	return s, ended
}

func TestStreamTellsAtMostOnceASecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		live, ctx := new(web.Live), t.Context()
		ctx, cancel := context.WithCancel(ctx)
		s, ended := watch(ctx, live, nil, "topic=sources/a&topic=endpoints")
		synctest.Wait()
		live.Moved("sources/a", "sources/ab", "events", "sources")
		synctest.Wait()
		for range 100 {
			live.Moved("sources/a", "endpoints/x", "endpoints/y")
		}
		time.Sleep(20 * time.Second)
		cancel()
		<-ended
		want := []string{"0s retry: 3000", "0s event: moved data: sources/a", "1s event: moved data: sources/a endpoints", "15s : still here"}
		if diff := cmp.Diff(want, s.lines); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
		if len(s.reads) != 1 || !s.reads[0].IsZero() || len(s.writes) != len(s.lines) {
			t.Errorf("read deadlines %v, want none; %d write deadlines, want one a line", s.reads, len(s.writes))
		}
	})
}

func TestStreamEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		live, end := new(web.Live), make(chan struct{})
		_, byServer := watch(t.Context(), live, end, "topic=events")
		_, byTime := watch(t.Context(), live, nil, "topic=events")
		stuck, byFault := watch(t.Context(), live, nil, "topic=events")
		synctest.Wait()
		stuck.mu.Lock()
		stuck.refusing = true
		stuck.mu.Unlock()
		close(end)
		begun := time.Now()
		<-byServer
		if d := time.Since(begun); d != 0 {
			t.Errorf("the server's end is seen after %v", d)
		}
		<-byFault
		if d := time.Since(begun); d > 15*time.Second {
			t.Errorf("a page that doesn't read is given up after %v", d)
		}
		<-byTime
		if d := time.Since(begun); d != 10*time.Minute {
			t.Errorf("a stream ends after %v, want 10m", d)
		}
	})
}

func TestStreamsAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		live, end := new(web.Live), make(chan struct{})
		for range 50 {
			watch(t.Context(), live, end, "topic=events")
		}
		synctest.Wait()
		s, ended := watch(t.Context(), live, end, "topic=events")
		<-ended
		if s.Code != http.StatusServiceUnavailable || s.Header().Get("Retry-After") == "" {
			t.Errorf("the 51st: %d %v", s.Code, s.Header())
		}
		close(end)
		synctest.Wait()
		s, ended = watch(t.Context(), live, end, "topic=events") // there is room again
		<-ended
		if s.Code != http.StatusOK {
			t.Errorf("afterwards: %d", s.Code)
		}
		for _, query := range []string{"", "topic=", strings.Repeat("topic=a&", 9), "topic=a%0Ab"} {
			s, ended = watch(t.Context(), live, end, query)
			<-ended
			if s.Code != http.StatusBadRequest {
				t.Errorf("%q: %d, want 400", query, s.Code)
			}
		}
	})
}

// A stream outlives the time that a request may take, and ends with the server
// within the drain.
func TestStreamOfAServer(t *testing.T) {
	live := new(web.Live)
	server, stop := start(t, web.Options{Listen: "127.0.0.1:0", Sources: filledShelf(), Live: live})
	resp, err := http.Get("http://" + server.Addr() + "/stream?topic=sources")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	lines := bufio.NewScanner(resp.Body)
	read := func(want string) {
		for lines.Scan() {
			if lines.Text() == want {
				return
			}
		}
		t.Fatalf("the stream ended before %q: %v", want, lines.Err())
	}
	read("retry: 3000")
	live.Moved("sources/x")
	read("data: sources")
	begun := time.Now()
	if err := stop(); err != nil || time.Since(begun) > 4*time.Second {
		t.Errorf("the server ended after %v: %v", time.Since(begun), err)
	}
}

func TestNobodyIsLive(t *testing.T) {
	var live *web.Live
	live.Moved("events") // no page, no fault
}
