package bolt

import (
	"bytes"
	"context"
	"fmt"

	"github.com/deltahook/deltahook/differ"
	"github.com/deltahook/deltahook/poller"
)

// nameKey is what the keys of names begin with in meta.
const nameKey = "name/"

// storedName is what a name of a source has to do with the names that stand in
// keys, where it is not one and the same: see Rename. The stems of all sources
// are their names in another order, so no two sources have the same.
type storedName struct {
	Stem string `json:"stem"` // what stands in the keys of the source of this name
	Of   string `json:"of"`   // the name of the source in whose keys this one stands
}

// name reads what is stored of a name.
func (t *tx) name(name string) (storedName, error) {
	n := storedName{name, name}
	key := []byte(nameKey + name)
	if v := t.get(bucketMeta, key); v != nil {
		if err := unsealJSON(bucketMeta, key, v, &n); err != nil {
			return storedName{}, err
		}
	}
	return n, nil
}

// putName stores what has to be known of a name.
func (t *tx) putName(name string, n storedName) error {
	key := []byte(nameKey + name)
	if n.Stem == name && n.Of == name {
		return t.drop(bucketMeta, key)
	}
	r, err := sealJSON(bucketMeta, key, n)
	if err != nil {
		return err
	}
	return t.put(bucketMeta, key, r)
}

// stem is how a unit is named in keys.
func (t *tx) stem(unit string) (string, error) {
	source, watch := poller.CutUnit(unit)
	n, err := t.name(source)
	return poller.Unit(n.Stem, watch), err
}

// stems is stem of several.
func (t *tx) stems(units []string) ([]string, error) {
	stems := make([]string, len(units))
	for i, unit := range units {
		var err error
		if stems[i], err = t.stem(unit); err != nil {
			return nil, err
		}
	}
	return stems, nil
}

// unit is the reverse of stem.
func (t *tx) unit(stem string) (string, error) {
	source, watch := poller.CutUnit(stem)
	n, err := t.name(source)
	return poller.Unit(n.Of, watch), err
}

// stem is how a unit is named in the keys of what is to be written. Whoever
// writes it must look whether it is still so.
func (s *Store) stem(unit string) (stem string, err error) {
	err = s.view(func(t *tx) (err error) {
		stem, err = t.stem(unit)
		return err
	})
	return stem, err
}

// still is an error where a unit got another name in keys, or is being forgotten:
// see afterForgetting.
func (t *tx) still(unit, stem string) error {
	now, err := t.stem(unit)
	switch {
	case err != nil:
		return err
	case now != stem:
		return differ.ErrConflict
	case t.forgetting(stem):
		return &unforgotten{stem}
	}
	return nil
}

// Rename has all that is remembered of a source stand under another name. See
// differ.Renamer. Nothing is moved: the two names change places in what is
// stored of names, so it costs the same whatever the source has.
func (s *Store) Rename(ctx context.Context, from, to string) error {
	var there bool
	check := func(t *tx) (err error) {
		if there, err = t.remembers(from); err != nil || !there || from == to {
			return err
		}
		taken, err := t.remembers(to)
		if err == nil && taken {
			err = differ.ErrTaken
		}
		return err
	}
	apply := func(t *tx) error {
		if !there || from == to {
			return nil
		}
		return t.rename(from, to)
	}
	err := nameError(to)
	if err == nil {
		err = s.do(ctx, &request{check: check, apply: apply, size: 1024})
	}
	if err != nil {
		return fmt.Errorf("rename source %s to %s: %w", from, to, err)
	}
	return nil
}

func nameError(name string) error {
	if name == "" || tooLong(nameKey, name) {
		return fmt.Errorf("name %q is empty or too long", clip(name))
	}
	return nil
}

// rename has two names change places.
func (t *tx) rename(a, b string) error {
	atA, err := t.name(a)
	if err != nil {
		return err
	}
	atB, err := t.name(b)
	if err != nil {
		return err
	}
	for _, change := range []struct {
		name string
		do   func(*storedName)
	}{
		{a, func(n *storedName) { n.Stem = atB.Stem }},
		{b, func(n *storedName) { n.Stem = atA.Stem }},
		{atA.Stem, func(n *storedName) { n.Of = b }},
		{atB.Stem, func(n *storedName) { n.Of = a }},
	} {
		n, err := t.name(change.name)
		if err != nil {
			return err
		}
		change.do(&n)
		if err := t.putName(change.name, n); err != nil {
			return err
		}
	}
	for _, name := range []string{a, b} {
		if err := t.drop(bucketMeta, []byte(leftKey+name)); err != nil {
			return err
		}
	}
	return nil
}

// remembers says whether a source, or one of its watch keys, has a state.
func (t *tx) remembers(source string) (bool, error) {
	n, err := t.name(source)
	if err != nil {
		return false, err
	}
	k, _ := t.cursor(bucketSources).Seek([]byte(n.Stem))
	found, _ := poller.CutUnit(string(k))
	return k != nil && found == n.Stem, nil
}

// checkName holds that what is stored of names fits together.
func (t *tx) checkName(k, v []byte) error {
	var n storedName
	if err := unsealJSON(bucketMeta, k, v, &n); err != nil {
		return err
	}
	name := string(bytes.TrimPrefix(k, []byte(nameKey)))
	stem, err := t.name(n.Stem)
	if err != nil {
		return err
	}
	of, err := t.name(n.Of)
	if err != nil {
		return err
	}
	if stem.Of != name || of.Stem != name {
		return misplaced(bucketMeta, k, "and another name contradict each other")
	}
	return nil
}
