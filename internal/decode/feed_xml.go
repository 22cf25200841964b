package decode

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"strings"
)

// plainFeed reads an XML feed from end to end, for what the parser behind it
// lets pass: a document that was cut or is no feed, a second root,
// declarations, nesting. It gives the document from its root on, for the
// declaration may name a charset that it no longer has; and with all HTML as
// plain text, for that parser would parse it, without bounds.
func plainFeed(body []byte) ([]byte, error) {
	f := feedWalk{body: body, in: newFeedReader(body)}
	for {
		f.from = f.in.InputOffset()
		t, err := f.in.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, xmlError(err)
		}
		switch t := t.(type) {
		case xml.Directive:
			if bytes.ContainsRune(t, '[') {
				return nil, errors.New("a document type declaration with declarations in it, which is refused")
			}
		case xml.StartElement:
			if err := f.start(t); err != nil {
				return nil, err
			}
		case xml.EndElement:
			f.end()
		}
	}
	switch {
	case f.root == "":
		return nil, errors.New("there is no element")
	case f.root != "feed" && !f.channel:
		return nil, errors.New("not a feed: it has no channel")
	}
	return append(f.out, body[f.copied:]...), nil
}

// feedWalk is one reading of an XML feed.
type feedWalk struct {
	in      *xml.Decoder
	body    []byte
	from    int64  // where the token begins
	out     []byte // what was copied
	copied  int64  // from the body up to here
	depth   int
	root    string // "": none yet
	channel bool

	text  int  // depth of the text construct that it is in; 0: none
	xhtml bool // it is one of XHTML
	div   wrapper
}

// wrapper is the div that XHTML stands in (RFC 4287, section 3.1.1.3).
type wrapper struct {
	count              int // of elements in the construct
	is                 bool
	from, open, closed int64 // where it begins, where its content begins and ends
	to                 int64 // where it ends
}

func (f *feedWalk) start(t xml.StartElement) error {
	if f.depth++; f.depth > MaxDepth {
		return fmt.Errorf("elements nested deeper than %d", MaxDepth)
	}
	switch {
	case f.depth == 1 && f.root != "":
		return errors.New("an element after the end of the root")
	case f.depth == 1 && !isFeed(t.Name, f.body):
		return fmt.Errorf("not a feed: its root is %s", quoted(t.Name.Local))
	case f.depth == 1:
		f.root, f.copied = t.Name.Local, f.from
	case f.depth == 2 && t.Name.Local == "channel":
		f.channel = true
	case f.text > 0 && f.depth == f.text+1:
		f.div.count++
		f.div.is, f.div.from, f.div.open = t.Name.Local == "div", f.from, f.in.InputOffset()
	}
	if f.root == "feed" && f.text == 0 && t.Name.Local != "link" {
		f.retype(t)
	}
	return nil
}

// retype makes the start tag of a text construct that is HTML one of text, and
// that of XHTML one of a type that nobody knows, which is left as it is.
func (f *feedWalk) retype(t xml.StartElement) {
	for _, a := range t.Attr {
		if !strings.EqualFold(a.Name.Local, "type") || !strings.Contains(strings.ToLower(a.Value), "html") {
			continue
		}
		tag := f.body[f.from:f.in.InputOffset()]
		name := tag[1 : 1+bytes.IndexAny(tag[1:], " \t\r\n/>")]
		end := ">"
		if bytes.HasSuffix(tag, []byte("/>")) {
			end = "/>"
		}
		f.text, f.xhtml, f.div = f.depth, strings.Contains(strings.ToLower(a.Value), "xhtml"), wrapper{}
		kind := "text"
		if f.xhtml {
			kind = "markup"
		}
		f.copy(f.from, f.in.InputOffset())
		f.out = append(fmt.Appendf(f.out, `<%s type="%s"`, name, kind), end...)
		return
	}
}

// copy copies up to a place, and goes on behind another.
func (f *feedWalk) copy(to, next int64) {
	f.out = append(f.out, f.body[f.copied:to]...)
	f.copied = next
}

func (f *feedWalk) end() {
	switch f.depth {
	case f.text + 1:
		if f.text > 0 {
			f.div.closed, f.div.to = f.from, f.in.InputOffset()
		}
	case f.text:
		if d := f.div; f.xhtml && d.count == 1 && d.is {
			f.copy(d.from, d.open)
			f.copy(max(d.open, d.closed), d.to)
		}
		f.text = 0
	}
	f.depth--
}
