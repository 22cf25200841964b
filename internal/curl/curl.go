// Package curl reads a curl command line, as people copy it from documents and
// browsers, and says what request it would send. It runs no shell and reads no
// file.
package curl

import (
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"
)

// Bounds of a command.
const (
	longest   = 1 << 20 // bytes
	mostWords = 2000
)

// Request is what a command would send. Its texts may hold variables of the
// shell, which Expand finds.
type Request struct {
	Method   string // GET or POST
	URL      string // without user and password; where it does not begin with http, with a variable that does
	Headers  []Header
	Body     string    // "": none
	User     *Userinfo // of -u, or of the URL
	Insecure bool      // -k: the server's certificate is not looked at
	Timeout  string    // -m: seconds, whole or decimal; "": none
}

// Header is a header as it is written, in the order of the command.
type Header struct{ Name, Value string }

// Userinfo is a user and a password.
type Userinfo struct{ Name, Password string }

// Parse reads a command. Its errors are for people and show no value.
func Parse(command string) (*Request, error) {
	switch {
	case len(command) > longest:
		return nil, fmt.Errorf("the command is longer than %d bytes", longest)
	case !utf8.ValidString(command) || strings.ContainsRune(command, 0):
		return nil, errors.New("the command is not text in UTF-8")
	case strings.ContainsAny(command, string(markOpen)+string(markClose)):
		return nil, errors.New("the command holds private-use characters")
	}
	command = strings.TrimPrefix(strings.TrimSpace(command), "$ ")
	words, err := split(command)
	if errors.Is(err, errCmd) {
		words, err = splitCmd(command)
	}
	if err != nil {
		return nil, err
	}
	if len(words) == 0 || words[0] != "curl" && words[0] != "curl.exe" && !strings.HasSuffix(words[0], "/curl") {
		return nil, errors.New("it does not start with curl")
	}
	c := &invocation{}
	if err := c.read(words[1:]); err != nil {
		return nil, err
	}
	for _, w := range words {
		if !utf8.ValidString(w) || strings.ContainsRune(w, 0) {
			return nil, errors.New("an escape makes what is not text in UTF-8")
		}
		if !marked(w) {
			return nil, errors.New("an escape makes private-use characters")
		}
	}
	return c.request()
}

// marked reports whether the marks in text are those that split makes.
func marked(text string) bool {
	for {
		before, after, found := strings.Cut(text, string(markOpen))
		if strings.ContainsRune(before, markClose) {
			return false
		}
		if !found {
			return true
		}
		name, rest, closed := strings.Cut(after, string(markClose))
		if !closed || name == "" || nameLength(name) != len(name) {
			return false
		}
		text = rest
	}
}

// Expand writes a text of a Request: literal gives what stands for plain text,
// variable what stands for a variable of the shell.
func Expand(text string, literal, variable func(string) string) string {
	var out strings.Builder
	for text != "" {
		before, after, found := strings.Cut(text, string(markOpen))
		if before != "" {
			out.WriteString(literal(before))
		}
		if !found {
			break
		}
		name, rest, _ := strings.Cut(after, string(markClose))
		out.WriteString(variable(name))
		text = rest
	}
	return out.String()
}

// First is the name of the variable that text begins with.
func First(text string) (string, bool) {
	inner, opens := strings.CutPrefix(text, string(markOpen))
	name, _, closes := strings.Cut(inner, string(markClose))
	return name, opens && closes
}

// Variable is the name of the variable that is the whole of text.
func Variable(text string) (string, bool) {
	inner, opens := strings.CutPrefix(text, string(markOpen))
	name, closes := strings.CutSuffix(inner, string(markClose))
	return name, opens && closes && nameLength(name) == len(name)
}

