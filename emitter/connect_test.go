package emitter_test

import (
	"bufio"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/deltahook/deltahook/emitter"
	"github.com/deltahook/deltahook/internal/credential"
	"github.com/deltahook/deltahook/internal/egress"
	"github.com/deltahook/deltahook/internal/secret"
)

// pemFile writes a block as a file and gives its path.
func pemFile(t *testing.T, name, kind string, block []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: block}), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// identity makes a client's certificate that signs itself, and its key.
func identity(t *testing.T) (cert, key string, pool *x509.CertPool) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "deltahook"}, NotAfter: time.Now().Add(time.Hour),
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}, BasicConstraintsValid: true, IsCA: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	if err != nil {
		t.Fatal(err)
	}
	asDER, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	made, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	pool = x509.NewCertPool()
	pool.AddCert(made)
	return pemFile(t, "cert.pem", "CERTIFICATE", der), pemFile(t, "key.pem", "PRIVATE KEY", asDER), pool
}

// secure is a receiver over TLS that wants a client's certificate.
func secure(t *testing.T, pool *x509.CertPool) (url, authority string) {
	t.Helper()
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, "hello "+r.TLS.PeerCertificates[0].Subject.CommonName)
	}))
	server.TLS = &tls.Config{ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: pool}
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.StartTLS()
	t.Cleanup(server.Close)
	return server.URL, pemFile(t, "ca.pem", "CERTIFICATE", server.Certificate().Raw)
}

// An endpoint's own authority is trusted and its certificate shown, through a
// proxy too, which sees neither.
func TestCertificatesOfEndpoint(t *testing.T) {
	cert, key, pool := identity(t)
	url, authority := secure(t, pool)
	p := newProxy(t)
	both := credential.TLSSettings{CA: authority, Cert: cert, Key: key}
	for name, c := range map[string]struct {
		s    emitter.Settings
		want string // of the answer, or of the reason
	}{
		"both":         {emitter.Settings{TLS: both}, "hello deltahook"},
		"proxied":      {emitter.Settings{TLS: both, Proxy: secret.New(p.URL)}, "hello deltahook"},
		"no authority": {emitter.Settings{TLS: credential.TLSSettings{Cert: cert, Key: key}}, "certificate signed by unknown authority"},
		"unchecked":    {emitter.Settings{TLS: credential.TLSSettings{Cert: cert, Key: key, InsecureSkipVerify: true}}, "hello deltahook"},
		"other name":   {emitter.Settings{TLS: credential.TLSSettings{CA: authority, Cert: cert, Key: key, ServerName: "other.example"}}, "not other.example"},
		"nobody":       {emitter.Settings{TLS: credential.TLSSettings{CA: authority}}, "certificate required"},
	} {
		c.s.URL = url
		a := endpoint(t, c.s, emitter.EndpointOptions{Egress: loopback}).Send(t.Context(), hello)
		if !strings.Contains(string(a.Response)+a.Reason, c.want) || (a.Status == 200) != strings.HasPrefix(c.want, "hello") {
			t.Errorf("%s: %+v", name, a)
		}
	}
	if got := p.heard(); len(got) != 1 || !strings.HasPrefix(got[0], "CONNECT 127.0.0.1:") {
		t.Errorf("the proxy heard %q", got)
	}
	if _, err := emitter.NewEndpoint("x", emitter.Settings{URL: url, TLS: credential.TLSSettings{CA: "nowhere.pem"}}, emitter.EndpointOptions{}); err == nil {
		t.Error("an endpoint was made without its authority")
	}
}

// proxy is one that relays, and remembers what it was asked for. What it
// resolves is its own matter: *.proxied.example is the test's own machine.
type proxy struct {
	URL string

	mu   sync.Mutex
	seen []string
	auth string // that it asks for; "": none
}

func newProxy(t *testing.T) *proxy {
	t.Helper()
	p := &proxy{}
	server := httptest.NewServer(p)
	t.Cleanup(server.Close)
	p.URL = server.URL
	return p
}

func (p *proxy) heard() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	seen := p.seen
	p.seen = nil
	return seen
}

func (p *proxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	p.seen = append(p.seen, r.Method+" "+r.RequestURI)
	refused := p.auth != "" && r.Header.Get("Proxy-Authorization") != p.auth
	p.mu.Unlock()
	if refused {
		w.WriteHeader(http.StatusProxyAuthRequired)
		return
	}
	if r.Method == http.MethodConnect {
		p.tunnel(w, r)
		return
	}
	out := r.Clone(r.Context())
	out.RequestURI = ""
	out.URL.Host = strings.Replace(out.URL.Host, "shop.proxied.invalid", "127.0.0.1", 1)
	answer, err := (&http.Transport{DisableKeepAlives: true}).RoundTrip(out)
	if err != nil {
		w.WriteHeader(http.StatusBadGateway)
		return
	}
	defer answer.Body.Close()
	w.WriteHeader(answer.StatusCode)
	_, _ = io.Copy(w, answer.Body)
}

