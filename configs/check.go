package configs

import (
	"errors"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
	objection "github.com/santhosh-tekuri/jsonschema/v6/kind"

	"github.com/deltahook/deltahook/internal/secret"
)

// markSecrets finds the values that must never be shown: those that the
// schema calls writeOnly, and headers and query parameters of requests whose
// names say that they carry a credential.
func (l *loader) markSecrets() {
	l.markBelow(nil, l.root, compiled())
}

func (l *loader) markBelow(path []string, n *node, s *jsonschema.Schema) {
	r := resolved(s)
	if r == nil && len(path) > 0 && !n.private && belowAuth(path) == nil && belowBody(path) == nil {
		return
	}
	if (holdsSecrets(s) || l.carriesCredential(path, n) || n.private) && n.text != "" {
		n.private = true
		l.secrets = append(l.secrets, n.text)
		if _, bare, ok := strings.Cut(n.text, " "); ok && isHeader(path) { // "Bearer x": x alone is as secret
			l.secrets = append(l.secrets, bare)
		}
	}
	for _, f := range n.fields {
		l.markBelow(down(path, f.name), f.value, below(r, f.name))
	}
	for i, v := range n.index {
		name := strconv.Itoa(i)
		l.markBelow(down(path, name), v, below(r, name))
	}
}

// isHeader reports whether a setting is the value of a header, or may be.
func isHeader(path []string) bool {
	last := len(path) - 1
	return last > 0 && (path[last-1] == "headers" || path[last-1] == "api_key" && path[last] == "value")
}

// holdsSecrets reports whether a scalar in the place of s is a secret: s is
// one, or a list or a mapping of them that was forgotten.
func holdsSecrets(s *jsonschema.Schema) bool {
	s = followed(s)
	if s == nil || s.WriteOnly {
		return s != nil
	}
	if isUnion(s) {
		return holdsSecrets(s.AnyOf[0])
	}
	more, _ := s.AdditionalProperties.(*jsonschema.Schema)
	return holdsSecrets(s.Items2020) || holdsSecrets(more)
}

// templated is a value that is computed at run time: it is not itself secret.
var templated = regexp.MustCompile(`\{\{`)

// carriesCredential reports whether a setting is a header or a query
// parameter of a request that usually carries a credential, or a part of
// credentials that is one by its name or place, or came from a variable into a
// body under such a name. Shorter values than 8 bytes are words such as "true"
// that would mutilate every log line.
func (l *loader) carriesCredential(path []string, n *node) bool {
	if len(path) < 4 || len(n.text) < 8 || templated.MatchString(n.text) {
		return false
	}
	at, last := belowAuth(path), path[len(path)-1]
	switch {
	case n.written != "" && slices.ContainsFunc(belowBody(path), secret.Name):
		return true
	case at == nil:
		return len(path) == 5 && path[2] == "request" && (path[3] == "headers" || path[3] == "query") && secret.Name(last)
	case len(at) == 2 && at[0] == "basic" && at[1] == "user": // alone it is the key
		password := l.at(down(path[:len(path)-1], "password"))
		return password == nil || password.text == ""
	case len(at) > 2 && at[0] == "oauth2" && at[1] == "params":
		return secret.Name(last)
	case len(at) > 2 && at[0] == "login" && at[1] == "request":
		return secret.Name(last) || n.written != "" && at[2] != "url" && at[2] != "method"
	}
	return false
}

// belowAuth is a path from auth.NAME on, or from the auth of a request or of an
// endpoint; nil: it is not in credentials.
func belowAuth(path []string) []string {
	switch {
	case len(path) > 2 && path[0] == "auth":
		return path[2:]
	case len(path) > 4 && path[2] == "request" && path[3] == "auth":
		return path[4:]
	case len(path) > 3 && path[0] == "endpoints" && path[2] == "auth":
		return path[3:]
	}
	return nil
}

// belowBody is a path within the body of a source's request; nil: it is not in
// one.
func belowBody(path []string) []string {
	if len(path) < 4 || path[2] != "request" {
		return nil
	}
	switch path[3] {
	case "json", "form":
		return path[4:]
	case "graphql":
		return path[min(5, len(path)):]
	}
	return nil
}

// checkShape holds the tree against the schema and reports what does not fit.
func (l *loader) checkShape() {
	leaves := l.validate()
	if l.convert(leaves) {
		leaves = l.validate()
	}
	// Unknown keys come first: one that is meant to be a missing key covers it.
	for _, e := range leaves {
		if k, ok := e.ErrorKind.(*objection.AdditionalProperties); ok {
			l.unknown(e.InstanceLocation, k.Properties)
		}
	}
	for _, e := range leaves {
		l.misfit(e)
	}
	l.checkValues(nil, l.root, compiled())
}

// validate gives the schema's single objections to the tree.
func (l *loader) validate() []*jsonschema.ValidationError {
	var whole *jsonschema.ValidationError
	if !errors.As(compiled().Validate(l.root.value()), &whole) {
		return nil
	}
	return l.flatten(nil, whole)
}

