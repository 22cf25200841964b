package differ

import (
	"fmt"
	"strconv"

	"go.yaml.in/yaml/v4"

	"github.com/deltahook/deltahook/internal/ordered"
	"github.com/deltahook/deltahook/internal/units"
)

// ResponseSettings is the differ's part of `response`: what the items of an
// answer are, and what of them counts.
type ResponseSettings struct {
	// gjson path of the list of items. Absent: the whole body is one item.
	Items string `yaml:"items" json:"items,omitempty"`
	// gjson path of an item's id, or a list of paths (a composite id).
	// Needed with items.
	ID Paths `yaml:"id" json:"id,omitempty"`
	// An expression over item and body; false: this item is unknown in
	// this answer, neither changed nor gone.
	ItemOK string `yaml:"item_ok" json:"item_ok,omitempty"`
	// What is compared and told: names, and gjson paths within the item.
	// Absent: the whole item.
	Pick ordered.Map[string] `yaml:"pick" json:"pick,omitempty"`
	// As pick: told in new and old beside what is picked, but never a change
	// by themselves.
	Carry ordered.Map[string] `yaml:"carry" json:"carry,omitempty"`
	// Dotted paths that never count as a change; * is any name or any
	// element, ** any depth. They are left out of what is told.
	Ignore []string `yaml:"ignore" json:"ignore,omitempty"`
	// Dotted paths, after pick, of lists whose order is no change. Wildcards
	// as in ignore.
	Unordered []string `yaml:"unordered" json:"unordered,omitempty"`
	// Dotted paths, after pick, of lists whose elements have an id of their
	// own: what happened to which of them is told, and their order is no
	// change.
	Lists ordered.Map[ListSettings] `yaml:"lists" json:"lists,omitempty"`
	// Dotted paths, after pick, of numbers that may be written as text:
	// "112.1300", "-5.39%" and "1,234.5" are read as the numbers 112.1300,
	// -5.39 and 1234.5, and told so.
	Numbers ordered.Map[NumberSettings] `yaml:"numbers" json:"numbers,omitempty"`
	// Dotted paths, after pick, of texts in which upper and lower case are no
	// difference.
	IgnoreCase []string `yaml:"ignore_case" json:"ignore_case,omitempty"`
	// True: a field that is null counts as one that is absent.
	NullIsAbsent bool `yaml:"null_is_absent" json:"null_is_absent,omitempty"`
	// What an item is that an answer does not list: deleted (default), or
	// kept as it is, for feeds and for answers that list only what changed.
	Absent string `yaml:"absent" json:"absent,omitempty" jsonschema:"enum=deleted,enum=kept"`
	// How long a kept item that no answer lists is remembered. It is
	// forgotten without an event. Default: for ever, and at most 1,000,000
	// items.
	ForgetAfter units.Duration `yaml:"forget_after" json:"forget_after,omitempty"`
	// An expression over item; true: the answer says that this item is
	// deleted, which needs no confirmation.
	DeletedWhen string `yaml:"deleted_when" json:"deleted_when,omitempty"`

	// How the poller makes JSON of an answer (poller.ResponseSettings.Decoding).
	Decoding string `yaml:"-" json:"-"`
}

// ListSettings is a list within an item whose elements are told apart by an id.
type ListSettings struct {
	// gjson path in an element of its id, or a list of paths.
	ID Paths `yaml:"id" json:"id" jsonschema:"required"`
}

// NumberSettings is how a field is compared as a number.
type NumberSettings struct {
	// How far a number may be from the one that is remembered without being
	// a change. What drifts in small steps is told when the sum exceeds it.
	Tolerance float64 `yaml:"tolerance" json:"tolerance,omitempty" jsonschema:"minimum=0"`
	// The sign before the decimals of numbers that are text: "." (default)
	// or ",". The other of the two parts thousands.
	Decimal string `yaml:"decimal" json:"decimal,omitempty" jsonschema:"enum=.,enum=\\,"`
}

