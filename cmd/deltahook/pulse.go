package main

import (
	"math"
	"sync"
	"time"

	"github.com/deltahook/deltahook/internal/web"
	"github.com/deltahook/deltahook/poller"
)

// pulses are the last polls of each source, and what they came to. A source
// takes 16 bytes for each poll, 1 KiB when it is full.
type pulses struct {
	mu sync.Mutex
	of map[string]*pulse
}

// pulse is a ring of polls.
type pulse struct {
	beats           []beat // web.MaxPulse at most
	next            int    // where the next goes, once it is full
	changes, events uint32 // of the poll that is under way
}

// beat is a poll in 16 bytes.
type beat struct {
	at              uint32  // Unix seconds
	took            float32 // seconds, negative where it failed
	changes, events uint32
}

func (p *pulses) pulse(source string) *pulse {
	if p.of == nil {
		p.of = map[string]*pulse{}
	}
	if p.of[source] == nil {
		p.of[source] = &pulse{}
	}
	return p.of[source]
}

// told takes in what a commit of a source came to; the poll's end follows.
func (p *pulses) told(source string, changes, events int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	of := p.pulse(source)
	of.changes += uint32(min(changes, math.MaxInt32))
	of.events += uint32(min(events, math.MaxInt32))
}

// polled takes in the end of a poll.
func (p *pulses) polled(e poller.End) {
	p.mu.Lock()
	defer p.mu.Unlock()
	of := p.pulse(e.Source)
	b := beat{
		at:   uint32(e.At.Unix()), // until 2106
		took: float32(max(e.Took, time.Microsecond).Seconds()), changes: of.changes, events: of.events,
	}
	if e.Failure != nil {
		b.took = -b.took
	}
	of.changes, of.events = 0, 0
	if len(of.beats) < web.MaxPulse {
		of.beats = append(of.beats, b)
		return
	}
	of.beats[of.next] = b
	of.next = (of.next + 1) % web.MaxPulse
}

// keep forgets the sources that there are no more.
func (p *pulses) keep(there func(source string) bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for source := range p.of {
		if !there(source) {
			delete(p.of, source)
		}
	}
}

// shown are the last polls of a source, the oldest first.
func (p *pulses) shown(source string) []web.Beat {
	p.mu.Lock()
	defer p.mu.Unlock()
	of := p.of[source]
	if of == nil {
		return nil
	}
	all := make([]web.Beat, len(of.beats))
	for i := range all {
		b := of.beats[(of.next+i)%len(of.beats)]
		all[i] = web.Beat{
			At: time.Unix(int64(b.at), 0).UTC(), Took: math.Round(math.Abs(float64(b.took))*1e6) / 1e6, Failed: b.took < 0,
			Changes: int(b.changes), Events: int(b.events),
		}
	}
	return all
}

// audience tells all who want to know how polls fare.
type audience struct {
	poller.Witness
	pulses *pulses
	live   *web.Live
}

// Polled says how a poll ended.
func (a audience) Polled(e poller.End) {
	a.Witness.Polled(e)
	a.pulses.polled(e)
	a.live.Moved("sources/" + e.Source)
}

// told says what a commit came to.
func (a audience) told(source string, changes, events int) {
	a.pulses.told(source, changes, events)
	if events > 0 {
		a.live.Moved("events")
	}
}
