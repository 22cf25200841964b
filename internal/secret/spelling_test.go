package secret_test

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"html"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/deltahook/deltahook/internal/secret"
)

// spellings are the ways in which a value travels or is printed.
var spellings = map[string]func(string) string{
	"as it is":             func(v string) string { return v },
	"a query of Go":        url.QueryEscape,
	"a query of ours":      func(v string) string { return strings.ReplaceAll(url.QueryEscape(v), "+", "%20") },
	"a path segment":       url.PathEscape,
	"a path":               func(v string) string { return (&url.URL{Path: "/" + v}).EscapedPath()[1:] },
	"a user of a URL":      func(v string) string { return url.User(v).String() },
	"a form":               func(v string) string { return url.Values{"k": {v}}.Encode()[2:] },
	"lower case":           func(v string) string { return lowerHex(url.QueryEscape(v)) },
	"every byte escaped":   everyByte,
	"JSON of Go":           func(v string) string { text, _ := json.Marshal(v); return strings.Trim(string(text), `"`) },
	"JSON in ASCII":        func(v string) string { return strings.Trim(strconv.QuoteToASCII(v), `"`) },
	"JSON with \\/":        func(v string) string { return strings.ReplaceAll(inJSON(v), "/", `\/`) },
	"JSON within JSON":     func(v string) string { return inJSON(inJSON(v)) },
	"an error of Go":       func(v string) string { return strings.Trim(fmt.Sprintf("%q", v), `"`) },
	"a page":               html.EscapeString,
	"a link on a page":     func(v string) string { return html.EscapeString("?a=1&b=" + url.QueryEscape(v))[11:] },
	"a query within one":   func(v string) string { return url.QueryEscape(url.QueryEscape(v)) },
	"a query within JSON":  func(v string) string { return inJSON(url.QueryEscape(v)) },
	"base64":               func(v string) string { return base64.StdEncoding.EncodeToString([]byte(v)) },
	"base64 of URLs":       func(v string) string { return base64.RawURLEncoding.EncodeToString([]byte(v)) },
	"basic, user of 1":     func(v string) string { return base64.StdEncoding.EncodeToString([]byte("u:" + v)) },
	"basic, user of 2":     func(v string) string { return base64.StdEncoding.EncodeToString([]byte("us:" + v)) },
	"basic, user of 3":     func(v string) string { return base64.StdEncoding.EncodeToString([]byte("use:" + v)) },
	"basic, nothing after": func(v string) string { return base64.StdEncoding.EncodeToString([]byte(v + ":")) },
}

func inJSON(v string) string {
	var b strings.Builder
	out := json.NewEncoder(&b)
	out.SetEscapeHTML(false)
	_ = out.Encode(v)
	return strings.Trim(b.String(), "\"\n")
}

func everyByte(v string) string {
	var b strings.Builder
	for i := range len(v) {
		fmt.Fprintf(&b, "%%%02x", v[i])
	}
	return b.String()
}

func lowerHex(s string) string {
	for _, c := range []string{"2B", "2F", "C3", "B6", "3C", "3E", "3D", "7E", "5C", "2C", "3B", "3A"} {
		s = strings.ReplaceAll(s, "%"+c, "%"+strings.ToLower(c))
	}
	return s
}