// Settings is the differ's part of a source in the configuration.
type Settings struct {
	// Watch keys. See `watch`.
	Watch WatchSettings `yaml:"-" json:"-"`
	// The poller's setting of this name: the zone of times in items that say
	// none.
	Timezone string `yaml:"-" json:"-"`
	// Likewise: it is not polled, and nothing is told of its times.
	Disabled bool           `yaml:"-" json:"-"`
	Changes  ChangeSettings `yaml:"changes" json:"changes,omitempty"`
	// What is told, by name of the event's type. Each rule that matches a
	// change makes one event, in this order. Absent: SOURCE.created,
	// SOURCE.updated and SOURCE.deleted, to all endpoints.
	Events ordered.Map[RuleSettings] `yaml:"events" json:"events,omitempty"`
}

// WatchSettings is the differ's part of `watch`: whose an item is, and when a
// key is done.
type WatchSettings struct {
	// Keyed says that the source is polled for watch keys, which the
	// poller knows.
	Keyed bool `yaml:"-" json:"-"`
	// Which items of another source name watch keys. See `from`.
	From FeedSettings `yaml:"from" json:"from,omitzero"`
	// gjson path in an item of the watch key that it belongs to. Needed with
	// batch: an item of no key that was asked for is passed over, and a key
	// of which the answer has no item is unknown in it.
	ID string `yaml:"id" json:"id,omitempty"`
	// An expression as `when`; when it holds for all items of a key, the key
	// is polled no more. What the same poll changed is still told.
	Until string `yaml:"until" json:"until,omitempty"`
	// How long a key is polled, from its first answer on. Default: for ever.
	MaxAge units.Duration `yaml:"max_age" json:"max_age,omitempty"`
}

// ChangeSettings is when a difference counts as a change.
type ChangeSettings struct {
	// What the first answer of a source, or of a new watch key, does: silent
	// (default) only remembers it, emit tells each item as created,
	// {last: N} the newest N.
	Baseline Baseline `yaml:"baseline" json:"baseline,omitempty"`
	// Answers in a row in which an item must be new or differ before that
	// counts. Default: 1.
	Confirm int `yaml:"confirm" json:"confirm,omitempty" jsonschema:"minimum=1,maximum=100"`
	// Answers in a row that must lack an item before it counts as deleted.
	// Default: 2.
	ConfirmDeletes int `yaml:"confirm_deletes" json:"confirm_deletes,omitempty" jsonschema:"minimum=1,maximum=100"`
	// More deletions than this in one answer are held until a person has
	// looked: a share of the items (from 10 on), or a number. Default: 50%.
	// 100% holds none.
	MaxDeletes Share `yaml:"max_deletes" json:"max_deletes,omitempty"`
	// An answer that would make more events than this is held likewise.
	// Default: 1000.
	MaxEvents int `yaml:"max_events" json:"max_events,omitempty" jsonschema:"minimum=1,maximum=1000000"`
	// Answers in a row that say the same as one that is held, and so release
	// it. Default 0: only a person does.
	ReleaseAfter int `yaml:"release_after" json:"release_after,omitempty" jsonschema:"minimum=0,maximum=10000"`
	// No change for so long is told as source.quiet, once, and the next
	// change after that as source.active. Default 0: never.
	ExpectWithin units.Duration `yaml:"expect_within" json:"expect_within,omitempty"`
	// Fields of which samples are kept for window(), and for how long: names
	// after pick, or names joined by dots. A sample is what an answer says
	// of an item; a window has at most 1,440 buckets.
	History ordered.Map[units.Duration] `yaml:"history" json:"history,omitempty"`
}

