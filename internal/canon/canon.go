// Package canon reads JSON without decoding it: it checks a body, compacts
// it, leaves parts of it out, and brings it into the one canonical form by
// which two spellings of the same value are equal.
//
// Canonical form: no white space; the members of an object sorted by name,
// byte by byte; strings with the fewest escapes; numbers in plain decimal
// without leading or trailing zeros (1, 1.0 and 10e-1 are all 1), with every
// digit kept, for 9007199254740993 is not 9007199254740992.
package canon

import "fmt"

// MaxDepth is how deep arrays and objects may be nested.
const MaxDepth = 1000

// SyntaxError says where a body stops being JSON.
type SyntaxError struct {
	Offset int // in bytes, from 0
	Text   string
}

// Error is the text and the offset.
func (e *SyntaxError) Error() string { return fmt.Sprintf("%s at byte %d", e.Text, e.Offset) }

// Append appends the canonical form of raw to dst. raw must have passed Valid.
func Append(dst, raw []byte) []byte { return Place{}.Append(dst, raw) }

// Append appends what of raw counts where it stands at l, in a canonical form:
// equal for two values that differ only in what l says is no difference. raw
// must have passed Valid. The form is for comparing, and need not be JSON.
func (l Place) Append(dst, raw []byte) []byte { return new(Copier).Append(dst, raw, l) }

// Compact appends raw to dst without white space, without what paths has left
// out, and with numbers where text is one that paths says may be. Everything
// else stays as it was spelled. raw must have passed Valid.
func Compact(dst, raw []byte, paths *Paths) []byte { return new(Copier).Compact(dst, raw, paths) }

// Copier makes many copies in the same room. The zero value is ready; it is
// not safe for concurrent use.
type Copier struct{ w writer }

// Append is that of a Place.
func (c *Copier) Append(dst, raw []byte, at Place) []byte {
	return c.copy(dst, raw, at, true, at.paths != nil && at.paths.NullIsAbsent)
}

// Compact is the function of that name.
func (c *Copier) Compact(dst, raw []byte, paths *Paths) []byte {
	return c.copy(dst, raw, paths.Root(), false, false)
}

func (c *Copier) copy(dst, raw []byte, at Place, sorted, nulls bool) []byte {
	w := &c.w
	w.in, w.pos, w.out, w.sorted, w.nulls = raw, 0, dst, sorted, nulls
	w.value(at)
	w.in, w.out, dst = nil, nil, w.out
	return dst
}
