package poller

import (
	"encoding/json"
	"fmt"
	"maps"
	"strconv"
	"time"

	"github.com/tidwall/gjson"

	"github.com/deltahook/deltahook/internal/expr"
	"github.com/deltahook/deltahook/internal/fault"
	"github.com/deltahook/deltahook/internal/request"
)

// cursor is a CursorSettings, compiled.
type cursor struct {
	name    string
	value   *expr.Program
	initial *expr.Program // nil: null
	overlap time.Duration
}

// before is the value that a poll starts from, as JSON: the one that was
// stored under the cursor's name or, where there is none, the initial one.
func (c *cursor) before(marks Bookmarks) (string, error) {
	if marks.Cursor != "" {
		var stored map[string]json.RawMessage
		if err := json.Unmarshal([]byte(marks.Cursor), &stored); err != nil {
			return "", fmt.Errorf("cursor: the one that is stored is not readable")
		}
		if v, ok := stored[c.name]; ok {
			return string(v), nil
		}
	}
	if c.initial == nil {
		return "null", nil
	}
	v, err := c.initial.Eval(nil)
	if err == nil {
		return c.encode(v)
	}
	return "", fmt.Errorf("cursor.initial: %w", err)
}

// encode is a value as JSON.
func (c *cursor) encode(v any) (string, error) {
	text, err := expr.JSON(v)
	if err != nil {
		return "", err
	}
	if len(text) > longestCursor {
		return "", fmt.Errorf("a value of %d bytes; at most %d are kept", len(text), longestCursor)
	}
	return string(text), nil
}

// sent is what expressions of the request see of a value: less the overlap.
func (c *cursor) sent(value string) (map[string]any, error) {
	if c.overlap > 0 && value != "null" {
		shifted, ok := earlier(value, c.overlap)
		if !ok {
			return nil, fmt.Errorf("cursor.overlap: the value is no time: neither RFC 3339 nor Unix seconds or milliseconds")
		}
		value = shifted
	}
	return c.vars(value)
}

// vars is a value as expressions name it.
func (c *cursor) vars(value string) (map[string]any, error) {
	v, err := expr.Decode([]byte(value))
	if err != nil {
		return nil, fmt.Errorf("cursor: %w", err)
	}
	return map[string]any{c.name: v}, nil
}

// tail is the end of an answer: its last page, and the request that this is
// the answer to.
type tail struct {
	page   []byte
	header map[string]string
	at     *wire
}

// after is the value for the next poll, as JSON: what the whole answer says,
// or before where that is null. The error is a *Failure.
func (c *cursor) after(a *Answer, last tail, items, before string) (string, error) {
	vars, err := c.facts(a, last, items, before)
	if err != nil {
		return "", Failf(ClassCursor, "%w", err)
	}
	v, err := c.value.Eval(vars)
	if err != nil {
		return "", Failf(ClassCursor, "cursor.value: %w", err)
	}
	if v == nil {
		return before, nil
	}
	value, err := c.encode(v)
	if err != nil {
		return "", Failf(ClassCursor, "cursor.value: %w", err)
	}
	if c.overlap > 0 {
		if _, ok := earlier(value, c.overlap); !ok {
			return "", Failf(ClassCursor, "cursor.value: gave no time, and there is an overlap: neither RFC 3339 nor Unix seconds or milliseconds")
		}
	}
	return value, nil
}

// facts are the values of the names that c.value uses.
func (c *cursor) facts(a *Answer, last tail, items, before string) (map[string]any, error) {
	vars := map[string]any{"headers": last.header}
	var err error
	if c.value.Uses("items") {
		if vars["items"], err = itemsOf(a.Pages, items); err != nil {
			return nil, err
		}
	}
	if c.value.Uses("body") {
		if vars["body"], err = expr.Decode(last.page); err != nil {
			return nil, err
		}
	}
	if c.value.Uses("next") {
		link, ok, err := nextOf(last.header["link"])
		if err != nil {
			return nil, err
		}
		if target, err := last.at.url.Parse(link); ok && err == nil {
			vars["next"] = target.String()
		}
	}
	vars["cursor"], err = c.vars(before)
	return vars, err
}

