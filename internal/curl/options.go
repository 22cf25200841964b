package curl

import (
	"errors"
	"fmt"
	"net/url"
	"strings"
)

// invocation is what the options said.
type invocation struct {
	url, method string
	headers     []Header
	data        *string
	query       []string
	user        *Userinfo
	get, json   bool
	literal     bool // -g: braces and brackets in the URL stand for themselves
	insecure    bool
	timeout     string
}

// option is what an option of curl does.
type option struct {
	value bool // it has one
	take  func(c *invocation, value string) error
}

// short are the options of one letter that mean the same as a long one.
var short = map[byte]string{
	'X': "request", 'H': "header", 'd': "data", 'u': "user", 'G': "get", 'b': "cookie", 'k': "insecure", 'A': "user-agent",
	'e': "referer", 'L': "location", 'o': "output", 'm': "max-time", 's': "silent", 'S': "show-error", 'v': "verbose",
	'i': "include", 'f': "fail", 'g': "globoff", 'N': "no-buffer", '#': "progress-bar", 'O': "remote-name",
	'J': "remote-header-name", 'w': "write-out", 'D': "dump-header", 'c': "cookie-jar", '4': "ipv4", '6': "ipv6",
	'0': "http1.0", 'F': "form", 'T': "upload-file", 'I': "head", 'K': "config", 'x': "proxy", 'E': "cert",
}

// options are those that are known.
var options = func() map[string]option {
	known := map[string]option{
		"url":            {true, (*invocation).takeURL},
		"request":        {true, func(c *invocation, v string) error { c.method = v; return nil }},
		"header":         {true, (*invocation).takeHeader},
		"user-agent":     {true, func(c *invocation, v string) error { return c.set("User-Agent", v) }},
		"referer":        {true, func(c *invocation, v string) error { return c.set("Referer", strings.TrimSuffix(v, ";auto")) }},
		"cookie":         {true, (*invocation).takeCookie},
		"data":           {true, (*invocation).takeData},
		"data-ascii":     {true, (*invocation).takeData},
		"data-binary":    {true, (*invocation).takeData},
		"data-raw":       {true, func(c *invocation, v string) error { c.add("&", v); return nil }},
		"data-urlencode": {true, (*invocation).takeEncoded},
		"json":           {true, (*invocation).takeJSON},
		"url-query":      {true, (*invocation).takeQuery},
		"user":           {true, (*invocation).takeUser},
		"oauth2-bearer":  {true, func(c *invocation, v string) error { return c.set("Authorization", "Bearer "+v) }},
		"get":            {false, func(c *invocation, _ string) error { c.get = true; return nil }},
		"globoff":        {false, func(c *invocation, _ string) error { c.literal = true; return nil }},
		"insecure":       {false, func(c *invocation, _ string) error { c.insecure = true; return nil }},
		"max-time":       {true, func(c *invocation, v string) error { c.timeout = v; return nil }},
	}
	for name := range strings.FieldsSeq(`location compressed silent show-error verbose include fail fail-with-body
		no-buffer progress-bar no-progress-meter remote-name remote-header-name ipv4 ipv6 http1.0 http1.1
		http2 http2-prior-knowledge http3 tlsv1.2 tlsv1.3 ssl-no-revoke create-dirs basic path-as-is no-keepalive tcp-nodelay`) {
		known[name] = option{false, func(*invocation, string) error { return nil }}
	}
	for name := range strings.FieldsSeq("output write-out dump-header cookie-jar connect-timeout retry retry-delay retry-max-time max-redirs stderr") {
		known[name] = option{true, func(*invocation, string) error { return nil }}
	}
	for name, why := range map[string]string{
		"form":        multipart,
		"upload-file": "an upload, which no poll is",
		"head":        "a request for the header alone; a poll compares bodies",
		"config":      "options from a file, which is not read; write them out",
		"proxy":       "a proxy, which is not taken over",
		"cert":        "a certificate: leave it out, and set request.tls afterwards",
		"key":         "a certificate's key: leave it out, and set request.tls afterwards",
		"cacert":      "an authority: leave it out, and set request.tls afterwards",
		"digest":      "Digest authentication, which is not supported",
		"ntlm":        "NTLM authentication, which is not supported",
		"negotiate":   "Negotiate authentication, which is not supported",
		"next":        "more than one request; give one",
		"aws-sigv4":   "signed requests, which are not supported",
	} {
		known[name] = option{false, func(*invocation, string) error { return errors.New(why) }}
	}
	return known
}()

const multipart = "a multipart form, which no poll sends"

