package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"golang.org/x/term"
)

// progress says on standard error how far something is that takes long. On a
// terminal that is one line, which is written anew and gone at the end;
// elsewhere a plain line every ten seconds, and none where it ends sooner.
// It belongs to one goroutine.
type progress struct {
	w      io.Writer
	what   string
	amount func(int64) string // how an amount is written
	width  int                // columns of the terminal; 0: there is none
	begun  time.Time
	told   time.Time
	shown  bool
}

// How often a line is written.
const (
	progressDrawn = 100 * time.Millisecond // on a terminal
	progressTold  = 10 * time.Second       // elsewhere
)

// barWidth is how many characters a bar has.
const barWidth = 20

// progress begins one: what it is that takes long, in a word or two, and how an
// amount of it is written, as size is.
func (a *app) progress(what string, amount func(int64) string) *progress {
	return newProgress(a.err, columns(a.err), what, amount)
}

func newProgress(w io.Writer, width int, what string, amount func(int64) string) *progress {
	now := time.Now()
	return &progress{w: w, what: what, amount: amount, width: width, begun: now, told: now}
}

// columns is the width of the terminal that w is; 0: it is none.
func columns(w io.Writer) int {
	f, ok := w.(*os.File)
	if !ok || os.Getenv("TERM") == "dumb" {
		return 0
	}
	width, _, err := term.GetSize(int(f.Fd()))
	if err != nil || width < 0 {
		return 0
	}
	return width
}

// at says that so much is done of so much; total 0: nobody knows of how much.
func (p *progress) at(done, total int64) {
	every := progressTold
	if p.width > 0 {
		every = progressDrawn
	}
	now := time.Now()
	if now.Sub(p.told) < every {
		return
	}
	p.told = now
	if p.width == 0 {
		fmt.Fprintf(p.w, "%s: %s\n", p.what, p.text(done, total, now))
		return
	}
	line := p.what + " " + bar(done, total) + p.text(done, total, now)
	p.shown = true
	fmt.Fprintf(p.w, "\r\x1b[K%s", clip(line, p.width-1)) // the last column would wrap
}

// end takes the line away.
func (p *progress) end() {
	if p.shown {
		fmt.Fprint(p.w, "\r\x1b[K")
		p.shown = false
	}
}

func (p *progress) text(done, total int64, now time.Time) string {
	if total <= 0 {
		return p.amount(done)
	}
	text := fmt.Sprintf("%d%%, %s of %s", share(done, total), p.amount(done), p.amount(total))
	if left := p.left(done, total, now); left > 0 {
		text += fmt.Sprintf(", %s left", left)
	}
	return text
}

// left is how long it takes at the pace up to now; 0: not known.
func (p *progress) left(done, total int64, now time.Time) time.Duration {
	if done <= 0 || done >= total {
		return 0
	}
	passed := now.Sub(p.begun)
	return (time.Duration(float64(passed) / float64(done) * float64(total-done))).Round(time.Second)
}

// share is a part in percent, rounded down.
func share(done, total int64) int64 {
	return min(100, max(0, int64(float64(done)/float64(total)*100)))
}

// bar shows a part; "" where nobody knows of how much.
func bar(done, total int64) string {
	if total <= 0 {
		return ""
	}
	full := int(share(done, total)) * barWidth / 100
	return "[" + strings.Repeat("=", full) + strings.Repeat(" ", barWidth-full) + "] "
}

// clip is a text of at most so many characters, the last of them … where it had
// more.
func clip(text string, most int) string {
	if letters := []rune(text); len(letters) > max(1, most) {
		return string(letters[:max(1, most)-1]) + "…"
	}
	return text
}
