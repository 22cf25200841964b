package main

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"github.com/deltahook/deltahook/internal/curl"
)

// leftOut are headers that the poller sets by itself, or that only say how a
// browser came by the request.
var leftOut = regexp.MustCompile(`(?i)^(accept-encoding|connection|content-length|expect|if-modified-since|if-none-match|` +
	`keep-alive|proxy-.*|te|trailer|transfer-encoding|upgrade|upgrade-insecure-requests|sec-.*|priority|dnt|:.*)$`)

// source writes the source.
func (d *draft) source() {
	r := d.request
	d.line(1, "%s:", d.scalar(d.name))
	d.line(2, `schedule: "@every 5m"`)
	d.line(2, "request:")
	address, query := d.query(r.URL)
	d.line(3, "url: %s", d.url(address))
	if (r.Method == http.MethodPost) != (r.Body != "") {
		d.line(3, "method: %s", r.Method)
	}
	d.pairs("query", query)
	d.auth()
	var headers [][2]string
	contentType := ""
	for _, h := range r.Headers {
		switch {
		case leftOut.MatchString(h.Name) || strings.EqualFold(h.Name, "Authorization"):
			continue
		case strings.EqualFold(h.Name, "Content-Type"):
			contentType = h.Value
			continue
		}
		headers = append(headers, [2]string{h.Name, d.value(h.Name, h.Value, "the header "+h.Name)})
	}
	if implied := d.body(contentType); !strings.EqualFold(contentType, implied) {
		headers = append(headers, [2]string{"Content-Type", d.text(contentType)})
	}
	d.pairs("headers", headers)
	if seconds, err := strconv.ParseFloat(r.Timeout, 64); err == nil && seconds >= 1 && seconds <= 3600 {
		d.line(3, "timeout: %ds", int(math.Ceil(seconds)))
	}
	if r.Insecure {
		d.line(3, "tls: {insecure_skip_verify: true}   # of -k: anybody on the way can read and change what is sent")
		d.warnings = append(d.warnings, "-k: the server's certificate is not checked; better set request.tls.ca")
	}
}

// query takes the parameters that carry a secret out of a URL. Of one that
// comes several times, and of the path, the secret is replaced where it stands.
func (d *draft) query(raw string) (address string, query [][2]string) {
	address, all, found := strings.Cut(raw, "?")
	address = d.path(address)
	if !found {
		return address, nil
	}
	var kept []string
	for part := range strings.SplitSeq(all, "&") {
		name, value, _ := strings.Cut(part, "=")
		plain, err := url.QueryUnescape(name)
		twice := slices.ContainsFunc(query, func(q [2]string) bool { return q[0] == plain })
		switch {
		case err != nil || !hides(plain, value):
			kept = append(kept, part)
			continue
		case twice:
			kept = append(kept, name+"="+curl.Mark(d.slot(value, plain, "the query parameter "+shown(plain)+", percent-encoded")))
			continue
		}
		query = append(query, [2]string{plain, d.secret(value, plain, "the query parameter "+shown(plain))})
	}
	if len(kept) == 0 {
		return address, query
	}
	return address + "?" + strings.Join(kept, "&"), query
}

// path replaces what has the form of a token in a URL without its query.
func (d *draft) path(address string) string {
	parts := strings.Split(address, "/")
	for i, part := range parts {
		if tokenForm.MatchString(part) {
			parts[i] = curl.Mark(d.slot(part, "path", "the secret in the URL's path"))
		}
	}
	return strings.Join(parts, "/")
}

// shown is a name in a comment.
func shown(name string) string {
	return strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return -1
		}
		return r
	}, curl.Expand(name, func(s string) string { return s }, func(s string) string { return "$" + s }))
}

