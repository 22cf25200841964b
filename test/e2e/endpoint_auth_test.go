package e2e

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"io"
	"log"
	"math/big"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"github.com/deltahook/deltahook/test/loopback"
)

// A source and an endpoint that name the same credentials share one token. A
// token endpoint that refuses makes no dead letter: the event waits, and is
// delivered once there is a token.
func TestEndpointSharesTheSourcesToken(t *testing.T) {
	t.Parallel()
	var issued, refusals, polls atomic.Int64
	var refuse, expired atomic.Bool
	var value atomic.Value
	value.Store(`{"v":1}`)
	hooks := newReceiver(t, nil)
	granted := func(r *http.Request) bool {
		return r.Header.Get("Authorization") == fmt.Sprintf("Bearer granted-token-%d", issued.Load()) && !expired.Load()
	}
	behind := http.NewServeMux()
	behind.HandleFunc("/token", func(w http.ResponseWriter, _ *http.Request) {
		if refuse.Load() {
			refusals.Add(1)
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		expired.Store(false)
		fmt.Fprintf(w, `{"access_token":"granted-token-%d","expires_in":3600}`, issued.Add(1))
	})
	behind.HandleFunc("/api", func(w http.ResponseWriter, r *http.Request) {
		polls.Add(1)
		body([]byte(value.Load().(string)))(w, r) // whatever it is asked with
	})
	behind.HandleFunc("/hook", func(w http.ResponseWriter, r *http.Request) {
		if !granted(r) {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		forward(t, w, r, hooks.URL)
	})
	server := loopback.NewServer(t, behind.ServeHTTP)
	t.Cleanup(server.Close)
	dir := t.TempDir()
	write(t, dir, "deltahook.yaml", fmt.Sprintf(`
server: {listen: "127.0.0.1:0"}
auth: {shop: {oauth2: {grant: client_credentials, token_url: "%[1]s/token", client_id: me, client_secret: pl4nted-client, refresh_on_401: true}}}
sources: {s: {schedule: "@every 1s", request: {url: "%[1]s/api", auth: shop}}}
endpoints: {hook: {url: "%[1]s/hook", auth: shop, secrets: [%[2]s], retry: {schedule: [1s, 1s, 1s, 1s, 1s, 1s, 1s, 1s, 1s, 1s]}}}
egress: {endpoints: {allow: [127.0.0.0/8]}}
`, server.URL, whsec))
	d := start(t, binary(t), dir, "run")
	d.says(t, d.stderr, "first answer remembered")
	value.Store(`{"v":2}`)
	if got := line(t, hooks.next(t)); got != `s.updated s 1 {"v":1} -> {"v":2}` {
		t.Errorf("the first webhook is %s", got)
	}
	if n := issued.Load(); n != 1 {
		t.Errorf("%d tokens were fetched, want 1 for both", n)
	}

	refuse.Store(true)
	expired.Store(true)
	value.Store(`{"v":3}`)
	d.says(t, d.stderr, `msg="endpoint fails" endpoint=hook .*err="shop: no token from http://127[.0-9]+:[0-9]+: status 401`)
	refuse.Store(false)
	if got := line(t, hooks.next(t)); got != `s.updated s 2 {"v":2} -> {"v":3}` {
		t.Errorf("the second webhook is %s", got)
	}
	if refusals.Load() == 0 || d.metric(t, "deltahook_attempts_total", `result="dead"`) != 0 {
		t.Errorf("%d refusals, %v dead letters", refusals.Load(), d.metric(t, "deltahook_attempts_total", `result="dead"`))
	}
}

// forward hands a request on and answers as it was answered.
func forward(t *testing.T, w http.ResponseWriter, r *http.Request, to string) {
	out, err := http.NewRequestWithContext(r.Context(), r.Method, to, r.Body)
	if err != nil {
		t.Error(err)
		return
	}
	out.Header = r.Header.Clone()
	answer, err := http.DefaultTransport.RoundTrip(out)
	if err != nil {
		w.WriteHeader(http.StatusBadGateway) // somebody was killed
		return
	}
	defer answer.Body.Close()
	w.WriteHeader(answer.StatusCode)
	_, _ = io.Copy(w, answer.Body)
}

// An endpoint is shown the client's certificate, and its own by a private
// authority is taken; both files lie beside the configuration.
func TestEndpointWithCertificates(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	pool := clientIdentity(t, dir)
	hooks := newReceiver(t, nil)
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.TLS.PeerCertificates[0].Subject.CommonName != "deltahook" {
			t.Errorf("the client is %q", r.TLS.PeerCertificates[0].Subject)
		}
		forward(t, w, r, hooks.URL)
	}))
	server.TLS = &tls.Config{ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: pool}
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.StartTLS()
	t.Cleanup(server.Close)
	write(t, dir, "ca.pem", string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})))
	url, set, _ := values(t, `{"v":1}`)
	write(t, dir, "deltahook.yaml", fmt.Sprintf(`
server: {listen: "127.0.0.1:0"}
endpoints: {hook: {url: "%s", secrets: [%s], tls: {ca: ca.pem, cert: cert.pem, key: key.pem}}}
egress: {endpoints: {allow: [127.0.0.0/8]}}
sources:%s`, server.URL, whsec, oneSource(url, "@every 1s")))
	d := start(t, binary(t), dir, "run")
	d.says(t, d.stderr, "first answer remembered")
	set(`{"v":2}`)
	if got := line(t, hooks.next(t)); got != `s.updated s 1 {"v":1} -> {"v":2}` {
		t.Errorf("the webhook is %s", got)
	}
}

// clientIdentity writes cert.pem and key.pem, a client's identity that signs
// itself.
func clientIdentity(t *testing.T, dir string) *x509.CertPool {
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
	key, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	write(t, dir, "cert.pem", string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})))
	write(t, dir, "key.pem", string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: key})))
	pool := x509.NewCertPool()
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	pool.AddCert(cert)
	return pool
}