// itemsOf are the items of all pages, decoded; without a path each page is one.
func itemsOf(pages [][]byte, path string) ([]any, error) {
	items := []any{}
	for _, page := range pages {
		raw := page
		if path != "" {
			raw = []byte(gjson.GetBytes(page, path).Raw)
		}
		if len(raw) == 0 {
			continue // the differ refuses such an answer, in better words
		}
		v, err := expr.Decode(raw)
		if err != nil {
			return nil, fmt.Errorf("items: %w", err)
		}
		if list, ok := v.([]any); ok && path != "" {
			items = append(items, list...)
		} else {
			items = append(items, v)
		}
	}
	return items, nil
}

// bookmark is a value as it is stored; "": there is none.
func (c *cursor) bookmark(value string) string {
	if value == "null" {
		return ""
	}
	return "{" + strconv.Quote(c.name) + ":" + value + "}"
}

// render makes the request of a poll, with the value of the cursor that it is
// made of, as JSON.
func (s *Source) render(marks Bookmarks, vars map[string]any) (w *wire, before string, err error) {
	if s.cursor == nil {
		w, err = s.request.wire(s.client.base, s.judge.fingerprint, vars)
		return w, "", err
	}
	if before, err = s.cursor.before(marks); err != nil {
		return nil, "", err
	}
	if vars, err = s.cursor.put(vars, before); err != nil {
		return nil, "", err
	}
	w, err = s.request.wire(s.client.base, s.judge.fingerprint, vars)
	if err == nil && marks.Cursor != "" && s.request.UsesInURL("cursor") {
		err = s.stay(w, vars)
	}
	return w, before, err
}

// put adds a value to the names of a request.
func (c *cursor) put(vars map[string]any, value string) (map[string]any, error) {
	sent, err := c.sent(value)
	if err != nil {
		return nil, err
	}
	all := make(map[string]any, len(vars)+1)
	maps.Copy(all, vars)
	all["cursor"] = sent
	return all, nil
}

// stay refuses a request that the cursor leads to another origin than that of
// the configuration, which is the one with the initial cursor, unless it
// carries nothing of the configuration: whom the API names must not get the
// credentials.
func (s *Source) stay(w *wire, vars map[string]any) error {
	initial, err := s.cursor.before(Bookmarks{})
	if err != nil {
		return err
	}
	if vars, err = s.cursor.put(vars, initial); err != nil {
		return err
	}
	home, err := s.request.URL(vars)
	if err != nil {
		return fmt.Errorf("with the initial cursor: %w", err)
	}
	switch to := request.Origin(w.url); {
	case to == request.Origin(home):
		return nil
	case home.Scheme == "https" && w.url.Scheme == "http":
		return fmt.Errorf("the cursor leads to %s: a step down from https is not taken", to)
	case !w.bare():
		return fmt.Errorf("the cursor leads to %s: headers, bodies and credentials are not sent to another host", to)
	}
	return nil
}

// moveCursor puts the cursor of the next poll into an answer's bookmarks. Only
// an answer that has pages moves it; one that resets clears it. Where it moves
// the next request is tried: once the answer is taken in there is no way back.
func (s *Source) moveCursor(a *Answer, last tail, before string, keys []string) error {
	if s.cursor == nil || a.Reset {
		return nil
	}
	a.Bookmarks.Cursor = s.cursor.bookmark(before)
	if len(a.Pages) == 0 {
		return nil
	}
	if last.page == nil {
		last.page, last.header = a.Pages[0], a.Header
	}
	value, err := s.cursor.after(a, last, s.items, before)
	if err != nil || value == before {
		return err
	}
	a.Bookmarks.Cursor = s.cursor.bookmark(value)
	if _, _, err := s.first(a.Bookmarks, keys); err != nil {
		return Failf(ClassCursor, "cursor.value: the next request cannot be made with it: %w", err)
	}
	return nil
}

// checkCursor reports a cursor that nothing sends, and one that no key has to
// itself.
func (s *Source) checkCursor(r fault.Report) {
	switch {
	case s.cursor == nil:
	case s.watch != nil && s.watch.batch > 0:
		r.Errorf("not together with watch.batch: each key would need a cursor of its own")
	case !s.request.Uses("cursor"):
		r.Warnf("nothing in the request uses {{ cursor.%s }}", s.cursor.name)
	}
}