// flatten takes an objection apart, except where one of several shapes was
// asked for: there only the whole says something. A mapping where a text would
// also do was meant to be one.
func (l *loader) flatten(into []*jsonschema.ValidationError, e *jsonschema.ValidationError) []*jsonschema.ValidationError {
	switch e.ErrorKind.(type) {
	case *objection.AnyOf:
		n := l.at(e.InstanceLocation)
		if n == nil || n.kind != mapping || len(e.Causes) != 2 || !isUnion(followed(schemaAt(e.InstanceLocation))) {
			return append(into, e)
		}
		return l.flatten(into, e.Causes[1])
	case *objection.OneOf, *objection.PropertyNames:
		return append(into, e)
	}
	if len(e.Causes) == 0 {
		return append(into, e)
	}
	for _, c := range e.Causes {
		into = l.flatten(into, c)
	}
	return into
}

// wholeValue is a text that is nothing but one ${…}.
var wholeValue = regexp.MustCompile(`^\$\{[^{}]*\}$`)

// jsonNumberForm is a number as JSON writes it.
var jsonNumberForm = regexp.MustCompile(`^-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][-+]?[0-9]+)?$`)

// convert makes numbers and booleans of texts that are one ${…} where the
// schema wants them, and reports whether it did.
func (l *loader) convert(leaves []*jsonschema.ValidationError) (changed bool) {
	for _, e := range leaves {
		k, ok := e.ErrorKind.(*objection.Type)
		n := l.at(e.InstanceLocation)
		if !ok || n == nil || n.kind != text || !wholeValue.MatchString(n.written) {
			continue
		}
		for _, want := range k.Want {
			switch {
			case want == "boolean" && (n.text == "true" || n.text == "false"):
				n.kind, changed = boolean, true
			case (want == "integer" || want == "number") && jsonNumberForm.MatchString(n.text):
				n.kind, n.number, changed = number, n.text, true
			}
		}
	}
	return changed
}

// at is the value of a setting; nil: it is not there.
func (l *loader) at(path []string) *node {
	n := l.root
	for _, p := range path {
		n = n.get(p)
	}
	return n
}

// locate is the place of a setting: of its value where that is a scalar or a
// list, of its key where it is a mapping, of what it would stand in where it
// is missing. A value that came from defaults has its path there.
func (l *loader) locate(path []string) (position, []string) {
	n, at := l.root, l.root.at
	for _, p := range path {
		f, v := n.field(p), n.get(p)
		if v == nil {
			return at, path
		}
		at = v.at
		if f != nil && v.kind == mapping {
			at = f.at
		}
		n = v
	}
	return at, l.home(path, n)
}

// home is the path under defaults of a value that came from there.
func (l *loader) home(path []string, n *node) []string {
	if len(path) < 3 || !shared[path[0]] {
		return path
	}
	there := append([]string{"defaults", map[string]string{"sources": "source", "endpoints": "endpoint"}[path[0]]}, path[2:]...)
	if l.at(there) == n {
		return there
	}
	return path
}

// fault reports what is wrong with the value of a setting.
func (l *loader) fault(path []string, what string) {
	at, shown := l.locate(path)
	l.report(at, shown, what)
	l.cover(path)
}

// faultAtKey reports what is wrong with a key.
func (l *loader) faultAtKey(path []string, what string) {
	parent := path[:len(path)-1]
	f := l.at(parent).field(path[len(path)-1])
	if f == nil {
		l.fault(path, what)
		return
	}
	l.report(f.at, l.home(path, f.value), what)
	l.cover(path)
}

// unknown reports keys that the schema has not.
func (l *loader) unknown(path, names []string) {
	slices.Sort(names)
	s := schemaAt(path)
	for _, name := range names {
		at := down(path, name)
		if l.isCovered(at) {
			continue
		}
		near, where := nearest(name, s)
		l.faultAtKey(at, "unknown key"+didYouMean(where))
		if near != "" {
			l.cover(down(path, near))
		}
	}
}

// checkValues looks at what the schema's objections don't tell well. It reads
// every quantity, for a pattern does not know how much is too much; and it
// checks names, for the checker reports those with a path that a later
// objection may have overwritten (jsonschema v6.0.3, objValidator).
func (l *loader) checkValues(path []string, n *node, s *jsonschema.Schema) {
	if s == nil {
		return
	}
	if q, ok := quantities[titled(s)]; ok && (n.kind == text || n.kind == number) && !l.isCovered(path) {
		if err := q.read(n.text); err != nil {
			l.fault(path, l.shown(n)+" "+q.beyond)
		}
		return
	}
	names := resolved(s).PropertyNames
	for _, f := range n.fields {
		at := down(path, f.name)
		if names != nil && names.Validate(f.name) != nil {
			l.faultAtKey(at, badName(f.name, names))
		}
		l.checkValues(at, f.value, below(s, f.name))
	}
	for i, v := range n.index {
		name := strconv.Itoa(i)
		l.checkValues(down(path, name), v, below(s, name))
	}
}
