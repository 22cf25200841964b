package expr

import (
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
)

// treeParser collects the errors of a whole tree.
type treeParser struct{ errs []TreeError }

func (p *treeParser) fail(path []string, err error) node {
	p.errs = append(p.errs, TreeError{Path: path, Err: err})
	return nil
}

// below is the path of key in path, which it leaves alone.
func below(path []string, key string) []string { return append(slices.Clip(path), key) }

func (p *treeParser) parse(v any, env Env, path []string) node {
	switch v := v.(type) {
	case string:
		t, err := ParseText(v, env)
		if err != nil {
			return p.fail(path, err)
		}
		return textNode{t}
	case []any:
		out := make(listNode, len(v))
		for i, e := range v {
			out[i] = p.parse(e, env, below(path, strconv.Itoa(i)))
		}
		return out
	case map[string]any:
		return p.mapping(v, env, path)
	case nil, bool, int, int64, uint64, float64, time.Time:
		if _, err := appendJSON(nil, v); err != nil {
			return p.fail(path, err)
		}
		return scalarNode{v}
	}
	return p.fail(path, errorf("a value of type %T has no place in JSON", v))
}

func (p *treeParser) mapping(m map[string]any, env Env, path []string) node {
	if each, ok := m[eachKey]; ok {
		return p.each(each, m, env, path)
	}
	return p.fields(m, env, path)
}

func (p *treeParser) fields(m map[string]any, env Env, path []string) node {
	var n mapNode
	for _, k := range slices.Sorted(maps.Keys(m)) {
		if k == eachKey {
			continue
		}
		at := below(path, k)
		if strings.Contains(k, opening) {
			p.fail(at, errorf("a key cannot hold an expression"))
		}
		n.keys = append(n.keys, k)
		n.values = append(n.values, p.parse(m[k], env, at))
	}
	return n
}

func (p *treeParser) each(src any, m map[string]any, env Env, path []string) node {
	at := below(path, eachKey)
	text, ok := src.(string)
	if !ok {
		return p.fail(at, errorf("an expression is expected here, not %s", describe(src)))
	}
	list, err := Compile(text, env)
	if err != nil {
		return p.fail(at, err)
	}
	if len(m) == 1 {
		return p.fail(at, errorf("there is nothing beside it to repeat for each element"))
	}
	inner := make(Env, len(env)+1)
	maps.Copy(inner, env)
	inner["it"] = nil
	return eachNode{list, p.fields(m, inner, path)}
}
