package poller_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"io"
	"math/big"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/deltahook/deltahook/internal/credential"
	"github.com/deltahook/deltahook/internal/fault"
	"github.com/deltahook/deltahook/poller"
)

// pemFile writes blocks as a file and gives its path.
func pemFile(t *testing.T, name string, kind string, blocks ...[]byte) string {
	t.Helper()
	var text []byte
	for _, b := range blocks {
		text = append(text, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: b})...)
	}
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// identity makes a certificate that signs itself, and its key.
func identity(t *testing.T, name string) (cert, key string, pool *x509.CertPool) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, NotAfter: time.Now().Add(time.Hour),
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

// shows answers with the name in the client's certificate.
func shows(t *testing.T, want tls.ClientAuthType, pool *x509.CertPool, h http.HandlerFunc) *httptest.Server {
	t.Helper()
	s := httptest.NewUnstartedServer(h)
	s.TLS = &tls.Config{ClientAuth: want, ClientCAs: pool}
	s.StartTLS()
	t.Cleanup(s.Close)
	return s
}

func peer(r *http.Request) string {
	if len(r.TLS.PeerCertificates) == 0 {
		return "nobody"
	}
	return r.TLS.PeerCertificates[0].Subject.CommonName
}

// TestCertificates: a private authority is trusted where it is named, and a
// client's certificate goes to the configured host only.
func TestCertificates(t *testing.T) {
	cert, key, pool := identity(t, "deltahook")
	var seen []string
	abroad := shows(t, tls.RequestClientCert, pool, func(w http.ResponseWriter, r *http.Request) {
		seen = append(seen, "abroad "+peer(r))
		io.WriteString(w, "{}")
	})
	home := shows(t, tls.RequireAndVerifyClientCert, pool, func(w http.ResponseWriter, r *http.Request) {
		seen = append(seen, "home "+peer(r))
		if r.URL.Path == "/away" {
			to(302, abroad.URL)(w, r)
			return
		}
		io.WriteString(w, "{}")
	})
	authority := pemFile(t, "ca.pem", "CERTIFICATE", home.Certificate().Raw)
	both := credential.TLSSettings{CA: authority, Cert: cert, Key: key}

	ask(t, source(t, client(t), poller.RequestSettings{URL: home.URL, TLS: both}, poller.ResponseSettings{}))
	failure(t, source(t, client(t), poller.RequestSettings{URL: home.URL}, poller.ResponseSettings{}), poller.ClassNetwork, "unknown authority")
	failure(t, source(t, client(t), poller.RequestSettings{URL: home.URL, TLS: credential.TLSSettings{CA: authority}}, poller.ResponseSettings{}), poller.ClassNetwork, "")
	other := both
	other.ServerName = "elsewhere.example"
	failure(t, source(t, client(t), poller.RequestSettings{URL: home.URL, TLS: other}, poller.ResponseSettings{}), poller.ClassNetwork, "elsewhere.example")
	other = credential.TLSSettings{Cert: cert, Key: key, InsecureSkipVerify: true}
	ask(t, source(t, client(t), poller.RequestSettings{URL: home.URL, TLS: other}, poller.ResponseSettings{}))

	trusting := x509.NewCertPool()
	trusting.AddCert(home.Certificate())
	c := poller.NewClientOver(&http.Transport{TLSClientConfig: &tls.Config{RootCAs: trusting}}, poller.ClientOptions{})
	t.Cleanup(c.Close)
	ask(t, source(t, c, poller.RequestSettings{URL: home.URL + "/away", TLS: both}, poller.ResponseSettings{}))
	if diff := cmp.Diff([]string{"home deltahook", "home deltahook", "home deltahook", "abroad nobody"}, seen); diff != "" {
		t.Error(diff)
	}
}

// TestCertificateFaults: what cannot be used is found at load.
func TestCertificateFaults(t *testing.T) {
	cert, key, _ := identity(t, "deltahook")
	_, otherKey, _ := identity(t, "another")
	large := filepath.Join(t.TempDir(), "large.pem")
	if err := os.WriteFile(large, make([]byte, 2<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		s    credential.TLSSettings
		at   string
		want string
	}{
		{credential.TLSSettings{CA: "nowhere.pem"}, "ca", "no such file"},
		{credential.TLSSettings{CA: t.TempDir()}, "ca", "is it a file?"},
		{credential.TLSSettings{CA: key}, "ca", "no certificate is in it"},
		{credential.TLSSettings{CA: large}, "ca", "over 1048576 bytes"},
		{credential.TLSSettings{Cert: cert}, "key", "is missing"},
		{credential.TLSSettings{Key: key}, "cert", "is missing"},
		{credential.TLSSettings{Cert: cert, Key: otherKey}, "cert", "no pair"},
		{credential.TLSSettings{Cert: key, Key: key}, "cert", "no pair"},
		{credential.TLSSettings{Cert: cert, Key: "nowhere.pem"}, "key", "no such file"},
		{credential.TLSSettings{InsecureSkipVerify: true}, "insecure_skip_verify", "is not checked"},
	} {
		r := fault.New()
		poller.Settings{Schedule: "@hourly", Request: poller.RequestSettings{URL: "https://x.example", TLS: c.s}}.Check(r, poller.ResponseSettings{})
		all := r.All()
		if len(all) != 1 || strings.Join(all[0].Path, ".") != "request.tls."+c.at || !strings.Contains(all[0].Text, c.want) {
			t.Errorf("%+v: got %+v, want %s: %s", c.s, all, c.at, c.want)
		}
	}
}
