package poller

import (
	"bytes"
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"strings"

	"github.com/deltahook/deltahook/internal/canon"
	"github.com/deltahook/deltahook/internal/decode"
	"github.com/deltahook/deltahook/internal/fault"
	"github.com/deltahook/deltahook/internal/request"
)

// growth is how many times request.max_body the JSON may take that is made of
// a body.
const growth = 4

// What a body may be read as.
const (
	formatAuto   = "auto"
	formatJSON   = "json"
	formatNDJSON = "ndjson"
	formatXML    = "xml"
	formatCSV    = "csv"
	formatFeed   = "feed"
	formatHTML   = "html"
	formatText   = "text"
)

// nouns are the formats in words.
var nouns = map[string]string{
	formatJSON: "JSON", formatNDJSON: "NDJSON", formatXML: "XML", formatCSV: "CSV",
	formatFeed: "a feed", formatHTML: "HTML", formatText: "text",
}

// declares says where bodies of a format name their charset.
var declares = map[string]decode.Declared{
	formatJSON: decode.InJSON, formatNDJSON: decode.InJSON,
	formatXML: decode.InXML, formatFeed: decode.InXML, formatHTML: decode.InHTML,
}

// reader makes JSON of bodies.
type reader struct {
	format  string // never ""
	charset string // "": as it is declared
	limit   int64  // of the JSON, in bytes
	formats map[string]decode.Format
}

// columns are those that a table must have so that its rows have their ids.
func (s ResponseSettings) columns() (names []string) {
	if s.Items != "@this" && !strings.HasPrefix(s.Items, "#(") {
		return nil // the ids are those of something else
	}
	for _, path := range s.ID {
		name := strings.ReplaceAll(path, `\.`, "")
		if strings.ContainsAny(name, `.\@#|*?!{}[]()`) {
			continue
		}
		names = append(names, strings.ReplaceAll(path, `\.`, "."))
	}
	return names
}

// compileReader reads what the settings say of formats.
func (s ResponseSettings) compileReader(r fault.Report) *reader {
	words := slices.Sorted(maps.Keys(nouns))
	r.At("format").OneOf(s.Format, append([]string{formatAuto}, words...)...)
	read := &reader{format: s.Format, charset: s.Charset, limit: growth * int64(defaultMaxBody)}
	if read.format == "" {
		read.format = formatAuto
	}
	if s.Charset != "" {
		if err := decode.CheckCharset(s.Charset); err != nil {
			r.At("charset").Errorf("%v", err)
		}
	}
	table := s.CSV.compile(r.At("csv"))
	table.Needed = s.columns()
	read.formats = map[string]decode.Format{
		formatNDJSON: decode.NDJSON{}, formatFeed: decode.Feed{}, formatText: decode.Text{},
		formatXML:  s.XML.compile(r.At("xml")),
		formatCSV:  table,
		formatHTML: s.HTML.compile(r.At("html"), read.format == formatHTML),
	}
	idle := func(key string, given bool, formats ...string) {
		if given && !slices.Contains(formats, read.format) {
			r.At(key).Errorf("has no part in format: %s; it needs format: %s", read.format, key)
		}
	}
	if read.format == formatXML {
		s.checkXMLItems(r)
	}
	idle(formatXML, len(s.XML.Lists)+len(s.XML.Namespaces) > 0, formatXML, formatAuto)
	idle(formatCSV, s.CSV.Delimiter+s.CSV.Comment != "" || len(s.CSV.Header) > 0, formatCSV, formatAuto)
	idle(formatHTML, s.HTML.Rows+s.HTML.Empty != "" || len(s.HTML.Fields) > 0, formatHTML)
	return read
}

