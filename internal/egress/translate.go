package egress

import "net/netip"

// The ranges in which NAT64 gives every IPv4 address an IPv6 one: the one of
// RFC 6052, with the IPv4 address in its last 4 bytes, and the one of RFC 8215,
// of which a network takes a prefix of the length that it likes.
var (
	translated      = netip.MustParsePrefix("64:ff9b::/96")
	translatedLocal = netip.MustParsePrefix("64:ff9b:1::/48")
)

// layouts are where RFC 6052 (section 2.2) puts the 4 bytes for prefixes of 48,
// 56, 64 and 96 bits. What follows them is zero, and so is byte 8, but for 96.
var layouts = [][4]int{{6, 7, 9, 10}, {7, 9, 10, 11}, {9, 10, 11, 12}, {12, 13, 14, 15}}

// untranslate is the IPv4 addresses that addr may lead to through NAT64; none
// where it is no translated address. Within translatedLocal the prefix's length
// is not known, so that there may be several.
func untranslate(addr netip.Addr) []netip.Addr {
	b := addr.As16()
	switch {
	case translated.Contains(addr):
		return []netip.Addr{netip.AddrFrom4([4]byte(b[12:]))}
	case !translatedLocal.Contains(addr):
		return nil
	}
	var found []netip.Addr
	for _, at := range layouts {
		v4 := netip.AddrFrom4([4]byte{b[at[0]], b[at[1]], b[at[2]], b[at[3]]})
		if fits(b, at) && !v4.IsUnspecified() {
			found = append(found, v4)
		}
	}
	if found == nil {
		return []netip.Addr{netip.IPv4Unspecified()}
	}
	return found
}

// fits reports whether b may be an address of that layout.
func fits(b [16]byte, layout [4]int) bool {
	last := layout[3]
	for _, rest := range b[last+1:] {
		if rest != 0 {
			return false
		}
	}
	return last == len(b)-1 || b[8] == 0
}
