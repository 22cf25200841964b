package poller

import (
	"maps"
	"slices"
	"strings"

	"github.com/deltahook/deltahook/internal/request"
)

// nextOf is the target of the first link whose relation is next, in the value
// of a Link header (RFC 8288, section 3), where there is one. What is not of its
// form is a failure: a link that cannot be read may be the next one.
func nextOf(header string) (target string, ok bool, err error) {
	for rest := header; ; {
		rest = strings.TrimLeft(rest, " \t,")
		if rest == "" {
			return "", false, nil
		}
		end := strings.IndexByte(rest, '>')
		if rest[0] != '<' || end < 0 {
			return "", false, Failf(ClassPages, "the Link header is not of the form that RFC 8288 gives it")
		}
		target, rest = strings.TrimSpace(rest[1:end]), rest[end+1:]
		switch ok, rest, err = linkParams(rest); {
		case err != nil:
			return "", false, err
		case ok:
			return target, true, nil
		}
	}
}

// linkParams reads the parameters of a link. It is the next one where the
// first rel says so and no anchor makes it a link of something else.
func linkParams(rest string) (next bool, left string, err error) {
	rel, elsewhere, given := "", false, false
	for {
		rest = strings.TrimLeft(rest, " \t")
		if rest == "" || rest[0] != ';' {
			break
		}
		var name, value string
		if name, value, rest, err = linkParam(rest[1:]); err != nil {
			return false, "", err
		}
		switch {
		case strings.EqualFold(name, "rel") && !given:
			rel, given = value, true
		case strings.EqualFold(name, "anchor"):
			elsewhere = true
		}
	}
	named := slices.ContainsFunc(strings.Fields(rel), func(t string) bool { return strings.EqualFold(t, "next") })
	return named && !elsewhere, rest, nil
}

// linkParam reads one parameter: a name, and a token or a quoted string.
func linkParam(s string) (name, value, rest string, err error) {
	s = strings.TrimLeft(s, " \t")
	end := strings.IndexAny(s, "=;,")
	if end < 0 {
		return strings.TrimSpace(s), "", "", nil
	}
	name, s = strings.TrimSpace(s[:end]), s[end:]
	if s[0] != '=' {
		return name, "", s, nil
	}
	s = strings.TrimLeft(s[1:], " \t")
	if s == "" || s[0] != '"' {
		end := strings.IndexAny(s, ";,")
		if end < 0 {
			end = len(s)
		}
		return name, strings.TrimSpace(s[:end]), s[end:], nil
	}
	var text strings.Builder
	for i := 1; i < len(s); i++ {
		switch {
		case s[i] == '"':
			return name, text.String(), s[i+1:], nil
		case s[i] == '\\' && i+1 < len(s):
			i++
		}
		text.WriteByte(s[i])
	}
	return "", "", "", Failf(ClassPages, "a string in the Link header isn't closed")
}

// follow is the request of the page at a link. To another origin (scheme, host
// and port) only a request goes that carries nothing of the configuration: a
// page that was asked for without the credentials might be another list.
func (w *walk) follow(link string) (*wire, error) {
	if len(link) > longestLink {
		return nil, Failf(ClassPages, "a link of %d bytes; at most %d are followed", len(link), longestLink)
	}
	target, err := w.at.url.Parse(link)
	if err != nil || target.Hostname() == "" || target.Scheme != "http" && target.Scheme != "https" {
		return nil, Failf(ClassPages, "the link to the next page is no http or https URL")
	}
	target.User, target.Fragment, target.RawFragment = nil, "", ""
	if home := w.at.url; request.Origin(target) != request.Origin(home) {
		switch {
		case home.Scheme == "https" && target.Scheme == "http":
			return nil, Failf(ClassPages, "the next page is at %s: a step down from https is not followed", request.Origin(target))
		case !w.at.bare():
			return nil, Failf(ClassPages, "the next page is at %s: headers and bodies are not sent to another host", request.Origin(target))
		case w.source.leaks(w.at, target):
			return nil, Failf(ClassPages, "the next page is at %s: its URL holds a credential, which is not sent to another host", request.Origin(target))
		}
	}
	if w.again(target.String()) {
		return nil, Failf(ClassPages, "the link to the next page is one that was followed before: the pages go round in circles")
	}
	return &wire{
		method: w.at.method, url: target, header: w.at.header, base: w.at.base, host: w.at.host, body: w.at.body,
		home: w.at.home, away: w.at.away, secrets: w.at.secrets,
	}, nil
}

// bare reports whether w carries nothing of the configuration but its URL.
func (w *wire) bare() bool {
	return w.home == "" && w.body == nil && w.host == "" && maps.EqualFunc(w.header, w.base, slices.Equal)
}
