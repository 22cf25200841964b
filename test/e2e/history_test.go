package e2e

import (
	"fmt"
	"regexp"
	"testing"
	"time"
)

// quote is an answer of a stock's price, as text, with a time that says
// nothing.
func quote(price string) []byte {
	return fmt.Appendf(nil, `{"quotes":[{"symbol":"ACME","last":{"price":%q},"at":%d}]}`, price, time.Now().UnixNano())
}

// TestStockThatFalls has a price fall by five per cent of its highest in a day.
// It is told once, over a kill, for the samples are stored; dry runs see them
// too, of the daemon and of the store, and leave them.
func TestStockThatFalls(t *testing.T) {
	t.Parallel()
	a, hooks, dir := newAPI(t), newReceiver(t, nil), t.TempDir()
	dryURL, dryAnswer, _ := values(t, "")
	for name, url := range map[string]string{"deltahook.yaml": a.URL, "dry.yaml": dryURL} {
		write(t, dir, name, configured(hooks, fmt.Sprintf(`
  stocks:
    schedule: "@every 1s"
    request: {url: "%s", timeout: 60s}
    response:
      items: quotes
      id: symbol
      pick: {price: last.price}
      numbers: {price: {}}
    changes:
      history: {price: 24h}
    events:
      stock.fell:
        on: [created, updated]
        when: pct(window("price", "24h").max, new.price) <= -5
        trigger: enter
`, url)))
	}
	d := start(t, binary(t), dir, "run")
	play := func(prices ...string) {
		t.Helper()
		for _, price := range prices {
			a.play(t, body(quote(price)))
		}
		a.settled(t)
	}
	told := func(want string) {
		t.Helper()
		if got := line(t, hooks.next(t)); got != want {
			t.Errorf("told %s, want %s", got, want)
		}
	}
	fell := func(price string) bool {
		t.Helper()
		dryAnswer(string(quote(price)))
		status, out, stderr := deltahook(t, dir, "poll", "stocks", "--config", "dry.yaml")
		if status != 0 {
			t.Fatalf("poll: status %d, %s", status, stderr)
		}
		return regexp.MustCompile(`(?m) stock.fell +told$`).MatchString(out)
	}
	play("100.00", "104", "99", "98.9") // the change to 99 takes the sample of 104 to the disk
	if fell("98.81") || !fell("98.8") {
		t.Error("a dry run with the daemon does not see its samples")
	}
	d.kill()
	a.gone(t)
	if fell("98.81") || !fell("98.8") {
		t.Error("a dry run with the store does not see its samples")
	}
	d = start(t, binary(t), dir, "run")
	play("98.81", "98.8")
	told(`stock.fell ACME 5 {"price":98.81} -> {"price":98.8}`)
	play("98.7", "98.6", "103", "98.5")
	told(`stock.fell ACME 9 {"price":103} -> {"price":98.5}`)
	d.stop(t)
	if n := len(hooks.attempts()); n != 2 {
		t.Errorf("%d webhooks came, want two", n)
	}
}
