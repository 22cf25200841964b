package emitter_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"github.com/deltahook/deltahook/emitter"
	"github.com/deltahook/deltahook/internal/egress"
	"github.com/deltahook/deltahook/internal/secret"
	"github.com/deltahook/deltahook/internal/units"
)

var loopback = egress.Policy{Allow: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}}

// receiver is an endpoint whose requests handler answers.
func receiver(t testing.TB, s emitter.Settings, handler http.HandlerFunc) *emitter.Endpoint {
	t.Helper()
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	s.URL = server.URL + s.URL
	return endpoint(t, s, emitter.EndpointOptions{Egress: loopback, Version: "1.2.3"})
}

func endpoint(t testing.TB, s emitter.Settings, o emitter.EndpointOptions) *emitter.Endpoint {
	t.Helper()
	e, err := emitter.NewEndpoint("shop", s, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(e.Close)
	return e
}

var hello = emitter.Delivery{Number: 1, Event: "evt_1", Body: []byte(`{"type":"hello","n":1.10}`)}

func TestSendRequest(t *testing.T) {
	var got *http.Request
	var body []byte
	e := receiver(t, emitter.Settings{
		URL: "/hooks?a=b", Secrets: secrets(vectorShared, vectorPrivate),
		Headers: map[string]secret.Text{"x-tenant": secret.New("seven")},
	}, func(w http.ResponseWriter, r *http.Request) {
		got = r
		body, _ = io.ReadAll(r.Body)
		w.WriteHeader(http.StatusAccepted)
		_, _ = io.WriteString(w, "thanks")
	})
	before := time.Now()
	a := e.Send(t.Context(), hello)

	want := emitter.Attempt{Status: 202, Response: []byte("thanks")}
	if diff := cmp.Diff(want, a, cmpopts.IgnoreFields(emitter.Attempt{}, "At", "Took")); diff != "" {
		t.Errorf("attempt (-want +got)\n%s", diff)
	}
	if a.At.Before(before.Round(0).Add(-time.Millisecond)) || a.Took <= 0 || a.Took > time.Since(before) {
		t.Errorf("at %v, took %v", a.At, a.Took)
	}
	if got.Method != http.MethodPost || got.RequestURI != "/hooks?a=b" || !bytes.Equal(body, hello.Body) || got.ContentLength != int64(len(hello.Body)) {
		t.Errorf("received %s %s %q", got.Method, got.RequestURI, body)
	}
	for name, want := range map[string]string{
		"Content-Type": "application/json", "User-Agent": "Deltahook/1.2.3", "Webhook-Id": "evt_1", "X-Tenant": "seven",
		"Webhook-Timestamp": strconv.FormatInt(a.At.Unix(), 10),
	} {
		if v := got.Header.Get(name); v != want {
			t.Errorf("%s: %q, want %q", name, v, want)
		}
	}
	official, err := standardwebhooks.NewWebhook(vectorShared)
	if err != nil {
		t.Fatal(err)
	}
	if err := official.Verify(body, got.Header); err != nil {
		t.Error(err)
	}
	if err := emitter.Verify([]string{vectorPublic}, got.Header, body, time.Now()); err != nil {
		t.Error(err)
	}
}

func TestSendUnsigned(t *testing.T) {
	for name, s := range map[string]emitter.Settings{
		"no secrets": {}, "none": {Secrets: secrets(vectorShared), Signature: "none"},
	} {
		e := receiver(t, s, func(w http.ResponseWriter, r *http.Request) {
			if v, ok := r.Header["Webhook-Signature"]; ok || r.Header.Get("Webhook-Id") == "" {
				w.WriteHeader(http.StatusTeapot)
				t.Errorf("%s: signature %q", name, v)
			}
		})
		if a := e.Send(t.Context(), hello); a.Status != 200 {
			t.Errorf("%s: %+v", name, a)
		}
	}
}

func TestSendStatuses(t *testing.T) {
	const redirects = ": redirects are not followed, update the endpoint's url"
	day := time.Now().Add(24 * time.Hour).UTC()
	for name, c := range map[string]struct {
		status int
		header map[string]string
		want   emitter.Attempt
	}{
		"200":                    {200, nil, emitter.Attempt{Status: 200}},
		"200 with Retry-After":   {200, map[string]string{"Retry-After": "7"}, emitter.Attempt{Status: 200}},
		"500":                    {500, nil, emitter.Attempt{Status: 500, Reason: "the receiver answered 500 Internal Server Error"}},
		"302":                    {302, map[string]string{"Location": "/elsewhere"}, emitter.Attempt{Status: 302, Reason: "the receiver answered 302 Found" + redirects}},
		"307":                    {307, map[string]string{"Location": "/elsewhere"}, emitter.Attempt{Status: 307, Reason: "the receiver answered 307 Temporary Redirect" + redirects}},
		"308 without a Location": {308, nil, emitter.Attempt{Status: 308, Reason: "the receiver answered 308 Permanent Redirect" + redirects}},
		"301 to nonsense":        {301, map[string]string{"Location": "http://[/%zz"}, emitter.Attempt{Status: 301, Reason: "the receiver answered 301 Moved Permanently" + redirects}},
		"410":                    {410, nil, emitter.Attempt{Status: 410, Reason: "the receiver answered 410 Gone"}},
		"429, seconds":           {429, map[string]string{"Retry-After": "7"}, emitter.Attempt{Status: 429, Reason: "the receiver answered 429 Too Many Requests", RetryAfter: 7 * time.Second}},
		"429, decimal":           {429, map[string]string{"Retry-After": "0.3"}, emitter.Attempt{Status: 429, Reason: "the receiver answered 429 Too Many Requests", RetryAfter: 300 * time.Millisecond}},
		"429, fixdate":           {429, map[string]string{"Retry-After": day.Format(http.TimeFormat)}, emitter.Attempt{Status: 429, Reason: "the receiver answered 429 Too Many Requests", RetryAfter: 24 * time.Hour}},
		"429, RFC 850":           {429, map[string]string{"Retry-After": day.Format("Monday, 02-Jan-06 15:04:05 GMT")}, emitter.Attempt{Status: 429, Reason: "the receiver answered 429 Too Many Requests", RetryAfter: 24 * time.Hour}},
		"503, asctime":           {503, map[string]string{"Retry-After": day.Format(time.ANSIC)}, emitter.Attempt{Status: 503, Reason: "the receiver answered 503 Service Unavailable", RetryAfter: 24 * time.Hour}},
		"429, nonsense":          {429, map[string]string{"Retry-After": "later"}, emitter.Attempt{Status: 429, Reason: "the receiver answered 429 Too Many Requests"}},
		"disable":                {500, map[string]string{"webhook-delivery": "disable"}, emitter.Attempt{Status: 500, Reason: "the receiver answered 500 Internal Server Error", Directive: "disable"}},
		"abort-message":          {500, map[string]string{"webhook-delivery": "abort-message"}, emitter.Attempt{Status: 500, Reason: "the receiver answered 500 Internal Server Error", Directive: "abort-message"}},
		"unknown directive":      {500, map[string]string{"webhook-delivery": "explode"}, emitter.Attempt{Status: 500, Reason: "the receiver answered 500 Internal Server Error"}},
	} {
		t.Run(name, func(t *testing.T) {
			var calls atomic.Int32
			e := receiver(t, emitter.Settings{}, func(w http.ResponseWriter, _ *http.Request) {
				calls.Add(1)
				for name, value := range c.header {
					w.Header().Set(name, value)
				}
				w.WriteHeader(c.status)
			})
			a := e.Send(t.Context(), hello)
			// A date has whole seconds and the clock has moved on.
			about := cmp.Comparer(func(x, y time.Duration) bool { return x == y || min(x, y) > time.Hour && (x-y).Abs() < 10*time.Minute })
			if diff := cmp.Diff(c.want, a, about, cmpopts.IgnoreFields(emitter.Attempt{}, "At", "Took")); diff != "" {
				t.Errorf("attempt (-want +got)\n%s", diff)
			}
			if n := calls.Load(); n != 1 {
				t.Errorf("%d requests, want 1: what has a status is not repeated, and redirects are not followed", n)
			}
		})
	}
}

func TestSendTimeout(t *testing.T) {
	done := make(chan struct{})
	e := receiver(t, emitter.Settings{URL: "/hooks/s3cr3t-path?token=t0k3n", Timeout: units.Duration(50 * time.Millisecond)}, func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		select {
		case <-done:
		case <-r.Context().Done():
		}
	})
	defer close(done)
	a := e.Send(t.Context(), hello)
	if a.Status != 0 || a.Error != emitter.ErrorTimeout || !strings.Contains(a.Reason, ": no answer within 50ms") {
		t.Errorf("%+v", a)
	}
	checkHidden(t, a, "s3cr3t-path", "t0k3n")
}

