package poller

import (
	"context"
	"time"

	"github.com/deltahook/deltahook/internal/budget"
)

const (
	ledgerRetry = 5 * time.Second // after a store that failed
	ledgerLast  = 5 * time.Second // time for what is stored at the end
)

// Ledger stores what is used of limits, by their names. An engine is one. All
// methods may be called concurrently.
type Ledger interface {
	// Usage gives what is stored.
	Usage(ctx context.Context) (map[string]budget.Usage, error)

	// Spend stores the usage of some limits, all or none, and returns when
	// it is durable. Those that are not named stay as they are. An error
	// means that nothing may be relied on.
	Spend(ctx context.Context, used map[string]budget.Usage) error
}

// keep stores what limits owe to the ledger, whenever they owe, until ctx
// ends; then what is used to the request.
func (p *Poller) keep(ctx context.Context) {
	retry := time.NewTimer(0)
	defer retry.Stop()
	failing := false
	for {
		select {
		case <-ctx.Done():
			p.keepLast(ctx)
			return
		case <-p.owing:
		case <-retry.C:
		}
		err := p.keepOwed(ctx)
		if err != nil && !failing && ctx.Err() == nil {
			p.log.Warn("what is used of limits cannot be saved: those with a quota wait; trying again", "err", err)
		}
		if failing = err != nil; failing {
			retry.Reset(ledgerRetry)
		}
	}
}

// keepOwed stores what limits owe.
func (p *Poller) keepOwed(ctx context.Context) error {
	limits, owed := p.accounts()
	for name, l := range limits {
		if u, owes := l.budget.Owed(time.Now()); owes {
			owed[name] = u
		}
	}
	if len(owed) == 0 {
		return nil
	}
	if err := p.ledger.Spend(ctx, owed); err != nil {
		return err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for name, u := range owed {
		if l := limits[name]; l != nil {
			l.budget.Stored(u)
		} else if p.used[name] == u {
			delete(p.unsaved, name)
		}
	}
	return nil
}

// accounts are the limits that sources name, and what is to be stored yet of
// others.
func (p *Poller) accounts() (limits map[string]*limit, owed map[string]budget.Usage) {
	p.mu.Lock()
	defer p.mu.Unlock()
	limits, owed = make(map[string]*limit, len(p.limits)), map[string]budget.Usage{}
	for name, g := range p.limits {
		limits[name] = g.limit
	}
	for name := range p.unsaved {
		owed[name] = p.used[name]
	}
	return limits, owed
}

// keepLast stores what is used when nothing is asked any more.
func (p *Poller) keepLast(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), ledgerLast)
	defer cancel()
	limits, used := p.accounts()
	for name, l := range limits {
		used[name] = l.budget.Usage(time.Now())
	}
	if err := p.ledger.Spend(ctx, used); err != nil {
		p.log.Warn("what is used of limits is not saved: up to a hundredth of a quota may be lost", "err", err)
	}
}

// owe wakes keep; it never blocks.
func (p *Poller) owe() {
	select {
	case p.owing <- struct{}{}:
	default:
	}
}
