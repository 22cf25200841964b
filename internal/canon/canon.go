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
func (l Place) Append(dst, raw []byte) []byte {
	w := writer{in: raw, out: dst, sorted: true, nulls: l.paths != nil && l.paths.NullIsAbsent}
	w.value(l)
	return w.out
}

// Compact appends raw to dst without white space, without what paths has left
// out, and with numbers where text is one that paths says may be. Everything
// else stays as it was spelled. raw must have passed Valid.
func Compact(dst, raw []byte, paths *Paths) []byte {
	w := writer{in: raw, out: dst}
	w.value(paths.Root())
	return w.out
}
