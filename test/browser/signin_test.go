package browser

import (
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

const token = "a-token-of-the-tests-0123456789"

// TestSignIn: nothing is shown without the token; a wrong one is refused, the
// right one leads to where one wanted to go; signing out ends it.
func TestSignIn(t *testing.T) {
	a := newAPI(t)
	a.set("/parcels", list(3, "announced"))
	d := start(t, a, strings.Replace(shop, `listen: "127.0.0.1:0"`, `listen: "127.0.0.1:0", token: "`+token+`"`, 1))
	b := visit(t, d)
	refused := func(path string) {
		t.Helper()
		b.open(path)
		b.shows("h1", "Sign in")
		if all := b.text("body"); strings.Contains(all, "parcels") || strings.Contains(all, "@every") {
			t.Errorf("without the token one sees %s", all)
		}
	}
	refused("/sources/parcels")
	b.until("document.activeElement.name === 'token'")
	b.do("type a wrong token", chromedp.SendKeys(chromedp.CSS("[name=token]"), "a-token-of-the-tests-9876543210"))
	b.click("main button")
	b.shows("[role=alert]", "token")
	if ask[string](b, "document.querySelector('[name=token]').value") != "" {
		t.Error("the wrong token stands in the form")
	}
	refused("/sources/parcels")

	b.leads("type the token and Enter", chromedp.SendKeys(chromedp.CSS("[name=token]"), token+kb.Enter))
	b.shows("h1", "parcels")
	if at := ask[string](b, "location.pathname"); at != "/sources/parcels" {
		t.Errorf("signed in, one is at %s", at)
	}
	if cookie := ask[string](b, "document.cookie"); cookie != "" {
		t.Errorf("a script reads the cookie %q", cookie)
	}
	b.until("document.getElementById('live').innerText === 'Live'") // the stream lets it in, too
	b.open("/config")
	b.shows("#loaded", "<secret>")
	if strings.Contains(b.text("body"), token) {
		t.Error("the token is shown")
	}
	b.click("form[action='/signout'] button")
	refused("/config")
}
