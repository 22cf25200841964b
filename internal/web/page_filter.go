package web

import (
	"net/url"
	"slices"
	"time"

	"github.com/deltahook/deltahook/emitter"
)

// filter is what a list on a page is searched for, as its form has it. Words
// that are empty filter nothing.
type filter struct {
	Source, Watch, Type, Key, Endpoint, State, Since, Until string
}

// words are the names of the fields in a form, each with where it stands.
func (f *filter) words() []struct {
	name string
	at   *string
} {
	return []struct {
		name string
		at   *string
	}{
		{"source", &f.Source}, {"watch", &f.Watch}, {"type", &f.Type}, {"key", &f.Key},
		{"endpoint", &f.Endpoint}, {"state", &f.State}, {"since", &f.Since}, {"until", &f.Until},
	}
}

func readFilter(q url.Values) (f filter) {
	for _, w := range f.words() {
		*w.at = q.Get(w.name)
	}
	return f
}

// Any says whether anything is searched for.
func (f filter) Any() bool { return f != filter{} }

// Fields are those that are set.
func (f filter) Fields() (set [][2]string) {
	for _, w := range f.words() {
		if *w.at != "" {
			set = append(set, [2]string{w.name, *w.at})
		}
	}
	return set
}

// Address is that of a list that searches for the same, from a cursor on; "": from the
// beginning.
func (f filter) Address(path, cursor string) string {
	words := []string{"cursor", cursor}
	for _, set := range f.Fields() {
		words = append(words, set[0], set[1])
	}
	return query(path, words...)
}

// States are those that can be searched for.
func (f filter) States() []emitter.State { return emitter.States() }

// find is what it means to an archive.
func (f filter) find() (e emitter.Filter, err error) {
	e = emitter.Filter{Type: f.Type, Source: f.Source, Watch: f.Watch, Key: f.Key, Endpoint: f.Endpoint, State: emitter.State(f.State)}
	if f.State != "" && !slices.Contains(emitter.States(), e.State) {
		return e, invalid("state is %q: expected one of %v", clipped(f.State, maxShown), emitter.States())
	}
	if e.Since, err = readTime("since", f.Since); err != nil {
		return e, err
	}
	e.Until, err = readTime("until", f.Until)
	return e, err
}

// order is a replay of what it means.
func (f filter) order() (o emitter.ReplayOrder, err error) {
	e, err := f.find()
	o = emitter.ReplayOrder{
		Endpoint: e.Endpoint, Source: e.Source, Watch: e.Watch, Type: e.Type, Key: e.Key,
		Since: e.Since, Until: e.Until, All: !f.Any(), State: emitter.Dead,
	}
	return o, err
}

// readTime reads a time of a form: as a browser's field gives it, which is UTC
// here, or in full.
func readTime(name, text string) (t time.Time, err error) {
	if text == "" {
		return t, nil
	}
	for _, form := range []string{time.RFC3339, "2006-01-02T15:04:05", "2006-01-02T15:04", time.DateOnly} {
		if t, err = time.Parse(form, text); err == nil {
			return t, nil
		}
	}
	return t, invalid("%s is %q: expected a time such as 2026-11-23T10:00", name, clipped(text, maxShown))
}
