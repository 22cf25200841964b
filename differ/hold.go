package differ

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/deltahook/deltahook/internal/fault"
	"github.com/deltahook/deltahook/internal/units"
)

// Hold is why an answer was not taken in: it would have deleted or told more
// than the source's settings let pass unseen. What is remembered stays as it
// was until an answer comes that passes, or until a person has decided. It is
// stored as JSON.
type Hold struct {
	State  HoldState `json:"state"`
	Since  time.Time `json:"since"`  // when the first answer was held
	Reason string    `json:"reason"` // the setting: max_deletes or max_events

	// Of the answer that was held last.
	Listed  int      `json:"listed"` // items in it
	Known   int      `json:"known"`  // items that are remembered
	Created int      `json:"created"`
	Updated int      `json:"updated"`
	Deleted int      `json:"deleted"`
	Events  int      `json:"events"`
	Keys    []string `json:"keys"`    // of some of the changed items, at most 10
	Digest  string   `json:"digest"`  // of its changes
	Answers int      `json:"answers"` // in a row with this digest
}

// HoldState is what has been decided about a hold.
type HoldState string

// The states of a hold.
const (
	Held             HoldState = "held"              // nobody has decided
	Released         HoldState = "released"          // the next answer like it is taken in
	ReleasedSilently HoldState = "released_silently" // as Released, without events
	Discarded        HoldState = "discarded"         // answers like it are wrong, and passed over
)

// Reasons of a hold.
const (
	reasonDeletes = "max_deletes"
	reasonEvents  = "max_events"
)

// Defaults and bounds of the guards.
const (
	defaultMaxDeletes = 0.5
	sharesFrom        = 10 // remembered items from which a share of them means something
	defaultMaxEvents  = 1_000
	heldKeys          = 10
	beyond            = 10 // per cent by which an answer may exceed what was released
)

// guards are the settings that hold an answer.
type guards struct {
	deletes      Share
	events       int
	releaseAfter int
}

func newGuards(s ChangeSettings) guards {
	g := guards{deletes: s.MaxDeletes, events: s.MaxEvents, releaseAfter: s.ReleaseAfter}
	if !g.deletes.Set {
		g.deletes = Share{Of: defaultMaxDeletes}
	}
	if g.events == 0 {
		g.events = defaultMaxEvents
	}
	return g
}

func (g guards) check(deletes fault.Report) {
	if g.deletes.Of > 1 {
		deletes.Errorf("%s is not between 0%% and 100%%", units.Percent(g.deletes.Of))
	}
}

// reason is why an answer that deletes and tells so much must be held; "": it
// passes.
func (g guards) reason(known, deleted, events int) string {
	most := g.deletes.Count
	if g.deletes.Of > 0 {
		most = int(g.deletes.Of * float64(known))
		if known < sharesFrom {
			most = known
		}
	}
	switch {
	case deleted > most:
		return reasonDeletes
	case events > g.events:
		return reasonEvents
	}
	return ""
}

// guard holds an answer that would do too much, or lets it pass and ends the
// hold that there is, unless it does not tell whether it would. A first answer
// always passes: it deletes nothing, and what it tells was asked for.
func (d *Differ) guard(out *outcome) error {
	if out.part.lacking {
		return nil // it says nothing for a hold, and nothing against it
	}
	before, found := out.memory.hold, out.finding
	reason := ""
	if out.commit != nil && !found.baseline {
		reason = out.source.guards.reason(out.memory.present, out.deletions(), len(out.commit.Events))
	}
	switch {
	case reason == "" && before == nil:
		return nil
	case reason == "" && (out.undecided() || found.blind && before.Deleted > 0):
		d.holdOn(out, before)
		return nil
	case reason == "":
		out.endHold()
		return nil
	}
	h := out.newHold(reason)
	if before != nil {
		h.continues(before)
	}
	switch {
	case h.State == Released || h.State == Held && h.outlasts(out.source.guards.releaseAfter):
		out.endHold()
		return nil
	case h.State == ReleasedSilently:
		out.endHold()
		return out.quietly(d)
	}
	return d.hold(out, h, before == nil || before.State != h.State)
}

// undecided reports whether an answer might be held that has too little to be
// held for: because what it shows waits to be confirmed, as after a restart.
func (out *outcome) undecided() bool {
	found, events := out.finding, 0
	if out.commit != nil {
		events = len(out.commit.Events)
	}
	open := len(found.waiting) + len(found.pending)
	return open > 0 && !found.baseline &&
		out.source.guards.reason(out.memory.present, out.deletions()+len(found.waiting), events+open) != ""
}

