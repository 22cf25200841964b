package decode

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"

	"golang.org/x/net/html"
)

// Bounds of an HTML document.
const (
	mostNodes      = 500_000 // of its tree, some 200 bytes each; two attributes count as one
	mostAttributes = 1_000   // of one element
	farthest       = 1_024   // open elements that are searched for the one that ends
)

var errTooManyNodes = errors.New("too many elements, or too many that are not closed")

// scales weigh an HTML document before it is parsed. Parsers open formatting
// that ended by mistake again, with all its attributes, so that a small
// document can make a tree that is thousands of times as large.
//
// What a parser holds as open depends on all of its rules. The scales know
// only when it surely has let go of an element, and count it as opened again
// at each tag and text until then.
type scales struct {
	left     int
	open     []opened
	formats  int // the weight of all open formatting
	heaviest int // weight of one formatting element
	merged   int // attributes of html and body, to which further tags of theirs add
}

// opened is an element that may be open.
type opened struct {
	name   string
	kind   kind
	weight int // of formatting
}

// kind is what an element is to the rules about formatting (WHATWG HTML,
// 13.2.4.2 and 13.2.6.4.7).
type kind int

const (
	plain   kind = iota
	format       // is opened again
	block        // holds formatting open that ends in it; ends those in it
	alone        // as block, but does not surely end those in it
	wall         // an end tag does not reach the formatting before it
	foreign      // as wall, where it is not empty
)

// known is what the scales know of an element by its name. The zero value is one
// that is plain.
type known struct {
	name string
	kind kind
	raw  string // the content is text, and in the place of a "<" in it stands this
}

// elements are those that are not plain, or are known by name. Those without
// an end tag are plain, and so are those that hold only text: where references
// count, one stands for a "<" in it; elsewhere the text is never shown.
var elements = tableOf(map[known]string{
	{kind: format}: "a b big code em font i nobr s small strike strong tt u",
	{kind: block}: "address article aside blockquote button center details dialog dir div dl fieldset figcaption figure footer " +
		"header hgroup listing main menu nav ol pre search section summary ul",
	{kind: alone}:   "body colgroup dd dt form frameset h1 h2 h3 h4 h5 h6 head html li p tbody tfoot thead tr",
	{kind: wall}:    "applet caption marquee object select table td template th",
	{kind: foreign}: "annotation-xml desc foreignobject math mi mn mo ms mtext svg",
	{raw: "&lt;"}:   "title textarea",
	{raw: " "}:      "iframe noembed noframes noscript plaintext script style xmp",
	{}:              "br",
})

func tableOf(names map[known]string) map[string]known {
	all := map[string]known{}
	for e, list := range names {
		for e.name = range strings.FieldsSeq(list) {
			all[e.name] = e
		}
	}
	return all
}

// weigh gives the document as it may be parsed and the weight that its tree has
// at most, or an error where that is beyond the bounds. What a parser may read as text or as tags,
// by where it stands, has no tags any more: the contents of scripts, styles
// and their like, and CDATA.
func weigh(text string) (document string, weight int, err error) {
	s := scales{left: mostNodes}
	z := html.NewTokenizer(strings.NewReader(text))
	var safe strings.Builder
	safe.Grow(len(text))
	var before known // the start tag, where it is the token before
	for {
		token := z.Next()
		raw := before.raw
		before = known{}
		switch token {
		case html.ErrorToken:
			return safe.String(), mostNodes - s.left, nil // the end: the reader has no other error
		case html.StartTagToken, html.SelfClosingTagToken:
			safe.Write(z.Raw())
			e, attributes := tag(z)
			if attributes > mostAttributes {
				return "", 0, fmt.Errorf("an element with more than %d attributes", mostAttributes)
			}
			s.start(e, attributes, token == html.SelfClosingTagToken)
			before = e
		case html.EndTagToken:
			safe.Write(z.Raw())
			e, _ := tag(z)
			s.end(e)
		case html.TextToken:
			s.left -= 1 + s.formats
			if raw == "" {
				safe.Write(z.Raw())
				break
			}
			safe.Write(bytes.ReplaceAll(z.Raw(), []byte("<"), []byte(raw)))
		default:
			s.left -= 1 + s.formats
			if bytes.HasPrefix(z.Raw(), []byte("<![CDATA[")) {
				safe.WriteString("<!---->")
				break
			}
			safe.Write(z.Raw())
		}
		if s.merged > mostAttributes {
			return "", 0, fmt.Errorf("an element with more than %d attributes", mostAttributes)
		}
		if s.left < 0 {
			return "", 0, errTooManyNodes
		}
	}
}