// RuleSettings is one rule: which changes make an event, and who is told.
type RuleSettings struct {
	// Kinds of change it looks at: created, updated, deleted. Default: all.
	On []string `yaml:"on" json:"on,omitempty" jsonschema:"minItems=1,enum=created,enum=updated,enum=deleted"`
	// An expression; false: no event. Default: true.
	When string `yaml:"when" json:"when,omitempty"`
	// each (default): every change that matches makes an event. enter: only
	// the one with which when turns true, and again after it was false.
	Trigger string `yaml:"trigger" json:"trigger,omitempty" jsonschema:"enum=each,enum=enter"`
	// At most one event of an item in this time. Default: 0, no limit.
	Cooldown units.Duration `yaml:"cooldown" json:"cooldown,omitempty"`
	// An expression that gives a time: the event is told then, also between
	// polls, once for each time that an item names, and not at a change. Text
	// in RFC 3339, also without an offset (then in the source's timezone), a
	// date, Unix seconds or milliseconds, a mapping with dateTime and timeZone.
	At string `yaml:"at" json:"at,omitempty"`
	// How long before that time.
	Before units.Duration `yaml:"before" json:"before,omitempty"`
	// How long after that time.
	After units.Duration `yaml:"after" json:"after,omitempty"`
	// How late, after downtime, it may still be told. Default: 10m.
	Late units.Duration `yaml:"late" json:"late,omitempty"`
	// Names of endpoints. Default: all.
	To []string `yaml:"to" json:"to,omitempty" jsonschema:"minItems=1"`
}

// AlertSettings is who is told of Deltahook's own events.
type AlertSettings struct {
	// Names of endpoints. Default: none, then they are only logged.
	To []string `yaml:"to" json:"to,omitempty" jsonschema:"minItems=1"`
	// source.failing is told after so many failed polls in a row; 0: never. Default: 3.
	SourceFailingAfter int `yaml:"source_failing_after" json:"source_failing_after,omitempty" jsonschema:"minimum=0,maximum=1000000"`
	// source.stale is told when no poll has succeeded for so long; 0: never. Default: 24h.
	SourceStaleAfter units.Duration `yaml:"source_stale_after" json:"source_stale_after,omitempty"`
}

// Paths is one gjson path or several. In the configuration it is a string or
// a list of strings.
type Paths []string

// UnmarshalYAML reads one path or a list of them.
func (p *Paths) UnmarshalYAML(n *yaml.Node) error {
	if n.Kind == yaml.ScalarNode {
		*p = Paths{n.Value}
		return nil
	}
	var list []string
	if err := n.Decode(&list); err != nil {
		return err
	}
	*p = list
	return nil
}

// Baseline is what becomes of a first answer. In the configuration it is
// silent, emit or a mapping. The zero value is silent.
type Baseline struct {
	Emit bool // each item is told as created
	BaselineLast
}

// BaselineLast is a baseline of which the newest items are told.
type BaselineLast struct {
	// How many items are told, the oldest of them first.
	Last int `yaml:"last" json:"last" jsonschema:"required,minimum=1,maximum=1000"`
	// gjson path in an item of what it is ordered by: a time, a number or
	// text. Default: the answer lists the newest first, as feeds do.
	By string `yaml:"by" json:"by,omitempty"`
}

// UnmarshalYAML reads silent, emit or a mapping.
func (b *Baseline) UnmarshalYAML(n *yaml.Node) error {
	*b = Baseline{}
	if n.Kind == yaml.MappingNode {
		return n.Decode(&b.BaselineLast)
	}
	switch n.Value {
	case "silent":
	case "emit":
		b.Emit = true
	default:
		return fmt.Errorf("%q: expected silent, emit or {last: N}", n.Value)
	}
	return nil
}

// Share is a part of a source's items: a fraction or a number of them. In the
// configuration it is 20% or 20. The zero value is no share at all.
type Share struct {
	Of    float64 // the fraction; 0: Count counts
	Count int
	Set   bool // it was given: 0 means none
}

// UnmarshalYAML reads a percentage or a whole number.
func (s *Share) UnmarshalYAML(n *yaml.Node) error {
	*s = Share{Set: true}
	if count, err := strconv.Atoi(n.Value); err == nil && count >= 0 {
		s.Count = count
		return nil
	}
	var p units.Percent
	if err := p.UnmarshalText([]byte(n.Value)); err != nil {
		return fmt.Errorf("%q is neither a percentage such as 50%% nor a number of items", n.Value)
	}
	s.Of = float64(p)
	return nil
}