// auth writes who asks.
func (d *draft) auth() {
	for _, h := range d.request.Headers {
		if !strings.EqualFold(h.Name, "Authorization") {
			continue
		}
		word, token, found := strings.Cut(h.Value, " ")
		if given, err := base64.StdEncoding.DecodeString(token); found && err == nil && strings.EqualFold(word, "Basic") {
			if user, password, ok := strings.Cut(string(given), ":"); ok && password != "" && isText(user) {
				d.basic(user, password)
				return
			}
		}
		switch {
		case found && word == "Bearer" && !strings.Contains(token, " "):
			d.line(3, "auth: {bearer: %s}", quote(d.secret(token, "token", "the token of the header Authorization")))
		case found && isWord(word) && !strings.Contains(token, " "):
			d.line(3, "auth: {bearer: {prefix: %s, token: %s}}", quote(word), quote(d.secret(token, "token", "the token of the header Authorization")))
		default:
			d.line(3, "auth: {api_key: {header: Authorization, value: %s}}", quote(d.secret(h.Value, "authorization", "the header Authorization")))
		}
		return
	}
	switch u := d.request.User; {
	case u == nil:
	case u.Password == "":
		d.line(3, "auth: {basic: {user: %s}}", quote(d.secret(u.Name, "user", "the user")))
	default:
		d.basic(u.Name, u.Password)
	}
}

func isText(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsPrint(r) || r == unicode.ReplacementChar })
}

func isWord(s string) bool {
	return s != "" && !strings.ContainsFunc(s, func(r rune) bool { return r < '0' || r > 'z' || r > '9' && r < 'A' || r > 'Z' && r < 'a' })
}

// basic writes a user, which with many an API is the secret, and a password.
func (d *draft) basic(user, password string) {
	d.line(3, "auth:")
	d.line(4, "basic: {user: %s, password: %s}", quote(d.secret(user, "user", "the user")), quote(d.secret(password, "password", "the password")))
}

// pairs writes a mapping of names.
func (d *draft) pairs(key string, pairs [][2]string) {
	if len(pairs) == 0 {
		return
	}
	d.line(3, "%s:", key)
	for _, p := range pairs {
		d.line(4, "%s: %s", d.scalar(p[0]), p[1])
	}
}

// value is a header's or a field's value, or what stands for it where its
// name says that it is a secret.
func (d *draft) value(name, value, what string) string {
	if hides(name, value) {
		return quote(d.secret(value, name, shown(what)))
	}
	return d.text(value)
}

// text is a value that may hold expressions, so that what looks like one is
// escaped.
func (d *draft) text(value string) string {
	return quote(curl.Expand(value, func(s string) string {
		if strings.Contains(s, "{{") || strings.HasSuffix(s, "$") || strings.HasSuffix(s, "{") {
			inner, _ := json.Marshal(s) // a string has no value that fails
			s = "{{ " + string(inner) + " }}"
		}
		return strings.ReplaceAll(s, "${", "$${")
	}, d.own))
}

// own is a variable.
func (d *draft) own(name string) string { return d.variable(name, "of the command itself") }

var plainURL = regexp.MustCompile(`^https?://[A-Za-z0-9._~/?=&%+,;@$()!*'-]+(:[0-9]+)?[A-Za-z0-9._~/?=&%+,;@$()!*'-]*$`)

// url is the URL as YAML writes it. It holds no braces of its own.
func (d *draft) url(address string) string {
	text := curl.Expand(address, func(s string) string {
		if before, ok := strings.CutSuffix(s, "$"); ok {
			return before + "%24"
		}
		return s
	}, d.own)
	if plainURL.MatchString(text) {
		return text
	}
	return quote(text)
}

var plainScalar = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_./-]*$`)

// scalar is a key as YAML writes it.
func (d *draft) scalar(text string) string {
	if plainScalar.MatchString(text) && !slices.Contains([]string{"true", "false", "null", "yes", "no", "on", "off", "y", "n"}, strings.ToLower(text)) {
		return text
	}
	return quote(text)
}

// quote writes a text in double quotes, all that is not printable escaped.
func quote(text string) string {
	var out strings.Builder
	out.WriteByte('"')
	for _, r := range text {
		switch {
		case r == '"' || r == '\\':
			out.WriteRune('\\')
			out.WriteRune(r)
		case r == '\n':
			out.WriteString(`\n`)
		case r == '\t':
			out.WriteString(`\t`)
		case unicode.IsPrint(r):
			out.WriteRune(r)
		case r > 0xFFFF:
			fmt.Fprintf(&out, `\U%08X`, r)
		default:
			fmt.Fprintf(&out, `\u%04X`, r)
		}
	}
	out.WriteByte('"')
	return out.String()
}
