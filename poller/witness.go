package poller

import "time"

// Witness is told how sources fare. The differ is one. Its methods are called
// concurrently, and wait for nothing.
type Witness interface {
	// Polls says that a source is polled from now on, for the first time when
	// it is due. One with watch keys, which may have none, is not said.
	Polls(source string, due time.Time)

	// Polled says how a poll ended. Those of one source come in the order in
	// which they ended.
	Polled(End)
}

// End is how a poll of a source ended. All watch keys of a source are one
// here: it is answered where any of them is.
type End struct {
	Source string
	At     time.Time
	Took   time.Duration // from its start until it was taken in, or failed
	Due    time.Time     // of the next poll; zero: not known, for watch keys come and go

	Failure *Failure  // nil: it was answered
	Since   time.Time // when the first of the failed polls was that followed each other without an answer
	// Failures is how many of them there were. With watch keys it is how
	// often the same keys failed, or, once it goes on for a minute, how often
	// any did: of a thousand keys three fail within the moment that an API
	// takes to start.
	Failures int
}

// longEnough is from when on failures of different watch keys count together.
const longEnough = time.Minute

// outage is the failed polls of a fan since one was answered.
type outage struct {
	answers uint64 // counts the polls that were answered
	since   time.Time
	polls   int
}

// answered tells the witness of a poll that was.
func (p *Poller) answered(j *job, now time.Time) {
	if p.witness == nil {
		return
	}
	e := End{Source: j.source.name, At: now, Took: j.last.took, Due: j.due}
	if j.fan == nil {
		p.witness.Polled(e)
		return
	}
	j.fan.told.Lock()
	defer j.fan.told.Unlock()
	o := &j.fan.outage
	*o = outage{answers: o.answers + 1}
	j.answers, j.before = o.answers, 0
	e.Due = time.Time{}
	p.witness.Polled(e)
}

// unanswered tells it of one that failed; the marks have it already.
func (p *Poller) unanswered(j *job, f *Failure, now time.Time) {
	if p.witness == nil {
		return
	}
	e := End{
		Source: j.source.name, At: now, Took: j.last.took, Due: j.due,
		Failure: f, Since: j.marks.FailingSince, Failures: j.marks.Failures,
	}
	if j.fan == nil {
		p.witness.Polled(e)
		return
	}
	j.fan.told.Lock()
	defer j.fan.told.Unlock()
	o := &j.fan.outage
	if j.answers != o.answers { // others were answered since it failed last
		j.answers, j.before = o.answers, j.marks.Failures-1
	}
	e.Due, e.Failures = time.Time{}, j.marks.Failures-j.before
	if o.polls++; o.polls == 1 {
		o.since = now
	}
	if j.before == 0 && j.marks.FailingSince.Before(o.since) {
		o.since = j.marks.FailingSince
	}
	if e.Since = o.since; now.Sub(o.since) >= longEnough {
		e.Failures = max(e.Failures, o.polls)
	}
	p.witness.Polled(e)
}
