package browser

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
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
	b.until("document.readyState === 'complete'")
	all := strings.Join(b.complaints(), "\n")
	for _, want := range []string{"security: ", "/gone.png answered 404", "console.error", "exception: ", "request to http://elsewhere.example/", "a dialog"} {
		if !strings.Contains(all, want) {
			t.Errorf("no complaint says %q:\n%s", want, all)
		}
	}
}
