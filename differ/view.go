package differ

import "unsafe"

// An answer of 40 MB is not to be copied to be read: gjson takes text, canon
// takes bytes, and both only read. Nothing writes into the pages of an answer.

// textOf is b as text, over the same memory.
func textOf(b []byte) string {
	return unsafe.String(unsafe.SliceData(b), len(b)) //nolint:gosec // b is never written to again
}

// bytesOf is text as bytes to be read, over the same memory.
func bytesOf(text string) []byte {
	return unsafe.Slice(unsafe.StringData(text), len(text)) //nolint:gosec // nobody writes to what it gives
}