// tag is the element of a tag, and how many attributes it has.
func tag(z *html.Tokenizer) (e known, attributes int) {
	name, more := z.TagName()
	e = elements[string(name)]
	for more {
		_, _, more = z.TagAttr()
		attributes++
	}
	return e, attributes
}

// start takes in a start tag.
func (s *scales) start(e known, attributes int, closed bool) {
	weight := 1 + attributes/2
	s.left -= weight + s.formats
	if e.name == "html" || e.name == "body" {
		s.merged += attributes
		s.left -= s.merged
	}
	switch {
	case e.kind == plain, e.kind == foreign && closed, e.kind == alone && s.endsAlone(e.name) >= 0:
		return
	case e.kind == format:
		if (e.name == "a" || e.name == "nobr") && s.last(func(o opened) bool { return o.name == e.name }) >= 0 {
			s.endFormat(e.name) // they never stand in each other
		}
		s.formats += weight
		s.heaviest = max(s.heaviest, weight)
	}
	s.open = append(s.open, opened{e.name, e.kind, weight})
}

// end takes in an end tag.
func (s *scales) end(e known) {
	s.left--
	switch e.kind {
	case format:
		s.endFormat(e.name)
	case block:
		if i := s.last(func(o opened) bool { return o.name == e.name }); i >= 0 {
			s.drop(i, func(o opened) bool { return o.kind != format })
		}
	case alone:
		if i := s.endsAlone(e.name); i >= 0 {
			s.open = slices.Delete(s.open, i, i+1)
		}
	case wall, foreign:
		s.endWall(e.name)
	case plain:
		if e.name == "br" {
			s.left -= s.formats // it makes one
		}
	}
}

// endsAlone is the index of the last block, where it has that name; else -1.
func (s *scales) endsAlone(name string) int {
	if i := s.last(func(o opened) bool { return o.kind != format }); i >= 0 && s.open[i].name == name {
		return i
	}
	return -1
}

// last is the index of the last open element that is one, up to the last wall;
// -1: there is none near.
func (s *scales) last(is func(opened) bool) int {
	for i := len(s.open) - 1; i >= max(0, len(s.open)-farthest); i-- {
		if o := s.open[i]; is(o) && o.kind < wall {
			return i
		} else if o.kind >= wall {
			break
		}
	}
	return -1
}

// drop forgets elements from i on.
func (s *scales) drop(i int, gone func(opened) bool) {
	kept := s.open[:i]
	for _, o := range s.open[i:] {
		if !gone(o) {
			kept = append(kept, o)
		}
	}
	s.open = kept
}

// endFormat takes in the end tag of formatting. Where blocks stand in it, up
// to 4 elements are made anew for each, 8 times at most; after these it may
// stay open.
func (s *scales) endFormat(name string) {
	lightest, blocks, inside := -1, 0, 0
	for i := len(s.open) - 1; i >= max(0, len(s.open)-farthest) && s.open[i].kind < wall; i-- {
		switch o := s.open[i]; {
		case o.kind != format:
			blocks++
		case o.name == name:
			inside = blocks
			if lightest < 0 || o.weight <= s.open[lightest].weight {
				lightest = i
			}
		}
	}
	if lightest < 0 {
		inside = 8
	}
	s.left -= min(8, inside) * min(s.formats, 4*s.heaviest)
	if inside < 8 {
		s.formats -= s.open[lightest].weight
		s.open = slices.Delete(s.open, lightest, lightest+1)
	}
}

// endWall takes in the end tag of a wall, which counts where it is the last
// that stands. A table ends its cells, too.
func (s *scales) endWall(name string) {
	for i, o := range slices.Backward(s.open) {
		switch {
		case o.kind < wall, name == "table" && (o.name == "td" || o.name == "th" || o.name == "caption"):
			continue
		case o.name == name && name == "table":
			s.drop(i, func(o opened) bool { return o.kind != format })
		case o.name == name:
			s.open = slices.Delete(s.open, i, i+1)
		}
		return
	}
}
