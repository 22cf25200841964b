package secret_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/url"
	"strings"
	"sync"
	"testing"

	"go.yaml.in/yaml/v4"

	"github.com/deltahook/deltahook/internal/secret"
)

// TestTextIsNeverShown prints a secret, and structs and maps that hold it, in
// every way that a program of ours prints anything.
func TestTextIsNeverShown(t *testing.T) {
	const value = "hunter2-hunter2"
	s := secret.New(value)
	holder := struct {
		Token  secret.Text
		Hidden *secret.Text
		Map    map[string]secret.Text
		List   []secret.Text
	}{s, &s, map[string]secret.Text{"k": s}, []secret.Text{s}}
	var out strings.Builder
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d"} {
		fmt.Fprintf(&out, verb+"\n"+verb+"\n", s, holder)
	}
	fmt.Fprintln(&out, s, &s, holder, fmt.Errorf("wrapped %v", s))
	var logged bytes.Buffer
	for _, h := range []slog.Handler{slog.NewTextHandler(&logged, nil), slog.NewJSONHandler(&logged, nil)} {
		slog.New(h).Info("x", "token", s, "pointer", &s, "holder", holder, slog.Group("g", "token", s))
	}
	asJSON, err := json.Marshal(holder)
	if err != nil {
		t.Fatal(err)
	}
	asYAML, err := yaml.Marshal(holder)
	if err != nil {
		t.Fatal(err)
	}
	all := out.String() + logged.String() + string(asJSON) + string(asYAML)
	for _, spelling := range []string{value, fmt.Sprintf("%x", value), fmt.Sprintf("%X", value), base64.StdEncoding.EncodeToString([]byte(value))} {
		if strings.Contains(all, spelling) {
			t.Errorf("%q is shown:\n%s", spelling, all)
		}
	}
	if s.Reveal() != value {
		t.Errorf("Reveal gives %q", s.Reveal())
	}
}

func TestEmptyText(t *testing.T) {
	var s secret.Text
	if !s.IsZero() || s.String() != "" || fmt.Sprint(s) != "" {
		t.Errorf("the empty secret prints as %q", s)
	}
	if secret.New("x").IsZero() {
		t.Error("a secret is taken for the empty one")
	}
}

func TestTextIsRead(t *testing.T) {
	var v struct{ Token secret.Text }
	if err := yaml.Unmarshal([]byte("token: abc"), &v); err != nil || v.Token.Reveal() != "abc" {
		t.Errorf("%q, %v", v.Token.Reveal(), err)
	}
}

func TestRedactor(t *testing.T) {
	const value, other = `p&ss "wörd"/1`, "p&ss "
	r := secret.NewRedactor(value, "short", "", value+"-longer")
	quoted, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	for _, spelling := range []string{
		value, url.QueryEscape(value), url.PathEscape(value), strings.Trim(string(quoted), `"`),
		base64.StdEncoding.EncodeToString([]byte(value)), base64.URLEncoding.EncodeToString([]byte(value)),
		value + "-longer",
	} {
		if got := r.Text("<" + spelling + ">"); got != "<"+secret.Mask+">" {
			t.Errorf("%q becomes %q", spelling, got)
		}
	}
	for _, harmless := range []string{"", "short", other, "nothing of the kind"} {
		if got := r.Text(harmless); got != harmless {
			t.Errorf("%q becomes %q", harmless, got)
		}
	}
}

// TestRedactorLikeJSONEncodersWrite covers the encoder that doesn't escape
// &, < and >, as most outside Go don't.
func TestRedactorLikeJSONEncodersWrite(t *testing.T) {
	r := secret.NewRedactor(`a"b<c>d&e`)
	for _, spelling := range []string{`a\"b<c>d&e`, `a\"b\u003cc\u003ed\u0026e`} {
		if got := r.Text(spelling); got != secret.Mask {
			t.Errorf("%q becomes %q", spelling, got)
		}
	}
}

func TestNoRedactor(t *testing.T) {
	var none *secret.Redactor
	if got := none.Text("x"); got != "x" {
		t.Errorf("nil cuts %q", got)
	}
	if got := secret.NewRedactor("short").Text("short"); got != "short" {
		t.Errorf("a common word becomes %q", got)
	}
}

