package poller

import "context"

// Beat waits until the dispatcher, which starts what is due, has gone round,
// and gives nil then. An error is ctx's: the dispatcher stands still, or Run
// does not go on.
func (p *Poller) Beat(ctx context.Context) error {
	select {
	case p.beat <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