// checkXMLItems reports items that are never a list: an element by its path
// from the root, which is not among those that always are.
func (s ResponseSettings) checkXMLItems(r fault.Report) {
	path, err := decode.XMLPath(s.Items)
	number := func(name string) bool { return strings.Trim(name, "0123456789") == "" }
	if err != nil || slices.ContainsFunc(path, number) {
		return // it may be anything
	}
	for _, text := range s.XML.Lists {
		if list, err := decode.XMLPath(text); err == nil && slices.Equal(list, path) {
			return
		}
	}
	r.At("items").Errorf("is an element and no list, however many there are: add xml: {lists: [%s]}", s.Items)
}

func (s XMLSettings) compile(r fault.Report) *decode.XML {
	var lists [][]string
	for i, text := range s.Lists {
		path, err := decode.XMLPath(text)
		if err != nil {
			r.At("lists").Index(i).Errorf("%v", err)
			continue
		}
		lists = append(lists, path)
	}
	uris := map[string]string{}
	for _, prefix := range slices.Sorted(maps.Keys(s.Namespaces)) {
		uri, at := s.Namespaces[prefix], r.At("namespaces", prefix)
		switch other, twice := uris[uri]; {
		case !request.IsToken(prefix) || strings.Contains(prefix, ":"):
			at.Errorf("%q is not a prefix", prefix)
		case uri == "":
			at.Errorf("the URI of a namespace was expected")
		case twice:
			at.Errorf("the namespace of %s has one prefix already", other)
		}
		uris[uri] = prefix
	}
	return decode.NewXML(lists, s.Namespaces)
}

func (s CSVSettings) compile(r fault.Report) decode.CSV {
	char := func(key, text string) rune {
		if text == "" {
			return 0
		}
		c, err := decode.Rune(text)
		if err != nil {
			r.At(key).Errorf("%v", err)
		}
		return c
	}
	c := decode.CSV{Delimiter: char("delimiter", s.Delimiter), Comment: char("comment", s.Comment)}
	delimiter := c.Delimiter
	if delimiter == 0 {
		delimiter = ','
	}
	if c.Comment == delimiter {
		r.At("comment").Errorf("%q parts the fields already", s.Comment)
	}
	if len(s.Header) > 0 {
		var err error
		if c.Names, err = decode.ColumnNames(s.Header); err != nil {
			r.At("header").Errorf("%v", err)
		}
	}
	return c
}

func (s HTMLSettings) compile(r fault.Report, used bool) *decode.HTML {
	selector := func(key, text string) (compiled decode.Selector) {
		if text == "" {
			return compiled
		}
		compiled, err := decode.ParseSelector(text)
		if err != nil {
			r.At(key).Errorf("%v", err)
		}
		return compiled
	}
	h := &decode.HTML{Rows: selector("rows", s.Rows), Empty: selector("empty", s.Empty)}
	if s.Empty != "" && s.Rows == "" {
		r.At("empty").Errorf("says when there are no rows, and needs rows")
	}
	if used && len(s.Fields) == 0 {
		r.At("fields").Errorf("format: html needs them: names, and the CSS selectors of their values")
	}
	for _, name := range slices.Sorted(maps.Keys(s.Fields)) {
		if name == "" {
			r.At("fields").Errorf("a name is empty")
		}
		from, err := decode.ParseField(s.Fields[name])
		if err != nil {
			r.At("fields", name).Errorf("%v", err)
		}
		h.Fields = append(h.Fields, decode.Field{Name: name, From: from})
	}
	return h
}

// json is a body as JSON, or why it isn't what it should be.
func (d *reader) json(contentType string, body []byte) ([]byte, error) {
	media := mediaType(contentType)
	text, marked, err := decode.Unmark(body)
	format := d.format
	if err == nil {
		if format, err = d.choose(media, text); err != nil {
			return nil, err
		}
	}
	if err == nil && !marked {
		text, err = decode.UTF8(text, d.charset, contentType, declares[format])
	}
	if err == nil && format == formatXML && d.format == formatAuto && decode.IsFeed(text) {
		format = formatFeed
	}
	from := len(text)
	if f := d.formats[format]; err == nil && f != nil {
		text, err = f.JSON(text, d.limit)
	}
	if err == nil {
		err = canon.Valid(text)
	}
	switch {
	case errors.Is(err, decode.ErrTooLarge):
		return nil, Failf(ClassTooLarge, "the JSON that is made of it is over %d bytes, %d times request.max_body", d.limit, growth)
	case err != nil:
		return nil, Failf(ClassFormat, "not %s (%d bytes, content type %q): %w", d.noun(format), from, media, err)
	}
	return text, nil
}

