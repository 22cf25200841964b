package main

import (
	"fmt"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/deltahook/deltahook/differ"
)

// shownKey is how many characters of a key, or of a rule's name, a table has.
const shownKey = 60

// why writes a row for each item and rule: what was made of it, and why.
func (p *printer) why(items []differ.Explained, more int) {
	if len(items)+more == 0 {
		return
	}
	var table strings.Builder
	w := tabwriter.NewWriter(&table, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "ITEM\tCHANGE\tREVISION\tRULE\tWHY")
	shown := items[:min(len(items), shownMost)]
	for _, item := range shown {
		first := p.cell(item.Key) + "\t" + string(item.Change) + "\t" + revision(item)
		if item.Guard != "" || len(item.Rules) == 0 {
			fmt.Fprintf(w, "%s\t\t%s\n", first, guarded(item))
			first = "\t\t"
		}
		for _, r := range item.Rules {
			fmt.Fprintf(w, "%s\t%s\t%s\n", first, p.cell(r.Rule), p.line(ruled(item, r)))
			first = "\t\t"
		}
	}
	_ = w.Flush() // a Builder takes everything
	p.block(table.String())
	if n := len(items) - len(shown) + more; n > 0 {
		p.more("… and %d more", n)
	}
}

func revision(item differ.Explained) string {
	if item.Revision == 0 {
		return ""
	}
	return fmt.Sprint(item.Revision)
}

// cell is a stranger's text as one cell.
func (p *printer) cell(text string) string {
	text = strings.ReplaceAll(visible(p.hide.Text(text)), "\t", " ")
	if runes := []rune(text); len(runes) > shownKey {
		return string(runes[:shownKey]) + "…"
	}
	return text
}

// guarded says what kept an item from the rules.
func guarded(item differ.Explained) string {
	text := map[differ.Guard]string{
		"":                    "no rule looks at it",
		differ.GuardUnknown:   "unknown: neither changed nor gone",
		differ.GuardUnchanged: "unchanged",
		differ.GuardTolerated: "differs by no more than is tolerated",
		differ.GuardAbsent:    "absent, which is to be confirmed",
		differ.GuardKept:      "not listed, and kept",
		differ.GuardForgotten: "not listed for long, and forgotten",
		differ.GuardGone:      "not there already",
		differ.GuardConfirm:   "differs, which is to be confirmed",
		differ.GuardReleased:  "released silently: remembered without telling",
		differ.GuardHeld:      "held: nothing of this answer is taken in",
		differ.GuardBaseline:  "remembered without telling",
	}[item.Guard]
	if text == "" {
		text = string(item.Guard)
	}
	if item.Detail != "" {
		text += " (" + item.Detail + ")"
	}
	return text
}

// ruled says what a rule made of a change.
func ruled(item differ.Explained, r differ.Ruled) string {
	switch r.Verdict {
	case differ.RuleTold:
		if item.Guard != "" {
			return "would be told"
		}
		return "told"
	case differ.RuleNotOn:
		return fmt.Sprintf("%s is not in on", item.Change)
	case differ.RuleFalse:
		return "when is false"
	case differ.RuleEntered:
		return "entered before, and not left since"
	case differ.RuleCooling:
		return "cooling down until " + r.Until.Format(time.RFC3339)
	case differ.RuleError:
		return "not told, it cannot be evaluated: " + r.Error
	case differ.RuleWaiting:
		return "waits for its time, " + r.Until.Format(time.RFC3339)
	case differ.RulePassed:
		return "its time has come, " + r.Until.Format(time.RFC3339)
	case differ.RuleNoTime:
		return "the item names no time"
	case differ.RuleSilent:
		return "when holds: entered without telling"
	default:
		return string(r.Verdict)
	}
}
