package egress_test

import (
	"errors"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"code.dny.dev/ssrf"

	"github.com/deltahook/deltahook/internal/egress"
)

func prefixes(t *testing.T, list ...string) []netip.Prefix {
	t.Helper()
	var out []netip.Prefix
	for _, s := range list {
		p, err := egress.ParsePrefix(s)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, p)
	}
	return out
}

func TestCheck(t *testing.T) {
	public := egress.Policy{}
	private := egress.Policy{AllowPrivate: true}
	ranges := egress.Policy{Allow: prefixes(t, "10.20.0.0/16", "169.254.0.0/16", "fc00::/7", "168.63.0.0/16", "64:ff9b::/96", "64:ff9b:1::/48", "100.64.0.0/10", "127.0.0.1", "240.0.0.0/4")}
	named := egress.Policy{Allow: prefixes(t, "169.254.169.254", "fd00:ec2::254/128", "::ffff:168.63.129.16", "100.100.100.200")}
	everything := egress.Policy{AllowPrivate: true, Allow: prefixes(t, "0.0.0.0/0", "::/0")}

	for _, c := range []struct {
		addr string
		// whether each of the policies above permits it
		public, private, ranges, named, everything bool
	}{
		{"8.8.8.8", true, true, true, true, true},
		{"::ffff:8.8.8.8", true, true, true, true, true},
		{"2606:4700::1111", true, true, true, true, true},
		{"192.31.196.1", true, true, true, true, true},

		{"10.20.0.7", false, true, true, false, true},
		{"::ffff:10.20.0.7", false, true, true, false, true},
		{"10.21.0.7", false, true, false, false, true},
		{"172.31.255.255", false, true, false, false, true},
		{"192.168.1.1", false, true, false, false, true},
		{"100.64.0.1", false, true, true, false, true},
		{"127.0.0.1", false, true, true, false, true},
		{"127.0.0.2", false, true, false, false, true},
		{"::1", false, true, false, false, true},
		{"fd12::1", false, true, true, false, true},

		{"0.0.0.0", false, false, false, false, true},
		{"::", false, false, false, false, true},
		{"224.0.0.1", false, false, false, false, true},
		{"ff02::1", false, false, false, false, true},
		{"240.0.0.1", false, false, true, false, true},
		{"255.255.255.255", false, false, true, false, true},
		{"198.18.0.1", false, false, false, false, true},
		{"203.0.113.1", false, false, false, false, true},
		{"169.254.0.1", false, false, true, false, true},
		{"fe80::1%eth0", false, false, false, false, true},
		{"2002:7f00:1::", false, false, false, false, true},
		{"2001:db8::1", false, false, false, false, true},
		{"64:ff9b::808:808", false, false, true, false, true},
		{"::127.0.0.1", false, false, false, false, true},

		// Translated: a range permits it where it permits what it leads to.
		{"64:ff9b::127.0.0.1", false, false, true, false, true},
		{"64:ff9b::127.0.0.2", false, false, false, false, true},
		{"64:ff9b::192.168.1.1", false, false, false, false, true},
		{"64:ff9b::10.20.0.7", false, false, true, false, true},
		{"64:ff9b:1::808:808", false, false, true, false, true},
		{"64:ff9b:1::192.168.1.1", false, false, false, false, true},
		{"64:ff9b:1:7:8::192.168.1.1", false, false, false, false, true},
		{"64:ff9b:1:808:8:800::", false, false, true, false, true},     // 8.8.8.8 behind 48 bits
		{"64:ff9b:1:c0a8:1:100::", false, false, false, false, true},   // 192.168.1.1 behind 48 bits
		{"64:ff9b:1:c0:a8:101::", false, false, false, false, true},    // the same behind 56 bits
		{"64:ff9b:1::c0:a801:100:0", false, false, false, false, true}, // the same behind 64 bits
		{"64:ff9b:1::", false, false, false, false, true},

		// Metadata: only by their very name.
		{"169.254.169.254", false, false, false, true, false},
		{"::ffff:169.254.169.254", false, false, false, true, false},
		{"64:ff9b::169.254.169.254", false, false, false, false, false},
		{"64:ff9b:1::169.254.169.254", false, false, false, false, false},
		{"64:ff9b:1:a9fe:a9:fe00::", false, false, false, false, false},
		{"64:ff9b::100.100.100.200", false, false, false, false, false},
		{"100.100.100.200", false, false, false, true, false},
		{"169.254.170.2", false, false, false, false, false},
		{"169.254.170.23", false, false, false, false, false},
		{"fd00:ec2::23", false, false, false, false, false},
		{"fd20:ce::254", false, false, false, false, false},
		{"168.63.129.16", false, false, false, true, false},
		{"fd00:ec2::254", false, false, false, true, false},
	} {
		addr := netip.MustParseAddr(c.addr)
		for name, p := range map[string]struct {
			policy egress.Policy
			want   bool
		}{
			"public": {public, c.public}, "private": {private, c.private}, "ranges": {ranges, c.ranges},
			"named": {named, c.named}, "everything": {everything, c.everything},
		} {
			if err := p.policy.Check(addr); (err == nil) != p.want {
				t.Errorf("%s, policy %s: %v; permitted should be %v", addr, name, err, p.want)
			}
		}
	}
}

