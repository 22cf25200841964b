package decode

import (
	"errors"
	"fmt"
	"regexp"
	"strings"

	"github.com/andybalholm/cascadia"
	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"
)

// HTML reads parts of a page, found by CSS selectors: a list of objects, one
// for each row, or one object of the whole page where there is no Rows. A
// page on which nothing is found is an error, for it is more probably another
// page than an empty one.
type HTML struct {
	Rows   Selector // of each row; the zero value: the page is one object
	Empty  Selector // of something that is there where the page truly has no rows
	Fields []Field
}

// Field is one member of the objects. One that is not found is left out.
type Field struct {
	Name string
	From Selector
}

// Selector is a CSS selector, and what of the first element that it finds is
// wanted: its text, white space collapsed, or an attribute. Make it with
// ParseSelector or ParseField; the zero value finds nothing.
type Selector struct {
	css  cascadia.SelectorGroup // nil: the row itself
	own  bool
	attr string
}

// none reports whether s is the zero value.
func (s Selector) none() bool { return s.css == nil && !s.own }

// ParseSelector compiles a CSS selector.
func ParseSelector(text string) (Selector, error) {
	if strings.TrimSpace(text) == "" {
		return Selector{}, errors.New("no selector")
	}
	css, err := cascadia.ParseGroup(text)
	if err != nil {
		return Selector{}, fmt.Errorf("%q is not a CSS selector: %w", text, err)
	}
	return Selector{css: css}, nil
}

// ParseField compiles a CSS selector that may end in @ATTRIBUTE. Without a
// selector before that, or with ".", it is the row itself.
func ParseField(text string) (Selector, error) {
	css, attr := text, ""
	if m := atAttribute.FindStringSubmatchIndex(text); m != nil {
		css, attr = text[:m[0]], strings.ToLower(text[m[2]:m[3]])
	}
	if css = strings.TrimSpace(css); css == "." || css == "" && attr != "" {
		return Selector{own: true, attr: attr}, nil
	}
	s, err := ParseSelector(css)
	s.attr = attr
	return s, err
}

var atAttribute = regexp.MustCompile(`@([A-Za-z_][A-Za-z0-9_:.-]*)\s*$`)

// JSON is the list or the object.
func (h *HTML) JSON(body []byte, limit int64) ([]byte, error) {
	text, _, err := weigh(string(body))
	if err != nil {
		return nil, err
	}
	page, err := html.Parse(strings.NewReader(text))
	if err != nil {
		return nil, err
	}
	if h.Rows.none() {
		out, found := h.row(nil, page)
		switch {
		case !found:
			return nil, errors.New("none of html.fields is on the page")
		case int64(len(out)) > limit:
			return nil, ErrTooLarge
		}
		return out, nil
	}
	return h.rows(page, limit)
}

func (h *HTML) rows(page *html.Node, limit int64) ([]byte, error) {
	rows := cascadia.QueryAll(page, h.Rows.css)
	if len(rows) == 0 && (h.Empty.none() || cascadia.Query(page, h.Empty.css) == nil) {
		return nil, errors.New("nothing is at html.rows: another page, or one without rows, which html.empty could tell")
	}
	out := []byte{'['}
	for i, row := range rows {
		if i > 0 {
			out = append(out, ',')
		}
		if out, _ = h.row(out, row); int64(len(out)) >= limit {
			return nil, ErrTooLarge
		}
	}
	return append(out, ']'), nil
}

// row appends the object of a row, and says whether any field was found.
func (h *HTML) row(dst []byte, row *html.Node) (out []byte, found bool) {
	o := open(dst)
	for _, f := range h.Fields {
		if value, ok := f.From.value(row); ok {
			o.name(f.Name)
			o.out = appendText(o.out, value)
			found = true
		}
	}
	return o.close(), found
}

func (s Selector) value(row *html.Node) (string, bool) {
	n := row
	if !s.own {
		if n = cascadia.Query(row, s.css); n == nil {
			return "", false
		}
	}
	if s.attr == "" {
		var b strings.Builder
		gather(&b, n)
		return strings.Join(strings.Fields(b.String()), " "), true
	}
	for _, a := range n.Attr {
		if a.Key == s.attr {
			return strings.TrimSpace(a.Val), true
		}
	}
	return "", false
}

// gather writes the text of n as a browser shows it, but for white space:
// blocks and breaks part words, scripts and styles are not text.
func gather(b *strings.Builder, n *html.Node) {
	switch n.Type {
	case html.TextNode:
		b.WriteString(n.Data)
		return
	case html.CommentNode:
		return
	}
	switch n.DataAtom {
	case atom.Script, atom.Style, atom.Template, atom.Noscript:
		return
	}
	apart := n.Type == html.ElementNode && !inline[n.DataAtom]
	if apart {
		b.WriteByte(' ')
	}
	for c := n.FirstChild; c != nil; c = c.NextSibling {
		gather(b, c)
	}
	if apart {
		b.WriteByte(' ')
	}
}

// inline are the elements that do not part words.
var inline = map[atom.Atom]bool{
	atom.A: true, atom.Abbr: true, atom.B: true, atom.Big: true, atom.Cite: true, atom.Code: true, atom.Data: true,
	atom.Del: true, atom.Dfn: true, atom.Em: true, atom.Font: true, atom.I: true, atom.Ins: true, atom.Kbd: true,
	atom.Mark: true, atom.Q: true, atom.S: true, atom.Samp: true, atom.Small: true, atom.Span: true, atom.Strong: true,
	atom.Sub: true, atom.Sup: true, atom.Time: true, atom.Tt: true, atom.U: true, atom.Var: true, atom.Wbr: true,
}
