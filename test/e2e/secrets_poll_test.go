package e2e

import (
	"encoding/json"
	"fmt"
	"net/url"
	"path/filepath"
	"strings"
	"testing"
)

// What poll prints of a request shows no secret, however it is encoded for its
// place: one of a file, of a variable that is named for it, and of a key.
func TestPollHidesWhatIsEncoded(t *testing.T) {
	t.Parallel()
	const file, variable, keyed = `pl4nted f+le "1"/ü`, `pl4nted v&r+<2> x`, `pl4nted k=y+\3 x`
	api, _, _ := values(t, `{"v":1}`)
	for name, request := range map[string]string{
		"query": `query: {q: "${file:word}", r: "${SHOP_PASSWORD}", s: "a ${SHOP_PASSWORD} b"}`,
		"url":   `url: "%s/${file:encoded}?q=${SHOP_ENCODED_PASSWORD}"`,
		"json":  `json: {a: ["${file:word}"], b: "x ${SHOP_PASSWORD}", auth: {pw: "${KEYED}"}}`,
		"form":  `form: {a: "${file:word}", b: "x ${SHOP_PASSWORD}", pass: "${KEYED}"}`,
		"body":  `body: '{"a": "{{ "${SHOP_PLAIN_PASSWORD}" + "!" }}", "b": "${file:escaped}"}'`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			write(t, dir, "word", file+"\n")
			write(t, dir, "encoded", url.PathEscape(file))
			write(t, dir, "escaped", strings.ReplaceAll(file, `"`, `\"`))
			if !strings.HasPrefix(request, "url") {
				request = `url: "%s", ` + request
			}
			write(t, dir, "deltahook.yaml", fmt.Sprintf("sources: {s: {schedule: '@hourly', request: {"+request+"}}}\n", api))
			p := startEnv(t, binary(t), dir, []string{
				"SHOP_PASSWORD=" + variable, "SHOP_ENCODED_PASSWORD=" + url.QueryEscape(variable), "SHOP_PLAIN_PASSWORD=pl4nted-plain-4", "KEYED=" + keyed,
			}, "poll", "s")
			if status := p.exit(t, patience); status != 0 {
				t.Fatalf("status %d: %s", status, p.stderr.String())
			}
			text := p.stdout.String() + p.stderr.String()
			if !strings.Contains(text, "<secret>") {
				t.Errorf("nothing is hidden:\n%s", text)
			}
			if strings.Contains(text, "pl4nted") {
				t.Errorf("a secret is shown:\n%s", text)
			}
			quoted, _ := json.Marshal(variable)
			if strings.Contains(text, strings.Trim(string(quoted), `"`)[8:]) {
				t.Errorf("the end of a secret is shown:\n%s", text)
			}
			if left, err := filepath.Glob(filepath.Join(dir, "*.db")); err != nil || len(left) > 0 {
				t.Errorf("it leaves %q (%v)", left, err)
			}
		})
	}
}
