package secret

import (
	"cmp"
	"encoding/base64"
	"encoding/json"
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
)

// Redactor cuts known secrets out of text, in the spellings in which they
// travel: as they are, percent-encoded, JSON-escaped and in base64. What it
// was made with it knows for good; Learn adds what turns up at run time. It is
// safe for concurrent use; nil cuts nothing.
type Redactor struct {
	fixed []string // spellings

	mu      sync.Mutex
	learned map[string][][]string // by owner: the spellings of each value, latest first

	// replacer knows all of the above. Learn makes a new one before it
	// returns, so that a value may be used as soon as it was learned.
	replacer atomic.Pointer[strings.Replacer]
}

// NewRedactor knows values; those shorter than 6 bytes are left out.
func NewRedactor(values ...string) *Redactor {
	r := &Redactor{learned: map[string][][]string{}}
	for _, v := range values {
		if len(v) >= shortest {
			r.fixed = append(r.fixed, spellings(v)...)
		}
	}
	r.rebuild()
	return r
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
		i := slices.IndexFunc(known, func(s []string) bool { return s[0] == v })
		if i == 0 {
			continue
		}
		if i > 0 {
			known = slices.Delete(known, i, i+1)
		}
		known = slices.Insert(known, 0, spellings(v))
		changed = true
	}
	if !changed {
		return
	}
	r.learned[owner] = known[:min(len(known), learnedEach)]
	r.rebuild()
}

// rebuild makes the replacer anew, the longest spellings first: one may be a
// part of another.
func (r *Redactor) rebuild() {
	all := slices.Clone(r.fixed)
	for _, values := range r.learned {
		for _, s := range values {
			all = append(all, s...)
		}
	}
	slices.SortFunc(all, func(a, b string) int { return cmp.Or(len(b)-len(a), strings.Compare(a, b)) })
	var pairs []string
	for _, s := range slices.Compact(all) {
		pairs = append(pairs, s, Mask)
	}
	if pairs != nil {
		r.replacer.Store(strings.NewReplacer(pairs...))
	}
}

// spellings are those of v in which it travels, v itself first.
func spellings(v string) []string {
	return []string{
		v, inJSON(v, true), inJSON(v, false),
		url.QueryEscape(v), url.PathEscape(v),
		base64.StdEncoding.EncodeToString([]byte(v)), base64.URLEncoding.EncodeToString([]byte(v)),
	}
}

// inJSON is v between the quotes of a JSON text, with <, > and & escaped, as
// Go's encoder does, or left, as most others do.
func inJSON(v string, html bool) string {
	var b strings.Builder
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(html)
	if err := e.Encode(v); err != nil {
		return v
	}
	quoted := strings.TrimSuffix(b.String(), "\n")
	return quoted[1 : len(quoted)-1]
}

// Text is s without the known secrets.
func (r *Redactor) Text(s string) string {
	if r == nil {
		return s
	}
	if known := r.replacer.Load(); known != nil {
		return known.Replace(s)
	}
	return s
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