func TestRefusedSaysWhatAndWhyAndWhatHelps(t *testing.T) {
	for addr, want := range map[string]string{
		"::ffff:10.1.2.3": "10.1.2.3 is refused: private (RFC 1918) (egress.sources.allow or egress.endpoints.allow may name it, or its range)",
		"169.254.169.254": `169.254.169.254 is refused: it is the metadata address of a cloud (only "169.254.169.254" itself in egress.sources.allow or egress.endpoints.allow permits it)`,
		"64:ff9b::a00:1":  "64:ff9b::a00:1 is refused: outside the global unicast range 2000::/3 (egress.sources.allow or egress.endpoints.allow may name it, or its range)",
		"::2":             "::2 is refused: outside the global unicast range 2000::/3 (egress.sources.allow or egress.endpoints.allow may name it, or its range)",
	} {
		err := egress.Policy{}.Check(netip.MustParseAddr(addr))
		if refused, ok := errors.AsType[*egress.Refused](err); !ok || refused.Error() != want {
			t.Errorf("%s\n got %v\nwant %s", addr, err, want)
		}
	}
	nat64 := egress.Policy{Allow: prefixes(t, "64:ff9b::/96")}
	const want = "64:ff9b::a00:1 is refused: through NAT64 it may lead to 10.0.0.1: private (RFC 1918) (egress.sources.allow or egress.endpoints.allow may name it, or its range)"
	if err := nat64.Check(netip.MustParseAddr("64:ff9b::10.0.0.1")); err == nil || err.Error() != want {
		t.Errorf("got %v\nwant %s", err, want)
	}
	if err := (egress.Policy{AllowPrivate: true}).Check(netip.Addr{}); err == nil {
		t.Error("the zero address is permitted")
	}
}

// deliberate are the addresses about which we differ from code.dny.dev/ssrf.
func deliberate(addr netip.Addr) bool {
	for _, s := range []string{
		// Anycast services that are ordinary public addresses: AS112 and AMT.
		// ssrf refuses all that IANA's registry lists.
		"192.31.196.0/24", "192.52.193.0/24", "192.175.48.0/24", "2620:4f:8000::/48",
		// Azure's wire server, a public address that hands out credentials.
		"168.63.129.16/32",
		// IPv4 mapped into IPv6: ssrf refuses it all; we judge the IPv4
		// address, which is the one that would be dialled.
		"::ffff:0:0/96",
	} {
		if netip.MustParsePrefix(s).Contains(addr) {
			return true
		}
	}
	return false
}

