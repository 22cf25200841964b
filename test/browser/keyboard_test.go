package browser

import (
	"strconv"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// stops are the elements that Tab should stop at, in the order of the document.
const stops = `[...document.querySelectorAll("a[href], button, input:not([type=hidden]), select, summary, [tabindex='0']")].
	filter(e => e.checkVisibility() && (!e.closest("details:not([open])") || e.matches("summary")))`

// TestKeyboard: with Tab and Enter alone all can be reached, in the order in
// which it is read and visibly, and what is held is released, while the page
// follows what happens.
func TestKeyboard(t *testing.T) {
	a := newAPI(t)
	a.set("/parcels", list(20, "announced"))
	d := start(t, a, shop)
	b := visit(t, d)
	b.open("/sources/parcels")
	b.until("document.querySelectorAll('#items tbody tr').length === 20")
	a.set("/parcels", list(2, "announced"))
	b.until("document.querySelector('.hold')")
	b.open("/sources/parcels")

	tab := func() { b.do("Tab", chromedp.KeyEvent(kb.Tab)) }
	tab()
	if !ask[bool](b, "document.activeElement.matches('.skip') && document.activeElement.getBoundingClientRect().left >= 0") {
		t.Fatal("the first stop is not the visible link to the content")
	}
	b.do("Enter", chromedp.KeyEvent(kb.Enter))
	b.until("document.activeElement.id === 'main'")
	tab()
	if !ask[bool](b, "document.activeElement.matches('main a')") {
		t.Errorf("after the skip link Tab leads to %s", ask[string](b, "document.activeElement.outerHTML"))
	}

	b.open("/sources/parcels")
	n := ask[int](b, stops+".length")
	if n < 30 {
		t.Fatalf("there are %d stops", n)
	}
	released := -1
	for i := range n {
		tab()
		got := ask[string](b, `(all => { const e = document.activeElement, s = getComputedStyle(e);
			return all.indexOf(e) + (s.outlineStyle === "none" || parseFloat(s.outlineWidth) < 2 ? " without a mark: " + e.outerHTML : "") })(`+stops+`)`)
		if got != strconv.Itoa(i) {
			t.Errorf("stop %d is %s", i, got)
		}
		if ask[string](b, "document.activeElement.value ?? ''") == "released" {
			released = i
		}
	}
	if released < 0 {
		t.Fatal("no stop releases what is held")
	}

	b.open("/sources/parcels")
	for range released + 1 {
		tab()
	}
	b.leads("Enter", chromedp.KeyEvent(kb.Enter))
	b.shows("#message", "eleased")
	a.hooks(t, "/hook", 18)
}