// The status has been answered: what follows it changes nothing. A machine that
// stands still gets more time for what comes before.
func TestSendBodyHangs(t *testing.T) {
	done := make(chan struct{})
	var a emitter.Attempt
	for timeout := 100 * time.Millisecond; timeout < time.Minute && string(a.Response) != "so far"; timeout *= 4 {
		e := receiver(t, emitter.Settings{Timeout: units.Duration(timeout)}, func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.WriteString(w, "so far")
			_ = http.NewResponseController(w).Flush()
			select {
			case <-done:
			case <-r.Context().Done():
			}
		})
		a = e.Send(t.Context(), hello)
	}
	close(done)
	if a.Status != 200 || a.Error != "" || string(a.Response) != "so far" {
		t.Errorf("%+v", a)
	}
}

func TestSendCutConnection(t *testing.T) {
	var calls atomic.Int32
	e := receiver(t, emitter.Settings{URL: "/hooks/s3cr3t-path"}, func(w http.ResponseWriter, r *http.Request) {
		calls.Add(1)
		_, _ = io.Copy(io.Discard, r.Body)
		panic(http.ErrAbortHandler)
	})
	a := e.Send(t.Context(), hello)
	if a.Status != 0 || a.Error != emitter.ErrorNetwork || !strings.HasPrefix(a.Reason, "http://127.0.0.1:") || !strings.HasSuffix(a.Reason, ": EOF") || strings.Contains(a.Reason, "Post") {
		t.Errorf("%+v", a)
	}
	if n := calls.Load(); n != 1 {
		t.Errorf("%d requests, want 1: the receiver may have it", n)
	}
	checkHidden(t, a, "s3cr3t-path")
}

