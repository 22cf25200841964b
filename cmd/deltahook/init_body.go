package main

import (
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/deltahook/deltahook/internal/curl"
)

const (
	typeForm = "application/x-www-form-urlencoded"
	typeJSON = "application/json"
)

// body writes the body, and gives the content type that it has by itself.
func (d *draft) body(contentType string) (implied string) {
	text := d.request.Body
	if text == "" {
		return ""
	}
	kind, _, _ := strings.Cut(strings.ToLower(contentType), ";")
	switch strings.TrimSpace(kind) {
	case typeForm:
		if d.form(text) {
			return typeForm
		}
		text = d.rawForm(text)
	case typeJSON:
		if tree, ok := d.json(text); ok {
			d.line(3, "json: %s", tree)
			return typeJSON
		}
		text = d.rawJSON(text)
	}
	d.line(3, "body: %s", d.text(text))
	d.warnings = append(d.warnings, "the body was taken over as it is: see that it holds no secret")
	return ""
}

// form writes a form, where it is one whose names differ.
func (d *draft) form(text string) bool {
	var pairs [][2]string
	for part := range strings.SplitSeq(text, "&") {
		name, value, found := strings.Cut(part, "=")
		plain, err := url.QueryUnescape(name)
		content, errValue := url.QueryUnescape(value)
		again := slices.ContainsFunc(pairs, func(p [2]string) bool { return p[0] == plain })
		if !found || err != nil || errValue != nil || plain == "" || again || !isText(plain) {
			return false
		}
		pairs = append(pairs, [2]string{plain, content})
	}
	for i, p := range pairs {
		pairs[i][1] = d.value(p[0], p[1], "the form's field "+p[0])
	}
	d.pairs("form", pairs)
	return true
}

// rawForm is a form as it is, with variables for its secrets.
func (d *draft) rawForm(text string) string {
	parts := strings.Split(text, "&")
	for i, part := range parts {
		name, value, _ := strings.Cut(part, "=")
		if plain, err := url.QueryUnescape(name); err == nil && hides(plain, value) {
			parts[i] = name + "=" + curl.Mark(d.slot(value, plain, "the form's field "+shown(plain)+", percent-encoded"))
		}
	}
	return strings.Join(parts, "&")
}

// rawJSON is a JSON text as it is, with variables for its secrets.
func (d *draft) rawJSON(text string) string {
	if !json.Valid([]byte(text)) {
		return text
	}
	type level struct {
		object, valued bool // valued: the name was read
		name           string
	}
	levels := []level{{}}
	var out strings.Builder
	done := 0
	in := json.NewDecoder(strings.NewReader(text))
	for {
		from := int(in.InputOffset())
		token, err := in.Token()
		if err != nil {
			return out.String() + text[done:]
		}
		at := &levels[len(levels)-1]
		switch v := token.(type) {
		case json.Delim:
			if v == ']' || v == '}' {
				levels = levels[:len(levels)-1]
				at = &levels[len(levels)-1]
				break
			}
			levels = append(levels, level{object: v == '{', name: at.name})
			continue
		case string:
			if at.object && !at.valued {
				at.name, at.valued = v, true
				continue
			}
			if hides(at.name, v) {
				start, end := from+strings.IndexByte(text[from:], '"')+1, int(in.InputOffset())-1
				what := "the body's field " + shown(at.name) + ", as it stands in JSON"
				out.WriteString(text[done:start] + curl.Mark(d.slot(text[start:end], at.name, what)))
				done = end
			}
		}
		at.valued = false
	}
}

// json is a JSON text as YAML writes it, in one line. Where a key means
// something else in a configuration, or a number would not stay what it is, it
// is none.
func (d *draft) json(text string) (string, bool) {
	if !json.Valid([]byte(text)) {
		return "", false
	}
	before := len(d.variables)
	decoder := json.NewDecoder(strings.NewReader(text))
	decoder.UseNumber()
	var out strings.Builder
	if !d.jsonValue(decoder, &out, "", 0) || out.String() == "null" {
		d.variables = d.variables[:before]
		return "", false
	}
	return out.String(), true
}

const deepestJSON = 50

func (d *draft) jsonValue(in *json.Decoder, out *strings.Builder, key string, depth int) bool {
	token, err := in.Token()
	if err != nil || depth > deepestJSON {
		return false
	}
	switch v := token.(type) {
	case json.Delim:
		return d.jsonList(in, out, key, v, depth)
	case string:
		out.WriteString(d.value(key, v, "the body's field "+key))
	case json.Number:
		if !plainNumber(v) {
			return false
		}
		out.WriteString(v.String())
	case nil:
		out.WriteString("null")
	default:
		fmt.Fprint(out, v)
	}
	return true
}

// jsonList writes an object or an array, whose first delimiter was read.
func (d *draft) jsonList(in *json.Decoder, out *strings.Builder, key string, open json.Delim, depth int) bool {
	out.WriteString(open.String())
	var names []string
	for n := 0; in.More(); n++ {
		if n > 0 {
			out.WriteString(", ")
		}
		inner := key
		if open == '{' {
			token, err := in.Token()
			name, ok := token.(string)
			if err != nil || !ok || slices.Contains(names, name) || name == "<<" || strings.ContainsAny(name, "$\uE000") || strings.Contains(name, "{{") {
				return false
			}
			names = append(names, name)
			out.WriteString(quote(name) + ": ")
			inner = name
		}
		if !d.jsonValue(in, out, inner, depth+1) {
			return false
		}
	}
	end, err := in.Token()
	fmt.Fprint(out, end)
	return err == nil
}

// plainNumber reports whether a number stays what it is in YAML.
func plainNumber(v json.Number) bool {
	n, err := v.Int64()
	if err == nil {
		return strconv.FormatInt(n, 10) == v.String()
	}
	f, err := v.Float64()
	return err == nil && strings.Contains(v.String(), ".") && strconv.FormatFloat(f, 'f', -1, 64) == v.String()
}
