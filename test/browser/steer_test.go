package browser

import (
	"net/http"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
)

// TestDeadLetter: a delivery that was refused for good is selected on the page
// of dead letters, replayed by a click, and arrives as it was.
func TestDeadLetter(t *testing.T) {
	a := newAPI(t)
	a.set("/parcels", list(3, "announced"))
	a.fail("/hook", http.StatusBadRequest, `{"error":"no such shelf"}`)
	d := start(t, a, shop)
	b := visit(t, d)
	b.open("/")
	b.shows("#source-parcels .badge", "ok")
	b.open("/dead")
	b.shows("main", "There are no dead letters")
	a.set("/parcels", list(3, "delivered"))
	b.until("document.querySelectorAll('#letters tbody tr').length === 3")
	b.shows("#letters tbody", "400")

	a.set("/hook", "")
	b.do("select one", chromedp.Click(chromedp.CSS(`#letters tbody tr:nth-child(2) input`)))
	b.click("#replay-selected")
	b.shows("#message", "Put back into the queue: 1.")
	all := a.hooks(t, "/hook", 4)
	if again := all[3]; again != all[0] && again != all[1] && again != all[2] {
		t.Errorf("%v came, which is none of %v", again, all[:3])
	}
	b.until("document.querySelectorAll('#letters tbody tr').length === 2")

	b.click("#replay-all")
	b.shows("#count", "2 dead letters")
	b.click("#confirm")
	b.shows("#message", "They are put back")
	a.hooks(t, "/hook", 6)
	b.open("/dead")
	b.shows("main", "There are no dead letters")
	b.open("/")
	b.until("document.querySelectorAll('#changes .badge.good').length === 3")
}

// TestHold: half an answer is held, which a page says by itself; a person
// releases it with a click, and it is told.
func TestHold(t *testing.T) {
	a := newAPI(t)
	a.set("/parcels", list(20, "announced"))
	d := start(t, a, shop)
	b := visit(t, d)
	b.open("/sources/parcels")
	b.until("document.querySelectorAll('#items tbody tr').length === 20")
	a.set("/parcels", list(2, "announced"))
	b.shows(".hold", "An answer lists 2 of 20 remembered items and would tell 18 events")
	b.shows(".hold", "max_deletes")
	if n := len(a.hooks(t, "/hook", 0)); n != 0 {
		t.Fatalf("%d webhooks came while it was held", n)
	}
	b.click(".hold button[value=released]")
	b.shows("#message", "eleased")
	a.hooks(t, "/hook", 18)
	b.until("document.querySelectorAll('#items tbody tr').length === 2")
	b.until("!document.querySelector('.hold')")
}

// TestPause: an endpoint is paused and resumed, and tried with a test event.
func TestPause(t *testing.T) {
	a := newAPI(t)
	a.set("/parcels", list(3, "announced"))
	d := start(t, a, shop)
	b := visit(t, d)
	b.open("/sources/parcels")
	b.until("document.querySelectorAll('#items tbody tr').length === 3")
	b.open("/endpoints/hook")
	b.click("#pause")
	b.shows("h1 .badge", "paused")
	a.set("/parcels", list(3, "delivered"))
	b.until("document.querySelectorAll('#deliveries tbody tr').length === 3")
	b.shows("#deliveries .badge", "waiting")
	if n := len(a.hooks(t, "/hook", 0)); n != 0 {
		t.Errorf("%d webhooks came to a paused endpoint", n)
	}
	b.click("#resume")
	a.hooks(t, "/hook", 3)
	b.shows("#deliveries .badge", "delivered")
	b.click("#test")
	b.shows("h1", "delivered")
	if last := a.hooks(t, "/hook", 4)[3]; !strings.Contains(last.body, "deltahook.test") {
		t.Errorf("the test event is %s", last.body)
	}
}
