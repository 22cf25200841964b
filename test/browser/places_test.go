package browser

import (
	"encoding/json"
	"net/http"
	"os"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
)

// finding is what axe-core says of a page.
type finding struct {
	Rule   string   `json:"rule"`
	Impact string   `json:"impact"`
	Help   string   `json:"help"`
	Where  []string `json:"where"`
}

// axe gives the script of axe-core; where that is missing the test is skipped,
// unless it is required.
func axe(t *testing.T) string {
	t.Helper()
	script, err := os.ReadFile("../npm/node_modules/axe-core/axe.min.js")
	if err != nil {
		if os.Getenv("DELTAHOOK_REQUIRE_NPM") != "" {
			t.Fatal("axe-core is not installed, and DELTAHOOK_REQUIRE_NPM wants it: make test installs it")
		}
		t.Skip("axe-core is not installed: make test installs it where npm is")
	}
	return string(script)
}

// findings runs axe-core on the page that is open, all rules or one.
func (b *tab) findings(script, rule string) []finding {
	b.Helper()
	ask[bool](b, script+"\n;true")
	only := "{}"
	if rule != "" {
		only = `{runOnly: {type: "rule", values: ["` + rule + `"]}}`
	}
	text := ask[string](b, `axe.run(document, `+only+`).then(r => JSON.stringify(r.violations.map(v =>
		({rule: v.id, impact: v.impact, help: v.help, where: v.nodes.map(n => n.target.join(" ") + ": " + n.html.slice(0, 120))}))))`)
	var all []finding
	if err := json.Unmarshal([]byte(text), &all); err != nil {
		b.Fatal(err)
	}
	return all
}

// TestAccessible: axe-core finds nothing on any page, not even what is moderate
// or minor, wide and at 400 pixels; light and dark have enough contrast.
func TestAccessible(t *testing.T) {
	script := axe(t)
	for _, s := range stages(t) {
		b := visit(t, s.of)
		for _, p := range s.places {
			for _, dress := range []struct {
				scheme string
				width  int64
				rule   string
			}{{"light", 1200, ""}, {"light", 400, ""}, {"dark", 1200, "color-contrast"}} {
				b.dress(dress.scheme, dress.width)
				b.goes(p)
				for _, f := range b.findings(script, dress.rule) {
					t.Errorf("%s, %s, %d pixels: %s, %s: %s\n\t%s", p.name, dress.scheme, dress.width, f.Impact, f.Rule, f.Help, strings.Join(f.Where, "\n\t"))
				}
			}
		}
	}
}

// TestAccessibleCanFail: axe-core finds what is wrong where something is.
func TestAccessibleCanFail(t *testing.T) {
	script := axe(t)
	b := visit(t, start(t, newAPI(t), `server: {listen: "127.0.0.1:0"}`))
	b.open("/")
	// Not in main, which the page takes over from the daemon.
	ask[bool](b, `document.querySelector("footer").insertAdjacentHTML("beforeend", "<input><p>pale</p>"); true`)
	ask[bool](b, `document.querySelector("footer p:last-child").style.color = "#aaa"; true`)
	found := map[string]bool{}
	for _, f := range b.findings(script, "") {
		found[f.Rule] = true
	}
	if !found["label"] || !found["color-contrast"] {
		t.Errorf("axe-core finds %v, want label and color-contrast", found)
	}
}

// TestNarrow: no page is wider than 400 pixels, nor than 320.
func TestNarrow(t *testing.T) {
	for _, s := range stages(t) {
		b := visit(t, s.of)
		for _, width := range []int64{400, 320} {
			b.dress("light", width)
			for _, p := range s.places {
				b.goes(p)
				b.fits(p.name)
			}
		}
	}
}

// TestDeadLettersNarrow: at 400 pixels a dead letter says when it died and why,
// its type stays in one piece, and all can be selected.
func TestDeadLettersNarrow(t *testing.T) {
	a := newAPI(t)
	a.set("/parcels", list(2, "announced"))
	a.fail("/hook", http.StatusBadRequest, `{"error":"no such shelf"}`)
	b := visit(t, start(t, a, shop))
	b.open("/")
	b.shows("#source-parcels .badge", "ok")
	a.set("/parcels", list(2, "delivered"))
	b.dress("light", 400)
	b.open("/dead")
	b.until("document.querySelectorAll('#letters tbody tr').length === 2")
	b.fits("dead letters")
	if text := b.text("#letters tbody tr"); !strings.Contains(text, "400") || !strings.Contains(text, "ago") && !strings.Contains(text, "now") {
		t.Errorf("one reads neither why nor when: %q", text)
	}
	if lines := ask[int](b, "document.querySelector('#letters tbody .word a').getClientRects().length"); lines != 1 {
		t.Errorf("a type stands in %d pieces", lines)
	}
	b.do("select all", chromedp.Click(chromedp.CSS("#all")))
	b.until("document.querySelectorAll('#letters tbody input:checked').length === 2")
}

// fits checks that nothing of a page is beside the window.
func (b *tab) fits(name string) {
	b.Helper()
	if wide := ask[int](b, "document.documentElement.scrollWidth - document.documentElement.clientWidth"); wide > 0 {
		b.Errorf("%s is %d pixels too wide: %s", name, wide, ask[string](b, `[...document.querySelectorAll("body *")].
			filter(e => e.getBoundingClientRect().right > document.documentElement.clientWidth + 1).slice(-3).map(e => e.outerHTML.slice(0, 160)).join("\n")`))
	}
}

// TestWithoutScript: every page reads, and actions work, where no script runs.
func TestWithoutScript(t *testing.T) {
	d := showcase(t)
	b := visit(t, d)
	if _, err := chromedp.Call(b.ctx, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: true}); err != nil {
		t.Fatal(err)
	}
	for _, p := range places() {
		b.goes(p)
		if len(b.text("main")) < 30 {
			t.Errorf("%s shows only %q", p.name, b.text("main"))
		}
		if ask[bool](b, "!document.getElementById('live').hidden") {
			t.Errorf("%s has a button for what does not work", p.name)
		}
	}
	b.open("/sources/stock")
	b.click(".hold button[value=released_silently]")
	if got := b.text("#message"); !strings.Contains(got, "eleased") {
		t.Errorf("after a release it says %q", got)
	}
	b.open("/endpoints/archive")
	b.click("#resume")
	if got := b.text("h1"); !strings.Contains(got, "ok") {
		t.Errorf("after it was resumed it says %q", got)
	}
	b.open("/dead")
	b.do("select", chromedp.Click(chromedp.CSS("#letters tbody tr input")))
	b.click("#replay-selected")
	if got := b.text("#message"); got != "Put back into the queue: 1." {
		t.Errorf("after a replay it says %q", got)
	}
}
