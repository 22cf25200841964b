// Package egress guards whom this process may reach. A Policy is asked by the
// dialer, after DNS, about each address that a connection is about to be made
// to, so that neither a name that resolves to a private address nor one that
// resolves differently the second time gets through.
package egress

import (
	"fmt"
	"net/netip"
	"syscall"
)

// Policy says which addresses may be connected to. The zero value permits
// public addresses only. It must not be changed while it is in use; it is
// safe for concurrent use then.
type Policy struct {
	// AllowPrivate permits the private, shared and loopback ranges as well:
	// asking an internal API is normal. Link-local addresses, multicast,
	// reserved ranges and the metadata addresses of clouds stay refused.
	AllowPrivate bool

	// Allow permits what it names, whatever else is said, with two
	// exceptions. A metadata address (169.254.169.254 and others) is
	// permitted only by the prefix of that very address, never by a wider
	// one that happens to hold it. An address that NAT64 translates
	// (64:ff9b::/96, 64:ff9b:1::/48) is permitted by a wider one only where
	// the IPv4 address that it leads to is permitted as well.
	Allow []netip.Prefix
}

// Refused is the error about an address that a policy doesn't permit.
type Refused struct {
	Addr netip.Addr // without zone, IPv4 where it was mapped into IPv6
	Why  string     // what kind of address it is
	Hint string     // what would permit it
}

// Error names the address, why it is refused and the setting that permits it.
func (r *Refused) Error() string {
	return fmt.Sprintf("%s is refused: %s (%s)", r.Addr, r.Why, r.Hint)
}

// Check is nil where addr may be connected to, and a *Refused otherwise.
func (p Policy) Check(addr netip.Addr) error {
	addr = addr.Unmap().WithZone("")
	if !addr.IsValid() {
		return &Refused{Addr: addr, Why: "not an address", Hint: "nothing permits it"}
	}
	if p.names(addr) {
		return nil
	}
	leads := untranslate(addr)
	for _, to := range append(leads, addr) {
		if why, ok := metadata[to]; ok {
			return &Refused{Addr: addr, Why: why, Hint: fmt.Sprintf("only %q itself in egress.sources.allow or egress.endpoints.allow permits it", addr)}
		}
	}
	if err := p.judge(addr); err != nil {
		return err
	}
	for _, to := range leads {
		if err := p.judge(to); err != nil {
			err.Addr, err.Why = addr, fmt.Sprintf("through NAT64 it may lead to %s: %s", to, err.Why)
			return err
		}
	}
	return nil
}

// judge holds an address against the ranges, those of Allow first.
func (p Policy) judge(addr netip.Addr) *Refused {
	for _, prefix := range p.Allow {
		if unmap(prefix).Contains(addr) {
			return nil
		}
	}
	r := find(addr)
	if r == nil || p.AllowPrivate && r.private {
		return nil
	}
	return &Refused{Addr: addr, Why: r.why, Hint: "egress.sources.allow or egress.endpoints.allow may name it, or its range"}
}

// names reports whether the allow list has addr itself, not only a range
// around it.
func (p Policy) names(addr netip.Addr) bool {
	for _, prefix := range p.Allow {
		if prefix = unmap(prefix); prefix.IsSingleIP() && prefix.Addr() == addr {
			return true
		}
	}
	return false
}

// Control refuses a connection before it is made; it is for net.Dialer's
// field of that name, which calls it with each address that DNS gave. The
// error is a *Refused where the address is at fault. Only TCP passes.
func (p Policy) Control(network, address string, _ syscall.RawConn) error {
	if network != "tcp4" && network != "tcp6" {
		return fmt.Errorf("network %q is refused: only tcp is permitted", network)
	}
	ap, err := netip.ParseAddrPort(address)
	if err != nil {
		return fmt.Errorf("address %q is refused: %w", address, err)
	}
	return p.Check(ap.Addr())
}
