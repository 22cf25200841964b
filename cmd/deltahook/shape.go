package main

import (
	"fmt"
	"strings"

	"github.com/tidwall/gjson"
)

// Bounds of a shape.
const (
	shapeDepth = 6  // levels
	shapeNames = 40 // names of one object
)

// shape outlines a JSON body: names and kinds, of lists the number of their
// elements and the shape of the first. It tells where things are, which is
// what items, id and pick want to know, and shows no values.
func shape(body []byte) string {
	var b strings.Builder
	outline(&b, gjson.ParseBytes(body), "", 0)
	return b.String()
}

func outline(b *strings.Builder, v gjson.Result, indent string, depth int) {
	switch {
	case v.IsObject():
		outlineObject(b, v, indent, depth)
	case v.IsArray():
		elements := v.Array()
		fmt.Fprintf(b, "list of %d", len(elements))
		if len(elements) > 0 {
			b.WriteString(": ")
			outline(b, elements[0], indent, depth)
		}
	default:
		b.WriteString(map[gjson.Type]string{gjson.String: "text", gjson.Number: "number", gjson.Null: "null"}[v.Type])
		if v.IsBool() {
			b.WriteString("true or false")
		}
	}
}

func outlineObject(b *strings.Builder, v gjson.Result, indent string, depth int) {
	if depth == shapeDepth {
		b.WriteString("{…}")
		return
	}
	b.WriteString("{")
	n := 0
	v.ForEach(func(name, value gjson.Result) bool {
		b.WriteString("\n" + indent + "  ")
		if n++; n > shapeNames {
			b.WriteString("…")
			return false
		}
		b.WriteString(visible(name.Str) + ": ") // it would be split into lines otherwise
		outline(b, value, indent+"  ", depth+1)
		return true
	})
	if n > 0 {
		b.WriteString("\n" + indent)
	}
	b.WriteString("}")
}
