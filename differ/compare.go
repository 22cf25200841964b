package differ

import (
	"slices"
	"strings"

	"github.com/deltahook/deltahook/poller"
)

// maxKey is how many bytes an item's key may have.
const maxKey = 4096

// comparison is one run over an answer.
type comparison struct {
	src  *Source
	mem  *memory
	hash hasher

	found   finding
	why     *explanation
	now     int64    // when the answer came, in Unix seconds
	removed []change // items that say of themselves that they are deleted

	last *newest // nil: none of a silent baseline are told

	seen  int             // present items that were listed
	fresh map[string]bool // keys that the memory does not have
	room  room
}

// compare finds what p says that mem does not. It is a *poller.Failure where
// its items cannot be read: then nothing in it counts.
func (s *Source) compare(p *part, mem *memory, h hasher) (*finding, error) {
	c := comparison{src: s, mem: mem, hash: h, why: p.why}
	c.found.baseline = mem.version == 0 || mem.shape != s.shape
	if c.found.baseline && mem.version == 0 && s.baseline.Last > 0 {
		c.last = &newest{most: s.baseline.Last, by: s.baseline.By}
	}
	c.now = p.Received.Unix()
	same := p.Unmodified || mem.pages != 0 && mem.pages == p.hash(h) && !s.stale(mem.read, c.now)
	if same && !c.found.baseline {
		if c.found.listed = mem.count; mem.read == 0 { // by another process
			c.found.listed = mem.present - len(mem.absent)
		}
		c.repeat()
		if len(mem.absent) > 0 && !mem.blind {
			c.absences(func(e *entry) bool { return mem.absent[e.key] == 0 })
		}
		c.why.same(mem)
		return &c.found, nil
	}
	if p.Unmodified {
		return nil, poller.Failf(poller.ClassStatus, "status 304, but no answer is remembered that it could stand for")
	}
	mem.round++
	mem.pages = 0 // until it is taken in, rounds are not those of the last that was
	c.found.read = true
	if err := s.readPart(p, c.take); err != nil {
		return nil, err
	}
	c.found.changes = append(c.found.changes, c.removed...)
	if s.kept && !c.found.baseline {
		c.forget()
	}
	if !s.kept && !c.found.baseline && !c.found.blind && c.seen < mem.present {
		c.absences(func(e *entry) bool { return e.round == mem.round })
	}
	if c.found.baseline {
		c.keepRevisions()
	}
	c.why.unlisted(&c)
	if c.last != nil {
		c.found.changes = c.last.choose(c.found.changes)
	}
	return &c.found, nil
}

// keepRevisions carries over what was known before a new baseline and has no
// content in it: should it come back, its revisions go on.
func (c *comparison) keepRevisions() {
	noted := make(map[string]bool, len(c.found.changes))
	for _, ch := range c.found.changes {
		noted[ch.key] = true
	}
	for i := range c.mem.entries {
		if e := &c.mem.entries[i]; !noted[e.key] && e.revision > 0 {
			c.found.gone = append(c.found.gone, Item{Key: e.key, Revision: e.revision})
		}
	}
}

// emits reports whether the baseline of mem is told. That of a new shape
// never is: the items are the same, only what is looked at is not.
func (s *Source) emits(mem *memory) bool { return s.baseline.Emit && mem.version == 0 }

