package configs

import (
	"path/filepath"
	"strconv"

	"github.com/deltahook/deltahook/emitter"
	"github.com/deltahook/deltahook/internal/credential"
)

// decode fills the structs from what has no fault so far: a setting with a
// fault is left out, so that the checks of meaning can look at all the rest.
func (l *loader) decode() *Config {
	cfg := standard()
	root := l.sound(nil, l.root)
	apart := map[string]bool{"sources": true, "endpoints": true, "defaults": true}
	l.into(nil, root.without(apart), cfg)
	if !filepath.IsAbs(cfg.Store) {
		cfg.Store = filepath.Join(l.dir, cfg.Store)
	}
	for name, a := range cfg.Auth {
		a.TLS = l.placed(a.TLS)
		cfg.Auth[name] = a
	}
	if all := root.get("sources"); all != nil {
		for _, f := range all.fields {
			var s Source
			l.into([]string{"sources", f.name}, f.value, &s)
			s.Poll.Request.TLS = l.placed(s.Poll.Request.TLS)
			if own := s.Poll.Request.Auth.Own; own != nil {
				own.TLS = l.placed(own.TLS)
			}
			s.Response.Judge.Items, s.Response.Judge.ID = s.Response.Read.Items, s.Response.Read.ID
			s.Response.Read.Decoding = s.Response.Judge.Decoding()
			s.Watch.Fan.File = l.path(s.Watch.Fan.File)
			s.Watch.Fan.Fed = s.Watch.Keys.From.Given()
			s.Poll.Watch, s.Diff.Watch = s.Watch.Fan, s.Watch.Keys
			s.Diff.Watch.Keyed = s.Watch.Fan.Given()
			s.Diff.Timezone, s.Diff.Disabled = s.Poll.Timezone, s.Poll.Disabled
			cfg.Sources[f.name] = s
		}
	}
	if all := root.get("endpoints"); all != nil {
		for _, f := range all.fields {
			var s emitter.Settings
			l.into([]string{"endpoints", f.name}, f.value, &s)
			s.TLS = l.placed(s.TLS)
			if own := s.Auth.Own; own != nil {
				own.TLS = l.placed(own.TLS)
			}
			cfg.Endpoints[f.name] = s
		}
	}
	if d := root.get("defaults"); d != nil {
		l.into([]string{"defaults"}, d, &cfg.Defaults)
	}
	return cfg
}

// placed is t with the paths of its files from the configuration's folder.
func (l *loader) placed(t credential.TLSSettings) credential.TLSSettings {
	t.CA, t.Cert, t.Key = l.path(t.CA), l.path(t.Cert), l.path(t.Key)
	return t
}

// path is the path of a file from the configuration's folder.
func (l *loader) path(p string) string {
	if p == "" || filepath.IsAbs(p) {
		return p
	}
	return filepath.Join(l.dir, p)
}

// into decodes one part of the tree. The schema was satisfied, so an error
// here is one that it cannot express.
func (l *loader) into(path []string, n *node, out any) {
	if err := n.yaml().Decode(out); err != nil {
		l.fault(path, "cannot be read: "+err.Error())
	}
}

// sound is the tree without the settings that have a fault. A list with a
// faulty element is left out as a whole.
func (l *loader) sound(path []string, n *node) *node {
	if len(l.covered) == 0 || n.kind != mapping {
		return n
	}
	out := &node{kind: mapping, at: n.at}
	for _, f := range n.fields {
		at := down(path, f.name)
		if l.isCovered(at) || l.anyCovered(at, f.value) {
			continue
		}
		f.value = l.sound(at, f.value)
		out.add(f)
	}
	return out
}

// anyCovered reports whether something in a list has a fault.
func (l *loader) anyCovered(path []string, n *node) bool {
	if n.kind != list {
		return false
	}
	found := false
	for i, v := range n.index {
		v.walk(down(path, strconv.Itoa(i)), func(p []string, _ *node) {
			found = found || l.isCovered(p)
		})
	}
	return found
}