// noun is a format in words; of auto, which of the formats is not known yet.
func (d *reader) noun(format string) string {
	if noun := nouns[format]; noun != "" {
		return noun
	}
	return nouns[formatJSON]
}

// choose says as what a body is to be read: as the settings say, or by its
// content type and how it starts. What is plainly something else is a failure
// that says so, for it is mostly an error page in place of the answer.
func (d *reader) choose(media string, body []byte) (string, error) {
	text := bytes.TrimLeft(body, " \t\r\n")
	if len(text) == 0 {
		return "", Failf(ClassFormat, "an empty body, where %s was expected", d.noun(d.format))
	}
	braced := text[0] == '{' || text[0] == '['
	format := d.format
	if format == formatAuto {
		if format = sniff(media, text, braced); format == "" {
			return "", Failf(ClassFormat, "not JSON (content type %q); response.format: json reads it as JSON regardless, "+
				"and text, csv and others as what they are", media)
		}
	}
	expected := d.noun(format)
	switch markup := text[0] == '<'; {
	case format == formatHTML && isJSON(media) && media != "":
		return "", Failf(ClassFormat, "JSON, not HTML (content type %q)", media)
	case format == formatHTML, format == formatText:
	case markup && isPage(media, text):
		return "", Failf(ClassFormat, "an HTML page, not %s (content type %q): an error page, or one to log in at", expected, media)
	case markup && (format == formatXML || format == formatFeed):
	case markup && d.format == formatCSV && !bytes.HasPrefix(text, []byte("<?xml")): // names such as <TICKER>
	case markup && (bytes.HasPrefix(text, []byte("<?xml")) || strings.HasSuffix(media, "xml")):
		return "", Failf(ClassFormat, "XML, not %s (content type %q)", expected, media)
	case markup:
		return "", Failf(ClassFormat, "an HTML page, not %s (content type %q): an error page, or one to log in at", expected, media)
	case braced && (format == formatXML || format == formatCSV && json.Valid(text)):
		return "", Failf(ClassFormat, "JSON, not %s (content type %q)", expected, media)
	}
	return format, nil
}

// sniff is the format of a body by its content type, or where that says
// nothing by how the body starts. "": it is none.
func sniff(media string, text []byte, braced bool) string {
	switch {
	case slices.Contains(ndjsonTypes, media):
		return formatNDJSON
	case braced, isJSON(media) && media != "":
		return formatJSON
	case media == "text/csv", media == "application/csv":
		return formatCSV
	case text[0] == '<':
		if media == "text/html" || media == "application/xhtml+xml" || isPage(media, text) {
			return formatJSON // which it isn't: the failure will tell what it is
		}
		if strings.HasSuffix(media, "/xml") || strings.HasSuffix(media, "+xml") || bytes.HasPrefix(text, []byte("<?xml")) {
			return formatXML
		}
		if bytes.HasPrefix(text, []byte("<rss")) || bytes.HasPrefix(text, []byte("<feed")) {
			return formatFeed
		}
		return formatJSON
	case media == "":
		return formatJSON
	}
	return ""
}

var ndjsonTypes = []string{
	"application/x-ndjson", "application/ndjson", "application/jsonl", "application/x-jsonl",
	"application/jsonlines", "application/x-jsonlines", "text/x-ndjson", "application/json-lines",
}

// isPage reports whether markup is a page for people.
func isPage(media string, text []byte) bool {
	start := bytes.ToLower(text[:min(len(text), 14)])
	return media == "text/html" || bytes.HasPrefix(start, []byte("<!doctype html")) || bytes.HasPrefix(start, []byte("<html"))
}
