package configs

import (
	"bytes"
	"encoding/json"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v4"

	"github.com/deltahook/deltahook/internal/secret"
)

// Shown is a configuration for people: as it was loaded, files and defaults
// merged, ${…} as written, and each secret hidden. An endpoint's URL, whose
// path may be a credential, is shown by scheme and host.
type Shown struct {
	YAML string
	JSON json.RawMessage // the same
}

// Show is c as it may be shown.
func (c *Config) Show() Shown {
	var v any
	if err := yaml.Unmarshal([]byte(c.shown), &v); err != nil {
		return Shown{YAML: c.shown, JSON: json.RawMessage("null")} // it was written by the same library
	}
	data, err := json.Marshal(v)
	if err != nil {
		data = []byte("null")
	}
	return Shown{YAML: c.shown, JSON: data}
}

// show writes a tree as YAML without its secrets.
func (l *loader) show(redact *secret.Redactor) string {
	var out bytes.Buffer
	enc := yaml.NewEncoder(&out)
	enc.SetIndent(2)
	s := shower{redact}
	if err := enc.Encode(s.node(nil, l.root)); err != nil {
		return ""
	}
	_ = enc.Close() // it writes to memory
	return redact.Text(out.String())
}

// shower makes of a tree what may be shown of it.
type shower struct{ redact *secret.Redactor }

func (s shower) node(path []string, n *node) *yaml.Node {
	out := &yaml.Node{Kind: yaml.ScalarNode, Tag: tags[n.kind], Value: n.text}
	switch n.kind {
	case mapping:
		out.Kind = yaml.MappingNode
		for _, f := range n.fields {
			key := &yaml.Node{Kind: yaml.ScalarNode, Tag: tags[text], Value: f.name}
			out.Content = append(out.Content, key, s.node(down(path, f.name), f.value))
		}
	case list:
		out.Kind = yaml.SequenceNode
		for i, v := range n.index {
			out.Content = append(out.Content, s.node(down(path, strconv.Itoa(i)), v))
		}
	case text:
		if out.Value = s.text(path, n); strings.Contains(out.Value, "\n") {
			out.Style = yaml.LiteralStyle
		}
	case number, boolean, null:
		if n.private || hides(path) {
			out.Tag, out.Value = tags[text], secret.Mask
		}
	}
	return out
}

// text is what is shown of a text.
func (s shower) text(path []string, n *node) string {
	switch {
	case n.text == "" && n.written == "":
		return ""
	case n.private, hides(path):
		return secret.Mask
	case isReceiver(path):
		return origin(n.text)
	case n.written != "":
		return s.redact.Text(withoutCredentials(withoutFallbacks(n.written)))
	}
	return s.redact.Text(withoutCredentials(n.text))
}

// hides reports whether a setting is one of what a request carries, whose name
// says that it is a credential.
func hides(path []string) bool {
	i := max(slices.Index(path, "request"), slices.Index(path, "login"))
	if i < 0 || i+2 >= len(path) {
		i = slices.Index(path, "oauth2")
	}
	if i < 0 || i+2 >= len(path) {
		return false
	}
	switch below := path[i+1:]; below[0] {
	case "headers", "query", "json", "form", "graphql", "params":
		return slices.ContainsFunc(below[1:], secret.Name)
	}
	return false
}

// isReceiver reports whether a setting is the URL of an endpoint.
func isReceiver(path []string) bool {
	return len(path) == 3 && path[2] == "url" && (path[0] == "endpoints" || path[0] == "defaults" && path[1] == "endpoint")
}

// origin is a URL by scheme and host; one that cannot be read is not shown.
func origin(raw string) string {
	u, err := url.Parse(raw)
	if err != nil || u.Host == "" {
		return secret.Mask
	}
	shown := u.Scheme + "://" + u.Host
	if u.Path != "" && u.Path != "/" || u.RawQuery != "" || u.Fragment != "" {
		shown += "/…"
	}
	return shown
}

var (
	// userinfo is what stands between the scheme and the host of a URL.
	userinfo = regexp.MustCompile(`(://)[^/?#\s@]*@`)
	// parameter is a parameter in a URL's query.
	parameter = regexp.MustCompile(`([?&])([^=&#\s]+)=([^&#\s]+)`)
	// fallback is a ${NAME:-default}.
	fallback = regexp.MustCompile(`\$\{([A-Za-z_][A-Za-z0-9_]*):-[^}]*\}`)
)

// withoutCredentials is a text less what URLs in it say of who asks.
func withoutCredentials(s string) string {
	if !strings.Contains(s, "://") {
		return s
	}
	s = userinfo.ReplaceAllString(s, "${1}"+secret.Mask+"@")
	return parameter.ReplaceAllStringFunc(s, func(p string) string {
		m := parameter.FindStringSubmatch(p)
		name, err := url.QueryUnescape(m[2])
		if err == nil && !secret.Name(name) {
			return p
		}
		return m[1] + m[2] + "=" + secret.Mask
	})
}

// withoutFallbacks is a text less what stands for a credential that the
// environment does not have.
func withoutFallbacks(s string) string {
	return fallback.ReplaceAllStringFunc(s, func(f string) string {
		if name := fallback.FindStringSubmatch(f)[1]; namesCredential(name) {
			return "${" + name + ":-" + secret.Mask + "}"
		}
		return f
	})
}
