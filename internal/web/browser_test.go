package web_test

import (
	"io"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	"github.com/deltahook/deltahook/internal/secret"
	"github.com/deltahook/deltahook/internal/web"
)

// send gives the answer to a request, with its body read.
func send(t *testing.T, req *http.Request) (*http.Response, string) {
	t.Helper()
	resp, err := (&http.Transport{DisableKeepAlives: true}).RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp, string(body)
}

// raw writes a request as it is, and gives what comes back.
func raw(t *testing.T, network, address, request string) string {
	t.Helper()
	c, err := new(net.Dialer).DialContext(t.Context(), network, address)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := io.WriteString(c, request); err != nil {
		t.Fatal(err)
	}
	answer, err := io.ReadAll(c)
	if err != nil {
		t.Fatal(err)
	}
	return string(answer)
}

// A page in a browser on this machine reaches the admin address. What the
// browser says of it tells it from those who may.
func TestPagesOfOthersAreRefused(t *testing.T) {
	k := &keeper{keys: map[string]bool{}}
	open, _ := start(t, web.Options{Listen: "127.0.0.1:0", Watches: k})
	guarded, _ := start(t, web.Options{Listen: "127.0.0.1:0", Watches: k, Token: secret.New("admin-token-1")})
	for _, tt := range []struct {
		name, method, host, origin, site string
		want                             int
	}{
		{"nobody's page", "PUT", "", "", "", 201},
		{"by name", "DELETE", "localhost:9999", "", "", 204}, // through a tunnel
		{"by name in capitals", "GET", "LOCALHOST", "", "", 200},
		{"by another loopback address", "GET", "127.3.2.1:80", "", "", 200},
		{"by IPv6", "GET", "[::1]:8080", "", "", 200},
		{"by IPv6 without a port", "GET", "[::1]", "", "", 200},
		{"a name made to mean loopback", "GET", "evil.example:8080", "", "", 403},
		{"the same with its own origin", "PUT", "evil.example:8080", "http://evil.example:8080", "same-origin", 403},
		{"a name that begins like one", "GET", "localhost.evil.example", "", "", 403},
		{"an address of the network", "GET", "192.168.1.2:8080", "", "", 403},
		{"an address with letters", "GET", "127.0.0.1.evil.example", "", "", 403},
		{"a page of another site writes", "PUT", "", "https://evil.example", "cross-site", 403},
		{"one whose browser says only whence", "DELETE", "", "https://evil.example", "", 403},
		{"one in a sandbox", "PUT", "", "null", "", 403},
		{"another port of this machine", "PUT", "", "http://localhost:3000", "same-site", 403},
	} {
		req, err := http.NewRequestWithContext(t.Context(), tt.method, "http://"+open.Addr()+"/api/v1/sources/s/watches/k", http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		if tt.method == http.MethodGet {
			req.URL.Path = "/healthz"
		}
		req.Host = tt.host
		for name, value := range map[string]string{"Origin": tt.origin, "Sec-Fetch-Site": tt.site} {
			if value != "" {
				req.Header.Set(name, value)
			}
		}
		if resp, body := send(t, req); resp.StatusCode != tt.want || tt.want == 403 && !strings.Contains(body, `"status":403,"detail":"`) {
			t.Errorf("%s: %d %s, want %d", tt.name, resp.StatusCode, body, tt.want)
		}
	}

	// The token is guard enough, and behind a proxy the name is another one.
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPut, "http://"+guarded.Addr()+"/api/v1/sources/s/watches/k", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	req.Host = "deltahook.example"
	req.Header.Set("Authorization", "Bearer admin-token-1")
	if resp, body := send(t, req); resp.StatusCode != http.StatusCreated {
		t.Errorf("with the token: %d %s", resp.StatusCode, body)
	}
}

// A person whose browser is refused reads why on a page, and nothing else.
func TestRefusalInABrowser(t *testing.T) {
	s, _ := start(t, web.Options{Listen: "127.0.0.1:0", Sources: filledShelf(), Daemon: &teller{}})
	for _, tt := range []struct{ method, host, origin, want string }{
		{http.MethodGet, "evil.example", "", "the Host of the request is neither"},
		{http.MethodPost, "", "https://evil.example", "a page of another site may not ask for this"},
	} {
		req, err := http.NewRequestWithContext(t.Context(), tt.method, "http://"+s.Addr()+"/", http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		req.Host = tt.host
		req.Header.Set("Accept", "text/html")
		if tt.origin != "" {
			req.Header.Set("Origin", tt.origin)
		}
		resp, body := send(t, req)
		doc := parsed(t, tt.want, resp, body)
		if text := doc.find("[role=alert]").text(); resp.StatusCode != http.StatusForbidden || !strings.HasPrefix(text, tt.want) {
			t.Errorf("%d %q, want 403 %q", resp.StatusCode, text, tt.want)
		}
		if strings.Contains(body, "1.2.3") || len(doc.find("nav, main a")) != 0 {
			t.Errorf("it tells more than why: %s", doc.find("body").text())
		}
	}
}

// HTTP/1.0 has no Host; checks of load balancers come that way.
func TestNoHostIsNoBrowser(t *testing.T) {
	s, _ := start(t, web.Options{Listen: "127.0.0.1:0"})
	if answer := raw(t, "tcp", s.Addr(), "GET /healthz HTTP/1.0\r\n\r\n"); !strings.HasPrefix(answer, "HTTP/1.0 200") {
		t.Errorf("without a Host: %q", answer)
	}
}

// No browser reaches the socket, and its clients may call it as they like.
func TestSocketTakesAnyHost(t *testing.T) {
	store := filepath.Join(t.TempDir(), "d.db")
	start(t, web.Options{Store: store, Snapshots: filled(0)})
	const request = "GET /healthz HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n"
	if answer := raw(t, "unix", web.SocketPath(store), request); !strings.HasPrefix(answer, "HTTP/1.1 200") {
		t.Errorf("on the socket: %q", answer)
	}
}
