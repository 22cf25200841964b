package configs

import "fmt"

// shared are the keys at the top whose names may be spread over the files of
// a folder. Every other key stands in one file.
var shared = map[string]bool{"sources": true, "endpoints": true, "limits": true, "auth": true}

// mergeFiles joins the trees of a folder's files into one.
func mergeFiles(trees []*node, report reporter) *node {
	root := &node{kind: mapping, at: trees[0].at}
	for _, t := range trees {
		for _, f := range t.fields {
			there := root.field(f.name)
			switch {
			case there == nil && f.value.kind == mapping && shared[f.name]:
				copied := &node{kind: mapping, at: f.value.at}
				for _, g := range f.value.fields {
					copied.add(g)
				}
				root.add(field{f.name, f.at, copied})
			case there == nil:
				root.add(f)
			case shared[f.name] && there.value.kind == mapping && f.value.kind == mapping:
				mergeNames(f.name, there.value, f.value, report)
			default:
				report(f.at, []string{f.name}, again(there.at))
			}
		}
	}
	return root
}

// mergeNames adds the sources, say, of another file.
func mergeNames(under string, into, from *node, report reporter) {
	for _, f := range from.fields {
		if first := into.field(f.name); first != nil {
			report(f.at, []string{under, f.name}, again(first.at))
			continue
		}
		into.add(f)
	}
}

// again says where a name was defined first, in another file.
func again(first position) string {
	return fmt.Sprintf("defined twice, first at %s:%d:%d", first.file, first.line, first.column)
}

// applyDefaults gives every source and every endpoint what defaults has and
// it has not. Values that come from there are shared, not copied: a fault in
// one is told once.
func applyDefaults(root *node) *node {
	defaults := root.get("defaults")
	if defaults == nil || defaults.kind != mapping {
		return root
	}
	out := &node{kind: mapping, at: root.at}
	for _, f := range root.fields {
		base := defaults.get(map[string]string{"sources": "source", "endpoints": "endpoint"}[f.name])
		if base != nil && base.kind == mapping && f.value.kind == mapping {
			all := &node{kind: mapping, at: f.value.at}
			for _, one := range f.value.fields {
				one.value = under(base, one.value)
				all.add(one)
			}
			f.value = all
		}
		out.add(f)
	}
	return out
}

// under is over with what base has and over has not, mapping by mapping.
func under(base, over *node) *node {
	if base.kind != mapping || over.kind != mapping {
		return over
	}
	out := &node{kind: mapping, at: over.at}
	for _, f := range over.fields {
		if b := base.get(f.name); b != nil {
			f.value = under(b, f.value)
		}
		out.add(f)
	}
	for _, f := range base.fields {
		if over.field(f.name) == nil {
			out.add(f)
		}
	}
	return out
}
