package differ

import (
	"context"
	"errors"
	"fmt"
)

// Rename has what is remembered of sources stand under other names: it is given
// the old ones by the new ones, and gives what it did, subjects included. Where
// something is remembered under the new name already, that counts, and is
// logged. Nothing of any of them may be under way.
func (d *Differ) Rename(ctx context.Context, renamed map[string]string) (moved map[string]string, err error) {
	moved = map[string]string{}
	if len(renamed) == 0 {
		return moved, nil
	}
	store, ok := d.store.(Renamer)
	if !ok {
		return moved, errors.New("the store gives nothing another name")
	}
	for to, from := range renamed {
		// What was told to be wrong with it is told to be over by its new name.
		for _, prefix := range []string{"", ofSource} {
			did, err := d.renameOne(ctx, store, prefix+from, prefix+to)
			if err != nil {
				return moved, fmt.Errorf("giving what is remembered of %s to %s: %w", from, to, err)
			}
			if did {
				moved[prefix+to] = prefix + from
			}
		}
	}
	return moved, nil
}

// renameOne reports whether there was something that got the other name.
func (d *Differ) renameOne(ctx context.Context, store Renamer, from, to string) (bool, error) {
	if store, ok := d.store.(Lister); ok {
		if units, err := store.Units(ctx, from); err != nil || len(units) == 0 {
			return false, err
		}
	}
	err := store.Rename(ctx, from, to)
	if errors.Is(err, ErrTaken) {
		if !isSubject(to) {
			d.log.Warn("what is remembered of a source under its former name is left alone: there is something under its own",
				"source", to, "was", from)
		}
		return false, nil
	}
	return err == nil, err
}

// takeBack undoes renames, for an update that failed.
func (u *update) takeBack(ctx context.Context, moved map[string]string) {
	ctx = context.WithoutCancel(ctx)
	for to, from := range moved {
		if err := u.store.(Renamer).Rename(ctx, to, from); err != nil {
			u.log.Error("what is remembered of a source stands under its new name, and the reload failed: reload again",
				"source", from, "new", to, "err", err)
		}
	}
}
