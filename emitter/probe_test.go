package emitter_test

import (
	"fmt"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/deltahook/deltahook/emitter"
)

// A probe that doesn't arrive puts the next one off, whatever it was answered
// and whatever caused the pause: what is paused is not pushed, and what waits
// is not used up by it.
func TestProbesArePutOff(t *testing.T) {
	answers := map[string]func(*http.Request) (*http.Response, error){
		"500":     status(500, 0),
		"302":     status(302, 0),
		"404":     status(404, 0),
		"410":     status(410, 0),
		"nothing": func(*http.Request) (*http.Response, error) { return nil, errDisk },
		"abort":   status(500, 0, "webhook-delivery", "abort-message"),
		"wait":    status(503, 0, "Retry-After", "60"),
	}
	causes := map[emitter.Pause]func(*http.Request) (*http.Response, error){
		emitter.PauseGone:     status(410, 0),
		emitter.PauseDisabled: status(500, 0, "webhook-delivery", "disable"),
		emitter.PauseOutage:   status(500, 0),
	}
	for cause, first := range causes {
		for name, then := range answers {
			t.Run(fmt.Sprintf("%s, %s", cause, name), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					b := newBench()
					b.wire.set("shop", first)
					for i := range 200 {
						b.queue.add("shop", fmt.Sprint(i), 1)
					}
					s := pauseAfter(time.Hour)
					b.start(t, endpoints{"shop": s}, emitter.Options{})
					defer func() { b.stop() }()
					time.Sleep(2 * time.Hour)
					b.wire.set("shop", then)
					b.stop()
					b.start(t, endpoints{"shop": s}, emitter.Options{}) // it is probed at once
					before := len(b.wire.requests())
					time.Sleep(48*time.Hour + time.Minute)
					st, _ := b.queue.Endpoint(t.Context(), "shop")
					most := 3
					if st.Pause == emitter.PauseOutage {
						most = 100
					}
					if n := len(b.wire.requests()) - before; n < 1 || n > most {
						t.Errorf("%d probes in two days, want at most %d", n, most)
					}
				})
			})
		}
	}
}