func (p *proxy) tunnel(w http.ResponseWriter, r *http.Request) {
	to, err := net.Dial("tcp", r.Host)
	if err != nil {
		w.WriteHeader(http.StatusBadGateway)
		return
	}
	from, buffered, err := w.(http.Hijacker).Hijack()
	if err != nil {
		return
	}
	defer from.Close()
	defer to.Close()
	_, _ = io.WriteString(from, "HTTP/1.1 200 OK\r\n\r\n")
	var wg sync.WaitGroup
	wg.Go(func() { _, _ = io.Copy(to, bufio.NewReader(buffered)); _ = to.(*net.TCPConn).CloseWrite() })
	wg.Go(func() { _, _ = io.Copy(from, to); _ = from.Close() })
	wg.Wait()
}

// Through a proxy the receiver's own address is guarded as without one, as far
// as it can be looked up here; the proxy is reached because it is configured,
// but not at a metadata address.
func TestProxyIsGuarded(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "thanks") }))
	defer server.Close()
	_, port, _ := net.SplitHostPort(server.Listener.Addr().String())
	p := newProxy(t)
	names(t, func() []string { return nil }) // nobody here knows one
	for name, c := range map[string]struct {
		url, proxy string
		guard      egress.Policy
		want       string
		asked      bool // the proxy was
	}{
		"permitted":           {server.URL, p.URL, loopback, "thanks", true},
		"loopback":            {server.URL, p.URL, egress.Policy{}, "127.0.0.1 is refused: loopback", false},
		"a name for loopback": {"http://localhost:" + port, p.URL, egress.Policy{}, "is refused: loopback", false},
		"mapped":              {"http://[::ffff:127.0.0.1]:" + port, p.URL, egress.Policy{}, "127.0.0.1 is refused: loopback", false},
		"below localhost":     {"http://shop.localhost:" + port, p.URL, egress.Policy{}, "is refused: loopback", false},
		"NAT64":               {"http://[64:ff9b::7f00:1]:" + port, p.URL, egress.Policy{}, "is refused", false},
		"metadata":            {"http://169.254.169.254/", p.URL, egress.Policy{AllowPrivate: true}, "is refused: it is the metadata address", false},
		"the proxy's name":    {"http://shop.proxied.invalid:" + port, p.URL, egress.Policy{}, "thanks", true},
		"a metadata proxy":    {"http://shop.proxied.invalid", "http://169.254.169.254:3128", egress.Policy{}, "is refused: it is the metadata address", false},
	} {
		e := endpoint(t, emitter.Settings{URL: c.url, Proxy: secret.New(c.proxy), Timeout: 60e9}, emitter.EndpointOptions{Egress: c.guard})
		a := e.Send(t.Context(), hello)
		if !strings.Contains(string(a.Response)+a.Reason, c.want) {
			t.Errorf("%s: %+v", name, a)
		}
		if refused := strings.Contains(c.want, "refused"); refused != (a.Error == emitter.ErrorRefused) {
			t.Errorf("%s: class %s", name, a.Error)
		}
		if heard := p.heard(); (len(heard) > 0) != c.asked {
			t.Errorf("%s: the proxy heard %q", name, heard)
		}
	}
}

// What the proxy asks for is sent to it alone, and shown nowhere.
func TestProxyCredentials(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, "you sent "+r.Header.Get("Proxy-Authorization")+" proxy-passw0rd")
	}))
	defer server.Close()
	p := newProxy(t)
	p.auth = "Basic " + credential.Basic("me", "proxy-passw0rd")
	with := strings.Replace(p.URL, "//", "//me:proxy-passw0rd@", 1)
	a := endpoint(t, emitter.Settings{URL: server.URL, Proxy: secret.New(with)}, emitter.EndpointOptions{Egress: loopback}).Send(t.Context(), hello)
	if a.Status != 200 || !strings.Contains(string(a.Response), "you sent") {
		t.Errorf("%+v", a)
	}
	checkHidden(t, a, "proxy-passw0rd", "me:proxy")
	a = endpoint(t, emitter.Settings{URL: server.URL, Proxy: secret.New(p.URL)}, emitter.EndpointOptions{Egress: loopback}).Send(t.Context(), hello)
	if a.Status != http.StatusProxyAuthRequired {
		t.Errorf("%+v", a)
	}
}
