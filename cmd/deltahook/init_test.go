package main

import (
	"testing"

	"github.com/deltahook/deltahook/internal/curl"
)

// Whatever a command holds, the source that is made of it loads, or is refused
// with a reason.
func FuzzFromCurl(f *testing.F) {
	f.Add("curl 'https://api.example/q?key=1&$top=5' -H \"a: $B\" --data-raw '{\"a\": [1, {\"token\": \"{{x\"}]}' -H 'content-type: application/json'")
	f.Add("curl -u a:b https://u:p@x.example -d 'a=b&c=${d}' -b 'sid=1'")
	f.Add("curl $'https://x.example/\\u00e9' -H 'Authorization: Basic YTpi' --data-raw $'\\u0001$' -m 5 -k")
	f.Fuzz(func(t *testing.T, command string) {
		r, err := curl.Parse(command)
		if err != nil {
			return
		}
		d := newDraft("t", r)
		if text, err := d.write(); err == nil && len(text) == 0 || err != nil && err.Error() == "" {
			t.Errorf("nothing was written, and no reason given")
		}
	})
}
