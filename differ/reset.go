package differ

// forgotten is the shape of a source whose items are not to be compared with
// any more. No settings have it, so the next answer is a baseline; and as the
// source has a version, that is a silent one. The items stay until then for
// their revisions: an item that is still there goes on counting.
const forgotten = ""

// reset is what an answer that resets the source comes to. Where there is
// nothing to forget, nothing is written.
func (s *Source) reset(p *part, mem *memory) *outcome {
	out := &outcome{
		source: s, memory: mem, part: p, finding: &finding{}, rules: s.weighing(p, mem), marks: p.Bookmarks, reset: true,
	}
	if mem.hold != nil {
		out.endHold()
	}
	if mem.version > 0 && mem.shape != forgotten {
		out.commit = &Commit{
			Source: s.name, Watch: p.watch, Version: mem.version, Shape: forgotten, Since: mem.since, Bookmarks: p.Bookmarks,
		}
	}
	return out
}
