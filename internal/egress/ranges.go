package egress

import "net/netip"

// special is a range that is not part of the public internet.
type special struct {
	prefix  netip.Prefix
	why     string
	private bool // permitted by Policy.AllowPrivate
}

// metadata are the addresses at which clouds hand credentials to whoever asks
// from inside.
var metadata = map[netip.Addr]string{
	netip.MustParseAddr("169.254.169.254"): "it is the metadata address of a cloud", // AWS, Google, Azure and most others
	netip.MustParseAddr("fd00:ec2::254"):   "it is the metadata address of AWS",
	netip.MustParseAddr("169.254.170.2"):   "it hands out credentials of AWS ECS",
	netip.MustParseAddr("169.254.170.23"):  "it hands out credentials of AWS EKS",
	netip.MustParseAddr("fd00:ec2::23"):    "it hands out credentials of AWS EKS",
	netip.MustParseAddr("fd20:ce::254"):    "it is the metadata address of Google Cloud",
	netip.MustParseAddr("100.100.100.200"): "it is the metadata address of Alibaba Cloud",
	netip.MustParseAddr("168.63.129.16"):   "it is Azure's wire server",
}

// ranges4 and ranges6 follow the special-purpose address registries of IANA
// (https://www.iana.org/assignments/iana-ipv4-special-registry,
// https://www.iana.org/assignments/iana-ipv6-special-registry), less the
// anycast blocks there that are ordinary public addresses.
var ranges4 = []special{
	{netip.MustParsePrefix("0.0.0.0/8"), "this network (RFC 791)", false},
	{netip.MustParsePrefix("10.0.0.0/8"), "private (RFC 1918)", true},
	{netip.MustParsePrefix("100.64.0.0/10"), "shared by a carrier (RFC 6598)", true},
	{netip.MustParsePrefix("127.0.0.0/8"), "loopback", true},
	{netip.MustParsePrefix("169.254.0.0/16"), "link-local (RFC 3927)", false},
	{netip.MustParsePrefix("172.16.0.0/12"), "private (RFC 1918)", true},
	{netip.MustParsePrefix("192.0.0.0/24"), "protocol assignments (RFC 6890)", false},
	{netip.MustParsePrefix("192.0.2.0/24"), "documentation (RFC 5737)", false},
	{netip.MustParsePrefix("192.88.99.0/24"), "6to4 relay (RFC 7526)", false},
	{netip.MustParsePrefix("192.168.0.0/16"), "private (RFC 1918)", true},
	{netip.MustParsePrefix("198.18.0.0/15"), "benchmarking (RFC 2544)", false},
	{netip.MustParsePrefix("198.51.100.0/24"), "documentation (RFC 5737)", false},
	{netip.MustParsePrefix("203.0.113.0/24"), "documentation (RFC 5737)", false},
	{netip.MustParsePrefix("224.0.0.0/4"), "multicast (RFC 1112)", false},
	{netip.MustParsePrefix("240.0.0.0/4"), "reserved (RFC 1112)", false},
}

// global6 is all that IANA has opened of IPv6: what lies outside is special.
var global6 = netip.MustParsePrefix("2000::/3")

var ranges6 = []special{
	{netip.MustParsePrefix("::1/128"), "loopback", true},
	{netip.MustParsePrefix("fc00::/7"), "private (RFC 4193)", true},
	{netip.MustParsePrefix("fe80::/10"), "link-local (RFC 4291)", false},
	{netip.MustParsePrefix("ff00::/8"), "multicast (RFC 4291)", false},
	{netip.MustParsePrefix("2001::/23"), "protocol assignments (RFC 2928)", false},
	{netip.MustParsePrefix("2001:db8::/32"), "documentation (RFC 3849)", false},
	{netip.MustParsePrefix("2002::/16"), "6to4 (RFC 3056)", false},
	{netip.MustParsePrefix("3fff::/20"), "documentation (RFC 9637)", false},
}

// outside6 stands for IPv6 that is neither global nor in ranges6: among it
// the translations of IPv4 (::/96, 64:ff9b::/96, 64:ff9b:1::/48), which would
// lead around the table for IPv4.
var outside6 = special{why: "outside the global unicast range 2000::/3"}

// find is the special range that holds addr, or nil where it is public.
func find(addr netip.Addr) *special {
	table := ranges4
	if addr.Is6() {
		table = ranges6
	}
	for i := range table {
		if table[i].prefix.Contains(addr) {
			return &table[i]
		}
	}
	if addr.Is6() && !global6.Contains(addr) {
		return &outside6
	}
	return nil
}
