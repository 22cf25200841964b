package configs

import (
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/deltahook/deltahook/internal/secret"
)

// maxValueFile is the size in bytes that a ${file:…} may have.
const maxValueFile = 1 << 20

// variable is the name of an environment variable.
var variable = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

// expander resolves ${NAME}, ${NAME:-default} and ${file:PATH}; $${ is a
// literal ${. What it puts in is never read again.
type expander struct {
	dir    string                      // that relative paths start from
	lookup func(string) (string, bool) // the environment

	private bool     // something came from a file since this was last cleared
	secrets []string // everything that came from files, and from variables that are named for a credential
	hidden  []hidden // everything that came from variables
	files   []string // those that were read
}

// text resolves one string. The errors, all of them, name what is missing and
// never a value.
func (x *expander) text(s string) (string, []string) {
	var out strings.Builder
	var wrong []string
	for {
		i := strings.Index(s, "${")
		if i < 0 {
			out.WriteString(s)
			return out.String(), wrong
		}
		if i > 0 && s[i-1] == '$' {
			out.WriteString(s[:i-1] + "${")
			s = s[i+2:]
			continue
		}
		out.WriteString(s[:i])
		inner, rest, closed := strings.Cut(s[i+2:], "}")
		if !closed {
			return "", append(wrong, "${ is never closed by }; write $${ for a literal ${")
		}
		value, what := x.resolve(inner)
		if what != "" {
			wrong = append(wrong, what)
		}
		out.WriteString(value)
		s = rest
	}
}

// resolve is the value of what stands between the braces.
func (x *expander) resolve(inner string) (value, wrong string) {
	if strings.Contains(inner, "${") {
		return "", "${…} within ${…} is not resolved"
	}
	if path, ok := strings.CutPrefix(inner, "file:"); ok {
		return x.file(path)
	}
	name, fallback, has := strings.Cut(inner, ":-")
	if !variable.MatchString(name) {
		return "", fmt.Sprintf("${%s} is none of ${NAME}, ${NAME:-default} and ${file:PATH}; write $${ for a literal ${", clip(inner))
	}
	v, set := "", false
	if x.lookup != nil {
		v, set = x.lookup(name)
	}
	switch {
	case has && v == "":
		return fallback, ""
	case !set:
		return "", fmt.Sprintf("the environment variable %s is not set", name)
	case !utf8.ValidString(v):
		return "", fmt.Sprintf("the environment variable %s is not UTF-8", name)
	}
	x.hidden = append(x.hidden, hidden{v, "${" + name + "}"})
	if namesCredential(name) {
		x.secrets = append(x.secrets, v)
	}
	return v, ""
}

// addresses are the last words of variables that say where something is, such
// as TOKEN_URL: hiding them would mutilate every log line.
var addresses = []string{"ADDR", "ADDRESS", "DOMAIN", "HOST", "HOSTNAME", "PORT", "URI", "URL"}

// namesCredential reports whether a variable of this name usually holds a
// credential.
func namesCredential(name string) bool {
	last := name[strings.LastIndexByte(name, '_')+1:]
	return secret.Name(name) && !slices.Contains(addresses, strings.ToUpper(last))
}

// file is the content of a file less one newline at its end.
func (x *expander) file(path string) (value, wrong string) {
	full := path
	if !filepath.IsAbs(full) {
		full = filepath.Join(x.dir, path)
	}
	if path == "" {
		return "", "${file:} names no file"
	}
	x.files = append(x.files, full)
	data, err := readFile(full, maxValueFile)
	if err != nil {
		return "", fmt.Sprintf("${file:%s}: %s", clip(path), reason(err))
	}
	if !utf8.Valid(data) {
		return "", fmt.Sprintf("${file:%s} is not UTF-8", clip(path))
	}
	value = strings.TrimSuffix(strings.TrimSuffix(string(data), "\n"), "\r")
	x.private = true
	x.secrets = append(x.secrets, value)
	return value, ""
}

// expand resolves every text of the tree in place, once each.
func (x *expander) expand(root *node, report reporter) {
	done := map[*node]bool{}
	root.walk(nil, func(path []string, n *node) {
		if n.kind != text || done[n] || !strings.Contains(n.text, "${") {
			return
		}
		done[n] = true
		x.private = false
		value, wrong := x.text(n.text)
		for _, w := range wrong {
			report(n.at, path, w)
		}
		n.written, n.text, n.private = n.text, value, x.private
		if len(wrong) > 0 {
			n.text = ""
		}
	})
}
