package differ

import "strings"

// keyring holds the texts of many keys in few pieces, for a text of its own
// costs each key up to 15 bytes and more work at each collection. A piece is
// freed with the last of its keys.
type keyring struct {
	piece *strings.Builder
	held  int // bytes of all pieces
}

// Sizes of a piece, in bytes: an eighth of what is held, within these.
const (
	leastPiece = 16
	mostPiece  = 64 << 10
)

// room has the next n bytes lie in one piece.
func (k *keyring) room(n int) {
	k.piece = &strings.Builder{}
	k.piece.Grow(n)
	k.held += n
}

// clone copies key into the ring.
func (k *keyring) clone(key string) string {
	if k.piece == nil || k.piece.Cap()-k.piece.Len() < len(key) {
		k.room(max(len(key), min(max(k.held/8, leastPiece), mostPiece)))
	}
	start := k.piece.Len()
	k.piece.WriteString(key)
	return k.piece.String()[start:]
}
