package configs

import (
	"maps"
	"reflect"
	"slices"

	"github.com/deltahook/deltahook/emitter"
	"github.com/deltahook/deltahook/internal/credential"
)

// fixed are the settings that take effect at a start only: what they name is
// opened once.
var fixed = []string{"store", "server.listen", "log.format", "tracing"}

// Difference is what another configuration makes of sources and endpoints. All
// names are sorted.
type Difference struct {
	Sources   Names
	Endpoints Names
	// Renamed has the former name of a source by its new one, for those of
	// Sources.Added that say which it was.
	Renamed map[string]string
	// Restart are the settings that differ and take effect at a start only.
	Restart []Located

	before, after *Config
	receivers     bool // the names of the endpoints are others
}

// Names are what came, what went, and what is another under the same name.
type Names struct {
	Added, Removed, Changed []string
}

// Compare says how after differs from before. A source is another where its
// own settings differ, those of the limit or the credentials that it names, or
// what is in a file that they name; an endpoint likewise. Whom sources, or
// endpoints, may reach belongs to each of them.
func Compare(before, after *Config) Difference {
	d := Difference{before: before, after: after, Renamed: map[string]string{}}
	d.receivers = !sameNames(before.Endpoints, after.Endpoints)
	d.Sources = names(before.Sources, after.Sources, d.sameSource)
	d.Endpoints = names(before.Endpoints, after.Endpoints, d.sameEndpoint)
	for _, name := range d.Sources.Added {
		if was := after.Sources[name].Was; was != "" {
			d.Renamed[name] = was
		}
	}
	for _, path := range fixed {
		if !reflect.DeepEqual(before.fixed(path), after.fixed(path)) {
			at := after.places[path]
			d.Restart = append(d.Restart, Located{at.file, at.line, at.column, path, "takes effect at a start only: restart the daemon, or set it back"})
		}
	}
	return d
}

func (c *Config) fixed(path string) any {
	return map[string]any{
		"store": c.Store, "server.listen": c.Server.Listen, "log.format": c.Log.Format, "tracing": c.Tracing,
	}[path]
}

// names compares what stands under a key, by name.
func names[V any](before, after map[string]V, same func(a, b V) bool) (n Names) {
	for _, name := range slices.Sorted(maps.Keys(after)) {
		switch was, there := before[name]; {
		case !there:
			n.Added = append(n.Added, name)
		case !same(was, after[name]):
			n.Changed = append(n.Changed, name)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(before)) {
		if _, there := after[name]; !there {
			n.Removed = append(n.Removed, name)
		}
	}
	return n
}

func sameNames[V any](a, b map[string]V) bool {
	return slices.Equal(slices.Sorted(maps.Keys(a)), slices.Sorted(maps.Keys(b)))
}

// sameSource reports whether a source is the same. Where it had another name
// once is not part of it.
func (d *Difference) sameSource(a, b Source) bool {
	a.Was, b.Was = "", ""
	return reflect.DeepEqual(a, b) &&
		reflect.DeepEqual(d.before.Egress.Sources, d.after.Egress.Sources) &&
		reflect.DeepEqual(d.before.Limits[a.Poll.Limit], d.after.Limits[b.Poll.Limit]) &&
		d.sameFiles(a.Poll.Request.TLS) && d.sameAuth(a.Poll.Request.Auth)
}

func (d *Difference) sameEndpoint(a, b emitter.Settings) bool {
	return reflect.DeepEqual(a, b) &&
		reflect.DeepEqual(d.before.Egress.Endpoints, d.after.Egress.Endpoints) &&
		d.sameFiles(a.TLS) && d.sameAuth(a.Auth)
}

// sameAuth reports whether a reference to credentials, which is the same, is
// one to the same.
func (d *Difference) sameAuth(a credential.Ref) bool {
	if a.Own != nil {
		return d.sameFiles(a.Own.TLS)
	}
	before, after := d.before.Auth[a.Name], d.after.Auth[a.Name]
	return reflect.DeepEqual(before, after) && d.sameFiles(before.TLS)
}

// sameFiles reports whether in files of the same name is the same.
func (d *Difference) sameFiles(t credential.TLSSettings) bool {
	for _, path := range []string{t.CA, t.Cert, t.Key} {
		if d.before.sums[path] != d.after.sums[path] {
			return false
		}
	}
	return true
}

// Compares reports whether the answers of a source that is in both are compared
// otherwise than before, or told otherwise.
func (d *Difference) Compares(source string) bool {
	a, b := d.before.Sources[source], d.after.Sources[source]
	return !reflect.DeepEqual(a.Diff, b.Diff) || !reflect.DeepEqual(a.Response.Read, b.Response.Read)
}

// Readdresses reports whether rules that name no receivers tell others, because
// the endpoints are others.
func (d *Difference) Readdresses() bool { return d.receivers }

// Empty reports whether no source and no endpoint is another.
func (d *Difference) Empty() bool {
	none := func(n Names) bool { return len(n.Added)+len(n.Removed)+len(n.Changed) == 0 }
	return none(d.Sources) && none(d.Endpoints)
}

// Secrets are the values that nobody may see, as Redactor knows them.
func (c *Config) Secrets() []string { return slices.Clone(c.secrets) }
