package web_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/deltahook/deltahook/internal/web"
)

// BenchmarkOverview makes the overview of 10,000 sources: what of a page takes
// its time that is not the store's.
func BenchmarkOverview(b *testing.B) {
	s := filledShelf()
	for i := range 10_000 {
		s.sources = append(s.sources, web.SourceState{
			Name: fmt.Sprintf("source-%05d", i), State: web.SourceOK, Schedule: "@every 1m", Host: "https://api.example", Last: shelfTime, Took: 0.1, Next: shelfTime, Items: 100,
		})
	}
	h := web.New(web.Options{Listen: "127.0.0.1:0", Sources: s, Archive: newTale(), Endpoints: &sender{}}).Admin()
	for b.Loop() {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequestWithContext(b.Context(), http.MethodGet, "http://localhost/?q=source", http.NoBody))
		if w.Code != http.StatusOK {
			b.Fatal(w.Code, w.Body)
		}
	}
}
