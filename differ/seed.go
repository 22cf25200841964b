package differ

import (
	"context"
	"slices"
)

// readAtOnce is how many contents are read from the store at once.
const readAtOnce = 1000

// seed brings where the rules stand into line with the configuration, before
// an answer is weighed: a rule that is new, or whose when is, stands where the
// remembered items are, so that it tells of none that it holds for already;
// of a rule that is gone nothing is remembered.
func (d *Differ) seed(ctx context.Context, out *outcome) error {
	w, src, mem := out.rules, out.source, out.memory
	stateful := map[string]bool{}
	var fresh []*rule
	for i := range src.rules {
		r := &src.rules[i]
		stateful[r.event] = r.enter || r.cooldown > 0
		before := mem.standings.events[r.event].When
		switch {
		case r.enter && before != r.print:
			w.knows(r.event, func(k *known) { k.When = r.print })
			fresh = append(fresh, r)
		case !r.enter && before != "":
			w.knows(r.event, func(k *known) { k.When = "" })
			fresh = append(fresh, r) // to forget who has entered
		}
	}
	for i := range src.timed {
		stateful[src.timed[i].event] = false // but whether it fails is known
	}
	for event := range mem.standings.events {
		if _, there := stateful[event]; !there {
			w.knows(event, func(k *known) { *k = known{} })
		}
	}
	for event, stands := range mem.standings.of {
		if !stateful[event] {
			for key := range stands {
				w.plant(event, key, stand{})
			}
		}
	}
	if len(fresh) == 0 {
		return nil
	}
	for _, r := range fresh {
		for key, s := range mem.standings.of[r.event] {
			w.plant(r.event, key, stand{Told: s.Told})
		}
	}
	fresh = slices.DeleteFunc(fresh, func(r *rule) bool { return !r.enter })
	if mem.version == 0 || out.finding.baseline || len(fresh) == 0 {
		return nil // there is nothing, or it is all weighed anew
	}
	return d.plantAll(ctx, out, fresh)
}

// plantAll weighs rules with all remembered items.
func (d *Differ) plantAll(ctx context.Context, out *outcome, rules []*rule) error {
	w := out.rules
	w.fresh = map[*rule]int{}
	for _, r := range rules {
		w.fresh[r] = 0
	}
	keys := make([]string, 0, out.memory.present)
	for i := range out.memory.entries {
		if e := &out.memory.entries[i]; !e.gone() {
			keys = append(keys, e.key)
		}
	}
	return d.remembered(ctx, out, keys, func(item *Item) {
		ch := &change{kind: Updated, key: item.Key, revision: item.Revision, item: item.Content, new: item.Content}
		f := w.facts(ch)
		for _, r := range rules {
			// One that cannot be evaluated is not known to hold.
			if holds, err := r.holds(f); err == nil && holds {
				s := w.stand(r, item.Key)
				s.Entered = true
				w.plant(r.event, item.Key, s)
				w.fresh[r]++
			}
		}
	})
}

// plant notes where a rule stands from before the answer.
func (w *weighing) plant(event, key string, s stand) {
	if w.seeded == nil {
		w.seeded = map[place]stand{}
	}
	w.seeded[place{event, key}] = s
}

// remembered gives the stored items of keys to see, a bounded number at a
// time.
func (d *Differ) remembered(ctx context.Context, out *outcome, keys []string, see func(*Item)) error {
	for some := range slices.Chunk(keys, readAtOnce) {
		items, err := d.store.Items(ctx, out.part.unit, some)
		if err != nil {
			return storeFailure("reading", err)
		}
		for i := range items {
			see(&items[i])
		}
	}
	return nil
}

// reportSeeds tells of rules that were brought into line.
func (d *Differ) reportSeeds(out *outcome) {
	for r, n := range out.rules.fresh {
		level := d.log.Info
		if out.part.watch != "" { // thousands may come at once
			level = d.log.Debug
		}
		level("rule added or changed: it tells of no item for which it holds already",
			"source", out.source.name, "rule", r.event, "watch", clip(out.part.watch), "items", n)
	}
}
