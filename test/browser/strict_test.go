package browser

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// TestComplaints: what these tests trust, that a tab complains of what a page
// must not do, shown by a page that does it.
func TestComplaints(t *testing.T) {
	page := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/" {
			http.NotFound(w, r)
			return
		}
		w.Header().Set("Content-Security-Policy", "script-src 'unsafe-inline'; style-src 'none'; connect-src *")
		w.Header().Set("Content-Type", "text/html")
		_, _ = w.Write([]byte(`<!doctype html><link rel="icon" href="data:,"><style>p { color: red }</style><img src="/gone.png">
<script>console.error("loud"); fetch("http://elsewhere.example/").catch(() => {}); setTimeout(() => { throw "thrown" }); alert("a dialog")</script>`))
	}))
	t.Cleanup(page.Close)
	b := visit(t, &daemon{base: page.URL})
	b.open("/")
	all, late := "", time.After(patience)
	for _, want := range []string{"security: ", "/gone.png answered 404", "console.error", "exception: ", "request to http://elsewhere.example/", "a dialog"} {
		for !strings.Contains(all, want) {
			select {
			case <-late:
				t.Fatalf("no complaint says %q:\n%s", want, all)
			case <-time.After(10 * time.Millisecond): // they come when the browser tells
				all += strings.Join(b.complaints(), "\n") + "\n"
			}
		}
	}
	b.until("document.readyState === 'complete'")
	_ = b.complaints() // whatever came again
}
