// Package browser drives Chromium through the pages of the built binary: with
// an API and receivers on loopback, and with what a person sees and does as the
// only measure. Nothing in it looks inside.
package browser

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
)

// patience is how long anything that must happen is waited for.
const patience = 30 * time.Second

// built is where the binary goes, and ended ends the browser.
var (
	built string
	ended = func() {}
)

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "deltahook-browser-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	built = dir
	code := m.Run()
	ended()
	_ = os.RemoveAll(dir) // what is left lies in the system's temporary folder
	os.Exit(code)
}

// The binary and the browser are had once, by the first test that asks.
var (
	binary   = sync.OnceValues(build)
	chromium = sync.OnceValues(launch)
)

func build() (string, error) {
	path := filepath.Join(built, "deltahook")
	cmd := exec.Command("go", "build", "-o", path, "./cmd/deltahook")
	cmd.Dir = filepath.Join("..", "..")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("go build: %w\n%s", err, out)
	}
	return path, nil
}

// launch starts the browser. Its sandbox, which asks for more than a container
// has, is off: it sees our own pages only. No name is resolved, so that nothing
// can leave loopback; what tries is a complaint of its tab.
func launch() (context.Context, error) {
	path, err := installed()
	if err != nil {
		return nil, err
	}
	all, endAll := chromedp.NewExecAllocator(context.Background(), append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(path), chromedp.NoSandbox, chromedp.WSURLReadTimeout(4*patience), chromedp.UserDataDir(filepath.Join(built, "profile")),
		chromedp.Flag("host-resolver-rules", "MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"))...)
	browser, endBrowser := chromedp.NewContext(all)
	ended = func() { endBrowser(); endAll() }
	return browser, chromedp.Do(browser)
}

// installed is the path of the browser.
func installed() (path string, err error) {
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome", "chrome"} {
		if path, err = exec.LookPath(name); err == nil {
			return path, nil
		}
	}
	return "", err
}

// browser is the browser; where there is none the test is skipped, unless it is
// required.
func browser(tb testing.TB) context.Context {
	tb.Helper()
	if _, err := installed(); err != nil {
		if os.Getenv("DELTAHOOK_REQUIRE_BROWSER") != "" {
			tb.Fatal("Chromium is not installed, and DELTAHOOK_REQUIRE_BROWSER wants it")
		}
		tb.Skip("Chromium is not installed")
	}
	ctx, err := chromium()
	if err != nil {
		tb.Fatal(err)
	}
	return ctx
}
