package main

import (
	"testing"
	"time"
	"unsafe"

	"github.com/google/go-cmp/cmp"

	"github.com/deltahook/deltahook/internal/web"
	"github.com/deltahook/deltahook/poller"
)

func TestPulse(t *testing.T) {
	var p pulses
	begin := time.Date(2026, 11, 23, 10, 0, 0, 0, time.UTC)
	if got := p.shown("s"); got != nil {
		t.Errorf("of a source that was never polled: %v", got)
	}
	p.told("s", 2, 3)
	p.told("s", 1, 0)
	p.polled(poller.End{Source: "s", At: begin, Took: 1500 * time.Millisecond})
	p.polled(poller.End{Source: "s", At: begin.Add(time.Minute), Failure: poller.Failf(poller.ClassStatus, "500")})
	want := []web.Beat{{At: begin, Took: 1.5, Changes: 3, Events: 3}, {At: begin.Add(time.Minute), Took: 1e-6, Failed: true}}
	if diff := cmp.Diff(want, p.shown("s")); diff != "" {
		t.Error(diff)
	}
	for i := range web.MaxPulse { // the first two go
		p.polled(poller.End{Source: "s", At: begin.Add(time.Hour + time.Duration(i)*time.Second)})
	}
	got := p.shown("s")
	if len(got) != web.MaxPulse || !got[0].At.Equal(begin.Add(time.Hour)) || !got[len(got)-1].At.Equal(begin.Add(time.Hour+(web.MaxPulse-1)*time.Second)) {
		t.Errorf("%d polls from %v to %v", len(got), got[0].At, got[len(got)-1].At)
	}
	p.keep(func(source string) bool { return source != "s" })
	if p.shown("s") != nil {
		t.Error("what is kept of a source that is gone")
	}
	if size := unsafe.Sizeof(beat{}); size != 16 {
		t.Errorf("a poll takes %d bytes, and the comment says 16", size)
	}
}
