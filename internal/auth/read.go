package auth

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/tidwall/gjson"
)

var errNoJSON = errors.New("the answer is not a JSON object")

// Login says where the answer of a login holds what.
type Login struct {
	Token     string // gjson path of the token
	ExpiresIn string // gjson path of its end: seconds, a Unix time, or RFC 3339; "": not told
}

// Read reads the answer of a login that came at now.
func (l Login) Read(status int, body []byte, now time.Time) (Grant, error) {
	if status < 200 || status > 299 {
		return Grant{}, &Error{Status: status}
	}
	if !gjson.ValidBytes(body) {
		return Grant{}, errors.New("the answer is not JSON")
	}
	token, err := readToken(gjson.GetBytes(body, l.Token), l.Token)
	if err != nil {
		return Grant{}, err
	}
	g := Grant{Token: token}
	if l.ExpiresIn != "" {
		if g.Lifetime = until(gjson.GetBytes(body, l.ExpiresIn), now); g.Lifetime <= 0 {
			return Grant{}, fmt.Errorf("%s is no time to come: expected seconds, a Unix time or RFC 3339", l.ExpiresIn)
		}
	}
	return g, nil
}

// readToken takes what can be sent in a header.
func readToken(v gjson.Result, name string) (string, error) {
	token := v.Str
	if v.Type == gjson.Number {
		token = v.Raw
	}
	switch {
	case !v.Exists():
		return "", fmt.Errorf("%s is absent in the answer", name)
	case token == "":
		return "", fmt.Errorf("%s is no text in the answer", name)
	case len(token) > LongestToken:
		return "", fmt.Errorf("%s has %d bytes; at most %d are taken", name, len(token), LongestToken)
	case strings.ContainsFunc(token, func(r rune) bool { return r < ' ' || r == 0x7f || r == utf8.RuneError }):
		return "", fmt.Errorf("%s holds a line break or another control character", name)
	}
	return token, nil
}

// number is a JSON number, or one in a text, as some endpoints write it.
func number(v gjson.Result) (float64, bool) {
	text := v.Str
	if v.Type == gjson.Number {
		text = v.Raw
	}
	n, err := strconv.ParseFloat(text, 64)
	return n, err == nil && !math.IsNaN(n)
}

// seconds is a lifetime in seconds; 0: there is none.
func seconds(v gjson.Result) time.Duration {
	n, ok := number(v)
	if !ok || n <= 0 {
		return 0
	}
	return time.Duration(min(n, longestLifetime.Seconds()) * float64(time.Second))
}

// Numbers from here on are no lifetimes but points in time.
const (
	unixSeconds = 1e9
	unixMillis  = 1e12
)

// until is the time from now to what v says; 0 or less: it says nothing.
func until(v gjson.Result, now time.Time) time.Duration {
	if at, err := time.Parse(time.RFC3339, v.Str); v.Type == gjson.String && err == nil {
		return at.Sub(now)
	}
	switch n, ok := number(v); {
	case !ok:
		return 0
	case n >= unixMillis:
		return time.UnixMilli(int64(min(n, 1e15))).Sub(now)
	case n >= unixSeconds:
		return time.Unix(int64(n), 0).Sub(now)
	}
	return seconds(v)
}

// word is an OAuth error code, or "" for what is none: it may be anything that
// a server writes.
func word(s string) string {
	if len(s) > 64 || strings.ContainsFunc(s, func(r rune) bool {
		return r > unicode.MaxASCII || !unicode.IsLetter(r) && !unicode.IsDigit(r) && !strings.ContainsRune("_.-", r)
	}) {
		return ""
	}
	return s
}

// longestSentence is the length in bytes over which an endpoint's words are
// left out. They are never cut: the half of a secret is not known for one.
const longestSentence = 4 << 10

// sentence is text of a server on one line.
func sentence(s string) string {
	if len(s) > longestSentence {
		return fmt.Sprintf("(%d bytes of text)", len(s))
	}
	return strings.Join(strings.FieldsFunc(s, func(r rune) bool { return unicode.IsSpace(r) || unicode.IsControl(r) }), " ")
}