// read takes the words behind curl.
func (c *invocation) read(words []string) error {
	literal := false // behind --
	for len(words) > 0 {
		w := words[0]
		words = words[1:]
		var err error
		switch {
		case literal || w == "-" || !strings.HasPrefix(w, "-"):
			err = c.takeURL(w)
		case w == "--":
			literal = true
		case strings.HasPrefix(w, "--"):
			words, err = c.long(w[2:], w, "", false, words)
		default:
			words, err = c.letters(w[1:], words)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// letters takes options of one letter, of which the last may have its value
// in the same word.
func (c *invocation) letters(text string, words []string) ([]string, error) {
	for text != "" {
		name, ok := short[text[0]]
		if !ok {
			return nil, errors.New("an option of one letter that is not known here (" + clip("-"+text[:1]) + "); leave out what does not belong to the request")
		}
		written := "-" + text[:1]
		text = text[1:]
		if options[name].value {
			return c.long(name, written, text, text != "", words)
		}
		if _, err := c.long(name, written, "", false, nil); err != nil {
			return nil, err
		}
	}
	return words, nil
}

// long takes the option of a name. Its value stands beside it, or is the next
// word.
func (c *invocation) long(name, written, value string, beside bool, words []string) ([]string, error) {
	o, ok := options[name]
	if !ok {
		return nil, errors.New("an option that is not known here (" + clip(written) + "); leave out what does not belong to the request")
	}
	if o.value && !beside {
		if len(words) == 0 {
			return nil, fmt.Errorf("%s has no value", written)
		}
		value, words = words[0], words[1:]
	}
	if err := o.take(c, value); err != nil {
		return nil, fmt.Errorf("%s: %w", written, err)
	}
	return words, nil
}

// clip shortens an option to what may be shown: its name has no value in it.
func clip(written string) string {
	name, _, _ := strings.Cut(written, "=")
	if len(name) > 40 || strings.ContainsFunc(name, func(r rune) bool { return r <= ' ' || r >= 0x7f }) {
		return "--…"
	}
	return name
}

func (c *invocation) takeURL(v string) error {
	if c.url != "" {
		return errors.New("more than one URL: give one request, and quote what belongs together")
	}
	c.url = v
	return nil
}

func (c *invocation) takeHeader(v string) error {
	if strings.HasPrefix(v, "@") {
		return errFile
	}
	name, value, ok := strings.Cut(v, ":")
	if !ok { // "Name;" sends an empty one
		name, ok = strings.CutSuffix(v, ";")
		if !ok {
			return errors.New("a header without a colon")
		}
		return c.set(name, "")
	}
	value = strings.TrimSpace(value)
	if value == "" {
		return nil // takes curl's own header away
	}
	return c.set(strings.TrimSpace(name), value)
}

// set keeps a header; one that is there already gets a further value.
func (c *invocation) set(name, value string) error {
	for _, r := range value {
		if r < ' ' && r != '\t' || r == 0x7f {
			return errors.New("a header with a line break or another control character")
		}
	}
	for i, h := range c.headers {
		if !strings.EqualFold(h.Name, name) {
			continue
		}
		between := ", "
		if strings.EqualFold(name, "Cookie") {
			between = "; "
		}
		c.headers[i].Value += between + value
		return nil
	}
	c.headers = append(c.headers, Header{name, value})
	return nil
}

var errFile = errors.New("it would be read from a file; write it out")

func (c *invocation) takeCookie(v string) error {
	if v == "" {
		return nil
	}
	if !strings.Contains(v, "=") && !strings.ContainsRune(v, markOpen) {
		return errFile
	}
	return c.set("Cookie", v)
}

func (c *invocation) takeUser(v string) error {
	name, password, colon := strings.Cut(v, ":")
	if _, one := Variable(name); one && !colon {
		return errors.New("one variable for user and password: write \"$NAME:$PASSWORD\"")
	}
	c.user = &Userinfo{name, password}
	return nil
}

// add joins data to what is there.
func (c *invocation) add(between, v string) {
	if c.data != nil {
		v = *c.data + between + v
	}
	c.data = &v
}

func (c *invocation) takeData(v string) error {
	if strings.HasPrefix(v, "@") {
		return errFile
	}
	c.add("&", v)
	return nil
}

func (c *invocation) takeJSON(v string) error {
	if strings.HasPrefix(v, "@") {
		return errFile
	}
	c.json = true
	c.add("", v)
	for _, h := range c.headers {
		if strings.EqualFold(h.Name, "Content-Type") {
			return nil
		}
	}
	return c.set("Content-Type", "application/json")
}

func (c *invocation) takeEncoded(v string) error {
	text, err := encoded(v)
	if err == nil {
		c.add("&", text)
	}
	return err
}

func (c *invocation) takeQuery(v string) error {
	if plain, ok := strings.CutPrefix(v, "+"); ok {
		c.query = append(c.query, plain)
		return nil
	}
	text, err := encoded(v)
	if err == nil {
		c.query = append(c.query, text)
	}
	return err
}

// encoded is the value of --data-urlencode: content, =content or name=content.
func encoded(v string) (string, error) {
	name, content, named := strings.Cut(v, "=")
	if !named {
		name, content = "", v
		if strings.Contains(v, "@") {
			return "", errFile
		}
	}
	content = Expand(content, func(s string) string {
		return strings.ReplaceAll(url.QueryEscape(s), "+", "%20")
	}, Mark)
	if name == "" {
		return content, nil
	}
	return name + "=" + content, nil
}
