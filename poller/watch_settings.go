package poller

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/deltahook/deltahook/internal/expr"
	"github.com/deltahook/deltahook/internal/fault"
	"github.com/deltahook/deltahook/internal/units"
)

// Bounds of watch keys.
const (
	maxWatchKeys  = 100_000  // of a source
	maxWatchKey   = 512      // bytes
	maxWatchFile  = 64 << 20 // bytes
	maxBatch      = 1_000
	longestMaxAge = units.Duration(10 * 365 * 24 * time.Hour)
)

// WatchSettings is the poller's part of `watch`: which keys a source is polled
// for. Each has its own baseline, items and revisions. At least one of keys,
// file, from and api is needed.
type WatchSettings struct {
	// Keys that are always watched.
	Keys []string `yaml:"keys" json:"keys,omitempty"`
	// A file of keys, one a line; lines that start with # are passed over.
	// It is read again when it has changed.
	File string `yaml:"file" json:"file,omitempty"`
	// True: keys may be added and removed over the admin API. They are
	// stored.
	API bool `yaml:"api" json:"api,omitempty"`
	// Keys in one request, at most: the request has the list `keys`. Absent:
	// each key has a request of its own, which has `key`.
	Batch int `yaml:"batch" json:"batch,omitempty" jsonschema:"minimum=1,maximum=1000"`

	// Fed says that items of another source name keys: the differ's `from`.
	Fed bool `yaml:"-" json:"-"`
}

// Given reports whether a source is polled for watch keys.
func (s WatchSettings) Given() bool {
	return len(s.Keys) > 0 || s.File != "" || s.API || s.Fed || s.Batch != 0
}

// addTo adds the names that a request of watch keys has.
func (s WatchSettings) addTo(env expr.Env) {
	switch {
	case s.Batch > 0:
		env["keys"] = []string{}
	case s.Given():
		env["key"] = ""
	}
}

// watch is a WatchSettings, compiled.
type watch struct {
	keys  []string
	file  string
	api   bool
	fed   bool // items of another source name some
	batch int  // 0: a request for each key
}

// compile makes of the settings what a Source needs; nil where there are none.
func (s WatchSettings) compile(r fault.Report) *watch {
	if !s.Given() {
		return nil
	}
	if len(s.Keys) == 0 && s.File == "" && !s.API && !s.Fed {
		r.Errorf("no keys: at least one of keys, file, from and api is needed")
	}
	if len(s.Keys) > maxWatchKeys {
		r.At("keys").Errorf("%d keys: at most %d are watched", len(s.Keys), maxWatchKeys)
	}
	there := make(map[string]bool, len(s.Keys))
	for i, key := range s.Keys {
		if err := CheckWatchKey(key); err != nil {
			r.At("keys").Index(i).Errorf("%v", err)
		} else if there[key] {
			r.At("keys").Index(i).Errorf("%q stands here twice", key)
		}
		there[key] = true
	}
	if s.File != "" {
		if _, err := readWatchFile(s.File); err != nil {
			if p, ok := errors.AsType[*fs.PathError](err); ok {
				err = p.Err // the path stands there already
			}
			r.At("file").Errorf("%v", err)
		}
	}
	if s.Batch < 0 || s.Batch > maxBatch {
		r.At("batch").Errorf("expected a number from 1 to %d", maxBatch)
	}
	return &watch{keys: s.Keys, file: s.File, api: s.API, fed: s.Fed, batch: s.Batch}
}

// size is how many keys one request may have.
func (w *watch) size() int { return max(1, w.batch) }

// vars are the names of a request for these keys. Without keys, as a dry run
// has none where all come at run time, they are empty.
func (w *watch) vars(keys []string) map[string]any {
	if w.batch > 0 {
		return map[string]any{"keys": append([]string{}, keys...)}
	}
	key := ""
	if len(keys) > 0 {
		key = keys[0]
	}
	return map[string]any{"key": key}
}

// sample is a key for a dry run; none where all come at run time.
func (w *watch) sample() []string {
	if len(w.keys) > 0 {
		return w.keys[:1]
	}
	if w.file != "" {
		if keys, err := readWatchFile(w.file); err == nil && len(keys) > 0 {
			return keys[:1]
		}
	}
	return []string{}
}

// WithWatch is the source as it asks for one key where it is asked for none in
// particular, as in a dry run.
func (s *Source) WithWatch(key string) *Source {
	copied := *s
	w := *s.watch
	w.keys = []string{key}
	copied.watch = &w
	return &copied
}

// HasWatch reports whether the source has watch keys, and sampled whether one is
// known without looking further.
func (s *Source) HasWatch() (has, sampled bool) {
	return s.watch != nil, s.watch != nil && len(s.watch.sample()) > 0
}

// CheckWatchKey says what is wrong with a watch key; nil: nothing.
func CheckWatchKey(key string) error {
	switch {
	case key == "":
		return errors.New("an empty key")
	case len(key) > maxWatchKey:
		return fmt.Errorf("a key of %d bytes: at most %d are taken", len(key), maxWatchKey)
	case !utf8.ValidString(key) || strings.ContainsFunc(key, unicode.IsControl):
		return errors.New("a key must be UTF-8 without control characters")
	case strings.TrimSpace(key) != key:
		return fmt.Errorf("a key with space around it: %.100q", key)
	}
	return nil
}

// readWatchFile reads a file of keys. It is taken as a whole or not at all.
func readWatchFile(path string) ([]string, error) {
	f, err := os.Open(filepath.Clean(path))
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxWatchFile+1))
	if err != nil {
		return nil, err
	}
	return parseWatchFile(data)
}

// parseWatchFile reads keys, one a line. Space around them, empty lines and
// those that start with # don't count; a key that stands there twice is one.
func parseWatchFile(data []byte) (keys []string, err error) {
	if len(data) > maxWatchFile {
		return nil, fmt.Errorf("over %d bytes", maxWatchFile)
	}
	there := map[string]bool{}
	lines := bufio.NewScanner(bytes.NewReader(bytes.TrimPrefix(data, []byte("\ufeff"))))
	for n := 1; lines.Scan(); n++ {
		key := strings.TrimSpace(lines.Text())
		if key == "" || key[0] == '#' || there[key] {
			continue
		}
		if err := CheckWatchKey(key); err != nil {
			return nil, fmt.Errorf("line %d: %w", n, err)
		}
		if len(keys) == maxWatchKeys {
			return nil, fmt.Errorf("line %d: more than %d keys", n, maxWatchKeys)
		}
		there[key] = true
		keys = append(keys, key)
	}
	return keys, lines.Err()
}
