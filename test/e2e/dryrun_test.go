package e2e

import (
	"regexp"
	"strings"
	"testing"
)

// A dry run of a source that believes a single answer shows a deletion as
// told, and says nothing of answers still to come. What it shows of a
// stranger's text moves no cursor and makes no line of its own.
func TestPollShowsWhatWouldBeTold(t *testing.T) {
	t.Parallel()
	url, set, _ := values(t, `{"list":[{"id":"a","v":1},{"id":"b","v":1}]}`)
	hooks, dir := newReceiver(t, nil), t.TempDir()
	write(t, dir, "deltahook.yaml", configured(hooks, oneSource(url, "@hourly")+`
    response: {items: list, id: id}
    changes: {confirm_deletes: 1}
    events:
      s.gone: {on: [deleted]}
      s.dear: {on: [updated], when: new.v > 5}
`))
	d := start(t, binary(t), dir, "run")
	d.says(t, d.stderr, "first answer remembered")
	d.stop(t)

	set(`{"evil\u001b[2J\nEvents 9":1,"list":[{"id":"a","v":"\u202e2"}]}`)
	status, stdout, stderr := deltahook(t, dir, "poll", "s")
	if status != 0 {
		t.Fatalf("status %d: %s", status, stderr)
	}
	for _, want := range []string{
		`(?m)^ +evil\\x1b\[2J\\nEvents 9: number$`,
		`(?m)^Items +1 listed\n +a  \{"id":"a","v":`,
		`(?m)^ +a +updated  1 +s.gone +updated is not in on$`,
		`(?m)^ +s.dear +not told, it cannot be evaluated: .+$`,
		`(?m)^ +b +deleted  1 +s.gone +told$`,
	} {
		if !regexp.MustCompile(want).MatchString(stdout) {
			t.Errorf("nothing shown is like %s:\n%s", want, stdout)
		}
	}
	if strings.Contains(stdout, "in a row") || strings.ContainsAny(stdout, "\x1b\u202e") {
		t.Errorf("more is shown than should be:\n%s", stdout)
	}
}