// take compares one item.
func (c *comparison) take(f found) error {
	c.found.listed++
	if f.unknown {
		c.found.unknown++
	}
	if f.key == "" {
		c.found.blind = true
		c.why.say("", 0, GuardUnknown, "item_ok is false, and it has no id")
		return nil
	}
	e, err := c.meet(&f)
	if err != nil {
		return err
	}
	if f.unknown {
		c.why.say(f.key, e.count(), GuardUnknown, "item_ok is false")
		if len(c.mem.pending) > 0 {
			c.found.doubted = append(c.found.doubted, f.key)
		}
		c.sample(f.key, nil)
		return nil
	}
	if f.deleted {
		if c.why != nil && (e == nil || e.gone()) {
			c.why.say(f.key, e.count(), GuardGone, "deleted_when is true, and it is not there")
		}
		c.remove(e)
		return nil
	}
	renew := e != nil && !e.gone() && c.src.stale(int64(e.seen), c.now) && !c.found.baseline
	spelled := c.hash.text(f.raw)
	if e != nil && e.raw == spelled && !e.gone() && !c.found.baseline && !renew && c.sampleAgain(f.key, spelled) {
		c.why.say(f.key, e.revision, GuardUnchanged, "")
		return nil
	}
	content, err := c.src.content(&c.room, f.raw)
	if err != nil {
		return err
	}
	hash := c.src.form.hash(&c.room, content)
	c.sample(f.key, content)
	c.note(e, f, content, hash)
	if e != nil && e.hash == hash {
		if !c.found.baseline {
			c.why.say(f.key, e.revision, GuardUnchanged, "")
		}
		if c.found.spelled(e, spelled, len(c.found.samples)); renew {
			c.renew(e, content)
		}
	}
	return nil
}

// meet notes that the answer lists an item, and gives what is remembered of it;
// nil: nothing is. The key of f is one then that keeps no page in memory.
func (c *comparison) meet(f *found) (*entry, error) {
	if len(f.key) > maxKey {
		return nil, poller.Failf(poller.ClassItems, "items: an id of %d bytes, %q; at most %d are taken", len(f.key), clip(f.key), maxKey)
	}
	e := c.mem.find(f.key)
	if e == nil && c.fresh[f.key] || e != nil && e.round == c.mem.round {
		return nil, poller.Failf(poller.ClassItems, "items: the id %q is there twice", clip(f.key))
	}
	if e == nil {
		if c.fresh == nil {
			c.fresh = map[string]bool{}
		}
		f.key = strings.Clone(f.key)
		c.fresh[f.key] = true
		return nil, nil //nolint:nilnil // it is new
	}
	f.key, e.round = e.key, c.mem.round
	if !e.gone() {
		c.seen++
	}
	return e, nil
}

// note adds the change that an item's new content is, if it is one. At a
// silent baseline each item is noted, at the revision that it has.
func (c *comparison) note(e *entry, f found, content []byte, hash Hash) {
	if e != nil && e.hash == hash && !c.found.baseline {
		return
	}
	ch := change{key: f.key, hash: hash, kind: Created, sample: len(c.found.samples)}
	switch {
	case c.found.baseline && !c.src.emits(c.mem):
		if e != nil {
			ch.revision = e.revision
		}
		ch.new = slices.Clone(content)
		if c.src.seesWhole {
			ch.item = []byte(f.raw)
		}
		c.found.changes = append(c.found.changes, ch)
		if c.last != nil {
			c.last.see(len(c.found.changes)-1, f.raw)
		}
		return
	case e == nil:
		ch.revision = 1
	case e.gone():
		ch.revision = e.revision + 1
	default:
		ch.kind, ch.revision = Updated, e.revision+1
	}
	ch.item = bytesOf(f.raw)
	ch.new = slices.Clone(content)
	c.found.changes = append(c.found.changes, ch)
}

// absences adds the deletion of each present item that the answer does not
// list, once that is confirmed, in the order of the keys: that of the memory is
// another one after a restart.
func (c *comparison) absences(listed func(*entry) bool) {
	from := len(c.found.changes)
	defer func() {
		slices.SortFunc(c.found.changes[from:], func(a, b change) int { return strings.Compare(a.key, b.key) })
	}()
	for i := range c.mem.entries {
		e := &c.mem.entries[i]
		if e.gone() || listed(e) {
			continue
		}
		switch n := int(c.mem.absent[e.key]) + 1; {
		case n >= c.src.confirmDeletes:
			c.found.changes = append(c.found.changes, change{kind: Deleted, key: e.key, revision: e.revision + 1})
		default:
			c.found.waiting = append(c.found.waiting, e.key)
			c.why.waits(e, n, c.src.confirmDeletes)
		}
	}
}

// clip bounds a key in an error's text.
func clip(key string) string { return cut(key, 80) }