func TestAgreesWithSSRF(t *testing.T) {
	guard := ssrf.New(ssrf.WithAnyPort())
	differences := 0
	check := func(addr netip.Addr) {
		ours, theirs := egress.Policy{}.Check(addr), guard.SafeAddr(addr)
		switch {
		case (ours == nil) == (theirs == nil):
		case deliberate(addr):
			differences++
		default:
			t.Errorf("%s: ours %v, ssrf %v", addr, ours, theirs)
		}
	}

	// The edges of every special range, and one step beyond each.
	for _, p := range append(append([]netip.Prefix{ssrf.IPv6GlobalUnicast, ssrf.IPv6NAT64Prefix}, ssrf.IPv4DeniedPrefixes...), ssrf.IPv6DeniedPrefixes...) {
		first, last := p.Masked().Addr(), lastOf(p)
		for _, addr := range []netip.Addr{first.Prev(), first, first.Next(), last.Prev(), last, last.Next()} {
			if addr.IsValid() {
				check(addr)
			}
		}
	}
	for _, s := range []string{"::", "::1", "::ffff:8.8.8.8", "::ffff:127.0.0.1", "fc00::1", "fe80::1", "ff02::1", "168.63.129.16", "169.254.169.254", "fd00:ec2::254"} {
		check(netip.MustParseAddr(s))
	}
	if differences == 0 {
		t.Error("none of the deliberate differences was met: the list is out of date")
	}

	random := rand.New(rand.NewPCG(1, 2))
	// And within each of them, which chance alone seldom meets.
	for _, p := range slices.Concat([]netip.Prefix{ssrf.IPv6NAT64Prefix, netip.MustParsePrefix("64:ff9b:1::/48"), netip.MustParsePrefix("::ffff:0:0/96"), netip.MustParsePrefix("::/96"), netip.MustParsePrefix("2002::/16")}, ssrf.IPv4DeniedPrefixes, ssrf.IPv6DeniedPrefixes) {
		for range 100 {
			b := p.Masked().Addr().AsSlice()
			for bit := p.Bits(); bit < 8*len(b); bit++ {
				b[bit/8] |= byte(random.Uint32()&1) << (7 - bit%8)
			}
			addr, _ := netip.AddrFromSlice(b)
			check(addr)
		}
	}
	for range 10_000 {
		var b [16]byte
		for i := range b {
			b[i] = byte(random.Uint32())
		}
		check(netip.AddrFrom4([4]byte(b[:4])))
		check(netip.AddrFrom16(b))
		b[0] = 0x20 | b[0]&0x1f // global unicast
		check(netip.AddrFrom16(b))
	}
}

// lastOf is the last address of a prefix.
func lastOf(p netip.Prefix) netip.Addr {
	b := p.Masked().Addr().AsSlice()
	for bit := p.Bits(); bit < len(b)*8; bit++ {
		b[bit/8] |= 0x80 >> (bit % 8)
	}
	addr, _ := netip.AddrFromSlice(b)
	return addr
}

func TestParsePrefix(t *testing.T) {
	for s, want := range map[string]string{
		"10.20.0.0/16":        "10.20.0.0/16",
		"10.20.0.7":           "10.20.0.7/32",
		"fd00::/8":            "fd00::/8",
		"::1":                 "::1/128",
		"::ffff:10.0.0.1":     "10.0.0.1/32",
		"::ffff:10.0.0.0/104": "10.0.0.0/8",
	} {
		if got, err := egress.ParsePrefix(s); err != nil || got.String() != want {
			t.Errorf("%s: %s, %v; want %s", s, got, err, want)
		}
	}
	for s, want := range map[string]string{
		"":             "neither an address nor a range",
		"example.com":  "neither an address nor a range",
		"fe80::1%eth0": "neither an address nor a range",
		"10.0.0.0/33":  "is not a range",
		"10.20.0.7/16": "write 10.20.0.0/16",
	} {
		if got, err := egress.ParsePrefix(s); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %s, %v; want an error with %q", s, got, err, want)
		}
	}
}
