package web

import (
	"encoding/base64"
	"encoding/binary"
	"hash/crc32"
	"strings"
)

// listed is a list with its filter, to which a cursor belongs.
type listed uint32

// listOf is the list of a kind, of what it lists and by what, in a fixed order.
func listOf(kind string, of ...string) listed {
	return listed(crc32.ChecksumIEEE([]byte(kind + "\x00" + strings.Join(of, "\x00"))))
}

// cursor spells the place behind an entry: a name, a key or a number. "" is no
// place: the list has ended.
func (l listed) cursor(last string) string {
	if last == "" {
		return ""
	}
	return base64.RawURLEncoding.EncodeToString(append(binary.BigEndian.AppendUint32(nil, uint32(l)), last...))
}

// after reads such a place, "" for no cursor. What another list gave, or the
// same of another filter, is refused: what it left out would be left out here.
func (l listed) after(cursor string) (last string, err error) {
	if cursor == "" {
		return "", nil
	}
	b, err := base64.RawURLEncoding.DecodeString(cursor)
	if err != nil || len(b) <= 4 || listed(binary.BigEndian.Uint32(b)) != l {
		return "", invalid("cursor is %.60q: expected the next of a page of this list, by the same filter", cursor)
	}
	return string(b[4:]), nil
}
