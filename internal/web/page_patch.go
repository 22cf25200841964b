package web

import (
	"bytes"
	"encoding/json"
	"slices"
	"strconv"
	"strings"

	"github.com/deltahook/deltahook/differ"
)

// maxLines is how many lines of one diff are shown.
const maxLines = 200

// edits are what changed between two contents, as a person reads it.
type edits struct {
	Lines []Edit
	More  int // that are not shown
}

// Edit is one place that changed, for a person to read.
type Edit struct {
	Sign     string // +, - or ~
	Word     string // added, removed, changed: what the sign means
	Path     string // last_scan.city, scans[0]
	Old, New string // as JSON; "" where there is none
}

// Edits are what turns one content into another, as pages show it: 200 at most,
// and how many more there are.
func Edits(from, to json.RawMessage) ([]Edit, int) {
	e := lines(differ.Revision{Old: from, New: to})
	return e.Lines, e.More
}

// operation is one of a JSON Patch.
type operation struct {
	Op    string          `json:"op"`
	Path  string          `json:"path"`
	Value json.RawMessage `json:"value"`
}

// lines are the operations that turn a revision's old content into the new
// one. A path says where its list stands when the operation's turn comes, as in
// RFC 6902.
func lines(r differ.Revision) (e edits) {
	if r.Old == nil || r.New == nil {
		return e
	}
	var patch []operation
	if json.Unmarshal(differ.Diff(r.Old, r.New), &patch) != nil {
		return e
	}
	doc := decoded(r.Old)
	for i, op := range patch {
		if i == maxLines {
			e.More = len(patch) - i
			break
		}
		var steps []string
		if op.Path != "" {
			steps = strings.Split(op.Path[1:], "/")
		}
		place := &place{op: op}
		doc = place.apply(doc, steps)
		e.Lines = append(e.Lines, place.edit())
	}
	return e
}

// decoded is JSON as a value; numbers keep their digits.
func decoded(b []byte) (v any) {
	dec := json.NewDecoder(bytes.NewReader(b))
	dec.UseNumber()
	if dec.Decode(&v) != nil {
		return nil
	}
	return v
}

// place is where an operation acts.
type place struct {
	op   operation
	path strings.Builder
	old  any
	had  bool
}

// apply gives what becomes of a value, steps above where the operation acts.
func (p *place) apply(v any, steps []string) any {
	if len(steps) == 0 {
		p.old, p.had = v, true
		return decoded(p.op.Value)
	}
	step := strings.NewReplacer("~1", "/", "~0", "~").Replace(steps[0])
	switch v := v.(type) {
	case map[string]any:
		return p.member(v, step, steps[1:])
	case []any:
		return p.element(v, step, steps[1:])
	}
	return v
}

func (p *place) member(v map[string]any, name string, rest []string) any {
	if p.path.Len() > 0 && plainName(name) {
		p.path.WriteByte('.')
	}
	if plainName(name) {
		p.path.WriteString(name)
	} else {
		p.path.WriteString("[" + spelled(name) + "]")
	}
	was, there := v[name]
	switch {
	case len(rest) > 0:
		v[name] = p.apply(was, rest)
		return v
	case p.op.Op == "remove":
		delete(v, name)
	default:
		v[name] = decoded(p.op.Value)
	}
	p.old, p.had = was, there && p.op.Op != "add"
	return v
}

func (p *place) element(v []any, step string, rest []string) any {
	i, err := strconv.Atoi(step)
	if step == "-" {
		i, err = len(v), nil
	}
	p.path.WriteString("[" + strconv.Itoa(i) + "]")
	adds := len(rest) == 0 && p.op.Op == "add"
	if err != nil || i < 0 || i > len(v) || i == len(v) && !adds {
		return v
	}
	switch {
	case len(rest) > 0:
		v[i] = p.apply(v[i], rest)
	case adds:
		return slices.Insert(v, i, decoded(p.op.Value))
	case p.op.Op == "remove":
		p.old, p.had = v[i], true
		return slices.Delete(v, i, i+1)
	default:
		p.old, p.had = v[i], true
		v[i] = decoded(p.op.Value)
	}
	return v
}

func (p *place) edit() Edit {
	e := Edit{Sign: "~", Word: "changed", Path: p.path.String(), New: clipped(string(p.op.Value), maxValue)}
	switch p.op.Op {
	case "add":
		e.Sign, e.Word = "+", "added"
	case "remove":
		e.Sign, e.Word = "-", "removed"
	}
	if p.had {
		e.Old = clipped(spelled(p.old), maxValue)
	}
	if e.Path == "" {
		e.Path = "(all of it)"
	}
	return e
}

// spelled is a value as JSON.
func spelled(v any) string {
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false)
	if enc.Encode(v) != nil {
		return ""
	}
	return strings.TrimSuffix(out.String(), "\n")
}

// plainName says whether a member's name can stand in a path as it is.
func plainName(name string) bool {
	return name != "" && !strings.ContainsFunc(name, func(r rune) bool {
		return r <= ' ' || r == '.' || r == '[' || r == ']' || r == '"' || r == 0x7f || r >= 0x80
	})
}
