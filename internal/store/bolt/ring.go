package bolt

import "bytes"

// ring is the sources of which something waits at an endpoint that was never
// tried, in the order of their turns. They are looked for as far as they are
// asked for: there may be many.
type ring struct {
	tx     *tx
	prefix []byte // of all keys of what was never tried at the endpoint

	start   []byte // of the source that had the last turn, which is the last one now
	from    []byte // where to look for the next source
	wrapped bool   // from is before start
	whole   bool   // all are in shelves

	shelves []*shelf // that are known, and not empty
	at      int      // whose turn it is, or one more than that
}

// shelf is what waits of one source.
type shelf struct {
	*spot
	source string
	prefix []byte
}

// begin makes r ready; last is the source that had the last turn.
func (r *ring) begin(t *tx, endpoint, last string) {
	r.tx, r.prefix = t, freshPrefix(endpoint)
	r.start = r.shelf(last)
	r.from = after(r.start)
}

func (r *ring) shelf(source string) []byte { return appendPart(bytes.Clone(r.prefix), source) }

// next is the shelf whose turn it is; nil: nothing is left.
func (r *ring) next() *shelf {
	if !r.whole {
		if s := r.find(); s != nil {
			r.shelves = append(r.shelves, s)
			r.at = len(r.shelves)
			return s
		}
		r.whole = true
	}
	if len(r.shelves) == 0 {
		return nil
	}
	r.at = r.at%len(r.shelves) + 1
	return r.shelves[r.at-1]
}

// drop takes out the shelf that next gave: it is empty.
func (r *ring) drop() {
	r.at--
	r.shelves = append(r.shelves[:r.at], r.shelves[r.at+1:]...)
}

// find looks for the next source; nil: all are known.
func (r *ring) find() *shelf {
	for {
		p := r.tx.spot(r.from)
		if !bytes.HasPrefix(p.k, r.prefix) {
			if r.wrapped {
				return nil
			}
			r.wrapped, r.from = true, r.prefix
			continue
		}
		source, _, ok := cutPart(p.k[len(r.prefix):])
		if !ok { // Check tells of it
			r.from = append(bytes.Clone(p.k), 0)
			continue
		}
		prefix := r.shelf(source)
		if r.wrapped && bytes.Compare(prefix, r.start) > 0 {
			return nil
		}
		r.from = after(prefix)
		return &shelf{spot: p, source: source, prefix: prefix}
	}
}
