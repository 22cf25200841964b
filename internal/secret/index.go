package secret

import (
	"encoding/base64"
	"regexp"
	"slices"
	"strings"
)

// index finds any of many values in a text, in one pass. A plus and a space are
// one to it, for in forms and queries the first stands for the second.
type index struct {
	pairs  [1 << 16 / 64]uint64 // the first two bytes of values, a bit each
	byHead map[[shortest]byte][]needle
}

// needle is what is looked for.
type needle struct {
	text string
	blob bool // it is part of base64, all of which is cut out
	// lead is how many bytes it lacks of its beginning, where a mark that
	// stands before them makes an escape of them; plain is what that escape
	// stands for.
	lead  int
	plain string
}

// add makes a value known, and what is left of it in base64, with whatever
// stands before it: user:secret in HTTP Basic. One that is too short is left out.
func (x *index) add(v string) {
	if len(v) < shortest {
		return
	}
	x.insert(needle{text: v})
	for _, e := range escapes {
		if plain, n := e.read(string(e.mark) + v); n > 1 && len(v)-n+1 >= shortest {
			x.insert(needle{text: v[n-1:], lead: n - 1, plain: plain})
		}
	}
	for before := range 3 {
		encoded := base64.RawStdEncoding.EncodeToString(append(make([]byte, before), v...))
		// The characters that are made of v's bits alone.
		encoded = encoded[(8*before+5)/6 : 8*(before+len(v))/6]
		x.insert(needle{text: encoded, blob: true})
		x.insert(needle{text: strings.NewReplacer("+", "-", "/", "_").Replace(encoded), blob: true})
	}
}

func (x *index) insert(n needle) {
	n.text = folded(n.text)
	if x.byHead == nil {
		x.byHead = map[[shortest]byte][]needle{}
	}
	x.pairs[pair(n.text)/64] |= 1 << (pair(n.text) % 64)
	head := [shortest]byte([]byte(n.text))
	same := x.byHead[head]
	if slices.Contains(same, n) {
		return
	}
	i := slices.IndexFunc(same, func(m needle) bool { return len(m.text) < len(n.text) })
	if i < 0 {
		i = len(same)
	}
	x.byHead[head] = slices.Insert(same, i, n) // the longest first
}

func folded(s string) string { return strings.ReplaceAll(s, "+", " ") }

func pair(s string) int { return int(s[0])<<8 | int(s[1]) }

// find adds to cuts where values stand in r, by the offsets of the text that it
// is a reading of. Those that overlap are one, and a blob is widened once, so
// that what says a value over and over again costs no more than its length.
func (x *index) find(r reading, cuts []span) []span {
	text := folded(r.text)
	var last span // found, but not in cuts yet
	for i := 0; i+shortest <= len(text); i++ {
		p := pair(text[i:])
		if x.pairs[p/64]&(1<<(p%64)) == 0 {
			continue
		}
		n, ok := x.at(r, text, i)
		if !ok {
			continue
		}
		at := span{i, i + len(n.text)}
		switch {
		case at.to <= last.to:
			continue
		case n.blob:
			at = blobAround(r.text, at)
		case n.lead > 0:
			// From behind the mark on, or where that is escaped itself, from
			// within.
			cuts = append(cuts, span{int(r.at[i-len(n.plain)]) + 1, r.source(at).to})
			continue
		}
		if at.from < last.to {
			last = span{min(last.from, at.from), at.to}
			continue
		}
		if last.to > 0 {
			cuts = append(cuts, r.source(last))
		}
		last = at
	}
	if last.to > 0 {
		cuts = append(cuts, r.source(last))
	}
	return cuts
}

// at is the longest of what is looked for that stands in a reading at an offset,
// or begins with all that is left of it: what says a value may have been cut off,
// within an escape even, of which the beginning stays. folded is its text, folded.
func (x *index) at(r reading, folded string, i int) (needle, bool) {
	text := folded[i:]
	same := x.byHead[[shortest]byte([]byte(text[:shortest]))]
	for _, n := range same {
		if strings.HasPrefix(text, n.text) && n.led(r, i) {
			return n, true
		}
	}
	for _, n := range same {
		if len(text) >= len(n.text)+longestEscape {
			continue
		}
		if text := whole(text); strings.HasPrefix(n.text, text) && n.led(r, i) {
			n.text = text
			return n, true
		}
	}
	return needle{}, false
}

// led says whether the beginning that it lacks stands before an offset of a
// reading, as what an escape stood for: which is longer than that.
func (n *needle) led(r reading, i int) bool {
	if n.lead == 0 {
		return true
	}
	from := i - len(n.plain)
	return r.at != nil && strings.HasSuffix(r.text[:i], n.plain) && int(r.at[i]-r.at[from]) > len(n.plain)
}

// longestEscape is how many bytes an escape may have: two of \u.
const longestEscape = 12

// halfEscape is the beginning of one, at the end of a text.
var halfEscape = regexp.MustCompile(`(%[0-9a-fA-F]?|\\([xuU][0-9a-fA-F]*)?|&[#a-zA-Z0-9]*)$`)

// whole is a text without the beginning of an escape that it ends with.
func whole(text string) string {
	from := max(shortest, len(text)-longestEscape)
	return text[:from] + halfEscape.ReplaceAllString(text[from:], "")
}

// blobAround widens a part of a text to all of the base64 that it is in.
func blobAround(text string, at span) span {
	for at.from > 0 && isBase64(text[at.from-1]) {
		at.from--
	}
	for at.to < len(text) && (isBase64(text[at.to]) || text[at.to] == '=') {
		at.to++
	}
	return at
}

func isBase64(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' ||
		c == '+' || c == '/' || c == '-' || c == '_'
}
