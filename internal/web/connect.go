package web

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// connectTimeout is how long a daemon may take to accept a connection, and to
// agree on TLS.
const connectTimeout = 10 * time.Second

// answerTimeout is how long it may take to begin its answer. What takes longest
// is a backup, of which there is a copy first.
const answerTimeout = time.Hour

// Connect is a client of the daemon whose admin address is at a URL such as
// http://127.0.0.1:8080, which may have a path; token is that of server.token,
// "" where it asks for none. Nothing is asked yet. What the socket alone gives,
// Snapshot, it does not. Close it after use.
func Connect(server, token string) (*Client, error) {
	u, err := url.Parse(server)
	switch {
	case err != nil:
		return nil, errors.New("the address of the daemon is not a URL such as http://127.0.0.1:8080") // it may hold a secret
	case u.Scheme != "http" && u.Scheme != "https", u.Host == "":
		return nil, fmt.Errorf("the address of the daemon (%s) is not a URL such as http://127.0.0.1:8080", u.Redacted())
	case u.User != nil, u.RawQuery != "", u.Fragment != "":
		return nil, fmt.Errorf("the address of the daemon (%s://%s) has a user, a query or a fragment: it takes none", u.Scheme, u.Host)
	case strings.ContainsAny(token, "\r\n"):
		return nil, errors.New("the token has a line break in it")
	}
	return &Client{
		most: maxSnapshot, base: strings.TrimSuffix(u.String(), "/"), token: token,
		http: &http.Client{
			// A redirect could carry the token elsewhere.
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
			Transport: &http.Transport{
				DialContext:     (&net.Dialer{Timeout: connectTimeout}).DialContext,
				MaxConnsPerHost: 4, MaxResponseHeaderBytes: maxHeader, ForceAttemptHTTP2: true,
				TLSHandshakeTimeout: connectTimeout, ResponseHeaderTimeout: answerTimeout,
			},
		},
	}, nil
}
