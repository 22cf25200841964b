package differ

import (
	"cmp"
	"slices"
	"strings"
)

// What the names of notes begin with. What follows is the owner's.
const (
	noteRule   = "rule/"   // + type of the event
	noteSample = "sample/" // + field and bucket
	noteTimer  = "timer/"  // + type of the event; of a unit: the rules that its timers are of
	noteHold   = "hold"    // of a unit
	noteQuiet  = "quiet"   // of a source
	noteAlerts = "alerts"  // of a subject
)

// note takes in a note that is durable, or soon will be. It is the only way
// into what the memory has of notes: so that the same is remembered after a
// commit and after a restart.
func (m *memory) note(n Note) {
	switch kind, _, _ := strings.Cut(n.Name, "/"); {
	case kind+"/" == noteTimer:
		m.noteTimer(n)
	case kind == noteQuiet:
		m.quiet = readQuiet(n.Data)
	case kind+"/" == noteSample:
		m.noteSample(n)
	case kind == noteAlerts:
		m.alerts = readAlerts(n.Data)
	case kind == noteHold:
		m.hold = readHold(n.Data)
	case kind+"/" == noteRule:
		m.standings.note(n, m.keep)
	}
}

// merge is the notes of both, where later has the last word.
func merge(earlier, later []Note) []Note {
	if len(earlier) == 0 {
		return later
	}
	type name struct{ key, name string }
	all := make(map[name]Note, len(earlier)+len(later))
	for _, n := range slices.Concat(earlier, later) {
		all[name{n.Key, n.Name}] = n
	}
	out := make([]Note, 0, len(all))
	for _, n := range all {
		out = append(out, n)
	}
	slices.SortFunc(out, CompareNotes)
	return out
}

// CompareNotes orders notes by their keys, then by their names.
func CompareNotes(a, b Note) int {
	return cmp.Or(cmp.Compare(a.Key, b.Key), cmp.Compare(a.Name, b.Name))
}
