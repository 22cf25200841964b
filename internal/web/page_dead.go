package web

import (
	"errors"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/deltahook/deltahook/emitter"
)

// shownReplays is how many replays are shown beside dead letters.
const shownReplays = 3

// deadPage is a list of dead letters.
type deadPage struct {
	filter
	Letters   []letter
	Rest      emitter.Rest
	Older     string // addresses of further pages; "": there are none
	Newest    string
	CanReplay bool
	Replays   []emitter.ReplayJob
}

// letter is a delivery with its last attempt.
type letter struct {
	emitter.DeliveryRecord
	Last *emitter.AttemptRecord // nil: none was made
}

func (p *pages) dead(r *http.Request) (*view, error) {
	d := &deadPage{filter: readFilter(r.URL.Query()), CanReplay: p.Replays != nil}
	d.State = ""
	v := &view{page: "dead", Title: "Dead letters", Nav: "dead", Topics: []string{"endpoints", "events"}, Data: d}
	find, err := d.find()
	if err != nil {
		return v.refused(err)
	}
	find.State = emitter.Dead
	cursor := r.URL.Query().Get("cursor")
	page, err := p.Archive.Deliveries(r.Context(), find, emitter.Page{Cursor: cursor, Limit: listRows})
	if err != nil {
		return nil, err
	}
	if d.Letters, err = p.letters(r, page.Deliveries); err != nil {
		return nil, err
	}
	d.Rest = page.Rest
	if page.Next != "" {
		d.Older = d.Address("/dead", page.Next)
	}
	if cursor != "" {
		d.Newest = d.Address("/dead", "")
	}
	if p.Replays != nil {
		d.Replays = slices.DeleteFunc(p.Replays.Jobs(), func(j emitter.ReplayJob) bool {
			return j.Order.Dry || j.Order.Delivery != 0 || len(j.Order.Deliveries) > 0 && j.State != emitter.ReplayRunning
		})
		d.Replays = d.Replays[:min(len(d.Replays), shownReplays)]
	}
	v.Gist = count(len(d.Letters), "dead letter") + " shown"
	return v, nil
}

// letters are deliveries with their last attempts. A delivery that went
// meanwhile has none.
func (p *pages) letters(r *http.Request, deliveries []emitter.DeliveryRecord) ([]letter, error) {
	all := make([]letter, len(deliveries))
	for i, d := range deliveries {
		all[i].DeliveryRecord = d
		if !d.Recorded() {
			continue
		}
		tries, _, err := p.attempts(r.Context(), d.Number, 1)
		if err != nil && !errors.Is(err, emitter.ErrUnknown) {
			return nil, err
		}
		if len(tries) > 0 {
			all[i].Last = &tries[0]
		}
	}
	return all, nil
}

// replaySelected puts dead letters back that were ticked.
func (p *pages) replaySelected(r *http.Request) (string, error) {
	numbers := r.PostForm["delivery"]
	if len(numbers) == 0 || len(numbers) > listRows {
		return "", invalid("%d dead letters are selected: expected 1 to %d", len(numbers), listRows)
	}
	order := emitter.ReplayOrder{State: emitter.Dead}
	for _, text := range numbers {
		number, err := strconv.ParseUint(text, 10, 64)
		if err != nil {
			return "", invalid("%q is not the number of a delivery", clipped(text, maxShown))
		}
		order.Deliveries = append(order.Deliveries, number)
	}
	job, err := p.replay(r.Context(), order)
	return didReplay(readFilter(r.PostForm).Address("/dead", ""), job.Replayed.Replayed), err
}

// confirmPage asks whether all dead letters of a filter are to be put back.
type confirmPage struct {
	filter
	Settled string // only those that were dead then
	emitter.Replayed
	Counting bool // the count goes on: it is what was counted so far
}

// replayAll puts all dead letters of a filter back; before that it says how
// many these are.
func (p *pages) replayAll(r *http.Request) (string, error) {
	f := readFilter(r.PostForm)
	order, err := f.order()
	if err != nil {
		return "", err
	}
	settled := r.PostFormValue("settled")
	if settled == "" {
		order.Dry, order.Settled = true, time.Now().UTC()
		job, err := p.replay(r.Context(), order)
		if err != nil {
			return "", err
		}
		return "", &instead{&view{page: "confirm", Title: "Replay dead letters", Nav: "dead", Data: &confirmPage{
			f, order.Settled.Format(time.RFC3339Nano), job.Replayed, job.State == emitter.ReplayRunning,
		}}}
	}
	if order.Settled, err = time.Parse(time.RFC3339Nano, settled); err != nil {
		return "", errors.Join(err, ErrInvalid)
	}
	_, err = p.Replays.Start(r.Context(), order)
	return did(f.Address("/dead", ""), "replaying"), err
}

func (p *pages) stopReplay(r *http.Request) (string, error) {
	_, err := p.Replays.Stop(r.Context(), r.PathValue("id"))
	return did("/dead", "stop"), err
}
