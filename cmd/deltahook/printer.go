package main

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/deltahook/deltahook/differ"
	"github.com/deltahook/deltahook/internal/secret"
	"github.com/deltahook/deltahook/poller"
)

// Bounds of what a dry run prints.
const (
	shownMost  = 50  // changes, and events
	shownWidth = 120 // characters of an item
)

// sectionIndent is how many columns the headings have.
const sectionIndent = 10

// printer writes what a dry run found for a person to read. The first error
// of the writer ends it.
type printer struct {
	w       io.Writer
	hide    *secret.Redactor
	confirm int // of the source's confirm_deletes, where deletions are shown early
	indent  int // columns of the headings; 0: 10
	err     error
}

// printer is a printer to standard output, which other forms leave alone.
func (a *app) printer(form string, hide *secret.Redactor) *printer {
	p := &printer{w: a.out, hide: hide}
	if form != formTable {
		p.w = io.Discard
	}
	return p
}

// printf writes ours, the format, as it is, and of the text in args, which may
// be a stranger's, what a terminal may have: no secret and no control
// character.
func (p *printer) printf(format string, args ...any) {
	if p.err != nil {
		return
	}
	for i, arg := range args {
		if text, ok := arg.(string); ok {
			args[i] = visible(p.hide.Text(text))
		}
	}
	_, p.err = fmt.Fprintf(p.w, format, args...)
}

// section writes a heading and the first line under it.
func (p *printer) section(name, text string) {
	p.printf("%-*s %s\n", cmp.Or(p.indent, sectionIndent)-1, name, text)
}

// more writes a further line of a section.
func (p *printer) more(format string, args ...any) {
	p.printf("%*s%s\n", cmp.Or(p.indent, sectionIndent), "", fmt.Sprintf(format, args...))
}

func (p *printer) request(r poller.Preview) {
	p.section("Request", r.Method+" "+r.URL)
	for _, name := range sortedNames(r.Header) {
		p.more("%s: %s", name, strings.Join(r.Header[name], ", "))
	}
	if r.Body != "" {
		p.more("")
		p.block(r.Body)
	}
}

func (p *printer) answer(a *poller.Answer, took time.Duration) {
	size := 0
	for _, page := range a.Pages {
		size += len(page)
	}
	text := fmt.Sprintf("status %d in %s, %d bytes", a.Status, took.Round(time.Millisecond), size)
	if len(a.Pages) > 1 {
		text += fmt.Sprintf(" on %d pages; the first of them:", len(a.Pages))
	}
	p.section("Answer", text)
	if len(a.Pages) > 0 {
		p.block(shape(a.Pages[0]))
	}
}

// block writes text, indented.
func (p *printer) block(text string) {
	for line := range strings.Lines(strings.TrimRight(text, "\r\n")) {
		p.more("%s", strings.TrimRight(line, "\r\n"))
	}
}

func (p *printer) outcome(o *differ.Preview) {
	if o.Reset {
		p.section("Changes", "none: the status means reset, what is remembered would be forgotten without telling anything")
		return
	}
	items := fmt.Sprintf("%d listed", o.Listed)
	if o.Unknown > 0 {
		items += fmt.Sprintf(", %d of them not ok (item_ok): neither changed nor gone", o.Unknown)
	}
	p.section("Items", items)
	for _, item := range o.Items {
		p.more("%s", p.line(item.Key+"  "+string(item.Content)))
	}
	if n := o.Listed - o.Unknown - len(o.Items); n > 0 && len(o.Items) > 0 {
		p.more("… and %d more", n)
	}
	p.changes(o)
	p.events(o.Events)
}

// changes writes why each item makes events or none, those with a change first.
func (p *printer) changes(o *differ.Preview) {
	text := fmt.Sprint(len(o.Changes))
	if o.Baseline {
		text = "none: this is the first answer, it would be remembered without telling anything"
		if n := len(o.Changes); n > 0 {
			text = fmt.Sprintf("%d: this is the first answer, the other items would be remembered without telling anything", n)
		}
	}
	p.section("Changes", text)
	if h := o.Hold; h != nil {
		p.more("%s: %s; nothing is told or forgotten until it is released (deltahook holds)", h.State, h.Reason)
	}
	items, more := slices.Concat(o.Changes, o.Others), o.More
	if o.Baseline { // that an item is remembered needs no row
		items, more = slices.DeleteFunc(items, func(x differ.Explained) bool {
			return x.Guard == differ.GuardBaseline && len(x.Rules) == 0
		}), 0
	}
	p.why(items, more)
	if deleted := slices.ContainsFunc(o.Changes, func(c differ.Explained) bool { return c.Change == differ.Deleted }); deleted && p.confirm != 1 {
		p.more("a deletion is told once %d answers in a row lack the item", max(p.confirm, 2))
	}
}

// line shortens text to one line. Secrets are hidden first, for what is left
// of one would not be known as such.
func (p *printer) line(text string) string {
	text = visible(p.hide.Text(text))
	n := 0
	for i := range text {
		if n++; n > shownWidth {
			return text[:i] + "…"
		}
	}
	return text
}

func (p *printer) events(events []differ.Event) {
	p.section("Events", fmt.Sprint(len(events)))
	for i := range events {
		e := &events[i]
		if i == shownMost {
			p.more("… and %d more", len(events)-i)
			break
		}
		if len(e.Bodies) == 0 {
			p.more("%s: told to nobody, for there is no endpoint", e.Type)
		}
		for _, group := range byPayload(e.Bodies) {
			if group.dead != "" {
				p.more("%s to %s: a dead letter at once, %s", e.Type, strings.Join(group.endpoints, ", "), group.dead)
				continue
			}
			p.more("%s to %s:", e.Type, strings.Join(group.endpoints, ", "))
			var pretty bytes.Buffer
			if json.Indent(&pretty, group.payload, "  ", "  ") != nil {
				pretty.Write(group.payload)
			}
			p.block("  " + pretty.String())
		}
	}
}

type payloadGroup struct {
	payload   []byte
	dead      string
	endpoints []string
}

// byPayload joins the endpoints that get the same bytes.
func byPayload(bodies []differ.Body) []payloadGroup {
	var groups []payloadGroup
	for _, b := range bodies {
		i := slices.IndexFunc(groups, func(g payloadGroup) bool { return g.dead == b.Dead && bytes.Equal(g.payload, b.Payload) })
		if i < 0 {
			groups = append(groups, payloadGroup{payload: b.Payload, dead: b.Dead})
			i = len(groups) - 1
		}
		groups[i].endpoints = append(groups[i].endpoints, b.Endpoint)
	}
	return groups
}
