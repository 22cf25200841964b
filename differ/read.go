package differ

import (
	"cmp"
	"errors"
	"strings"

	"github.com/tidwall/gjson"

	"github.com/deltahook/deltahook/internal/canon"
	"github.com/deltahook/deltahook/internal/expr"
	"github.com/deltahook/deltahook/internal/ordered"
	"github.com/deltahook/deltahook/poller"
)

// maxItems is how many items an answer may have.
const maxItems = 1_000_000

// found is one item of an answer. Its strings are parts of a page.
type found struct {
	key     string // "" where the item is not ok and has no id
	raw     string
	unknown bool // item_ok is false
	deleted bool // deleted_when is true
}

// read gives the items of all pages to take, one by one, and stops at the
// first fault. It is a *poller.Failure of class items. A page that is one item
// without an id has the key name or, where that is empty, the source's name.
func (s *Source) read(pages [][]byte, name string, take func(found) error) error {
	n := 0
	for i, page := range pages {
		if err := s.readPage(page, name, &n, take); err != nil {
			if f, ok := errors.AsType[*poller.Failure](err); ok && len(pages) > 1 {
				return f.OnPage(i + 1)
			}
			return err
		}
	}
	return nil
}

// readPage reads one page; n counts the items of the answer.
func (s *Source) readPage(body []byte, name string, n *int, take func(found) error) error {
	judge, err := s.judge(body)
	if err != nil {
		return err
	}
	if s.response.Items == "" {
		return s.readWhole(body, cmp.Or(name, s.name), judge, take)
	}
	list := gjson.Get(textOf(body), s.response.Items)
	switch {
	case !list.Exists():
		return poller.Failf(poller.ClassItems, "items: nothing is at %s", s.response.Items)
	case !list.IsArray():
		return poller.Failf(poller.ClassItems, "items: a list was expected at %s, not %s", s.response.Items, kind(list))
	}
	// A list that the path computed (a modifier, a literal) is no part of the
	// body that was checked.
	if list.Index == 0 {
		if err := canon.Valid([]byte(list.Raw)); err != nil {
			return poller.Failf(poller.ClassItems, "items: what %s makes: %w", s.response.Items, err)
		}
	}
	list.ForEach(func(_, item gjson.Result) bool {
		*n++
		if *n > maxItems {
			err = poller.Failf(poller.ClassItems, "items: more than %d at %s", maxItems, s.response.Items)
			return false
		}
		var f found
		if f, err = s.item(item, *n, judge); err == nil {
			err = take(f)
		}
		return err == nil
	})
	return err
}

// readWhole takes a whole page as one item. Its key is what id says, or name.
func (s *Source) readWhole(body []byte, name string, judge judge, take func(found) error) error {
	item := gjson.Parse(textOf(body))
	f := found{key: name, raw: item.Raw}
	if len(s.response.ID) > 0 {
		var err error
		if f, err = s.item(item, 1, judge); err != nil {
			return err
		}
		return take(f)
	}
	verdict, err := judge(item.Raw)
	if err != nil {
		return err
	}
	f.unknown, f.deleted = verdict.unknown, verdict.deleted
	return take(f)
}

// item reads the n-th item of an answer, counted from 1.
func (s *Source) item(item gjson.Result, n int, judge judge) (found, error) {
	f, err := judge(item.Raw)
	if err != nil {
		return found{}, err
	}
	key, missing := keyOf(item, s.response.ID)
	if missing != "" && !f.unknown {
		return found{}, poller.Failf(poller.ClassItems, "items: number %d has no id at %s", n, missing)
	}
	f.key, f.raw = key, item.Raw
	return f, nil
}

