package configs

import (
	"errors"
	"io/fs"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/deltahook/deltahook/internal/secret"
)

// Load reads the configuration at path, a file or a folder of files. lookup
// is the environment, as os.LookupEnv; nil: an empty one. An error is an
// *Error with every fault that was found.
func Load(path string, lookup func(string) (string, bool)) (*Config, error) {
	l := &loader{lookup: lookup}
	files, dir, err := filesAt(path)
	if err != nil {
		what := reason(err)
		if errors.Is(err, fs.ErrNotExist) {
			what = "no such file or folder"
		}
		return nil, &Error{Faults: []Located{{File: path, Text: what}}}
	}
	l.dir = dir
	var trees []*node
	for _, file := range files {
		data, err := readFile(file, maxFile)
		if err != nil {
			l.report(position{file: file}, nil, reason(err))
			continue
		}
		trees = l.read(trees, file, data)
	}
	return l.finish(files, trees)
}

// Parse reads a configuration from data, as Load does from a file called
// name: its ending tells the syntax, relative paths start from its folder,
// and faults are told under it.
func Parse(name string, data []byte, lookup func(string) (string, bool)) (*Config, error) {
	l := &loader{lookup: lookup, dir: filepath.Dir(name)}
	return l.finish([]string{name}, l.read(nil, name, data))
}

// loader gathers what one load finds.
type loader struct {
	dir    string
	lookup func(string) (string, bool)
	broken bool // a file's syntax is at fault

	root     *node
	faults   []Located
	warnings []Located
	secrets  []string

	covered map[string]bool // paths that have a fault: later steps don't tell another
	hidden  []hidden        // values that fault texts must not show
}

// hidden is a value that ${…} put in, and what is shown in its place.
type hidden struct{ value, shown string }

// shortest is the length in bytes under which a value is too common to be cut
// out of a text without quotes around it.
const shortest = 6

// report is the reporter of the steps that know positions themselves.
func (l *loader) report(at position, path []string, what string) {
	l.faults = append(l.faults, Located{at.file, at.line, at.column, dotted(path), what})
	if path != nil {
		l.cover(path)
	}
}

// cover remembers that a setting has a fault.
func (l *loader) cover(path []string) {
	if l.covered == nil {
		l.covered = map[string]bool{}
	}
	l.covered[strings.Join(path, "\x00")] = true
}

// isCovered reports whether a setting, or one that it is part of, has a fault.
func (l *loader) isCovered(path []string) bool {
	for i := len(path); i > 0 && len(l.covered) > 0; i-- {
		if l.covered[strings.Join(path[:i], "\x00")] {
			return true
		}
	}
	return false
}

// read adds the tree of one file, unless its syntax is at fault.
func (l *loader) read(trees []*node, file string, data []byte) []*node {
	t := parse(file, data, l.report)
	if t == nil {
		l.broken = true
		return trees
	}
	return append(trees, t)
}

// finish takes the files' trees through all further steps. Where a file could
// not be read at all it stops there, for names that it defines would be
// missing everywhere else.
func (l *loader) finish(files []string, trees []*node) (*Config, error) {
	if l.broken || len(trees) < len(files) {
		return nil, l.err(filepath.Join(l.dir, standard().Store), "")
	}
	l.root = mergeFiles(trees, l.report)
	x := &expander{dir: l.dir, lookup: l.lookup}
	x.expand(l.root, l.report)
	l.secrets, l.hidden = x.secrets, x.hidden
	l.root = applyDefaults(l.root)
	l.markSecrets()
	l.checkShape()
	cfg := l.decode()
	l.checkMeaning(cfg)
	cfg.Dir, cfg.Files, cfg.secrets = l.dir, files, l.secrets
	l.trace(cfg, x.files)
	if len(l.faults) > 0 {
		return nil, l.err(cfg.Store, cfg.Server.Listen)
	}
	cfg.Warnings = l.clean(l.warnings)
	cfg.shown = l.show(cfg.Redactor())
	return cfg, nil
}

// err is all that was found, and where the daemon may be.
func (l *loader) err(store, listen string) error {
	return &Error{Faults: l.clean(l.faults), Warnings: l.clean(l.warnings), Store: store, Listen: listen}
}

// clean cuts values that must not be seen out of the texts, then sorts them.
func (l *loader) clean(list []Located) []Located {
	redact := secret.NewRedactor(l.secrets...)
	slices.SortFunc(l.hidden, func(a, b hidden) int { return len(b.value) - len(a.value) })
	var pairs []string
	for _, h := range l.hidden {
		if h.value == "" {
			continue
		}
		pairs = append(pairs, strconv.Quote(h.value), h.shown)
		if len(h.value) >= shortest {
			pairs = append(pairs, h.value, h.shown)
		}
	}
	values := strings.NewReplacer(pairs...)
	for i := range list {
		list[i].Text = redact.Text(values.Replace(list[i].Text))
	}
	return tidy(list)
}
