package decode

import (
	"errors"
	"strings"

	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"
)

// mostNodes bounds the tree of an HTML document, some 200 bytes a node.
const mostNodes = 500_000

var errTooManyNodes = errors.New("too many elements, or too many that are not closed")

// budget is how many nodes parsers of HTML may still make. They open again
// what formatting was not closed where it ends by mistake, so that a small
// document can make a tree that is hundreds of times as large.
type budget struct {
	nodes int
	open  int // formatting elements that may be opened again
}

// weigh takes from the budget at least as many nodes as an HTML parser makes
// of text. It counts the worst: that at each tag and text all formatting that
// is open is made once more.
func (b *budget) weigh(text string) error {
	b.open = 0
	z := html.NewTokenizer(strings.NewReader(text))
	for {
		switch z.Next() {
		case html.ErrorToken:
			return nil // the end: the reader has no other error
		case html.StartTagToken, html.SelfClosingTagToken:
			b.nodes -= 1 + b.open
			if formats(z) {
				b.open++
			}
		case html.EndTagToken:
			b.nodes--
			if formats(z) && b.open > 0 {
				b.nodes -= min(b.open, 32) // by the adoption agency: 8 times, 3 elements and the one itself
				b.open--
			}
		default:
			b.nodes -= 1 + b.open
		}
		if b.nodes < 0 {
			return errTooManyNodes
		}
	}
}

// formats reports whether the tag is one of formatting (WHATWG HTML, 13.2.4.2).
func formats(z *html.Tokenizer) bool {
	name, _ := z.TagName()
	switch atom.Lookup(name) {
	case atom.A, atom.B, atom.Big, atom.Code, atom.Em, atom.Font, atom.I, atom.Nobr,
		atom.S, atom.Small, atom.Strike, atom.Strong, atom.Tt, atom.U:
		return true
	}
	return false
}
