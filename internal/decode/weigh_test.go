package decode_test

import (
	"math/rand/v2"
	"strings"
	"testing"

	"golang.org/x/net/html"

	"github.com/deltahook/deltahook/internal/decode"
)

// weightOf is what a tree weighs.
func weightOf(n *html.Node) int {
	w := 1 + len(n.Attr)/2
	for c := range n.ChildNodes() {
		w += weightOf(c)
	}
	return w
}

// implied is what a parser adds to any document, and to each table.
const implied = 4

// outweighs wants a document to weigh no less than its tree.
func outweighs(t *testing.T, text string) {
	t.Helper()
	safe, weight, err := decode.Weigh(text)
	if err != nil {
		return
	}
	tree, err := html.Parse(strings.NewReader(safe))
	if err != nil {
		return // too deep
	}
	most := weight + implied + 3*strings.Count(text, "<t")
	if got := weightOf(tree); got > most {
		t.Errorf("the tree weighs %d, and %d was counted, of\n%.3000s", got, most, text)
	}
}

// TestScales weighs documents that take advantage of the rules about what a
// parser opens again.
func TestScales(t *testing.T) {
	heavy := "<b" + attributes(300) + ">"
	again := strings.Repeat("<p>x", 300)
	for name, text := range map[string]string{
		"open":                         "<p>" + heavy + "x</p>" + again,
		"ends in a cell":               "<p>" + heavy + "<table><tr><td></b></td></tr></table></p>" + again,
		"ends in a table":              "<p>" + heavy + "<table></b></table></p>" + again,
		"ends in an object":            "<p>" + heavy + "<object></b></object></p>" + again,
		"ends in a table of a cell":    "<p>" + heavy + "<table><tr><td><table><tr></td></b></table></b></td></tr></table></p>" + again,
		"ends in a select":             "<p>" + heavy + "<select></b></select></p>" + again,
		"ends in a picture":            "<p>" + heavy + "<svg><desc></b></svg></b></desc></svg></p>" + again,
		"ends under many blocks":       heavy + strings.Repeat("<div>", 9) + "</b>" + strings.Repeat("</div>", 9) + again,
		"ends under blocks that stay":  heavy + "<tr>" + strings.Repeat("<div>", 9) + "</tr></b>" + strings.Repeat("</div>", 9) + again,
		"ends under blocks in a span":  heavy + "<span>" + strings.Repeat("<div>", 9) + "</span></b>" + strings.Repeat("</div>", 9) + again,
		"ends under blocks in a form":  "<form>" + heavy + "<form>" + strings.Repeat("<div>", 9) + "</form></b>" + strings.Repeat("</div>", 9) + again,
		"ends under blocks of a cell":  heavy + "<td>" + strings.Repeat("<div>", 9) + "</td></b>" + strings.Repeat("</div>", 9) + again,
		"in a style of a picture":      "<svg><style>" + heavy + again + "</style>",
		"in a title of a picture":      "<svg><title><p>" + heavy + again + "</title>",
		"in quotes of a style":         "<svg>" + strings.Repeat(`<style><b x="</style><style>">`, 100) + "</svg>" + again,
		"in a style of a select":       "<select><style></select>" + heavy + again + "</style>",
		"in CDATA":                     `<svg><![CDATA[><x y="]]>` + heavy + again + `">`,
		"after what looks like a tag":  "<svg>a<<![CDATA[x]]>b" + attributes(300) + ">" + again,
		"of a lighter one":             "<p><b>" + heavy + "</b></p>" + again,
		"links":                        "<p><a" + attributes(300) + "><table><a></table></p>" + again,
		"ends of line breaks":          "<p>" + heavy + "</p>" + strings.Repeat("<p></br></p>", 300),
		"one of many that are removed": "<a><b><b><b><i><i>" + heavy + "<p></a></b></i></b></p>" + again,
	} {
		t.Run(name, func(t *testing.T) { outweighs(t, text) })
	}
}

// TestScalesAtRandom weighs documents of tags thrown together.
func TestScalesAtRandom(t *testing.T) {
	names := strings.Fields("a b i font nobr div p li ul h1 span button form table tbody tr td th caption " +
		"object select option svg desc title math mi foreignobject template style script input br body html dd")
	for seed := range uint64(800) {
		r := rand.New(rand.NewPCG(seed, 1))
		var b strings.Builder
		some := names
		if seed%2 == 0 { // few kinds get into each other's way more often
			some = nil
			for range 6 {
				some = append(some, names[r.IntN(len(names))])
			}
			some = append(some, "b", "div")
		}
		for range 200 {
			name := some[r.IntN(len(some))]
			switch r.IntN(8) {
			case 0, 1, 2:
				b.WriteString("</" + name + ">")
			case 3:
				b.WriteString("<" + name + attributes(r.IntN(20)) + "/>")
			case 4:
				b.WriteString("x")
			default:
				b.WriteString("<" + name + attributes(r.IntN(40)*r.IntN(2)) + ">")
			}
		}
		b.WriteString(strings.Repeat("<p>x", 50))
		outweighs(t, b.String())
		if t.Failed() {
			t.Fatalf("seed %d", seed)
		}
	}
}

// TestScalesAreFair: pages such as there are many stay far below the bound.
func TestScalesAreFair(t *testing.T) {
	card := `<li class="card"><a class="link" href="/item/1" title="One"><div class="pic"><img src="1.png" alt=""><svg viewBox="0 0 1 1"><path d="M0"/><title>T</title></svg></div>` +
		`<div><h3>One</h3><p>Text with <b class="x">weight</b><br>and <i>more</i></p></div></a><script>if (a<b && "</p>") f("<b>")</script></li>` + "\n"
	row := `<tr><td><font size="2"><a href="/1">1</a></font></td><td align=right><b>2</b></td></tr>` + "\n"
	for name, text := range map[string]string{
		"cards":  "<html><body><ul>" + strings.Repeat(card, 1000) + "</ul>",
		"tables": "<font face=x>" + strings.Repeat("<font><table>"+strings.Repeat(row, 20)+"</table></font>", 100) + "</font>",
	} {
		_, weight, err := decode.Weigh(text)
		if err != nil || weight > 80_000 {
			t.Errorf("%s: %d KiB weigh %d, %v", name, len(text)>>10, weight, err)
		}
		outweighs(t, text)
	}
}

// attributes are n of them, all different.
func attributes(n int) string {
	var b strings.Builder
	for i := range n {
		b.WriteString(" a" + strings.Repeat("b", i/26) + string(rune('a'+i%26)))
	}
	return b.String()
}
