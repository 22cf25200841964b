package bolt

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.etcd.io/bbolt"

	"github.com/deltahook/deltahook/differ"
)

// revise commits the next revision of an item that has one content after the
// other; the first is "1".
func revise(t *testing.T, s *Store, source, key string, version uint64, reset bool) {
	t.Helper()
	c := &differ.Commit{Source: source, Version: version, Reset: reset}
	b := differ.Before{Change: differ.Updated, Hash: differ.Hash{1}, Old: fmt.Append(nil, version)}
	if version == 0 {
		b = differ.Before{Change: differ.Created}
	}
	c.Items = []differ.Item{{Key: key, Hash: differ.Hash{1}, Revision: version + 1, Content: fmt.Append(nil, version+1), Seen: time.Now()}}
	c.Before = []differ.Before{b}
	if err := s.Commit(t.Context(), c); err != nil {
		t.Fatal(err)
	}
}

// TestSweepRevisions holds that revisions go by their age, and those that
// nothing shows any more whatever the retention.
func TestSweepRevisions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := openTemp(t)
		left := func(want int) {
			t.Helper()
			if n := count(t, s)[bucketRevisions]; n != want {
				t.Errorf("%d revisions are left, want %d", n, want)
			}
			if err := s.Check(t.Context()); err != nil {
				t.Error(err)
			}
		}
		for v := range uint64(150) {
			revise(t, s, "aged", "k", v, false)
			time.Sleep(time.Minute)
		}
		left(differ.MaxRevisions)
		sweep(t, s, Retention{}, 0)
		sweep(t, s, Retention{Events: time.Hour}, differ.MaxRevisions-60)
		list, err := s.Revisions(t.Context(), "aged", "k", 0, 0)
		if err != nil || len(list) != 60 || list[59].Revision != 91 || string(list[59].Old) != "90" {
			t.Errorf("%d revisions, %v; the last is %+v", len(list), err, list[len(list)-1])
		}

		for v := range uint64(3) {
			revise(t, s, "reset", "k", v, false)
			revise(t, s, "forgotten", "k", v, false)
		}
		revise(t, s, "reset", "other", 3, true)
		if err := s.Forget(t.Context(), "forgotten"); err != nil {
			t.Fatal(err)
		}
		left(60 + 3 + 1 + 3)
		sweep(t, s, Retention{}, 6)
		left(60 + 1)
	})
}

// TestSweepGoneRevisions holds that the changes of an item go when it is
// forgotten that it ever was.
func TestSweepGoneRevisions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := openTemp(t)
		revise(t, s, "shop", "k", 0, false)
		err := s.Commit(t.Context(), &differ.Commit{
			Source: "shop", Version: 1, Items: []differ.Item{{Key: "k", Revision: 2, Seen: time.Now().Add(-time.Hour)}},
			Before: []differ.Before{{Change: differ.Deleted, Hash: differ.Hash{1}, Old: json.RawMessage(`1`)}},
		})
		if err != nil {
			t.Fatal(err)
		}
		sweep(t, s, Retention{Events: time.Minute}, 1)
		if n := count(t, s)[bucketRevisions]; n != 0 {
			t.Errorf("%d revisions are left", n)
		}
	})
}

// TestSearchIsBounded holds that no call looks at more than its share, and that
// damaged items are counted once and hide no other.
func TestSearchIsBounded(t *testing.T) {
	s := openTemp(t)
	put := func(source string, n int, content string) {
		t.Helper()
		c := &differ.Commit{Source: source}
		for i := range n {
			c.Items = append(c.Items, differ.Item{Key: fmt.Sprintf("%06d", i), Hash: differ.Hash{1}, Content: json.RawMessage(content)})
		}
		if err := s.Commit(t.Context(), c); err != nil {
			t.Fatal(err)
		}
	}
	put("many", 2*maxLooked+500, `1`)
	put("large", 2*maxSearched/100_000+20, `"`+strings.Repeat("x", 100_000)+`"`)
	err := s.db.Update(func(btx *bbolt.Tx) error {
		items := btx.Bucket([]byte(bucketItems))
		for _, key := range []string{"000007", "000008", "015000"} {
			if err := items.Put(itemKey("many", key), []byte("no item at all")); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for source, damaged := range map[string]int{"many": 3, "large": 0} {
		f := differ.ItemFilter{Contains: "nothing"}
		for pages := 1; ; pages++ {
			page, err := s.ListItems(t.Context(), source, f)
			if err != nil || len(page.Items) != 0 || pages > 3 {
				t.Fatalf("page %d of %s has %d items, %v", pages, source, len(page.Items), err)
			}
			if damaged, f.After = damaged-page.Damaged, page.Next; f.After != "" {
				continue
			}
			if pages != 3 || damaged != 0 {
				t.Errorf("%s: %d pages, want 3; %d damaged records were not counted", source, pages, damaged)
			}
			break
		}
	}
	page, err := s.ListItems(t.Context(), "many", differ.ItemFilter{Prefix: "00000"})
	if err != nil || len(page.Items) != 8 || page.Damaged != 2 || page.Next != "" {
		t.Errorf("the first ten are %d, %d damaged, and go on at %q, %v", len(page.Items), page.Damaged, page.Next, err)
	}
}

// TestDamagedRevision holds that a damaged revision hides no other, and that
// nothing is made up for what stood in it.
func TestDamagedRevision(t *testing.T) {
	s := openTemp(t)
	for v := range uint64(4) {
		revise(t, s, "shop", "k", v, false)
	}
	key := revisionKey(timelinePrefix("shop", "k"), 3)
	err := s.db.Update(func(btx *bbolt.Tx) error {
		return btx.Bucket([]byte(bucketRevisions)).Put(key, []byte("no revision at all"))
	})
	if err != nil {
		t.Fatal(err)
	}
	list, err := s.Revisions(t.Context(), "shop", "k", 0, 0)
	if err != nil || len(list) != 3 || list[0].Revision != 4 || string(list[0].Old) != "3" {
		t.Fatalf("revisions are %+v, %v", list, err)
	}
	if r := list[1]; r.Revision != 2 || r.New != nil || !r.Omitted || string(r.Old) != "1" {
		t.Errorf("the one before it is %+v", r)
	}
	part, err := s.Revisions(t.Context(), "shop", "k", 3, 1)
	if err != nil || len(part) != 1 || part[0].Revision != 2 || !part[0].Omitted {
		t.Errorf("before the damaged one are %+v, %v", part, err)
	}
	if err := s.Check(t.Context()); err == nil || !strings.Contains(err.Error(), `source "shop" key "k" revision 3 is damaged`) {
		t.Errorf("check gave %v", err)
	}
	if n, err := s.Sweep(t.Context(), Retention{Events: time.Hour}); n != 0 || err != nil {
		t.Errorf("the sweep removed %d, %v", n, err)
	}
}
