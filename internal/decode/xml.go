package decode

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
)

// XML reads a document as {"ROOT": …}.
//
// An element that has neither attributes nor elements in it is its text. Any
// other is an object: its attributes as "@name", its elements under their
// names, its own text, where there is any, as "#text". White space at the ends
// of a text is not part of it.
//
// A path never means something else because an element is there once more: of
// equal names the first stands under its name and the others in a list under
// the name and a "+". Where lists name an element it is always a list, and an
// empty one where its parent has none of it.
//
// A name is without its prefix, or with the one that namespaces give to its
// namespace. DTDs are refused, and with them entities of the document's own.
type XML struct {
	root     *branch
	prefixes map[string]string // of namespaces, by URI
}

// NewXML makes a decoder. lists are paths as XMLPath reads them; namespaces
// are URIs by the prefix that names of theirs get.
func NewXML(lists [][]string, namespaces map[string]string) *XML {
	x := &XML{root: &branch{}, prefixes: map[string]string{}}
	for _, path := range lists {
		at := x.root
		for _, name := range path {
			next := at.below[name]
			if next == nil {
				if at.below == nil {
					at.below = map[string]*branch{}
				}
				next = &branch{}
				at.below[name] = next
				at.names = append(at.names, name)
			}
			at = next
		}
		at.list = true
	}
	for prefix, uri := range namespaces {
		x.prefixes[uri] = prefix
	}
	return x
}

// JSON is the document.
func (x *XML) JSON(body []byte, limit int64) ([]byte, error) {
	w := walk{XML: x, limit: limit, in: newXMLReader(body)}
	top := &element{at: x.root}
	for {
		t, err := w.in.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, xmlError(err)
		}
		switch t := t.(type) {
		case xml.Directive:
			return nil, errors.New("a document type declaration, which is refused: what it declares could be without bounds")
		case xml.StartElement:
			if len(top.parts) > 0 {
				return nil, errors.New("an element after the end of the root")
			}
			if err := w.child(top, t, 1); err != nil {
				return nil, err
			}
		case xml.CharData:
			if len(bytes.TrimSpace(t)) > 0 {
				return nil, errors.New("text outside of the root")
			}
		}
	}
	if len(top.parts) == 0 {
		return nil, errors.New("there is no element")
	}
	out := w.render(top)
	if int64(len(out)) > limit {
		return nil, ErrTooLarge
	}
	return out, nil
}

// newXMLReader is a strict reader of a document that is UTF-8 by now, whatever
// it says of itself.
func newXMLReader(body []byte) *xml.Decoder {
	in := xml.NewDecoder(bytes.NewReader(body))
	in.CharsetReader = func(_ string, r io.Reader) (io.Reader, error) { return r, nil }
	return in
}

// xmlError is an error of encoding/xml with its line, and without "XML".
func xmlError(err error) error {
	if e, ok := errors.AsType[*xml.SyntaxError](err); ok {
		return fmt.Errorf("line %d: %s", e.Line, e.Msg)
	}
	return err
}

// walk is one reading of a document. An element that has ended is JSON
// already, so only those that are open take more than their JSON.
type walk struct {
	*XML
	in    *xml.Decoder
	limit int64
	held  int64 // bytes of JSON in the parts of open elements
}

// element is one that is open.
type element struct {
	at    *branch // nil: no list stands below it
	text  []byte
	parts []part
	index map[string]int // of parts, by name
}

// part is the attribute or the elements of one name.
type part struct {
	name  string
	n     int
	first int    // where the JSON of the first of them ends
	json  []byte // of all, with commas between
}

// child reads an element to its end and adds it to its parent.
func (w *walk) child(parent *element, start xml.StartElement, depth int) error {
	if depth > MaxDepth {
		return fmt.Errorf("elements nested deeper than %d", MaxDepth)
	}
	name := w.name(start.Name)
	e := &element{}
	if parent.at != nil {
		e.at = parent.at.below[name]
	}
	if err := w.attributes(e, start.Attr); err != nil {
		return err
	}
	for {
		t, err := w.in.Token()
		if err != nil {
			return xmlError(err) // the end of the body as well: encoding/xml knows what is open
		}
		switch t := t.(type) {
		case xml.Directive:
			return errors.New("a declaration within an element")
		case xml.CharData:
			e.text = append(e.text, t...)
		case xml.StartElement:
			if err := w.child(e, t, depth+1); err != nil {
				return err
			}
		case xml.EndElement:
			return w.add(parent, name, w.render(e))
		}
	}
}

// attributes adds those of an element, but not the declarations of namespaces.
// Those without a namespace come first, so that another with the same name
// never takes its place.
func (w *walk) attributes(e *element, attrs []xml.Attr) error {
	seen := make(map[xml.Name]bool, len(attrs))
	for _, spaced := range []bool{false, true} {
		for _, a := range attrs {
			if (a.Name.Space != "") != spaced || a.Name.Space == "xmlns" || a.Name.Space == "" && a.Name.Local == "xmlns" {
				continue
			}
			if seen[a.Name] {
				return fmt.Errorf("an element has the attribute %s twice", quoted(a.Name.Local))
			}
			seen[a.Name] = true
			if err := w.add(e, "@"+w.name(a.Name), appendText(nil, a.Value)); err != nil {
				return err
			}
		}
	}
	return nil
}

// name is an element's or an attribute's.
func (w *walk) name(n xml.Name) string {
	if prefix := w.prefixes[n.Space]; prefix != "" && n.Space != "" {
		return prefix + ":" + n.Local
	}
	return n.Local
}

// add adds JSON to the parts of an element.
func (w *walk) add(e *element, name string, json []byte) error {
	i, ok := e.index[name]
	if !ok {
		if len(e.parts) == MaxNames {
			return fmt.Errorf("an element with more than %d different names in it", MaxNames)
		}
		if e.index == nil {
			e.index = map[string]int{}
		}
		i = len(e.parts)
		e.index[name] = i
		e.parts = append(e.parts, part{name: name})
	}
	p := &e.parts[i]
	before := len(p.json)
	if p.n++; p.n == 1 {
		p.json, p.first = json, len(json)
	} else {
		p.json = append(append(p.json, ','), json...)
	}
	if w.held += int64(len(p.json) - before); w.held > w.limit {
		return ErrTooLarge
	}
	return nil
}

// render is the JSON of an element that has ended.
func (w *walk) render(e *element) []byte {
	text := string(bytes.TrimSpace(e.text))
	if len(e.parts) == 0 && !e.at.hasLists() {
		return appendText(nil, text)
	}
	size := len(text)
	for _, p := range e.parts {
		size += len(p.json) + 2*len(p.name) + 8
		w.held -= int64(len(p.json))
	}
	o := open(make([]byte, 0, size))
	for _, p := range e.parts {
		e.member(&o, p)
	}
	o.text("#text", text)
	if e.at != nil {
		for _, name := range e.at.names {
			if _, there := e.index[name]; !there && e.at.below[name].list {
				o.name(name)
				o.out = append(o.out, '[', ']')
			}
		}
	}
	return o.close()
}

// member writes a part.
func (e *element) member(o *object, p part) {
	o.name(p.name)
	switch {
	case e.at != nil && e.at.below[p.name] != nil && e.at.below[p.name].list:
		o.out = append(append(append(o.out, '['), p.json...), ']')
	case p.n == 1:
		o.out = append(o.out, p.json...)
	default:
		o.out = append(o.out, p.json[:p.first]...)
		o.name(p.name + "+")
		o.out = append(append(append(o.out, '['), p.json[p.first+1:]...), ']')
	}
}
