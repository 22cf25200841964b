package configs

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/deltahook/deltahook/internal/credential"
)

// maxTLSFile is how much of a certificate's file is compared.
const maxTLSFile = 1 << 20

// trace notes what a later load is compared with: which files the
// configuration is made of, what is in those that the stages read, and where
// the settings stand that need a restart.
func (l *loader) trace(cfg *Config, values []string) {
	cfg.reads, cfg.sums = slices.Concat(cfg.Files, values), map[string]string{}
	read := func(t credential.TLSSettings) {
		for _, path := range []string{t.CA, t.Cert, t.Key} {
			if _, done := cfg.sums[path]; path != "" && !done {
				cfg.sums[path] = sumOf(path)
				cfg.reads = append(cfg.reads, path)
			}
		}
	}
	ref := func(a credential.Ref) {
		if a.Own != nil {
			read(a.Own.TLS)
		}
	}
	for _, s := range cfg.Sources {
		read(s.Poll.Request.TLS)
		ref(s.Poll.Request.Auth)
	}
	for _, e := range cfg.Endpoints {
		read(e.TLS)
		ref(e.Auth)
	}
	for _, a := range cfg.Auth {
		read(a.TLS)
	}
	slices.Sort(cfg.reads)
	cfg.reads = slices.Compact(cfg.reads)
	cfg.places = map[string]position{}
	for _, path := range fixed {
		cfg.places[path], _ = l.locate(strings.Split(path, "."))
	}
}

// sumOf is a fingerprint of what is in a file; "": it cannot be read.
func sumOf(path string) string {
	f, err := os.Open(path)
	if err != nil {
		return ""
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, io.LimitReader(f, maxTLSFile)); err != nil {
		return ""
	}
	return string(h.Sum(nil))
}

// Stamp tells one state of a configuration's files from another without
// reading them: of those that it is made of, and of its folder's. named is the
// path that it was loaded from; c may be nil, where none was ever loaded.
func (c *Config) Stamp(named string) string {
	var files []string
	if c != nil {
		files = slices.Clone(c.reads)
	}
	if found, _, err := filesAt(named); err == nil {
		files = append(files, found...)
	}
	slices.Sort(files)
	h := sha256.New()
	for _, path := range slices.Compact(files) {
		// Where links lead is a part of it: a ConfigMap is exchanged as a whole.
		leads, _ := filepath.EvalSymlinks(path)
		fmt.Fprintf(h, "%q %q ", path, leads)
		if info, err := os.Stat(path); err == nil {
			fmt.Fprintf(h, "%d %d %v\n", info.Size(), info.ModTime().UnixNano(), info.Mode()&fs.ModeType)
		}
	}
	return hex.EncodeToString(h.Sum(nil))
}
