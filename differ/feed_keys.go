package differ

import (
	"fmt"
	"slices"
	"strings"

	"github.com/tidwall/gjson"

	"github.com/deltahook/deltahook/internal/expr"
	"github.com/deltahook/deltahook/poller"
)

// naming is which watch keys an item names; none where it is gone.
type naming struct {
	item string
	keys []string // each once
}

// namings are those of items. What cannot be evaluated names nothing.
func (d *Differ) namings(f *feed, unit string, items []Item) []naming {
	named, errs := make([]naming, len(items)), map[*rule]*ruleError{}
	for i := range items {
		keys, err := f.keysOf(unit, &items[i])
		named[i] = naming{items[i].Key, keys}
		if err == nil {
			continue
		}
		if errs[f.rule] == nil {
			errs[f.rule] = &ruleError{key: items[i].Key, err: err}
		}
		errs[f.rule].count++
	}
	d.reportErrors(f.to, errs)
	return named
}

// keysOf are the watch keys that an item names, and what is wrong with those
// that are none.
func (f *feed) keysOf(unit string, item *Item) (keys []string, err error) {
	if item.Content == nil {
		return nil, nil
	}
	if holds, err := f.holds(unit, item); err != nil || !holds {
		return nil, err
	}
	eachText(gjson.GetBytes(item.Content, f.path), func(key string) {
		key = strings.TrimSpace(key)
		if wrong := poller.CheckWatchKey(key); wrong != nil {
			err = fmt.Errorf("%s: %w", f.path, wrong)
			return
		}
		keys = append(keys, strings.Clone(key))
	})
	slices.Sort(keys)
	return slices.Compact(keys), err
}

// holds reports whether an item is one of those that count.
func (f *feed) holds(unit string, item *Item) (bool, error) {
	if f.rule.when == nil {
		return true, nil
	}
	source, watch := poller.CutUnit(unit)
	vars := map[string]any{"key": item.Key, "source": source, "watch": watch}
	if f.rule.when.Uses("new") {
		value, err := expr.Decode(item.Content)
		if err != nil {
			return false, err
		}
		vars["new"] = value
	}
	return f.rule.when.Bool(vars)
}

// eachText gives the texts of a value: itself, or those in a list. What is
// none, as null, names nothing.
func eachText(v gjson.Result, do func(string)) {
	if v.IsArray() {
		v.ForEach(func(_, element gjson.Result) bool {
			eachText(element, do)
			return true
		})
		return
	}
	if text, ok := idText(v); ok {
		do(text)
	}
}

// visibleUnit is a unit as a person may read it.
func visibleUnit(unit string) string {
	source, watch := poller.CutUnit(unit)
	if watch == "" {
		return source
	}
	return fmt.Sprintf("%s of %q", source, clip(watch))
}
