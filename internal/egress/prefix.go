package egress

import (
	"fmt"
	"net/netip"
	"strings"
)

// mappedBits is the length of ::ffff:0:0/96, the prefix that maps IPv4 into
// IPv6.
const mappedBits = 96

// ParsePrefix reads a range, "10.20.0.0/16", or one address, "10.20.0.7",
// which is the range of that address alone. A range whose address has bits
// beyond its length (10.20.0.7/16) is refused: it is a slip more often than
// it is meant. IPv4 mapped into IPv6 becomes IPv4.
func ParsePrefix(s string) (netip.Prefix, error) {
	if !strings.Contains(s, "/") {
		addr, err := netip.ParseAddr(s)
		if err != nil || addr.Zone() != "" {
			return netip.Prefix{}, fmt.Errorf("%q is neither an address nor a range such as 10.20.0.0/16", s)
		}
		addr = addr.Unmap()
		return netip.PrefixFrom(addr, addr.BitLen()), nil
	}
	prefix, err := netip.ParsePrefix(s)
	if err != nil {
		return netip.Prefix{}, fmt.Errorf("%q is not a range such as 10.20.0.0/16", s)
	}
	if masked := prefix.Masked(); masked != prefix {
		return netip.Prefix{}, fmt.Errorf("%q has address bits beyond its length: write %s, or the address alone", s, masked)
	}
	return unmap(prefix), nil
}

// unmap turns a prefix within ::ffff:0:0/96 into the one of IPv4 that it
// stands for, for Check compares with addresses that were unmapped.
func unmap(p netip.Prefix) netip.Prefix {
	if p.Addr().Is4In6() && p.Bits() >= mappedBits {
		return netip.PrefixFrom(p.Addr().Unmap(), p.Bits()-mappedBits)
	}
	return p
}
