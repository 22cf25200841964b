package browser

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// tab is a page of a browser that remembers nothing of other tabs. What the
// browser complains of in it fails its test: an error or a warning of the
// console, what the policy of a page forbids, a request to anywhere but the
// daemon, a dialog, an asset that isn't there.
type tab struct {
	testing.TB
	ctx  context.Context
	base string

	mu    sync.Mutex
	wrong []string
}

// visit opens a tab. It is to be 1200 pixels wide and light, unless dressed
// otherwise.
func visit(tb testing.TB, d *daemon) *tab {
	tb.Helper()
	ctx, cancel := chromedp.NewContext(browser(tb), chromedp.WithNewBrowserContext())
	b := &tab{TB: tb, ctx: ctx, base: d.base}
	tb.Cleanup(cancel)
	if err := chromedp.Listen(ctx, b.heard); err != nil {
		tb.Fatal(err)
	}
	if _, err := chromedp.Call(ctx, network.Enable, network.EnableParams{}); err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		for _, what := range b.complaints() {
			tb.Errorf("the browser complains: %s", what)
		}
	})
	b.dress("light", 1200)
	return b
}

// heard keeps what is wrong of what the browser tells.
func (b *tab) heard(event any) {
	var what string
	switch e := event.(type) {
	case *runtime.EventExceptionThrown:
		what = fmt.Sprintf("exception: %v", e.ExceptionDetails)
	case *runtime.EventConsoleAPICalled:
		if e.Type == "error" || e.Type == "warning" || e.Type == "assert" {
			what = fmt.Sprintf("console.%s", e.Type)
		}
	case *log.EventEntryAdded:
		// A status of a page, also read anew, is its test's matter; that of anything else is below.
		if (e.Entry.Level == "error" || e.Entry.Level == "warning") && e.Entry.Source != "network" {
			what = fmt.Sprintf("%s: %s", e.Entry.Source, e.Entry.Text)
		}
	case *network.EventResponseReceived:
		if e.Type != network.ResourceTypeDocument && e.Type != network.ResourceTypeFetch && e.Response.Status >= http.StatusBadRequest {
			what = fmt.Sprintf("%s answered %d", e.Response.URL, e.Response.Status)
		}
	case *network.EventRequestWillBeSent:
		// What the browser draws of its own is data.
		if !strings.HasPrefix(e.Request.URL, b.base+"/") && !strings.HasPrefix(e.Request.URL, "data:") {
			what = "a request to " + e.Request.URL
		}
	case *page.EventJavascriptDialogOpening:
		what = "a dialog: " + e.Message
		go func() { // the page stands still until then, and so do the events
			_, _ = chromedp.Call(b.ctx, page.HandleJavaScriptDialog, page.HandleJavaScriptDialogParams{}) // the complaint stands
		}()
	}
	if what != "" {
		b.mu.Lock()
		defer b.mu.Unlock()
		b.wrong = append(b.wrong, what)
	}
}

// complaints are what was wrong up to now; they are then forgotten.
func (b *tab) complaints() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	all := b.wrong
	b.wrong = nil
	return all
}

// dress sets the colour scheme and the width of the window.
func (b *tab) dress(scheme string, width int64) {
	b.Helper()
	media := emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{
		{Name: "prefers-color-scheme", Value: scheme}, {Name: "prefers-reduced-motion", Value: "reduce"},
	}}
	if _, err := chromedp.Call(b.ctx, emulation.SetEmulatedMedia, media); err != nil {
		b.Fatal(err)
	}
	b.do("a window", chromedp.EmulateViewport(width, 900))
}

// do acts within the patience of a test.
func (b *tab) do(what string, actions ...chromedp.Action[chromedp.Void]) {
	b.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	if err := chromedp.Do(ctx, actions...); err != nil {
		b.Fatalf("%s: %v; the page: %s", what, err, b.text("body"))
	}
}

// ask is what an expression of JavaScript gives.
func ask[T any](b *tab, js string) T {
	b.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	got, err := chromedp.Run(ctx, chromedp.Evaluate[T](js, chromedp.EvalAwaitPromise))
	if err != nil {
		b.Fatalf("%.200s: %v", js, err)
	}
	return got
}

// text is what stands in the first element that is like that, "" without one.
func (b *tab) text(css string) string {
	b.Helper()
	return ask[string](b, fmt.Sprintf("document.querySelector(%q)?.innerText ?? ''", css))
}

// open goes to a page.
func (b *tab) open(path string) {
	b.Helper()
	b.do("open "+path, chromedp.Navigate(b.base+path))
}

// until waits for a condition of the document, which may give way to another.
func (b *tab) until(js string) {
	b.Helper()
	b.do("wait for "+js, func(ctx context.Context, t *chromedp.Target) (chromedp.Void, error) {
		for {
			_, err := chromedp.Poll[bool]("Boolean("+js+")", chromedp.WithPollingTimeout(0))(ctx, t)
			// Anything else is a document that gives way to the next one.
			if _, thrown := errors.AsType[*chromedp.ExceptionError](err); err == nil || thrown || ctx.Err() != nil {
				return chromedp.Void{}, err
			}
		}
	})
}

// shows waits until an element has a text.
func (b *tab) shows(css, text string) {
	b.Helper()
	b.until(fmt.Sprintf("[...document.querySelectorAll(%q)].some(e => e.innerText.includes(%q))", css, text))
}

// leads does what leads to another page, and waits until that has come.
func (b *tab) leads(what string, action chromedp.Action[chromedp.Void]) {
	b.Helper()
	b.do(what, func(ctx context.Context, t *chromedp.Target) (chromedp.Void, error) {
		_, err := chromedp.WaitEvent(page.LoadEventFired, nil, action)(ctx, t)
		return chromedp.Void{}, err
	})
}

// click presses what leads to another page.
func (b *tab) click(css string) {
	b.Helper()
	b.leads("click "+css, chromedp.Click(chromedp.CSS(css)))
}