// holdOn has nothing of an answer taken in, and the hold stay as it is.
func (d *Differ) holdOn(out *outcome, h *Hold) {
	if out.commit != nil {
		out.withheld, out.commit = out.commit.Events, nil
	}
	out.held, out.hold, out.notes = true, h, nil
	out.marks = d.still(out.part.unit, out.marks)
}

func (out *outcome) deletions() (n int) {
	for i := range out.finding.changes {
		if out.finding.changes[i].kind == Deleted {
			n++
		}
	}
	return n
}

// readHold reads the note of a hold; nil: there is none.
func readHold(data []byte) *Hold {
	var h Hold
	if data == nil || json.Unmarshal(data, &h) != nil {
		return nil
	}
	return &h
}

// newHold describes an answer that is to be held.
func (out *outcome) newHold(reason string) *Hold {
	h := &Hold{
		State: Held, Since: out.part.Received.UTC(), Reason: reason, Keys: []string{}, Answers: 1,
		Listed: out.finding.listed, Known: out.memory.present, Events: len(out.commit.Events),
	}
	lines := make([]string, 0, len(out.finding.changes))
	for i := range out.finding.changes {
		ch := &out.finding.changes[i]
		switch ch.kind {
		case Created:
			h.Created++
		case Updated:
			h.Updated++
		case Deleted:
			h.Deleted++
		}
		if len(h.Keys) < heldKeys && (reason != reasonDeletes || ch.kind == Deleted) {
			h.Keys = append(h.Keys, clip(ch.key))
		}
		lines = append(lines, fmt.Sprintf("%q %s %x\n", ch.key, ch.kind, ch.hash))
	}
	slices.Sort(lines)
	sum := sha256.New()
	for _, line := range lines {
		_, _ = sum.Write([]byte(line))
	}
	h.Digest = base64.RawURLEncoding.EncodeToString(sum.Sum(nil)[:12])
	return h
}

// continues takes over what was decided about the hold before, where h does not
// go beyond it.
func (h *Hold) continues(before *Hold) {
	if h.Digest == before.Digest {
		h.Answers = before.Answers + 1
	}
	if before.State == Held || h.within(before) {
		h.State, h.Since = before.State, before.Since
	}
}

// within reports whether h deletes and tells hardly more than what was decided
// upon.
func (h *Hold) within(decided *Hold) bool {
	more := func(n int) int { return n + n*beyond/100 }
	return h.Deleted <= more(decided.Deleted) && h.Events <= more(decided.Events)
}

func (h *Hold) outlasts(answers int) bool { return answers > 0 && h.Answers >= answers }

// endHold has the note of a hold removed.
func (out *outcome) endHold() {
	out.unheld = out.memory.hold
	out.notes = append(out.notes, Note{Name: noteHold})
}

// quietly has the answer taken in without an event, each item at the revision
// that it has.
func (out *outcome) quietly(d *Differ) error {
	out.silent = true
	for i := range out.finding.changes {
		ch := &out.finding.changes[i]
		ch.revision = 0
		if e := out.memory.find(ch.key); e != nil {
			ch.revision = e.revision
		}
		ch.rules = nil
	}
	return d.complete(out)
}

// heldData is what the event changes.held says.
type heldData struct {
	Reason  string   `json:"reason"`
	Listed  int      `json:"listed"`
	Known   int      `json:"known"`
	Created int      `json:"created"`
	Updated int      `json:"updated"`
	Deleted int      `json:"deleted"`
	Events  int      `json:"events"`
	Keys    []string `json:"keys"`
}

// hold has nothing of an answer taken in. The first time it is told at once;
// after that only the note moves.
func (d *Differ) hold(out *outcome, h *Hold, first bool) error {
	data, err := json.Marshal(h)
	if err != nil {
		return err
	}
	d.holdOn(out, h)
	out.notes = []Note{{Name: noteHold, Data: data}}
	if !first {
		return nil
	}
	c, p := out.bare(), out.part
	e, ok, err := d.ownEvent(TypeHeld, p.unit, p.Received, heldData{h.Reason, h.Listed, h.Known, h.Created, h.Updated, h.Deleted, h.Events, h.Keys}, d.alerts)
	if err != nil {
		return err
	}
	if ok {
		c.Events = []Event{e}
	}
	out.commit = c
	return nil
}

// unsettle is settle for an answer that is held: what is remembered stays. The
// counts of answers in a row go on.
func (c *finding) unsettle(mem *memory, confirm int) {
	if c.read {
		mem.returned()
	}
	mem.pages = 0 // the next answer is compared, even the very same
	for _, key := range c.waiting {
		mem.miss(key)
	}
	for _, ch := range c.changes {
		if ch.kind != Deleted && confirm > 1 {
			c.pending = append(c.pending, unconfirmed{ch.apart(), confirm - 1, true})
		}
	}
	mem.pending = c.pending
}