var awkward = []string{
	"p w+d", "p&ss \"wörd\"/1+2=3~<x>'", `back\slash\`, "plain-hunter2", "tab\tline\nend", "100%25 sure", "a+b+c+d", "😀smile😀", "dots../;:,@$", "&amp;&lt;", `\u0041\n..`,
}

// Whatever encodes a secret, it is cut out, and what stands around it is not.
func TestRedactorSpellings(t *testing.T) {
	for _, value := range awkward {
		if len(value) < 6 {
			value += "-x"
		}
		r := secret.NewRedactor(value)
		learning := secret.NewRedactor()
		learning.Learn("a", value+"123")
		for name, spell := range spellings {
			for _, c := range []struct {
				r     *secret.Redactor
				value string
			}{{r, value}, {learning, value + "123"}} {
				text := "before <" + spell(c.value) + "> after"
				if got := c.r.Text(text); got != "before <"+secret.Mask+"> after" {
					t.Errorf("%q, spelt as %s, %q becomes %q", c.value, name, text, got)
				}
			}
		}
	}
}

// What looks like an escape and is none stays as it is.
func TestRedactorLeavesTheRest(t *testing.T) {
	r := secret.NewRedactor("hunter2-hunter2", "p w+d-p w+d")
	for _, text := range []string{
		"100% of 20%2", `C:\users\ünder\x`, "&amp; &nosuch; &#x; &#99999999999; &", "a+b", `\u12`, `\ud800`, "%zz%", "\\", "\xff\xfe", "<secret>",
	} {
		if got := r.Text(text); got != text {
			t.Errorf("%q becomes %q", text, got)
		}
		if got := r.Text(text + "hunter2%2Dhunter2" + text); got != text+secret.Mask+text && got != text+secret.Mask+strings.TrimPrefix(text, "=") {
			t.Errorf("around a secret %q becomes %q", text, got)
		}
	}
}

// A mark that stands before an escaped secret makes an escape of its beginning,
// for those who undo escapes from left to right.
func TestRedactorStrayMark(t *testing.T) {
	for _, tc := range []struct{ value, text, want string }{
		{"abc/def+123", "100%abc%2Fdef%2B123.", "100%<secret>."},
		{"next/station", `C:\next\/station.`, `C:\<secret>.`},
		{"u0041/station", `C:\u0041\/station.`, `C:\<secret>.`},
		{"amp;/station", "Q&amp;%2Fstation.", "Q&<secret>."},
		{"%41/station", "100%%2541%2Fstation.", "100%<secret>."},
	} {
		if got := secret.NewRedactor(tc.value).Text(tc.text); got != tc.want {
			t.Errorf("%q becomes %q, want %q", tc.text, got, tc.want)
		}
	}
}

// Without the mark, what follows on such a beginning is no secret.
func TestRedactorNoMark(t *testing.T) {
	for value, texts := range map[string][]string{
		"a secret":    {"no secrets: webhooks are not signed", `C:\users: no secret`, "100%25 no secret", "a  secret"},
		"41/station":  {"A/station", "100%25 A/station", "41 /station", "%42/station"},
		"amp;station": {"Q&amp station", "<station", "&lt;&station", "station"},
	} {
		for _, text := range texts {
			if got := secret.NewRedactor(value).Text(text); got != text {
				t.Errorf("%q becomes %q", text, got)
			}
		}
	}
	if got := secret.NewRedactor("a secret", "\tsecret").Text(`C:\a secret, no\tsecret`); got != `C:\<secret>, no<secret>` {
		t.Errorf("it becomes %q", got)
	}
}

// An echo that was cut off leaves no beginning of a secret, but what is too
// short to be told from anything else.
func TestRedactorCutOff(t *testing.T) {
	const value = "p w+d/\"ünder\"=2"
	r := secret.NewRedactor(value)
	for name, spell := range spellings {
		whole := spell(value)
		for n := range len(whole) {
			got := r.Text("said " + whole[:n])
			left, _ := strings.CutPrefix(got, "said "+secret.Mask)
			switch {
			case left == got && len(whole[:n]) >= len(spell(value[:9])) && !strings.HasPrefix(name, "base"):
				t.Errorf("spelt as %s, cut off: %q", name, got)
			case left != got && len(left) >= 12:
				t.Errorf("spelt as %s, cut off, leaves %q", name, got)
			}
		}
	}
	if got := r.Text("p w+d is not at the end"); got != "p w+d is not at the end" {
		t.Errorf("cut %q", got)
	}
}

// Values that overlap in a text leave nothing of either.
func TestRedactorOverlap(t *testing.T) {
	if got := secret.NewRedactor("abcdefgh", "efghijkl").Text("-abcdefghijkl-"); got != "-"+secret.Mask+"-" {
		t.Errorf("got %q", got)
	}
	if got := secret.NewRedactor("abcdef", "ghijkl").Text("abcdefghijkl"); got != secret.Mask+secret.Mask {
		t.Errorf("got %q", got)
	}
}

// A page that a receiver chose costs no more than moments, whatever is in it.
func TestRedactorTime(t *testing.T) {
	var values []string
	for i := range 2000 {
		values = append(values, fmt.Sprintf("secret-%04d-%s", i, strings.Repeat("x", i%40)))
	}
	values = append(values, strings.Repeat("a", 16<<10)+"b")
	r := secret.NewRedactor(values...)
	for name, text := range map[string]string{
		"escapes":    strings.Repeat(`%5C%26\u0025amp;+`, 12<<10/17),
		"beginnings": strings.Repeat("secret-", 12<<10/7),
		"one letter": strings.Repeat("a", 12<<10),
	} {
		least := time.Hour
		for n := 0; n < 10 && least > 2*time.Second; n++ { // the machine may have stood still
			start := time.Now()
			r.Text(text)
			least = min(least, time.Since(start))
		}
		if least > 2*time.Second { // the race detector's included; it is a few ms
			t.Errorf("%s: %s", name, least)
		}
	}
}

func BenchmarkRedactor(b *testing.B) {
	var values []string
	for i := range 1000 {
		values = append(values, fmt.Sprintf("%d-configured-secret", i*7919))
	}
	r := secret.NewRedactor(values...)
	for name, text := range map[string]string{
		"line":   `endpoint shop: the receiver answered 503 Service Unavailable, and will be asked again`,
		"page":   strings.Repeat(`{"error":"none of it","code":12,"path":"/v1/things"},`, 160),
		"escape": strings.Repeat(`{"error":"a \"quoted\" &amp; 100%25 word"},`, 190),
	} {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(text)))
			b.ReportAllocs()
			for b.Loop() {
				r.Text(text)
			}
		})
	}
}