// keyOf is the key that paths give of an item, or the path at which there is
// none. The parts of a composite one are joined by "/", and escaped as in a
// JSON pointer so that two different ones never join to one.
func keyOf(item gjson.Result, paths []string) (key, missing string) {
	if len(paths) == 1 {
		id, ok := idText(item.Get(paths[0]))
		if !ok {
			return "", paths[0]
		}
		return id, ""
	}
	parts := make([]string, len(paths))
	for i, path := range paths {
		id, ok := idText(item.Get(path))
		if !ok {
			return "", path
		}
		parts[i] = pointerEscape.Replace(id)
	}
	return strings.Join(parts, "/"), ""
}

// idText is the text of an id: of a string itself, of a number its canonical
// form, so that 7 and 7.0 are one. Nothing else is an id.
func idText(id gjson.Result) (string, bool) {
	switch id.Type {
	case gjson.String:
		return id.Str, id.Str != ""
	case gjson.Number:
		return string(canon.Number(nil, []byte(id.Raw))), true
	default:
		return "", false
	}
}

// judge says what an item is: whether it can be believed, and whether it says
// that it is deleted.
type judge func(raw string) (found, error)

// judge makes the judge of one page, which is decoded only where item_ok uses
// it.
func (s *Source) judge(body []byte) (judge, error) {
	if s.itemOK == nil && s.deleted == nil {
		return func(string) (found, error) { return found{}, nil }, nil
	}
	vars := map[string]any{}
	if s.itemOK != nil && s.itemOK.Uses("body") {
		decoded, err := expr.Decode(body)
		if err != nil {
			return nil, poller.Failf(poller.ClassItems, "item_ok: %w", err)
		}
		vars["body"] = decoded
	}
	return func(raw string) (f found, err error) {
		if vars["item"], err = expr.Decode([]byte(raw)); err != nil {
			return found{}, poller.Failf(poller.ClassItems, "items: %w", err)
		}
		if s.itemOK != nil {
			ok, err := s.itemOK.Bool(vars)
			if err != nil {
				return found{}, poller.Failf(poller.ClassItems, "item_ok: %w", err)
			}
			f.unknown = !ok
		}
		if s.deleted != nil && !f.unknown {
			if f.deleted, err = s.deleted.Bool(vars); err != nil {
				return found{}, poller.Failf(poller.ClassItems, "deleted_when: %w", err)
			}
		}
		return f, nil
	}, nil
}

// content is what of an item is compared and told: the picked fields in the
// order of the configuration, then the carried ones, less what is ignored,
// spelled as the API spells them but for text that is to be a number. A field
// that the item lacks is left out. It is r's, until the next content.
func (s *Source) content(r *room, raw string) ([]byte, error) {
	whole := bytesOf(raw)
	if len(s.response.Pick) > 0 {
		var err error
		if whole, err = s.pick(r, raw); err != nil {
			return nil, err
		}
	}
	r.content = r.copier.Compact(r.content[:0], whole, s.form.told)
	return r.content, nil
}

// pick makes an object of the picked and the carried fields of an item.
func (s *Source) pick(r *room, raw string) ([]byte, error) {
	r.picked = append(r.picked[:0], '{')
	for _, fields := range [...]ordered.Map[string]{s.response.Pick, s.response.Carry} {
		for _, p := range fields {
			value := gjson.Get(raw, p.Value)
			if !value.Exists() || value.Raw == "" {
				continue
			}
			if len(r.picked) > 1 {
				r.picked = append(r.picked, ',')
			}
			r.picked = canon.Quote(r.picked, p.Key)
			r.picked = append(r.picked, ':')
			r.picked = append(r.picked, value.Raw...)
		}
	}
	r.picked = append(r.picked, '}')
	if s.computes {
		if err := canon.Valid(r.picked); err != nil {
			return nil, poller.Failf(poller.ClassItems, "pick: %w", err)
		}
	}
	return r.picked, nil
}

func kind(v gjson.Result) string {
	switch {
	case v.IsObject():
		return "an object"
	case v.Type == gjson.String:
		return "text"
	case v.Type == gjson.Number:
		return "a number"
	case v.IsBool():
		return "true or false"
	default:
		return "null"
	}
}
