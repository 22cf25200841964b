package differ

import (
	"crypto/sha256"
	"slices"

	"github.com/deltahook/deltahook/internal/canon"
)

// form is how the contents of a source's items are made and compared, compiled.
type form struct {
	told  *canon.Paths // what is left out of a content, and text that it has as a number
	alike *canon.Paths // what is no difference between two contents, besides their spelling

	tolerant bool // a number may be apart from another and be no difference
	arranged bool // there are lists whose order is none
}

// room is what is used again from item to item.
type room struct {
	copier          canon.Copier
	picked, content []byte
	form            []byte
}

// hash is the hash of what of content counts.
func (f *form) hash(r *room, content []byte) Hash {
	r.form = r.copier.Append(r.form[:0], content, f.alike.Root())
	sum := sha256.Sum256(r.form)
	return Hash(sum[:16])
}

// sift takes out of the changes those that are none once it is known what the
// items were, and has the others tell no more than what changed.
func (s *Source) sift(found *finding, p *part, mem *memory, h hasher) {
	kept := found.changes[:0]
	for _, ch := range found.changes {
		if ch.kind == Updated {
			if s.form.tolerant && s.form.same(ch.old, ch.new) {
				s.tolerate(found, p, mem, h, &ch)
				continue
			}
			ch.new = s.form.arrange(ch.old, ch.new)
			ch.diff = s.form.diff(ch.old, ch.new)
		}
		kept = append(kept, ch)
	}
	clear(found.changes[len(kept):])
	found.changes = kept
}

// tolerate notes an item that differs by what is tolerated only. It stays as
// it is remembered, and is not looked at again until it is spelled otherwise.
func (s *Source) tolerate(found *finding, p *part, mem *memory, h hasher, ch *change) {
	found.tolerated = append(found.tolerated, ch.key)
	e := mem.find(ch.key)
	found.spelled(e, h.text(textOf(ch.item)), ch.sample)
	if now := p.Received.Unix(); s.stale(int64(e.seen), now) && len(found.renewed) < forgetAtOnce {
		found.renewed = append(found.renewed, Item{
			Key: e.key, Hash: e.hash, Revision: e.revision, Content: slices.Clone(ch.old), Seen: p.Received.UTC(),
		})
	}
}
