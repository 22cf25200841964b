package browser

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/chromedp/chromedp"
)

// TestScreenshots takes a picture of each page, light and dark and at 400
// pixels, into the folder that DELTAHOOK_SCREENSHOTS names: make screenshots.
func TestScreenshots(t *testing.T) {
	dir := os.Getenv("DELTAHOOK_SCREENSHOTS")
	if dir == "" {
		t.Skip("pictures are taken by make screenshots")
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	for _, s := range stages(t) {
		pictures(t, dir, s)
	}
}

func pictures(t *testing.T, dir string, s stage) {
	t.Helper()
	b := visit(t, s.of)
	for _, p := range s.places {
		for name, dress := range map[string]struct {
			scheme string
			width  int64
		}{"light": {"light", 1100}, "dark": {"dark", 1100}, "400": {"light", 400}} {
			b.dress(dress.scheme, dress.width)
			b.goes(p)
			picture, err := chromedp.Run(b.ctx, chromedp.FullScreenshot(100))
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(dir, p.name+"-"+name+".png"), picture, 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
}
