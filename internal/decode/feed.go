package decode

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
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
			return isFeed(root.Name, body)
		}
	}
}

// isFeed reports whether a document with such a root is RSS or Atom.
func isFeed(root xml.Name, body []byte) bool {
	switch root.Local {
	case "rss":
		return true
	case "feed":
		return root.Space == "http://www.w3.org/2005/Atom" || root.Space == "http://purl.org/atom/ns#"
	case "RDF":
		return bytes.Contains(body, []byte("http://purl.org/rss/1.0/")) || bytes.Contains(body, []byte("http://my.netscape.com/rdf/simple/0.9/"))
	}
	return false
}

// JSON is the object.
func (Feed) JSON(body []byte, limit int64) ([]byte, error) {
	text := bytes.TrimSpace(body)
	var err error
	if len(text) > 0 && text[0] == '{' {
		err = checkJSONFeed(text)
	} else {
		text, err = plainFeed(text)
	}
	if err != nil {
		return nil, err
	}
	parser := gofeed.NewParser()
	parser.RSSTranslator = &gofeed.DefaultRSSTranslator{DisableContentImageScan: true} // it parses HTML
	feed, err := parser.Parse(bytes.NewReader(text))
	if err != nil {
		return nil, fmt.Errorf("not a feed: %w", err)
	}
	return writeFeed(feed, limit)
}

// checkJSONFeed wants what the parser behind it does without: any object would
// be a feed that has no items.
func checkJSONFeed(body []byte) error {
	var feed struct {
		Version string             `json:"version"`
		Items   *[]json.RawMessage `json:"items"`
	}
	switch err := json.Unmarshal(body, &feed); {
	case !json.Valid(body):
		return errors.New("not JSON")
	case err != nil, !strings.HasPrefix(feed.Version, "https://jsonfeed.org/version/"), feed.Items == nil:
		return errors.New("JSON, but not a JSON Feed: that has a version that begins https://jsonfeed.org/version/, and a list of items")
	}
	return nil
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
