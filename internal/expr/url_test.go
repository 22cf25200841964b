package expr_test

import (
	"net/url"
	"strings"
	"testing"

	"github.com/deltahook/deltahook/internal/expr"
)

func TestURL(t *testing.T) {
	vars := map[string]any{"key": "a/b c?d&e=f#g+ü%", "v": map[string]any{
		"host": "eu-1.example", "base": "http://h/x/?a=1&b=", "n": int64(7), "rest": "sub/../path"}}
	for src, want := range map[string]string{
		"https://h/x":                     "https://h/x",
		"https://h/t/{{ key }}":           "https://h/t/a%2Fb%20c%3Fd&e=f%23g+%C3%BC%25",
		"https://h/t/{{ key }}/x":         "https://h/t/a%2Fb%20c%3Fd&e=f%23g+%C3%BC%25/x",
		"https://h?q={{ key }}":           "https://h?q=a%2Fb%20c%3Fd%26e%3Df%23g%2B%C3%BC%25",
		"https://h/?q=1#{{ key }}":        "https://h/?q=1#a%2Fb%20c%3Fd&e=f%23g+%C3%BC%25",
		"https://h/{{ v.n }}?n={{ v.n }}": "https://h/7?n=7",
		"https://h/{{ raw(v.rest) }}":     "https://h/sub/../path",
		"https://{{ v.host }}:8080/x":     "https://eu-1.example:8080/x",
		"{{ raw(v.base) }}{{ v.rest }}":   "http://h/x/?a=1&b=sub%2F..%2Fpath",
		"http://h/a{{ '..' }}/b":          "http://h/a../b",
		"http://h/{{ v.none }}":           "http://h/",
	} {
		u, err := expr.ParseURL(src, request)
		if err != nil {
			t.Errorf("%s: %v", src, err)
			continue
		}
		got, err := u.String(vars)
		if err != nil || got != want {
			t.Errorf("%s\n got %s, %v\nwant %s", src, got, err, want)
		}
	}
}

// What was encoded comes back the same from a parsed URL, and nothing else
// of the URL moves.
func TestURLRoundTrip(t *testing.T) {
	u, err := expr.ParseURL("https://h/a/{{ key }}/b?x=1&{{ key }}={{ key }}&y=2", request)
	if err != nil {
		t.Fatal(err)
	}
	for _, key := range []string{"plain", "a b", "a+b", "/", "a/../b", "?x", "#", "&y=3", "%2F", "ü", "\\", "a;b", "\x00\n", "http://evil/"} {
		s, err := u.String(map[string]any{"key": key})
		if err != nil {
			t.Errorf("%q: %v", key, err)
			continue
		}
		parsed, err := url.Parse(s)
		if err != nil {
			t.Errorf("%q: %v", key, err)
			continue
		}
		q := parsed.Query()
		if parsed.Host != "h" || parsed.Path != "/a/"+key+"/b" || strings.Count(parsed.EscapedPath(), "/") != 3 ||
			q.Get(key) != key || q.Get("x") != "1" || q.Get("y") != "2" || len(q) != 3 {
			t.Errorf("%q became %s", key, s)
		}
	}
}

func TestURLRefuses(t *testing.T) {
	const dots, host = "would lead elsewhere", "a value in the host may hold"
	for src, want := range map[string]string{
		"https://h/{{ key }}":         dots,
		"https://h/{{ key }}?x":       dots,
		"https://h/a/.{{ '.' }}/b":    dots,
		"https://h/a/{{ '.' }}/b":     dots,
		"https://{{ 'a/b' }}/":        host,
		"https://{{ 'a@b' }}/":        host,
		"https://h.{{ '?' }}":         host,
		"{{ raw('ht') }}{{ 'tp:/' }}": host,
	} {
		u, err := expr.ParseURL(src, request)
		if err != nil {
			t.Errorf("%s: %v", src, err)
			continue
		}
		if got, err := u.String(map[string]any{"key": ".."}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %q, %v; want an error with %q", src, got, err, want)
		}
	}
	for src, want := range map[string]string{
		"{{ key }}":                  "column 3: only raw(…) may stand before the :// of a URL",
		"http{{ 's' }}://h":          "column 7: only raw(…) may stand before the :// of a URL",
		"https://h/{{ 1 + raw(1) }}": "column 16: invalid operation: + (mismatched types int and expr.raw)",
		"https://h/{{ kye }}":        `column 14: unknown name "kye" (did you mean "key"?)`,
	} {
		if _, err := expr.ParseURL(src, request); err == nil || err.Error() != want {
			t.Errorf("%s\n got %v\nwant %s", src, err, want)
		}
	}
}
