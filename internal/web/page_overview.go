package web

import (
	"cmp"
	"context"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/deltahook/deltahook/emitter"
)

// Rows of the overview.
const (
	sourceRows = 50
	eventRows  = 12
)

// sourcePages adds what shows and steers sources.
func (p *pages) sourcePages(shown map[string]shower, deeds map[string]doer) {
	if p.Sources == nil {
		return
	}
	shown["/{$}"] = p.overview
	shown["/sources/{name}"] = p.source
	shown["/sources/{name}/items"] = p.item
	deeds["/sources/{name}/poll"] = p.poll
	if p.Holds != nil {
		deeds["/sources/{name}/decide"] = p.decide
	}
	if p.Watches != nil {
		deeds["/sources/{name}/watch"] = p.watch
		deeds["/sources/{name}/unwatch"] = p.unwatch
	}
}

// overview is all that is polled and told at a glance: what needs somebody
// first.
type overview struct {
	Total   int
	Counts  map[Condition]int
	Running int
	Limited int // that wait for their limit

	Waiting, Dead int // deliveries
	Endpoints     []emitter.EndpointStatus
	EndpointFault string

	Q, State     string // what is searched for
	Found        int
	Sources      []SourceState
	Prev, Next   string // addresses of the other pages; "": there is none
	First        int    // the first row, from 1
	Events       []emitter.EventRecord
	EventFault   string
	Trouble      int // sources and endpoints
	Conditions   []Condition
	HasArchive   bool
	HasEndpoints bool
	Reload       *Reload // nil: none since the start
	Warnings     int     // of the configuration
}

// Of is how many sources are in a condition.
func (o *overview) Of(c string) int { return o.Counts[Condition(c)] }

func (p *pages) overview(r *http.Request) (*view, error) {
	q := r.URL.Query()
	o := &overview{
		Counts: map[Condition]int{}, Q: q.Get("q"), State: q.Get("state"), Conditions: conditions(),
		HasArchive: p.Archive != nil, HasEndpoints: p.Endpoints != nil,
	}
	if o.State != "" && !slices.Contains(o.Conditions, Condition(o.State)) {
		o.State = ""
	}
	if p.Daemon != nil {
		o.Reload, o.Warnings = p.Daemon.About().Reload, len(p.Daemon.Config().Warnings)
	}
	all := p.Sources.Sources()
	o.count(all)
	o.list(all, q.Get("page"))
	p.overviewEndpoints(r.Context(), o)
	if p.Archive != nil {
		page, err := p.Archive.Events(r.Context(), emitter.Filter{}, emitter.Page{Limit: eventRows})
		if o.Events = page.Events; err != nil {
			o.EventFault = err.Error()
		}
	}
	gist := strconv.Itoa(o.Counts[SourceFailing]) + " failing, " + strconv.Itoa(o.Counts[SourceHeld]) + " held, " + count(o.Dead, "dead letter")
	if len(o.Events) > 0 {
		gist += "; last change: " + clipped(o.Events[0].Type+" "+o.Events[0].Key, maxShown)
	}
	return &view{page: "overview", Title: "Overview", Nav: "overview", Topics: []string{"sources", "endpoints", "events", "config"}, Gist: gist, Data: o}, nil
}

// conditions are those of sources, what needs somebody first.
func conditions() []Condition {
	return []Condition{SourceFailing, SourceHeld, SourceNew, SourceOK, SourceDisabled}
}

func (o *overview) count(all []SourceState) {
	o.Total = len(all)
	for i := range all {
		o.Counts[all[i].State]++
		if all[i].Running {
			o.Running++
		}
		if all[i].Waiting != "" {
			o.Limited++
		}
	}
	o.Trouble = o.Counts[SourceFailing] + o.Counts[SourceHeld]
}

// list takes those that are searched for, and of them a page.
func (o *overview) list(all []SourceState, page string) {
	q := strings.ToLower(o.Q)
	found := make([]*SourceState, 0, len(all))
	for i := range all {
		s := &all[i]
		if (o.State == "" || s.State == Condition(o.State)) &&
			(q == "" || strings.Contains(strings.ToLower(s.Name), q) || strings.Contains(strings.ToLower(s.Host), q)) {
			found = append(found, s)
		}
	}
	order := conditions()
	slices.SortStableFunc(found, func(a, b *SourceState) int {
		return cmp.Or(cmp.Compare(slices.Index(order, a.State), slices.Index(order, b.State)), strings.Compare(a.Name, b.Name))
	})
	o.Found = len(found)
	n, _ := strconv.Atoi(page) // anything else is the first page
	n = max(min(n, (len(found)-1)/sourceRows+1), 1)
	first := (n - 1) * sourceRows
	o.First = first + 1
	for _, s := range found[first:min(first+sourceRows, len(found))] {
		o.Sources = append(o.Sources, *s)
	}
	at := func(n int) string {
		return query("/", "q", o.Q, "state", o.State, "page", strconv.Itoa(n)) + "#sources"
	}
	if n > 1 {
		o.Prev = at(n - 1)
	}
	if first+sourceRows < len(found) {
		o.Next = at(n + 1)
	}
}

// Last is the last row that is shown.
func (o *overview) Last() int { return o.First + len(o.Sources) - 1 }

func (p *pages) overviewEndpoints(ctx context.Context, o *overview) {
	if p.Endpoints == nil {
		return
	}
	all, err := p.Endpoints.Endpoints(ctx)
	if err != nil {
		o.EndpointFault = err.Error()
	}
	for _, e := range all {
		o.Waiting += e.Waiting
		o.Dead += e.Dead
		if badge(e.State) != "good" && e.State != emitter.ConditionDisabled {
			o.Trouble++
		}
	}
	slices.SortStableFunc(all, func(a, b emitter.EndpointStatus) int { return cmp.Compare(ease(a), ease(b)) })
	o.Endpoints = all[:min(len(all), eventRows)]
}

// ease orders endpoints: what needs somebody first.
func ease(e emitter.EndpointStatus) int {
	return slices.Index([]emitter.Condition{
		emitter.ConditionFailing, emitter.ConditionPaused, emitter.ConditionUnknown, emitter.ConditionOK, emitter.ConditionDisabled,
	}, e.State)
}