func TestSendNoHTTP(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			_, _ = io.WriteString(c, "SSH-2.0-\xff\xfe hook-s3cr3t\r\n")
			_ = c.Close()
		}
	}()
	e := endpoint(t, emitter.Settings{URL: "http://" + l.Addr().String() + "/hook-s3cr3t", Headers: map[string]secret.Text{"X-Key": secret.New("hook-s3cr3t")}}, emitter.EndpointOptions{Egress: loopback})
	a := e.Send(t.Context(), hello)
	if a.Error != emitter.ErrorNetwork || len(a.Reason) > 512 || !utf8.ValidString(a.Reason) {
		t.Errorf("%+v", a)
	}
	checkHidden(t, a, "hook-s3cr3t")
}

func TestSendLargeAnswer(t *testing.T) {
	e := receiver(t, emitter.Settings{}, func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, strings.Repeat("€", 350<<10))
	})
	a := e.Send(t.Context(), hello)
	if want := strings.Repeat("€", 8<<10/3); a.Status != 200 || string(a.Response) != want {
		t.Errorf("status %d, kept %d bytes, want the %d that 8 KiB hold of whole characters", a.Status, len(a.Response), len(want))
	}
}

func TestSendKeepsValidUTF8(t *testing.T) {
	e := receiver(t, emitter.Settings{}, func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, "a\xff\xfeb")
	})
	if a := e.Send(t.Context(), hello); string(a.Response) != "a\uFFFDb" {
		t.Errorf("kept %q", a.Response)
	}
}

func TestSendReusesConnection(t *testing.T) {
	remotes := map[string]bool{}
	e := receiver(t, emitter.Settings{}, func(w http.ResponseWriter, r *http.Request) {
		remotes[r.RemoteAddr] = true
		w.WriteHeader(http.StatusInternalServerError)
		_, _ = io.WriteString(w, strings.Repeat("x", 60<<10))
	})
	for range 5 {
		e.Send(t.Context(), hello)
	}
	if len(remotes) != 1 {
		t.Errorf("%d connections for 5 attempts, want 1", len(remotes))
	}
}

func TestSendKeepsNoSecret(t *testing.T) {
	const header, common = "Bearer h3ad3r-v4lue", "sh4red-elsewhere"
	_, key, _ := strings.Cut(vectorShared, "_")
	hidden := []string{key, "h3ad3r-v4lue", "t0k3n", "s3gment-of-the-path", common}
	e := func(pad int) *emitter.Endpoint {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.WriteString(w, strings.Repeat("-", pad))
			for range 200 { // more than is kept, so that the cuts go through secrets
				for _, text := range []string{vectorShared, key, header, r.RequestURI, r.URL.Path, r.Header.Get("Authorization"),
					r.URL.Query().Get("token"), "s3gment-of-the-path", base64.StdEncoding.EncodeToString([]byte(vectorShared)), common, "http://" + r.Host + r.RequestURI} {
					_, _ = io.WriteString(w, text+"\n")
				}
			}
		}))
		t.Cleanup(server.Close)
		return endpoint(t, emitter.Settings{
			URL:     server.URL + "/hooks/s3gment-of-the-path?token=t0k3n%2Fwith%2Bodd%3Dsigns",
			Secrets: secrets(vectorShared), Headers: map[string]secret.Text{"Authorization": secret.New(header)},
		}, emitter.EndpointOptions{Egress: loopback, Redactor: secret.NewRedactor(common)})
	}
	for pad := 0; pad < 9000; pad += 97 {
		a := e(pad).Send(t.Context(), hello)
		if a.Status != 200 || len(a.Response) == 0 && pad > 4096 {
			t.Fatalf("%+v", a)
		}
		checkHidden(t, a, hidden...)
		for cut := 6; cut < len(key); cut++ { // nor the beginning of one
			if bytes.Contains(a.Response, []byte("whsec_"+key[:cut])) {
				t.Fatalf("pad %d: kept the first %d characters of the key", pad, cut)
			}
		}
		if bytes.HasSuffix(a.Response, []byte("h3ad")) {
			t.Fatalf("pad %d: kept the beginning of a header", pad)
		}
	}
}

