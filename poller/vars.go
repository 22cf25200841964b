package poller

import "github.com/deltahook/deltahook/internal/expr"

// env is the names that the expressions of a request may use.
func (s Settings) env() expr.Env {
	env := expr.Env{}
	s.Watch.addTo(env)
	if s.Cursor.given() {
		env["cursor"] = s.Cursor.env()
	}
	return env
}

// vars are the values of those names, less the cursor: for a poll of these
// watch keys, where the source has any.
func (s *Source) vars(keys []string) map[string]any {
	if s.watch == nil {
		return nil
	}
	if len(keys) == 0 {
		keys = s.watch.sample()
	}
	return s.watch.vars(keys)
}
