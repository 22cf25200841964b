package expr_test

import (
	"bytes"
	"fmt"
	"testing"

	"github.com/deltahook/deltahook/internal/expr"
)

var parcel = expr.Env{"new": map[string]any(nil), "old": map[string]any(nil), "key": "", "change": ""}

func BenchmarkCompile(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		if _, err := expr.CompileBool(`new.status == "DL" && old.status != "DL"`, parcel); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkBool(b *testing.B) {
	p, err := expr.CompileBool(`new.status == "DL" && old.status != "DL"`, parcel)
	if err != nil {
		b.Fatal(err)
	}
	vars := map[string]any{"new": map[string]any{"status": "DL"}, "old": map[string]any{"status": "OD"}}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := p.Bool(vars); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkTreeJSON(b *testing.B) {
	tree, errs := expr.ParseTree(map[string]any{
		"text":   "parcel {{ key }} is {{ new.status }}",
		"fields": map[string]any{"$each": "new.scans", "title": "{{ it.city }}", "short": true},
	}, parcel)
	if errs != nil {
		b.Fatal(errs)
	}
	scans := []any{map[string]any{"city": "Köln"}, map[string]any{"city": "Paris"}}
	vars := map[string]any{"key": "794806132416", "new": map[string]any{"status": "DL", "scans": scans}}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := tree.JSON(vars); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkDecode(b *testing.B) {
	var body bytes.Buffer
	for i := range 1000 {
		fmt.Fprintf(&body, `,{"id":%d,"name":"item %[1]d","price":%[1]d.25,"note":"a \"quoted\" word","tags":["a","b",null,true]}`, i)
	}
	raw := append([]byte("["+body.String()[1:]), ']')
	b.SetBytes(int64(len(raw)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := expr.Decode(raw); err != nil {
			b.Fatal(err)
		}
	}
}
