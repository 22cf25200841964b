package secret

import (
	"cmp"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
)

// shortest is the length in bytes under which a value is too common to be cut
// out of text: "on" would mutilate every log line.
const shortest = 6

// Bounds of what is learned at run time, where a server chooses the values.
const (
	shortestLearned = 8        // shorter ones are words such as "success"
	longestLearned  = 16 << 10 // bytes of one value; callers refuse longer tokens
	learnedEach     = 8        // values of one owner, the latest
	mostAdded       = 10_000   // values of later configurations, the latest
)

// Redactor cuts known secrets out of text, however they are spelt there: as
// they are, percent-encoded by any encoder, escaped as JSON, Go or HTML do, two
// of these one in the other, or within base64, which is cut out as a whole. At
// the end of a text the first six bytes of one are enough, for what says it may
// have been cut off there.
// What it was made with it knows for good; Learn adds what turns up at run
// time. It is safe for concurrent use; nil cuts nothing.
type Redactor struct {
	above *Redactor // knows further values; nil: there is none
	fixed *index

	mu      sync.Mutex
	learned map[string][]string // by owner, latest first
	first   map[string]bool     // what it was made with
	added   []string            // by Know, the latest last

	// late is what was learned. Learn makes a new one before it returns, so
	// that a value may be used as soon as it was learned.
	late atomic.Pointer[index]
	more atomic.Pointer[index] // of added
}

// NewRedactor knows values; those shorter than 6 bytes are left out.
func NewRedactor(values ...string) *Redactor {
	r := &Redactor{fixed: &index{}, learned: map[string][]string{}, first: make(map[string]bool, len(values))}
	for _, v := range values {
		r.fixed.add(v)
		r.first[v] = true
	}
	r.late.Store(&index{})
	r.more.Store(&index{})
	return r
}

// And is a redactor that knows values beside all that r knows, and will learn.
// r may be nil.
func (r *Redactor) And(values ...string) *Redactor {
	made := NewRedactor(values...)
	made.above = r
	return made
}

// Learn adds values that were found out at run time, such as tokens, under the
// name of whose they are. Of each owner the 8 latest are known: a token that
// was replaced still turns up in what was under way. Values under 8 bytes and
// over 16 KiB are left out; a caller whose server chooses them refuses the
// latter. Owners are not forgotten: there must be a bounded number of them.
// Nil learns nothing.
func (r *Redactor) Learn(owner string, values ...string) {
	if r == nil {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	known, changed := r.learned[owner], false
	for _, v := range values {
		if len(v) < shortestLearned || len(v) > longestLearned {
			continue
		}
		i := slices.Index(known, v)
		if i == 0 {
			continue
		}
		if i > 0 {
			known = slices.Delete(known, i, i+1)
		}
		known = slices.Insert(known, 0, v)
		changed = true
	}
	if !changed {
		return
	}
	r.learned[owner] = known[:min(len(known), learnedEach)]
	late := &index{}
	for _, values := range r.learned {
		for _, v := range values {
			late.add(v)
		}
	}
	r.late.Store(late)
}

// Know adds values that Learn's bounds are not for, such as those of another
// configuration; those shorter than 6 bytes are left out. What was known stays
// known, of what was added the latest 10,000.
func (r *Redactor) Know(values ...string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	known := make(map[string]bool, len(r.added))
	for _, v := range r.added {
		known[v] = true
	}
	before := len(r.added)
	for _, v := range values {
		if len(v) >= shortest && !known[v] && !r.first[v] {
			known[v] = true
			r.added = append(r.added, v)
		}
	}
	if len(r.added) == before {
		return
	}
	r.added = slices.Clone(r.added[max(0, len(r.added)-mostAdded):])
	more := &index{}
	for _, v := range r.added {
		more.add(v)
	}
	r.more.Store(more)
}

// Text is s without the known secrets.
func (r *Redactor) Text(s string) string { return r.Head(s, len(s)) }

// Head is the first n bytes of s, or all, without the known secrets; also
// without the beginning of one that ends behind them.
func (r *Redactor) Head(s string, n int) string {
	n = min(n, len(s))
	if r == nil {
		return s[:n]
	}
	var known []*index
	for ; r != nil; r = r.above {
		for _, x := range []*index{r.fixed, r.late.Load(), r.more.Load()} {
			if len(x.byHead) > 0 {
				known = append(known, x)
			}
		}
	}
	if len(known) == 0 {
		return s[:n]
	}
	var cuts []span
	for v := range readings(s) {
		for _, x := range known {
			cuts = x.find(v, cuts)
		}
	}
	return cut(s[:n], cuts)
}

// span is a part of a text: from one offset to before another.
type span struct{ from, to int }

// cut puts Mask in the place of some parts, which may be behind the end of s.
// Those that overlap get one.
func cut(s string, cuts []span) string {
	if len(cuts) == 0 {
		return s
	}
	slices.SortFunc(cuts, func(a, b span) int { return cmp.Or(a.from-b.from, b.to-a.to) })
	var b strings.Builder
	done := 0
	for _, c := range cuts {
		if c.from >= len(s) {
			break
		}
		if c.from >= done {
			b.WriteString(s[done:c.from])
			b.WriteString(Mask)
		}
		done = max(done, c.to)
	}
	b.WriteString(s[min(done, len(s)):])
	return b.String()
}

// URL is what may be shown of a URL: scheme, host and path, without user,
// query and fragment, less the known secrets. What is not a URL is Mask.
func (r *Redactor) URL(raw string) string {
	u, err := url.Parse(raw)
	if err != nil {
		return Mask
	}
	u.User, u.RawQuery, u.ForceQuery, u.Fragment, u.RawFragment = nil, "", false, "", ""
	return r.Text(u.String())
}

// Host is what may be shown of a URL whose path is itself a credential, as a
// chat webhook's is: scheme and host.
func Host(raw string) string {
	u, err := url.Parse(raw)
	if err != nil || u.Host == "" {
		return Mask
	}
	return u.Scheme + "://" + u.Host
}
