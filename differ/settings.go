package differ

import (
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
	// Dotted paths that never count as a change; * is any name or any
	// element, ** any depth. They are left out of what is told.
	Ignore []string `yaml:"ignore" json:"ignore,omitempty"`
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
}

// Settings is the differ's part of a source in the configuration.
type Settings struct {
	// Watch keys. See `watch`.
	Watch   WatchSettings  `yaml:"-" json:"-"`
	Changes ChangeSettings `yaml:"changes" json:"changes,omitempty"`
	// What is told, by name of the event's type. Each rule that matches a
	// change makes one event, in this order. Absent: SOURCE.created,
	// SOURCE.updated and SOURCE.deleted, to all endpoints.
	Events ordered.Map[RuleSettings] `yaml:"events" json:"events,omitempty"`
}

// WatchSettings is the differ's part of `watch`: whose an item is, and when a
// key is done.
type WatchSettings struct {
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
	// What the first answer of a source does: silent (default) only
	// remembers it, emit tells each item as created.
	Baseline string `yaml:"baseline" json:"baseline,omitempty" jsonschema:"enum=silent,enum=emit"`
	// Answers in a row that must lack an item before it counts as deleted.
	// Default: 2.
	ConfirmDeletes int `yaml:"confirm_deletes" json:"confirm_deletes,omitempty" jsonschema:"minimum=1,maximum=100"`
}

// RuleSettings is one rule: which changes make an event, and who is told.
type RuleSettings struct {
	// Kinds of change it looks at: created, updated, deleted. Default: all.
	On []string `yaml:"on" json:"on,omitempty" jsonschema:"minItems=1,enum=created,enum=updated,enum=deleted"`
	// An expression; false: no event. Default: true.
	When string `yaml:"when" json:"when,omitempty"`
	// Names of endpoints. Default: all.
	To []string `yaml:"to" json:"to,omitempty" jsonschema:"minItems=1"`
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
