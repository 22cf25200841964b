package poller

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/tidwall/gjson"

	"github.com/deltahook/deltahook/internal/request"
)

// decimal is n as JSON has it.
func decimal(n int) gjson.Result {
	return gjson.Result{Type: gjson.Number, Raw: strconv.Itoa(n), Num: float64(n)}
}

// set is w with one more parameter, or with another value of it.
func (p *paging) set(w *wire, name string, value gjson.Result) (*wire, error) {
	next := *w
	if p.In == "json" {
		body, err := setJSON(w.body, strings.Split(name, "."), json.RawMessage(value.Raw))
		if err != nil {
			return nil, &Failure{Class: ClassRequest, Err: fmt.Errorf("paginate: %s: %w", name, err)}
		}
		next.body = body
		return &next, nil
	}
	u := *w.url
	u.RawQuery = request.SetQuery(u.RawQuery, name, queryText(value))
	next.url = &u
	return &next, nil
}

// queryText is a cursor as a query has it: the elements of a list are joined
// by commas.
func queryText(v gjson.Result) string {
	switch {
	case v.Type == gjson.String:
		return v.Str
	case !v.IsArray():
		return v.Raw
	}
	var parts []string
	v.ForEach(func(_, e gjson.Result) bool {
		parts = append(parts, queryText(e))
		return true
	})
	return strings.Join(parts, ",")
}

// setJSON sets the value at a path of names in a JSON object. Mappings that
// are not there are made; numbers keep their digits.
func setJSON(body []byte, path []string, value json.RawMessage) ([]byte, error) {
	var root any
	in := json.NewDecoder(bytes.NewReader(body))
	in.UseNumber()
	if err := in.Decode(&root); err != nil {
		return nil, errors.New("the body is not JSON")
	}
	at, ok := root.(map[string]any)
	for i, name := range path {
		if !ok {
			return nil, fmt.Errorf("there is no mapping at %q", strings.Join(path[:i], "."))
		}
		if i == len(path)-1 {
			at[name] = value
			break
		}
		if at[name] == nil {
			at[name] = map[string]any{}
		}
		at, ok = at[name].(map[string]any)
	}
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(root); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(out.Bytes(), []byte("\n")), nil
}
