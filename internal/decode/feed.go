package decode

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/mmcdole/gofeed"
)

// Feed reads RSS (0.9 to 2.0), Atom and JSON Feed as one object:
//
//	{"title": …, "description": …, "link": …, "updated": …, "items": [
//	  {"id": …, "title": …, "link": …, "published": …, "updated": …,
//	   "summary": …, "content": …, "authors": […], "categories": […]}]}
//
// All values are text. What the feed does not say is left out, but for items.
// The id is the guid or id of an item, or else its link. Times are RFC 3339
// in UTC where they can be read, else as they were written.
type Feed struct{}

// IsFeed reports whether an XML document is RSS or Atom, by its root.
func IsFeed(body []byte) bool {
	in := newFeedReader(body)
	for {
		t, err := in.Token()
		if err != nil {
			return false
		}
		if root, ok := t.(xml.StartElement); ok {
			switch space := root.Name.Space; root.Name.Local {
			case "rss":
				return true
			case "feed":
				return space == "http://www.w3.org/2005/Atom" || space == "http://purl.org/atom/ns#"
			case "RDF":
				return bytes.Contains(body, []byte("http://purl.org/rss/1.0/"))
			}
			return false
		}
	}
}

// JSON is the object.
func (Feed) JSON(body []byte, limit int64) ([]byte, error) {
	text := bytes.TrimSpace(body)
	if len(text) > 0 && text[0] == '{' {
		if err := checkJSONFeed(text); err != nil {
			return nil, err
		}
	} else {
		var err error
		if text, err = checkFeed(text); err != nil {
			return nil, err
		}
	}
	feed, err := gofeed.NewParser().Parse(bytes.NewReader(text))
	if err != nil {
		return nil, fmt.Errorf("not a feed: %w", err)
	}
	return writeFeed(feed, limit)
}

// checkJSONFeed is checkFeed for a JSON Feed.
func checkJSONFeed(body []byte) error {
	if !json.Valid(body) {
		return errors.New("not JSON")
	}
	left := budget{nodes: mostNodes}
	in := json.NewDecoder(bytes.NewReader(body))
	for {
		t, err := in.Token()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if text, ok := t.(string); ok && strings.Contains(text, "<") {
			if err := left.weigh(text); err != nil {
				return err
			}
		}
	}
}

// checkFeed reads an XML feed from end to end, for what the parser behind it
// lets pass or has no bound for: a document that was cut, declarations,
// nesting, and HTML that makes a tree out of proportion. It gives the document
// from its root on: the declaration may name a charset that it no longer has.
func checkFeed(body []byte) ([]byte, error) {
	left := budget{nodes: mostNodes}
	if err := left.weigh(string(body)); err != nil {
		return nil, err
	}
	in := newFeedReader(body)
	depth, start, before := 0, int64(-1), int64(0)
	for {
		t, err := in.Token()
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
			if start < 0 {
				start = before
			}
			if depth++; depth > MaxDepth {
				return nil, fmt.Errorf("elements nested deeper than %d", MaxDepth)
			}
		case xml.EndElement:
			depth--
		case xml.CharData:
			if bytes.IndexByte(t, '<') >= 0 {
				if err := left.weigh(string(t)); err != nil {
					return nil, err
				}
			}
		}
		before = in.InputOffset()
	}
	if start < 0 {
		return nil, errors.New("there is no element")
	}
	return body[start:], nil
}

// newFeedReader forgives what feeds are known for: entities of HTML, and
// attributes without quotes.
func newFeedReader(body []byte) *xml.Decoder {
	in := newXMLReader(body)
	in.Strict = false
	in.Entity = xml.HTMLEntity
	return in
}

func writeFeed(f *gofeed.Feed, limit int64) ([]byte, error) {
	o := open(nil)
	o.text("title", f.Title)
	o.text("description", f.Description)
	o.text("link", f.Link)
	o.text("language", f.Language)
	o.text("updated", moment(f.UpdatedParsed, f.Updated))
	o.name("items")
	o.out = append(o.out, '[')
	for i, item := range f.Items {
		if i > 0 {
			o.out = append(o.out, ',')
		}
		o.out = appendItem(o.out, item)
		if int64(len(o.out)) >= limit {
			return nil, ErrTooLarge
		}
	}
	o.out = append(o.out, ']')
	return o.close(), nil
}

func appendItem(dst []byte, item *gofeed.Item) []byte {
	o := open(dst)
	id := strings.TrimSpace(item.GUID)
	if id == "" {
		id = item.Link
	}
	o.text("id", id)
	o.text("title", item.Title)
	o.text("link", item.Link)
	o.text("published", moment(item.PublishedParsed, item.Published))
	o.text("updated", moment(item.UpdatedParsed, item.Updated))
	o.text("summary", item.Description)
	o.text("content", item.Content)
	var authors []string
	for _, a := range item.Authors {
		if a != nil && a.Name+a.Email != "" {
			authors = append(authors, a.Name)
			if a.Name == "" {
				authors[len(authors)-1] = a.Email
			}
		}
	}
	o.texts("authors", authors)
	o.texts("categories", item.Categories)
	return o.close()
}

// moment is a time as it is told.
func moment(parsed *time.Time, written string) string {
	if parsed == nil {
		return written
	}
	return parsed.UTC().Format(time.RFC3339Nano)
}
