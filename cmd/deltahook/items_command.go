package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/deltahook/deltahook/differ"
	"github.com/deltahook/deltahook/emitter"
	"github.com/deltahook/deltahook/internal/web"
)

// itemAsk is which items, or which of an item's changes, are asked for.
type itemAsk struct {
	source, watch string
	filter        differ.ItemFilter
	format        string
}

func (a *app) itemsCommand() *cobra.Command {
	var ask itemAsk
	cmd := &cobra.Command{
		Use:     "items SOURCE [KEY]",
		GroupID: "steer",
		Short:   "Show what is remembered of a source: its items, or one with its changes",
		Long: `Show the items of a source that are there, by their keys. With a KEY, the content
of one item and what changed in it, the last change first, as far back as it is
kept; also of one that is gone. Where the source has watch keys, --watch says
whose items are meant.`,
		Args:              cobra.RangeArgs(1, 2),
		ValidArgsFunction: a.completeItems,
		RunE: func(cmd *cobra.Command, args []string) error {
			if ask.filter.Limit < 1 || ask.filter.Limit > emitter.MaxPage {
				return a.usage("--limit %d: expected 1 to %d", ask.filter.Limit, emitter.MaxPage)
			}
			if len(args) > 1 && (ask.filter.Prefix != "" || ask.filter.Contains != "") {
				return a.usage("--prefix and --search are for the list: leave them out, or the key")
			}
			ask.source = args[0]
			return a.ask(cmd.Context(), func(ctx context.Context, c *web.Client) error {
				var err error
				if len(args) > 1 {
					err = a.showItem(ctx, c, &ask, args[1])
				} else {
					err = a.listItems(ctx, c, &ask)
				}
				return misnamed(ctx, c, "source", ask.source, sourceNames, err)
			})
		},
	}
	f := cmd.Flags()
	f.StringVar(&ask.watch, "watch", "", "of this watch key")
	f.StringVar(&ask.filter.Prefix, "prefix", "", "only keys that begin so")
	f.StringVar(&ask.filter.Contains, "search", "", "only what has this in its key or its content, in upper or lower case")
	f.IntVar(&ask.filter.Limit, "limit", emitter.DefaultPage, fmt.Sprintf("how many items, or changes, at most %d", emitter.MaxPage))
	f.StringVar(&ask.filter.After, "cursor", "", "go on where a list before ended")
	_ = cmd.RegisterFlagCompletionFunc("watch", a.completeWatch)
	a.outputFlag(cmd, &ask.format)
	return cmd
}

func (a *app) listItems(ctx context.Context, c *web.Client, ask *itemAsk) error {
	all, err := gatherItems(ctx, c, ask)
	if err != nil {
		return err
	}
	if ask.format == formJSON {
		return a.print(all)
	}
	if len(all.Items) > 0 {
		table := a.table("KEY", "REVISION", "SEEN", "CONTENT")
		for _, item := range all.Items {
			table.row(item.Key, item.Revision, shortTime(item.Seen), clip(string(item.Content), shownWidth))
		}
		if err := table.flush(); err != nil {
			return err
		}
	}
	return a.printRest("items", len(all.Items), emitter.Rest{Next: all.Next, Damaged: all.Damaged, Damage: "the log of the daemon says more"})
}

// gatherItems asks for as many as are wanted: a page may be short, or empty, and
// not the last.
func gatherItems(ctx context.Context, c *web.Client, ask *itemAsk) (all web.ItemPage, err error) {
	f := ask.filter
	all.Items = []web.Item{}
	for range maxEmpty {
		f.Limit = ask.filter.Limit - len(all.Items)
		page, err := c.Items(ctx, ask.source, ask.watch, f)
		if err != nil {
			return all, err
		}
		all.Items, all.Damaged = append(all.Items, page.Items...), all.Damaged+page.Damaged
		f.After, all.Next = page.Next, page.Next
		if page.Next == "" || len(all.Items) >= ask.filter.Limit {
			break
		}
	}
	return all, nil
}

func (a *app) showItem(ctx context.Context, c *web.Client, ask *itemAsk, key string) error {
	item, err := c.Item(ctx, ask.source, ask.watch, key)
	if err != nil {
		return err
	}
	kept, err := c.Revisions(ctx, ask.source, ask.watch, key, ask.filter.After, ask.filter.Limit)
	if err != nil {
		return err
	}
	if ask.format == formJSON {
		return a.print(struct {
			web.Item
			web.RevisionPage
		}{item, kept})
	}
	show := &printer{w: a.out}
	show.item(ask.source, ask.watch, &item)
	for i := range kept.Revisions {
		show.revision(&kept.Revisions[i])
	}
	if show.err == nil && kept.Next != "" {
		fmt.Fprintf(a.err, "there may be more: --cursor %s\n", kept.Next)
	}
	return show.err
}

// item writes an item as it is.
func (p *printer) item(source, watch string, item *web.Item) {
	if watch != "" {
		source += "/" + watch
	}
	text := fmt.Sprintf("%s of %s, revision %d, seen %s", item.Key, source, item.Revision, shortTime(item.Seen))
	if item.Gone {
		text = fmt.Sprintf("%s of %s, revision %d: it is gone", item.Key, source, item.Revision)
	}
	p.section("Item", text)
	if len(item.Content) > 0 {
		p.block(indented(item.Content))
	}
}

// revision writes a change of an item.
func (p *printer) revision(r *web.Revision) {
	p.section("Revision", fmt.Sprintf("%d %s %s", r.Revision, r.Change, shortTime(r.Seen)))
	switch {
	case r.Old != nil && r.New != nil:
		edits, more := web.Edits(r.Old, r.New)
		for _, e := range edits {
			p.more("%s", editText(&e))
		}
		if more > 0 {
			p.more("… and %d more places", more)
		}
	case r.New != nil && !r.Omitted:
		p.more("%s", p.line("+ "+string(r.New)))
	case r.Old != nil && !r.Omitted:
		p.more("%s", p.line("- "+string(r.Old)))
	}
	if r.Omitted {
		p.more("a content was not kept")
	}
}

// editText is a place that changed, in a line.
func editText(e *web.Edit) string {
	switch {
	case e.Old == "":
		return fmt.Sprintf("%s %s: %s", e.Sign, e.Path, e.New)
	case e.New == "":
		return fmt.Sprintf("%s %s: %s", e.Sign, e.Path, e.Old)
	}
	return fmt.Sprintf("%s %s: %s -> %s", e.Sign, e.Path, e.Old, e.New)
}

// indented is JSON with a member a line.
func indented(doc json.RawMessage) string {
	var pretty bytes.Buffer
	if json.Indent(&pretty, doc, "", "  ") != nil {
		return string(doc)
	}
	return pretty.String()
}