func TestURL(t *testing.T) {
	r := secret.NewRedactor("hunter2-hunter2")
	for raw, want := range map[string]string{
		"https://u:p@api.example/v1?token=x#y":      "https://api.example/v1",
		"https://api.example/hunter2-hunter2/x?":    "https://api.example/%3Csecret%3E/x",
		"https://api.example":                       "https://api.example",
		"://":                                       secret.Mask,
		"https://api.example/%zz?token=supersecret": secret.Mask,
	} {
		got := r.URL(raw)
		if got != want && got != strings.ReplaceAll(want, "%3Csecret%3E", secret.Mask) {
			t.Errorf("%q becomes %q", raw, got)
		}
	}
}

func TestHost(t *testing.T) {
	for raw, want := range map[string]string{
		"https://hooks.chat.example/services/T0/B0?x=1": "https://hooks.chat.example",
		"http://u:p@10.0.0.1:8080/x":                    "http://10.0.0.1:8080",
		"/path/only":                                    secret.Mask,
		"\x7f":                                          secret.Mask,
	} {
		if got := secret.Host(raw); got != want {
			t.Errorf("%q becomes %q", raw, got)
		}
	}
}

func TestName(t *testing.T) {
	for _, name := range []string{"Authorization", "X-API-Key", "api_key", "Cookie", "X-Auth-Token", "client_secret", "sig", "X-Hub-Signature-256", "password", "sessionid",
		"pwd", "appid", "jwt", "bearer_of", "pass", "userPass", "signature"} {
		if !secret.Name(name) {
			t.Errorf("%s carries no credential", name)
		}
	}
	for _, name := range []string{"Accept", "Content-Type", "page", "limit", "X-Locale", "User-Agent"} {
		if secret.Name(name) {
			t.Errorf("%s carries a credential", name)
		}
	}
}

// TestLearn: what is learned is cut in every spelling at once, the latest of
// each owner only, and what was known before stays known.
func TestLearn(t *testing.T) {
	r := secret.NewRedactor("configured")
	r.Learn("a", "tok/en-1", "refresh-1")
	r.Learn("b", "other-token")
	if got := r.Text(`tok/en-1 tok%2Fen-1 dG9rL2VuLTE= refresh-1 other-token configured`); strings.Trim(got, " ") != strings.Repeat(" "+secret.Mask, 6)[1:] {
		t.Errorf("got %q", got)
	}
	for i := range 20 {
		r.Learn("a", fmt.Sprintf("token-%02d", i))
		r.Learn("a", "tok/en-1") // used again and again
	}
	const want = "<secret> <secret> <secret> token-12 refresh-1"
	if got := r.Text("token-19 token-13 tok/en-1 token-12 refresh-1"); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if got := r.Text("other-token configured"); got != "<secret> <secret>" {
		t.Errorf("another owner's or the configured is shown: %q", got)
	}
}

// TestLearnBounds: what a server may choose mutilates no log.
func TestLearnBounds(t *testing.T) {
	r := secret.NewRedactor()
	long := strings.Repeat("x", 16<<10+1)
	r.Learn("a", "", "success", long)
	if got := r.Text("success" + long); got != "success"+long {
		t.Error("a word or a whole page was learned")
	}
	var none *secret.Redactor
	none.Learn("a", "tok/en-1")
}

// TestLearnWhileRead wants a value cut from the moment that Learn returns.
func TestLearnWhileRead(t *testing.T) {
	r := secret.NewRedactor("configured")
	var wg sync.WaitGroup
	for w := range 4 {
		wg.Go(func() {
			for i := range 200 {
				v := fmt.Sprintf("token-%d-%d", w, i)
				r.Learn(fmt.Sprint(w), v)
				if got := r.Text(v + " configured"); got != "<secret> <secret>" {
					t.Errorf("got %q", got)
				}
			}
		})
	}
	wg.Wait()
}

// FuzzRedactor cuts any value out of any text.
func FuzzRedactor(f *testing.F) {
	f.Add("hunter2-hunter2", "a ", " b")
	f.Fuzz(func(t *testing.T, value, before, after string) {
		// What stands in for the mask below must not make up a value with what is beside it.
		if len(value) < 6 || strings.Contains(value, "\x00") || strings.Contains(secret.Mask, value) || strings.Contains(value, secret.Mask) {
			t.Skip()
		}
		if got := secret.NewRedactor(value).Text(before + value + after); strings.Contains(strings.ReplaceAll(got, secret.Mask, "\x00"), value) {
			t.Errorf("%q is in %q", value, got)
		}
	})
}
