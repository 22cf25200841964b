package web_test

import (
	"strings"
	"testing"

	"github.com/andybalholm/cascadia"
	"golang.org/x/net/html"
)

// nodes are elements of a page.
type nodes []*html.Node

func parseHTML(t *testing.T, body string) nodes {
	t.Helper()
	doc, err := html.Parse(strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	return nodes{doc}
}

// find gives those below that a CSS selector means.
func (n nodes) find(selector string) (all nodes) {
	css := cascadia.MustCompile(selector)
	for _, node := range n {
		all = append(all, cascadia.QueryAll(node, css)...)
	}
	return all
}

// first is the first one, if there is any.
func (n nodes) first() nodes { return n[:min(1, len(n))] }

// each gives them one by one.
func (n nodes) each(f func(nodes)) {
	for i := range n {
		f(n[i : i+1])
	}
}

// attr is an attribute of the first one; "": it has none.
func (n nodes) attr(name string) string {
	for _, node := range n.first() {
		for _, a := range node.Attr {
			if a.Key == name {
				return a.Val
			}
		}
	}
	return ""
}

// name is the first one's.
func (n nodes) name() string {
	for _, node := range n {
		return node.Data
	}
	return ""
}

// text is what can be read, its spaces joined.
func (n nodes) text() string {
	var out strings.Builder
	for _, node := range n {
		for d := range node.Descendants() {
			if d.Type == html.TextNode {
				out.WriteString(d.Data)
			}
		}
	}
	return strings.Join(strings.Fields(out.String()), " ")
}

// within says whether one above the first is of a name.
func (n nodes) within(name string) bool {
	for _, node := range n.first() {
		for a := range node.Ancestors() {
			if a.Data == name {
				return true
			}
		}
	}
	return false
}
