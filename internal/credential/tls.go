package credential

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"github.com/deltahook/deltahook/internal/fault"
)

// largestPEM is the size in bytes that a file of certificates may have.
const largestPEM = 1 << 20

// Config reads the files. It is nil where nothing is set. The error says which
// setting is at fault.
func (s TLSSettings) Config() (*tls.Config, error) {
	r := fault.New()
	c := s.compile(r)
	for _, f := range r.All() {
		if !f.Warning {
			return nil, fmt.Errorf("%s: %s", f.Path[len(f.Path)-1], f.Text)
		}
	}
	return c, nil
}

// Fingerprint is equal for equal settings while their files are the same. It
// shows nothing of the key. A file that cannot be read is an empty one here.
func (s TLSSettings) Fingerprint() string {
	parts := []string{fmt.Sprint(s)}
	for _, path := range []string{s.CA, s.Cert, s.Key} {
		text := []byte(nil)
		if path != "" {
			text, _ = readPEM(path)
		}
		parts = append(parts, string(text))
	}
	return digest(parts...)
}

// Check reports what is wrong with the settings and the files they name.
func (s TLSSettings) Check(r fault.Report) { s.compile(r) }

// compile reads the files and reports what is wrong with them; nil where
// nothing is set. Keys are not shown.
func (s TLSSettings) compile(r fault.Report) *tls.Config {
	if s == (TLSSettings{}) {
		return nil
	}
	c := &tls.Config{
		ServerName:         s.ServerName,
		InsecureSkipVerify: s.InsecureSkipVerify, // #nosec G402 -- the operator's choice, with a warning
		MinVersion:         tls.VersionTLS12,
	}
	if s.InsecureSkipVerify {
		r.At("insecure_skip_verify").Warnf("the server's certificate is not checked: anybody on the way can read and change what is sent")
	}
	if s.CA != "" {
		c.RootCAs = x509.NewCertPool()
		text, err := readPEM(s.CA)
		if err == nil && !c.RootCAs.AppendCertsFromPEM(text) {
			err = errors.New("no certificate is in it (PEM was expected)")
		}
		if err != nil {
			r.At("ca").Errorf("%v", err)
		}
	}
	s.compilePair(r, c)
	return c
}

// compilePair reads the client's certificate and its key.
func (s TLSSettings) compilePair(r fault.Report, c *tls.Config) {
	switch {
	case s.Cert == "" && s.Key == "":
		return
	case s.Key == "":
		r.At("key").Errorf("is missing: the private key of cert")
		return
	case s.Cert == "":
		r.At("cert").Errorf("is missing: the certificate of key")
		return
	}
	cert, certErr := readPEM(s.Cert)
	if certErr != nil {
		r.At("cert").Errorf("%v", certErr)
	}
	key, keyErr := readPEM(s.Key)
	if keyErr != nil {
		r.At("key").Errorf("%v", keyErr)
	}
	if certErr != nil || keyErr != nil {
		return
	}
	pair, err := tls.X509KeyPair(cert, key)
	if err != nil {
		r.At("cert").Errorf("it and the key are no pair: %v", err)
		return
	}
	c.Certificates = []tls.Certificate{pair}
}

// readPEM reads a file that is not too large. The error does not name it: the
// setting does.
func readPEM(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		if inner, ok := errors.AsType[*fs.PathError](err); ok {
			err = inner.Err
		}
		return nil, err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, largestPEM+1))
	switch {
	case err != nil:
		return nil, errors.New("cannot be read: is it a file?")
	case len(text) > largestPEM:
		return nil, fmt.Errorf("over %d bytes: no file of certificates", largestPEM)
	}
	return text, nil
}
