package e2e

import (
	"errors"
	"hash/crc32"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.etcd.io/bbolt"
)

// TestNewerStore has one version write a store, of which the schema is then a
// newer one: another version refuses it, says which one wrote it, and leaves it
// as it is.
func TestNewerStore(t *testing.T) {
	t.Parallel()
	url, _, _ := values(t, `{"v":1}`)
	hooks, dir := newReceiver(t, nil), t.TempDir()
	write(t, dir, "deltahook.yaml", configured(hooks, oneSource(url, "@every 1s")))
	writer, err := build("newer", "-ldflags=-X main.version=v1.9.0")
	if err != nil {
		t.Fatal(err)
	}
	d := start(t, plainBinary(t), dir, "run") // another one had it before
	d.says(t, d.stderr, "first answer remembered")
	d.stop(t)
	d = start(t, writer, dir, "run")
	d.says(t, d.stderr, "deltahook runs")
	d.stop(t)
	newerSchema(t, filepath.Join(dir, "deltahook.db"))

	before := content(t, dir, "deltahook.db")
	says := regexp.MustCompile(`store deltahook\.db: it was written by deltahook v1\.9\.0 \(schema \d+\); this is dev, which reads up to schema \d+: run that version or newer, or restore a backup`)
	for _, args := range [][]string{{"run"}, {"poll", "s"}, {"events"}} {
		p := start(t, plainBinary(t), dir, args...)
		if status := p.exit(t, patience); status != 1 || !says.MatchString(p.stderr.String()) {
			t.Errorf("%s: status %d, and it says %s", args, status, p.stderr)
		}
	}
	for _, args := range [][]string{{"fsck"}, {"fsck", "--repair"}} {
		p := start(t, plainBinary(t), dir, args...)
		if status := p.exit(t, patience); status == 0 || !strings.Contains(p.stderr.String(), "it was written by deltahook v1.9.0 (schema ") {
			t.Errorf("%s: status %d, and it says %s", args, status, p.stderr)
		}
	}
	if !slices.Equal(content(t, dir, "deltahook.db"), before) {
		t.Error("the store was changed")
	}
}

// newerSchema makes a store one of the next schema: what follows the checksum
// and the form is its number, then the version.
func newerSchema(t *testing.T, path string) {
	t.Helper()
	db, err := bbolt.Open(path, 0o600, nil)
	if err != nil {
		t.Fatal(err)
	}
	err = db.Update(func(tx *bbolt.Tx) error {
		meta, key := tx.Bucket([]byte("meta")), []byte("schema")
		record := slices.Clone(meta.Get(key))
		record[5]++
		sum := crc32.Checksum(slices.Concat([]byte("meta"), key, record[4:]), crc32.MakeTable(crc32.Castagnoli))
		copy(record, []byte{byte(sum >> 24), byte(sum >> 16), byte(sum >> 8), byte(sum)})
		return meta.Put(key, record)
	})
	if err := errors.Join(err, db.Close()); err != nil {
		t.Fatal(err)
	}
}
