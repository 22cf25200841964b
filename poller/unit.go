package poller

import "strings"

// unitSeparator stands in no source's name and in no watch key.
const unitSeparator = "\x00"

// Unit is the name under which a source's state is kept, or that of one of its
// watch keys: each has bookmarks, items and a version of its own. A source
// without watch keys has the empty one.
func Unit(source, watch string) string {
	if watch == "" {
		return source
	}
	return source + unitSeparator + watch
}

// Units are the units that the answer says something of.
func (a *Answer) Units() []string {
	if a.Keys == nil {
		return []string{a.Source}
	}
	units := make([]string, len(a.Keys))
	for i, key := range a.Keys {
		units[i] = Unit(a.Source, key)
	}
	return units
}

// CutUnit is the reverse of Unit.
func CutUnit(unit string) (source, watch string) {
	source, watch, _ = strings.Cut(unit, unitSeparator)
	return source, watch
}
