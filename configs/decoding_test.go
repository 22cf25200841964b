package configs_test

import (
	"testing"

	"github.com/deltahook/deltahook/configs"
)

// What decides how a body is read decides how its items look, so the differ
// must know when it changes.
func TestTheDifferKnowsHowTheBodyIsRead(t *testing.T) {
	decoding := func(response string) string {
		cfg, err := configs.Parse("deltahook.yaml", []byte(`
sources: {a: {schedule: "@hourly", request: {url: "https://a.example"}, response: {items: "@this", id: id`+response+`}}}
`), func(string) (string, bool) { return "", false })
		if err != nil {
			t.Fatal(err)
		}
		return cfg.Sources["a"].Response.Read.Decoding
	}
	if got := decoding(", format: auto, require: [x], status: {404: empty}"); got != "" {
		t.Errorf("without a setting it is %q", got)
	}
	seen := map[string]string{"": "nothing"}
	for _, response := range []string{
		", format: csv", ", format: csv, csv: {header: [id, b]}", ", format: csv, csv: {header: [id, c]}",
		", format: xml", ", format: xml, xml: {lists: [a.b]}", ", format: html, html: {rows: tr, fields: {id: td}}", ", charset: latin1",
	} {
		got := decoding(response)
		if other, ok := seen[got]; ok {
			t.Errorf("%q and %q are both %q", response, other, got)
		}
		seen[got] = response
	}
}