func checkHidden(t *testing.T, a emitter.Attempt, hidden ...string) {
	t.Helper()
	for _, text := range hidden {
		if strings.Contains(a.Reason+string(a.Response), text) {
			t.Errorf("%q shows in %q %q", text, a.Reason, a.Response)
		}
	}
}

func TestSendUserOfURL(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		user, password, _ := r.BasicAuth()
		_, _ = io.WriteString(w, user+" "+password+" "+r.Header.Get("Authorization"))
	}))
	defer server.Close()
	e := endpoint(t, emitter.Settings{URL: strings.Replace(server.URL, "//", "//deltahook:p4ssw0rd@", 1)}, emitter.EndpointOptions{Egress: loopback})
	a := e.Send(t.Context(), hello)
	if want := "deltahook <secret> Basic <secret>"; string(a.Response) != want {
		t.Errorf("kept %q, want %q", a.Response, want)
	}
	if e.Name() != "shop" || e.Host() != server.URL {
		t.Errorf("shown as %s at %s", e.Name(), e.Host())
	}
}

func TestSendRefusedAddress(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("the request was sent") }))
	defer server.Close()
	_, port, _ := net.SplitHostPort(server.Listener.Addr().String())
	for _, host := range []string{"127.0.0.1", "localhost", "[::ffff:127.0.0.1]"} {
		e := endpoint(t, emitter.Settings{URL: "http://" + host + ":" + port + "/s3cr3t"}, emitter.EndpointOptions{})
		a := e.Send(t.Context(), hello)
		if a.Status != 0 || a.Error != emitter.ErrorRefused || !strings.Contains(a.Reason, "is refused") {
			t.Errorf("%s: %+v", host, a)
		}
		checkHidden(t, a, "s3cr3t")
		took := a.Took
		for n := 0; n < 20 && took > 90*time.Millisecond; n++ { // the machine may have stood still
			took = e.Send(t.Context(), hello).Took
		}
		if took > 90*time.Millisecond {
			t.Errorf("%s: took %v: a refused address is not tried again", host, took)
		}
	}
}

// tries counts what reaches the wire and answers with an error.
type tries struct {
	n   int
	err error
}

func (t *tries) RoundTrip(r *http.Request) (*http.Response, error) {
	_ = r.Body.Close()
	t.n++
	return nil, t.err
}

func TestSendTriesTwiceOnlyWithoutConnection(t *testing.T) {
	dial := func(err error) error { return &net.OpError{Op: "dial", Net: "tcp", Err: err} }
	for name, c := range map[string]struct {
		err   error
		want  int
		class emitter.ErrorClass
	}{
		"connection refused": {dial(syscall.ECONNREFUSED), 2, emitter.ErrorNetwork},
		"no such host":       {dial(&net.DNSError{Err: "no such host", Name: "shop.example", IsNotFound: true}), 2, emitter.ErrorNetwork},
		"slow dial":          {dial(context.DeadlineExceeded), 1, emitter.ErrorTimeout},
		"refused address":    {dial(&egress.Refused{Addr: netip.MustParseAddr("10.0.0.1"), Why: "private"}), 1, emitter.ErrorRefused},
		"cut connection":     {&net.OpError{Op: "read", Net: "tcp", Err: syscall.ECONNRESET}, 1, emitter.ErrorNetwork},
		"end of file":        {io.EOF, 1, emitter.ErrorNetwork},
		"anything":           {errors.New("http: something"), 1, emitter.ErrorNetwork},
	} {
		t.Run(name, func(t *testing.T) {
			wire := &tries{err: c.err}
			a := endpoint(t, emitter.Settings{URL: "https://shop.example/s3cr3t"}, emitter.EndpointOptions{Transport: wire}).Send(t.Context(), hello)
			if wire.n != c.want || a.Error != c.class || !strings.HasPrefix(a.Reason, "https://shop.example: ") {
				t.Errorf("%d tries, %+v; want %d and %s", wire.n, a, c.want, c.class)
			}
			checkHidden(t, a, "s3cr3t")
		})
	}
}

func TestSendCancelled(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	e := receiver(t, emitter.Settings{}, func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		cancel()
		<-r.Context().Done()
	})
	if a := e.Send(ctx, hello); a.Status != 0 || a.Error != emitter.ErrorNetwork || !strings.HasSuffix(a.Reason, "the attempt was cut short") {
		t.Errorf("%+v", a)
	}
}
