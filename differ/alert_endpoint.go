package differ

import "time"

// EndpointHealth is how an endpoint fares.
type EndpointHealth struct {
	Endpoint  string
	Condition EndpointCondition
	Cause     string    // why it is paused, in one word; "": it is not
	Since     time.Time // since when it is so
	Reason    string    // in words
	Waiting   int       // deliveries in its queue
}

// EndpointCondition is how an endpoint is, in a word.
type EndpointCondition string

// The conditions of an endpoint.
const (
	EndpointOK      EndpointCondition = "ok"
	EndpointFailing EndpointCondition = "failing"
	EndpointPaused  EndpointCondition = "paused"
)

// down says that an endpoint takes nothing by now.
func (c EndpointCondition) down() bool { return c == EndpointFailing || c == EndpointPaused }

// EndpointIs takes in how an endpoint fares: at each change, and at a start.
// It does not wait for the disk.
func (d *Differ) EndpointIs(h EndpointHealth) {
	a := d.alerting
	a.mu.Lock()
	a.endpoints[h.Endpoint] = h
	looks := []string{h.Endpoint}
	if h.Condition == EndpointOK { // it can be told of others again
		for other, health := range a.endpoints {
			if health.Condition != EndpointOK {
				looks = append(looks, other)
			}
		}
	}
	a.mu.Unlock()
	for _, endpoint := range looks {
		d.clock.set(task{unit: ofEndpoint + endpoint}, d.now().UnixMilli(), true)
	}
}

// endpointData is what events about endpoints say.
type endpointData struct {
	Endpoint string    `json:"endpoint"`
	Since    time.Time `json:"since"`           // since when it is failing or paused; of a recovered one, was
	Cause    string    `json:"cause,omitempty"` // of a pause
	Reason   string    `json:"reason,omitempty"`
	Waiting  int       `json:"waiting"`       // deliveries in its queue
	Was      []string  `json:"was,omitempty"` // the events that this one ends
}

// judgeEndpoint says how an endpoint is. What is wrong is told to those that fare
// well: one that fails is neither told of itself nor of others. Its end is told to
// all others, for who is down by now may have been told how it began; it waits in
// their queues, and once, so none keeps another busy.
func (d *Differ) judgeEndpoint(endpoint string) verdict {
	h, known := d.alerting.endpoints[endpoint]
	if !known {
		return verdict{}
	}
	var v verdict
	for _, to := range d.alerts {
		if to != endpoint && !(h.Condition.down() && d.alerting.endpoints[to].Condition.down()) {
			v.to = append(v.to, to)
		}
	}
	since := milliseconds(h.Since)
	data := endpointData{Endpoint: endpoint, Since: since, Cause: h.Cause, Reason: d.clean(h.Reason), Waiting: h.Waiting}
	switch h.Condition {
	case EndpointFailing:
		v.wrong = []wrong{{TypeEndpointFailing, since, data}}
	case EndpointPaused:
		v.wrong = []wrong{{TypeEndpointPaused, since, data}}
	default:
		v.over, v.ended = true, TypeEndpointRecovered
		v.data = func(told alerts) any {
			return endpointData{Endpoint: endpoint, Since: told.since(), Waiting: h.Waiting, Was: told.types()}
		}
	}
	return v
}
