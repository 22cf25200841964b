package canon_test

import (
	"bytes"
	"testing"

	"github.com/deltahook/deltahook/internal/canon"
)

// said makes the paths of a test.
func said(t *testing.T, senses map[string]canon.Sense) *canon.Paths {
	t.Helper()
	p := &canon.Paths{}
	for path, s := range senses {
		if err := p.Add(path, s); err != nil {
			t.Fatal(err)
		}
	}
	return p
}

func TestAppendOfAPlace(t *testing.T) {
	unordered, fold := canon.Sense{Unordered: true}, canon.Sense{Fold: true}
	for name, c := range map[string]struct {
		senses    map[string]canon.Sense
		nulls     bool
		same      []string
		different []string
	}{
		"order": {
			senses:    map[string]canon.Sense{"tags": unordered},
			same:      []string{`{"tags":[1,"b",{"x":1,"y":2},1]}`, `{"tags":["b",1.0,1,{"y":2,"x":1}]}`},
			different: []string{`{"tags":[1,"b",{"x":1,"y":2}]}`, `{"tags":[1,"b","b",{"x":1,"y":2}]}`, `{"more":[1]}`},
		},
		"order within": {
			senses:    map[string]canon.Sense{"l.#.tags": unordered},
			same:      []string{`{"l":[{"tags":[1,2]},{"tags":[3,4]}]}`, `{"l":[{"tags":[2,1]},{"tags":[4,3]}]}`},
			different: []string{`{"l":[{"tags":[3,4]},{"tags":[1,2]}]}`, `{"l":[{"tags":[2,1]},{"other":[4,3]}]}`},
		},
		"order at any depth": {
			senses:    map[string]canon.Sense{"**.tags": unordered},
			same:      []string{`{"tags":[{"tags":[1,2]},{"tags":[3,4]}]}`, `{"tags":[{"tags":[4,3]},{"tags":[1,2]}]}`},
			different: []string{`{"tags":[{"tags":[4,2]},{"tags":[1,3]}]}`},
		},
		"case": {
			senses:    map[string]canon.Sense{"s": fold},
			same:      []string{`{"s":"Stra\u00dfe \u212A","t":"a"}`, `{"s":"STRAßE k","t":"a"}`, `{"s":"ſtraße K","t":"a"}`},
			different: []string{`{"s":"strasse k","t":"a"}`, `{"s":"STRAßE k","t":"A"}`},
		},
		"case of the elements of a list": {
			senses:    map[string]canon.Sense{"s": fold, "o": {Unordered: true, Fold: true}},
			same:      []string{`{"s":["A","b"],"o":["X","y"]}`, `{"s":["a","B"],"o":["Y","x"]}`},
			different: []string{`{"s":["b","A"],"o":["X","y"]}`},
		},
		"escapes are no letters": {
			senses:    map[string]canon.Sense{"s": fold},
			same:      []string{`{"s":"\u001F\ud800"}`, `{"s":"\u001f\uD800"}`},
			different: []string{`{"s":"\\u001f\ud800"}`},
		},
		"null": {
			nulls:     true,
			same:      []string{`{"a":1,"b":null,"c":[null,{"d":null}]}`, `{"a":1,"c":[null,{}]}`},
			different: []string{`{"a":1,"c":[{}]}`, `{"a":1,"b":false,"c":[null,{}]}`, `{"a":1}`},
		},
	} {
		t.Run(name, func(t *testing.T) {
			p := said(t, c.senses)
			p.NullIsAbsent = c.nulls
			form := func(value string) []byte { return p.Root().Append(nil, []byte(value)) }
			for _, other := range c.same[1:] {
				if !bytes.Equal(form(c.same[0]), form(other)) {
					t.Errorf("%s is %s, but %s is %s", c.same[0], form(c.same[0]), other, form(other))
				}
			}
			for _, other := range c.different {
				if bytes.Equal(form(c.same[0]), form(other)) {
					t.Errorf("%s and %s are both %s", c.same[0], other, form(other))
				}
			}
		})
	}
}

func TestCompactReadsNumbers(t *testing.T) {
	point, comma := canon.Sense{Decimal: '.'}, canon.Sense{Decimal: ','}
	p := said(t, map[string]canon.Sense{"price": point, "l.#.p": comma, "list": point, "gone": {Drop: true}})
	const body = `{"price": "1,112.1300", "other": "7", "l": [{"p": "1,5"}, {"p": 1.50}, {"p": "none"}], "list": ["1", "x", 2], "gone": 1}`
	const want = `{"price":1112.1300,"other":"7","l":[{"p":1.5},{"p":1.50},{"p":"none"}],"list":[1,"x",2]}`
	if got := string(canon.Compact(nil, []byte(body), p)); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestLiteralNamesOneMember(t *testing.T) {
	const name = `a.b*c?d\e`
	p := said(t, map[string]canon.Sense{canon.Literal(name): {Drop: true}})
	if got := string(canon.Compact(nil, []byte(`{"a.b*c?d\\e":1,"a.bxc?d\\e":2}`), p)); got != `{"a.bxc?d\\e":2}` {
		t.Errorf("got %s", got)
	}
	if first, plain := canon.FirstStep(canon.Literal(name) + ".x"); first != name || !plain {
		t.Errorf("the first step is %q, %v", first, plain)
	}
	for _, pattern := range []string{"a*.b", "?", "**.a"} {
		if _, plain := canon.FirstStep(pattern); plain {
			t.Errorf("%s begins with one name", pattern)
		}
	}
}
