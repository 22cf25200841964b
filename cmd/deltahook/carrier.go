package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"time"
)

// carrier is the demo's API: parcels that a carrier moves along a route. Where
// a parcel is follows from the clock alone.
type carrier struct{ since time.Time }

func newCarrier(since time.Time) *carrier { return &carrier{since} }

// pace is how long a parcel stays at one stop.
const pace = 3 * time.Second

type stop struct {
	Status string `json:"status"`
	City   string `json:"city"`
}

var route = []stop{
	{"label created", "Hamburg"},
	{"in transit", "Hamburg"},
	{"in transit", "Hannover"},
	{"in transit", "Leipzig"},
	{"out for delivery", "Berlin"},
	{"delivered", "Berlin"},
}

type parcel struct {
	Number   string `json:"number"`
	LastScan stop   `json:"last_scan"`
	ETA      string `json:"eta"`
}

// parcels are those there are after so much time: four from the start, each
// at another stop, and a new one every two stops.
func (c *carrier) parcels(after time.Duration) []parcel {
	const first, most = 4, 40
	step := int(after / pace)
	var out []parcel
	for i := range min(first+step/2, most) {
		at := step - 2*(i-first+1)
		if i < first {
			at = step + i - 1
		}
		// Parcels don't move in one step: every second one waits a little.
		if i%2 == 1 {
			at = int((after - pace/2) / pace)
			if i >= first {
				at -= 2 * (i - first + 1)
			} else {
				at += i - 1
			}
		}
		at = min(max(at, 0), len(route)-1)
		out = append(out, parcel{
			Number: fmt.Sprintf("DH-%d", 1042+7*i), LastScan: route[at],
			ETA: c.since.Add(time.Duration(i) * time.Hour).Truncate(time.Minute).UTC().Format(time.RFC3339),
		})
	}
	return out
}

// ServeHTTP answers with all parcels, and with noise that is no change.
func (c *carrier) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path != "/track" {
		http.NotFound(w, r)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(map[string]any{
		"request": time.Now().UnixNano(),
		"parcels": c.parcels(time.Since(c.since)),
	})
}

// parcelLine is a parcel's webhook in words.
func parcelLine(h webhook) string {
	var was, now struct{ Status, City string }
	_ = json.Unmarshal(h.Data.New, &now)
	line := fmt.Sprintf("%s  %s in %s", h.Data.Key, now.Status, now.City)
	if json.Unmarshal(h.Data.Old, &was) == nil && was.Status != "" {
		line = fmt.Sprintf("%s  %s in %s → %s in %s", h.Data.Key, was.Status, was.City, now.Status, now.City)
	}
	return line
}

// wait waits for d, or until ctx ends.
func wait(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}