// request settles what the options together mean.
func (c *invocation) request() (*Request, error) {
	if c.url == "" {
		return nil, errors.New("there is no URL")
	}
	r := &Request{Method: "GET", Headers: c.headers, User: c.user, Insecure: c.insecure, Timeout: c.timeout}
	if c.data != nil && !c.get {
		r.Method, r.Body = "POST", *c.data
		r.defaultHeader("Content-Type", "application/x-www-form-urlencoded")
		if c.json {
			r.defaultHeader("Accept", "application/json")
		}
		if slices.ContainsFunc(r.Headers, Header.multipart) {
			return nil, errors.New("the body is " + multipart)
		}
	}
	switch method := strings.ToUpper(c.method); method {
	case "":
	case "GET", "POST":
		r.Method = method
	default:
		return nil, errors.New("a poll reads, by GET or POST; the method of this command is another one")
	}
	if !c.literal && pattern.MatchString(afterHost(c.url)) {
		return nil, errors.New("the URL has {…} or […-…], for which curl asks several times: fill in one value, or give -g where it is meant as it is")
	}
	var query []string
	if c.data != nil && c.get && *c.data != "" {
		query = append(query, *c.data)
	}
	if err := r.setURL(c.url, append(query, c.query...)); err != nil {
		return nil, err
	}
	return r, nil
}

// cutScheme cuts a URL behind its scheme and the slashes; "": it has none.
func cutScheme(raw string) (scheme, rest string) {
	scheme, rest, ok := strings.Cut(raw, "://")
	if !ok || strings.ContainsAny(scheme, "/?") {
		return "", raw
	}
	return strings.ToLower(scheme) + "://", rest
}

// afterHost is the path of a URL, with its query.
func afterHost(raw string) string {
	_, rest := cutScheme(raw)
	if i := strings.IndexAny(rest, "/?"); i >= 0 {
		return rest[i:]
	}
	return ""
}

// pattern is what makes several URLs of one.
var pattern = regexp.MustCompile(`\{|\[[0-9A-Za-z]+-[0-9A-Za-z]+(:[0-9]+)?\]`)

func (h Header) multipart() bool {
	return strings.EqualFold(h.Name, "Content-Type") && strings.HasPrefix(strings.ToLower(h.Value), "multipart/")
}

func (r *Request) defaultHeader(name, value string) {
	for _, h := range r.Headers {
		if strings.EqualFold(h.Name, name) {
			return
		}
	}
	r.Headers = append(r.Headers, Header{name, value})
}

// setURL takes the user out of the URL and adds to its query.
func (r *Request) setURL(raw string, query []string) error {
	raw, _, _ = strings.Cut(raw, "#")
	scheme, rest := cutScheme(raw)
	switch {
	case scheme == "" && strings.HasPrefix(rest, string(markOpen)):
		// What people have in such a variable begins with the scheme.
	case scheme == "":
		scheme = "http://" // as curl has it
	case scheme != "http://" && scheme != "https://":
		return errors.New("the URL's scheme is not http or https")
	}
	path := afterHost(raw)
	host := strings.TrimSuffix(rest, path)
	if i := strings.LastIndexByte(host, '@'); i >= 0 {
		if err := r.userOf(host[:i]); err != nil {
			return err
		}
		host = host[i+1:]
	}
	if host == "" {
		return errors.New("the URL has no host")
	}
	if path == "" || path[0] == '?' {
		path = "/" + path
	}
	for _, q := range query {
		switch {
		case !strings.Contains(path, "?"):
			path += "?"
		case !strings.HasSuffix(path, "?") && !strings.HasSuffix(path, "&"):
			path += "&"
		}
		path += q
	}
	r.URL = scheme + host + escape(path)
	probe := Expand(r.URL, func(s string) string { return s }, func(string) string { return "1" }) // a host or a port
	if scheme == "" {
		probe = "http://" + probe
	}
	u, err := url.Parse(probe)
	if err != nil || u.Hostname() == "" {
		return errors.New("the URL is none")
	}
	return nil
}

func (r *Request) userOf(text string) error {
	if r.User != nil {
		return nil // -u wins
	}
	name, password, _ := strings.Cut(text, ":")
	var u Userinfo
	var errs [2]error
	u.Name, errs[0] = url.PathUnescape(name)
	u.Password, errs[1] = url.PathUnescape(password)
	r.User = &u
	if errors.Join(errs[:]...) != nil {
		return errors.New("the user in the URL is badly escaped")
	}
	return nil
}

// escape percent-encodes what may not stand in a URL, and braces, which mean
// something else in a configuration.
func escape(text string) string {
	return Expand(text, func(s string) string {
		var out strings.Builder
		for i := range len(s) {
			if c := s[i]; c <= ' ' || c >= 0x7f || strings.IndexByte("\"<>\\^`{|}", c) >= 0 {
				fmt.Fprintf(&out, "%%%02X", c)
			} else {
				out.WriteByte(c)
			}
		}
		return out.String()
	}, Mark)
}
