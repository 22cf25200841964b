package recipes_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"
)

type answer = func(*testing.T) http.HandlerFunc

func reply(status int, content, body string, header ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		for i := 0; i+1 < len(header); i += 2 {
			w.Header().Set(header[i], header[i+1])
		}
		w.Header().Set("Content-Type", content)
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body) // the poller may be gone
	}
}

// text is an answer that is written here.
func text(status int, body string, header ...string) answer {
	return func(*testing.T) http.HandlerFunc { return reply(status, "application/json", body, header...) }
}

func ok(body string) answer { return text(http.StatusOK, body) }

// recorded is a recorded answer, with texts replaced.
func recorded(name string, replace ...string) answer {
	return recordedAs("application/json", name, replace...)
}

func recordedAs(content, name string, replace ...string) answer {
	return func(t *testing.T) http.HandlerFunc {
		t.Helper()
		body := fixture(t, name)
		for i := 0; i+1 < len(replace); i += 2 {
			if !bytes.Contains(body, []byte(replace[i])) {
				t.Fatalf("%s does not hold %q", name, replace[i])
			}
			body = bytes.ReplaceAll(body, []byte(replace[i]), []byte(replace[i+1]))
		}
		return reply(http.StatusOK, content, string(body))
	}
}

// failing is a recorded answer with another status.
func failing(status int, name string, header ...string) answer {
	return func(t *testing.T) http.HandlerFunc {
		t.Helper()
		return reply(status, "application/json", string(fixture(t, name)), header...)
	}
}

// pages answers by the page that is asked for, "" being the first.
func pages(which func(*http.Request) string, of map[string]answer) answer {
	return func(t *testing.T) http.HandlerFunc {
		t.Helper()
		made := map[string]http.HandlerFunc{}
		for page, a := range of {
			made[page] = a(t)
		}
		return func(w http.ResponseWriter, r *http.Request) {
			page := which(r)
			if made[page] == nil {
				t.Errorf("page %q was asked for", page)
				http.NotFound(w, r)
				return
			}
			made[page](w, r)
		}
	}
}

// only is an answer to a request for this, and to no other.
func only(which func(*http.Request) string, wanted string, a answer) answer {
	return pages(which, map[string]answer{wanted: a})
}

// name is the last part of the request's path.
func name(r *http.Request) string { return r.URL.Path[strings.LastIndexByte(r.URL.Path, '/')+1:] }

// parameter is which page by a parameter of the query.
func parameter(name string) func(*http.Request) string {
	return func(r *http.Request) string { return r.URL.Query().Get(name) }
}

// has is the further page by a parameter other than first.
func has(name, first string) func(*http.Request) bool {
	return func(r *http.Request) bool { v := r.URL.Query().Get(name); return v != "" && v != first }
}

// header refuses a request without this header.
func header(name, value string) func(*http.Request) string {
	return func(r *http.Request) string {
		if got := r.Header.Get(name); got != value {
			return fmt.Sprintf("%s: %q, want %q", name, got, value)
		}
		return ""
	}
}

// query refuses a request whose query is not this one.
func query(want string) func(*http.Request) string {
	return func(r *http.Request) string {
		wanted, _ := url.ParseQuery(want)
		if got := r.URL.Query(); got.Encode() != wanted.Encode() {
			return fmt.Sprintf("the query is %s, want %s", got.Encode(), wanted.Encode())
		}
		return ""
	}
}

func all(checks ...func(*http.Request) string) func(*http.Request) string {
	return func(r *http.Request) string {
		for _, check := range checks {
			if why := check(r); why != "" {
				return why
			}
		}
		return ""
	}
}

// path refuses another path.
func path(want string) func(*http.Request) string {
	return func(r *http.Request) string {
		if r.URL.Path != want {
			return "want the path " + want
		}
		return ""
	}
}

// basic refuses another user or password.
func basic(user, password string) func(*http.Request) string {
	return func(r *http.Request) string {
		if u, p, ok := r.BasicAuth(); !ok || u != user || p != password {
			return fmt.Sprintf("basic authentication %q %q", u, p)
		}
		return ""
	}
}

// clientToken is a token endpoint for the client's credentials, in the form
// where inBody; it wants the form's other fields.
func clientToken(at string, inBody bool, fields ...string) func(http.ResponseWriter, *http.Request) bool {
	return token(at, inBody, append([]string{"grant_type", "client_credentials"}, fields...)...)
}

func refreshToken(at string, inBody bool) func(http.ResponseWriter, *http.Request) bool {
	return token(at, inBody, "grant_type", "refresh_token", "refresh_token", "hidden-refresh")
}

func token(at string, inBody bool, fields ...string) func(http.ResponseWriter, *http.Request) bool {
	return func(w http.ResponseWriter, r *http.Request) bool {
		if r.URL.Path != at {
			return false
		}
		id, secret, _ := r.BasicAuth()
		if inBody {
			id, secret = r.PostFormValue("client_id"), r.PostFormValue("client_secret")
		}
		good := id == "client" && secret == "hidden-secret" && r.Method == http.MethodPost
		for i := 0; i+1 < len(fields); i += 2 {
			good = good && r.PostFormValue(fields[i]) == fields[i+1]
		}
		if !good {
			reply(http.StatusUnauthorized, "application/json", `{"error":"invalid_client"}`)(w, r)
			return true
		}
		reply(http.StatusOK, "application/json", `{"access_token":"hidden-access-token","token_type":"Bearer","expires_in":3600}`)(w, r)
		return true
	}
}

var bearer = header("Authorization", "Bearer hidden-access-token")

// sent is the value at a path of names in the request's JSON body.
func sent(r *http.Request, names ...string) string {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return ""
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	var v any
	if json.Unmarshal(body, &v) != nil {
		return ""
	}
	for _, name := range names {
		m, _ := v.(map[string]any)
		v = m[name]
	}
	return strings.TrimSpace(fmt.Sprint(v))
}

// daysAgo refuses a time that is not so many days ago.
func daysAgo(days int, at string) string {
	then, err := time.Parse(time.RFC3339, at)
	if ago := time.Since(then) - time.Duration(days)*24*time.Hour; err != nil || ago < -time.Minute || ago > time.Minute {
		return fmt.Sprintf("%q is not %d days ago", at, days)
	}
	return ""
}
