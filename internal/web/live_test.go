package web_test

import (
	"bufio"
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/deltahook/deltahook/internal/secret"
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

// count is how many lines end so.
func (s *screen) count(end string) (n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, line := range s.lines {
		if strings.HasSuffix(line, end) {
			n++
		}
	}
	return n
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
	if err := stop(); err != nil {
		t.Error(err)
	}
	for lines.Scan() { // up to its end
	}
	if err := lines.Err(); err != nil {
		t.Errorf("the stream was cut by the end of the drain: %v", err)
	}
}

// A stream tells nobody anything whose session is over, or whose token is
// another's.
func TestStreamEndsWithTheSession(t *testing.T) {
	for name, over := range map[string]func(s *web.Server, v *visitor){
		"signed out": func(_ *web.Server, v *visitor) {
			v.ask(httptest.NewRequest(http.MethodPost, "/signout", http.NoBody))
		},
		"another token": func(s *web.Server, _ *visitor) { s.SetToken(secret.New("another")) },
	} {
		synctest.Test(t, func(t *testing.T) {
			live := new(web.Live)
			s := web.New(web.Options{Listen: "deltahook.test:80", Token: secret.New(adminToken), Sources: filledShelf(), Live: live, Logger: slog.New(slog.DiscardHandler)})
			v := &visitor{h: s.Admin(), from: "192.0.2.1:1000"}
			v.signIn(adminToken, "/")
			byCookie, byToken := streaming(t, v, "Cookie", v.cookie), streaming(t, v, "Authorization", "Bearer "+adminToken)
			synctest.Wait()
			live.Moved("sources/x")
			synctest.Wait()
			over(s, v)
			time.Sleep(2 * time.Second)
			live.Moved("sources/y")
			synctest.Wait()
			for what, screen := range map[string]*screen{"the cookie": byCookie, "the token": byToken} {
				told := screen.count("data: sources")
				if lasts := what == "the token" && name == "signed out"; lasts && told != 2 || !lasts && told != 1 {
					t.Errorf("%s: by %s %d events came", name, what, told)
				}
			}
			if name == "another token" {
				return
			}
			s.SetToken(secret.New("another"))
			time.Sleep(16 * time.Second) // a sign of life
		})
	}
}

// streaming has a visitor hear of sources until the server ends it.
func streaming(t *testing.T, v *visitor, header, value string) *screen {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/stream?topic=sources", http.NoBody)
	r.RemoteAddr = v.from
	r.Header.Set(header, value)
	out := &screen{begun: time.Now(), ResponseRecorder: *httptest.NewRecorder()}
	go v.h.ServeHTTP(out, r)
	return out
}

// Who asks for the head of a stream takes nobody's place.
func TestHeadOfAStream(t *testing.T) {
	server, _ := start(t, web.Options{Listen: "127.0.0.1:0", Sources: filledShelf(), Live: new(web.Live)})
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodHead, "http://"+server.Addr()+"/stream?topic=sources", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	http.DefaultTransport.(*http.Transport).CloseIdleConnections()
}

func TestNobodyIsLive(t *testing.T) {
	var live *web.Live
	live.Moved("events") // no page, no fault
}
