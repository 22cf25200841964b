package browser

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
)

// evil is what an API may call its items, at most 4,096 bytes, and say of them.
var evil = map[string]string{
	"script":    `<script>window.owned = 1; document.title = "owned"</script>`,
	"attribute": `"><img src=x onerror="window.owned = 1">`,
	"template":  `{{.}}</title></pre></bdi></script><svg onload=window.owned=1>`,
	"address":   `javascript:window.owned=1`,
	"long":      strings.Repeat("a-name-without-an-end", 190),
	"spaceless": strings.Repeat("W", 4000),
	"hebrew":    "שלום עולם 12-34 חבילה",
	"override":  "\u202eexe.gpj\u2066 desrever",
	"emoji":     "👩‍👩‍👧‍👦 n\u0303\u0301\u0320\u0316 \u200b\ufeff",
	"controls":  "a\tb\nc\u0085d\u2028e",
}

// TestHostile: whatever an API or a receiver says is text: it makes no element,
// runs nothing, does not turn what stands beside it, and widens no page.
func TestHostile(t *testing.T) {
	a := newAPI(t)
	told := func(state int) {
		items := []map[string]any{}
		for _, s := range evil {
			items = append(items, map[string]any{"id": s, "text": s, strings.Repeat(s, 10_000/len(s)+1): state, "nested": map[string]any{s: []any{s, state}}})
		}
		body, err := json.Marshal(map[string]any{"items": items})
		if err != nil {
			t.Fatal(err)
		}
		a.set("/parcels", string(body))
	}
	told(1)
	a.fail("/hook", http.StatusBadRequest, evil["script"]+evil["attribute"]+evil["override"]+strings.Repeat("W", 20_000))
	d := start(t, a, shop+"alerts: {to: [hook]}\n")
	b := visit(t, d)
	b.open("/")
	b.shows("#source-parcels .badge", "ok")
	told(2)
	rows := fmt.Sprintf("document.querySelectorAll('#letters tbody tr').length === %d", len(evil))
	b.open("/dead")
	b.until(rows)

	paths := map[string]string{ // and what must stand there
		"/": evil["script"], "/sources/parcels": evil["attribute"], "/events": evil["template"], "/dead": evil["address"],
		"/endpoints/hook": evil["script"], "/sources/parcels?q=" + url.QueryEscape(evil["attribute"]): evil["attribute"],
		"/dead?key=" + url.QueryEscape(evil["script"]): evil["script"], "/signin?next=" + url.QueryEscape(evil["address"]): "Overview",
	}
	for _, key := range evil {
		paths["/sources/parcels/items?key="+url.QueryEscape(key)] = key
	}
	for _, width := range []int64{1200, 400} {
		b.dress("light", width)
		for path, want := range paths {
			b.open(path)
			b.harmless(path, want)
			if strings.Contains(path, "/items?") && !ask[bool](b, "document.querySelector('#content pre')?.textContent.includes('nested') ?? false") {
				t.Errorf("%.60s is not the item's page: %.60s", path, b.text("h1"))
			}
		}
		b.open("/dead?key=" + url.QueryEscape(evil["attribute"]))
		b.click("#letters tbody .word a")
		b.harmless("the event", "window.owned")
	}

	// The name of the source stands after a key that turns what follows it; so
	// does the word for how many times it was changed.
	b.dress("light", 1200)
	for _, name := range []string{"hebrew", "override"} {
		b.open("/dead?key=" + url.QueryEscape(evil[name]))
		if got := ask[string](b, `(() => {
			const text = document.querySelector("#letters tbody .dim bdi").firstChild, at = i => {
				const r = document.createRange(); r.setStart(text, i); r.setEnd(text, i + 1); return r.getBoundingClientRect().left };
			return text.data + (at(0) < at(text.length - 1) ? " forward" : " backward") })()`); got != "parcels forward" {
			t.Errorf("after a key that is %s one reads %q", name, got)
		}
	}
}

// harmless checks that nothing of a page is more than text, and that a text
// stands there.
func (b *tab) harmless(name, want string) {
	b.Helper()
	name = fmt.Sprintf("%.60s", name)
	if got := ask[string](b, `[window.owned ?? 0, document.scripts.length, document.querySelectorAll("main img, main iframe, main [onload], main [onerror], main a[href^='javascript' i]").length,
		document.title.endsWith(" · Deltahook")].join()`); got != "0,1,0,true" {
		b.Errorf("%s holds more than text: owned, scripts, elements, title: %s", name, got)
	}
	if want == "" {
		b.Fatalf("%s is to show nothing", name) // which every page does
	}
	if !ask[bool](b, fmt.Sprintf("document.querySelector('main').textContent.includes(%s)", quoted(want))) {
		b.Errorf("%s does not show %s", name, want)
	}
	b.fits(name)
}

// quoted is a text as JavaScript has it.
func quoted(s string) string {
	text, _ := json.Marshal(s) // a text can be
	return string(text)
}
