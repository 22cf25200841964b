package web_test

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/deltahook/deltahook/internal/web"
)

// What an API answered may be large, or nested so that its indentation is many
// times as long as itself: neither makes a page that a browser, or the daemon,
// cannot bear.
func TestLargeContentsStayBounded(t *testing.T) {
	deep := strings.Repeat("[", 900) + "0" + strings.Repeat(",0", 50_000) + strings.Repeat("]", 900)
	quoted := `{"text":"` + strings.Repeat(`[{,\"`, 20_000) + `"}`
	for name, tt := range map[string]struct{ content, want string }{
		"deep":   {deep, "[[[[[[[["},
		"large":  {`["` + strings.Repeat("é", 1<<20) + `"]`, "more bytes are left out here"},
		"quoted": {quoted, "{\n  \"text\": "},
		"small":  {`{"a":[1]}`, "{\n  \"a\": [\n    1\n  ]\n}"},
	} {
		s := filledShelf()
		s.items[0].Content = json.RawMessage(tt.content)
		server, _ := start(t, web.Options{Listen: "127.0.0.1:0", Sources: s})
		resp, body := ask(t, http.MethodGet, "http://"+server.Addr()+"/sources/s/items?key="+url.QueryEscape(s.items[0].Key), "")
		shown := strings.NewReplacer("&#34;", `"`).Replace(body)
		if resp.StatusCode != http.StatusOK || len(shown) > 600<<10 || !strings.Contains(shown, tt.want) {
			t.Errorf("%s: %d, %d bytes", name, resp.StatusCode, len(shown))
		}
	}
}
