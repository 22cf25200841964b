package emitter_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/deltahook/deltahook/emitter"
)

var judgeTime = time.Date(2026, 11, 23, 10, 0, 0, 0, time.UTC)

// middle places a wait in the middle of its jitter.
const middle = 0.5

func TestJudge(t *testing.T) {
	p := emitter.RetrySettings{}.Policy()
	in := judgeTime.Add
	const gone = "the receiver answered 410 Gone; nobody listens at this URL any more"
	for name, c := range map[string]struct {
		a    emitter.Attempt
		made int
		rnd  float64
		want emitter.Verdict
	}{
		"200": {emitter.Attempt{Status: 200}, 1, middle, emitter.Verdict{State: emitter.Delivered}},
		"204": {emitter.Attempt{Status: 204}, 12, middle, emitter.Verdict{State: emitter.Delivered}},
		"200 and no more for now": {emitter.Attempt{Status: 200, RetryAfter: time.Hour}, 1, middle,
			emitter.Verdict{State: emitter.Delivered, Hold: judgeTime.Add(time.Hour), Reason: "the receiver took the event and its limit is used up for now"}},
		"200 and the format says no": {emitter.Attempt{Status: 200, Reason: "not ok"}, 1, middle,
			emitter.Verdict{State: emitter.Waiting, Due: judgeTime.Add(5 * time.Second), Reason: "not ok"}},
		"200 and drop": {emitter.Attempt{Status: 200, Directive: "abort-message"}, 1, middle,
			emitter.Verdict{State: emitter.Delivered}},
		"200 and disable": {emitter.Attempt{Status: 200, Directive: "disable"}, 1, middle,
			emitter.Verdict{State: emitter.Delivered, Hold: in(24 * time.Hour), Pause: emitter.PauseDisabled, Reason: "the receiver took the event and asked for no more (webhook-delivery: disable)"}},
		"301": {emitter.Attempt{Status: 301}, 1, middle,
			emitter.Verdict{State: emitter.Waiting, Due: in(10 * time.Minute), Reason: "the receiver answered 301 Moved Permanently: redirects are not followed, update the endpoint's url"}},
		"308, later": {emitter.Attempt{Status: 308}, 6, middle,
			emitter.Verdict{State: emitter.Waiting, Due: in(2 * time.Hour), Reason: "the receiver answered 308 Permanent Redirect: redirects are not followed, update the endpoint's url"}},
		"410": {emitter.Attempt{Status: 410}, 1, middle,
			emitter.Verdict{State: emitter.Waiting, Due: in(5 * time.Second), Hold: in(24 * time.Hour), Pause: emitter.PauseGone, Reason: gone}},
		"410 after the last": {emitter.Attempt{Status: 410}, 12, middle,
			emitter.Verdict{State: emitter.Waiting, Due: in(24 * time.Hour), Hold: in(24 * time.Hour), Pause: emitter.PauseGone, Reason: gone}},
		"410 with Retry-After": {emitter.Attempt{Status: 410, RetryAfter: time.Minute}, 1, middle,
			emitter.Verdict{State: emitter.Waiting, Due: in(time.Minute), Hold: in(24 * time.Hour), Pause: emitter.PauseGone, Reason: gone}},
		"disable": {emitter.Attempt{Status: 500, Directive: "disable"}, 1, middle,
			emitter.Verdict{State: emitter.Waiting, Due: in(5 * time.Second), Hold: in(24 * time.Hour), Pause: emitter.PauseDisabled, Reason: "the receiver answered 500 Internal Server Error; the receiver asked for no more (webhook-delivery: disable)"}},
		"disable with a permanent status": {emitter.Attempt{Status: 401, Directive: "disable"}, 1, middle,
			emitter.Verdict{State: emitter.Waiting, Due: in(5 * time.Second), Hold: in(24 * time.Hour), Pause: emitter.PauseDisabled, Reason: "the receiver answered 401 Unauthorized; the receiver asked for no more (webhook-delivery: disable)"}},
		"abort-message": {emitter.Attempt{Status: 500, Directive: "abort-message"}, 1, middle,
			emitter.Verdict{State: emitter.Dead, Reason: "the receiver answered 500 Internal Server Error; the receiver asked to drop it (webhook-delivery: abort-message)"}},
		"429 with Retry-After": {emitter.Attempt{Status: 429, RetryAfter: time.Minute}, 1, middle,
			emitter.Verdict{State: emitter.Waiting, Due: in(time.Minute), Hold: in(time.Minute), Reason: "the receiver answered 429 Too Many Requests"}},
		"429 with a short one": {emitter.Attempt{Status: 429, RetryAfter: time.Second}, 2, middle,
			emitter.Verdict{State: emitter.Waiting, Due: in(30 * time.Second), Hold: in(time.Second), Reason: "the receiver answered 429 Too Many Requests"}},
		"429 without": {emitter.Attempt{Status: 429}, 1, middle,
			emitter.Verdict{State: emitter.Waiting, Due: in(5 * time.Second), Reason: "the receiver answered 429 Too Many Requests"}},
		"503 with Retry-After": {emitter.Attempt{Status: 503, RetryAfter: 24 * time.Hour}, 1, middle,
			emitter.Verdict{State: emitter.Waiting, Due: in(24 * time.Hour), Hold: in(24 * time.Hour), Reason: "the receiver answered 503 Service Unavailable"}},
		"404 with Retry-After": {emitter.Attempt{Status: 404, RetryAfter: time.Minute}, 1, middle,
			emitter.Verdict{State: emitter.Waiting, Due: in(time.Minute), Hold: in(time.Minute), Reason: "the receiver answered 404 Not Found"}},
		"last with Retry-After": {emitter.Attempt{Status: 503, RetryAfter: time.Minute}, 12, middle,
			emitter.Verdict{State: emitter.Dead, Hold: in(time.Minute), Reason: "the receiver answered 503 Service Unavailable; attempt 12 was the last"}},
		"408": {emitter.Attempt{Status: 408}, 1, middle, emitter.Verdict{State: emitter.Waiting, Due: in(5 * time.Second), Reason: "the receiver answered 408 Request Timeout"}},
		"425": {emitter.Attempt{Status: 425}, 1, middle, emitter.Verdict{State: emitter.Waiting, Due: in(5 * time.Second), Reason: "the receiver answered 425 Too Early"}},
		"418, a 4xx of its own": {emitter.Attempt{Status: 418}, 1, middle,
			emitter.Verdict{State: emitter.Waiting, Due: in(5 * time.Second), Reason: "the receiver answered 418 I'm a teapot"}},
		"500, first":    {emitter.Attempt{Status: 500}, 1, middle, emitter.Verdict{State: emitter.Waiting, Due: in(5 * time.Second), Reason: "the receiver answered 500 Internal Server Error"}},
		"500, earliest": {emitter.Attempt{Status: 500}, 1, 0, emitter.Verdict{State: emitter.Waiting, Due: in(4 * time.Second), Reason: "the receiver answered 500 Internal Server Error"}},
		"500, eleventh": {emitter.Attempt{Status: 500}, 11, middle, emitter.Verdict{State: emitter.Waiting, Due: in(24 * time.Hour), Reason: "the receiver answered 500 Internal Server Error"}},
		"500, twelfth":  {emitter.Attempt{Status: 500}, 12, middle, emitter.Verdict{State: emitter.Dead, Reason: "the receiver answered 500 Internal Server Error; attempt 12 was the last"}},
		"599":           {emitter.Attempt{Status: 599}, 1, middle, emitter.Verdict{State: emitter.Waiting, Due: in(5 * time.Second), Reason: "the receiver answered 599"}},
		"network": {emitter.Attempt{Error: emitter.ErrorNetwork, Reason: "connection refused"}, 3, middle,
			emitter.Verdict{State: emitter.Waiting, Due: in(2 * time.Minute), Reason: "connection refused"}},
		"timeout": {emitter.Attempt{Error: emitter.ErrorTimeout}, 1, middle,
			emitter.Verdict{State: emitter.Waiting, Due: in(5 * time.Second), Reason: "no answer: timeout"}},
		"refused": {emitter.Attempt{Error: emitter.ErrorRefused, Reason: "10.0.0.1 is refused"}, 1, middle,
			emitter.Verdict{State: emitter.Waiting, Due: in(5 * time.Second), Reason: "10.0.0.1 is refused"}},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(c.want, emitter.Judge(c.a, p, c.made, judgeTime, c.rnd)); diff != "" {
				t.Errorf("verdict (-want +got)\n%s", diff)
			}
		})
	}
}

func TestJudgePermanent(t *testing.T) {
	for _, status := range []int{400, 401, 403, 404, 413, 415, 422} {
		if v := emitter.Judge(emitter.Attempt{Status: status}, emitter.RetrySettings{}.Policy(), 1, judgeTime, middle); v.State != emitter.Dead || !v.Hold.IsZero() {
			t.Errorf("%d: %+v, want dead without a hold", status, v)
		}
	}
	for status, want := range map[int]emitter.State{404: emitter.Waiting, 410: emitter.Dead, 302: emitter.Dead} {
		p := emitter.RetrySettings{Permanent: []int{302, 410}}.Policy()
		if v := emitter.Judge(emitter.Attempt{Status: status}, p, 1, judgeTime, middle); v.State != want || v.Pause != "" {
			t.Errorf("%d with permanent [302 410]: %+v, want %s", status, v, want)
		}
	}
}

func TestJudgeWithoutSchedule(t *testing.T) {
	v := emitter.Judge(emitter.Attempt{Status: 500}, emitter.Policy{}, 1, judgeTime, middle)
	if v.State != emitter.Dead {
		t.Errorf("%+v, want dead at once", v)
	}
}

// Whatever comes, a verdict is one of the three states; a delivery that waits
// is due neither before now nor later than its wait with the jitter, but for
// what the receiver asked and for the ten minutes after a redirect; and a hold
// ends within a day.
func TestJudgeProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		duration := func(label string, most time.Duration) time.Duration {
			return time.Duration(rapid.Int64Range(0, int64(most)).Draw(t, label))
		}
		a := emitter.Attempt{
			Status:     rapid.OneOf(rapid.Just(0), rapid.IntRange(100, 599), rapid.SampledFrom([]int{200, 301, 404, 410, 429})).Draw(t, "status"),
			RetryAfter: rapid.SampledFrom([]time.Duration{0, 0, duration("retry after", 24*time.Hour)}).Draw(t, "asked"),
			Directive:  rapid.SampledFrom([]string{"", "", "abort-message", "disable"}).Draw(t, "directive"),
		}
		p := emitter.Policy{
			Jitter:    rapid.Float64Range(0, 1).Draw(t, "jitter"),
			Permanent: rapid.SliceOfN(rapid.IntRange(300, 599), 0, 5).Draw(t, "permanent"),
			Endless:   rapid.Bool().Draw(t, "endless"),
		}
		for range rapid.IntRange(0, 12).Draw(t, "waits") {
			p.Schedule = append(p.Schedule, duration("wait", 30*24*time.Hour))
		}
		made := rapid.IntRange(1, 20).Draw(t, "made")
		v := emitter.Judge(a, p, made, judgeTime, rapid.Float64Range(0, 0.999).Draw(t, "rnd"))

		delivered := a.Status >= 200 && a.Status < 300
		if (v.State == emitter.Delivered) != delivered {
			t.Errorf("status %d: %s", a.Status, v.State)
		}
		if (v.State == emitter.Waiting) == v.Due.IsZero() {
			t.Errorf("%s and due %v", v.State, v.Due)
		}
		if v.State == emitter.Waiting {
			checkDue(t, a, p, made, v)
		}
		if !v.Hold.IsZero() && (v.Hold.Before(judgeTime) || v.Hold.After(judgeTime.Add(24*time.Hour))) {
			t.Errorf("held until %v", v.Hold)
		}
		if !delivered && a.RetryAfter > 0 && v.Hold.Before(judgeTime.Add(a.RetryAfter)) {
			t.Errorf("the endpoint doesn't wait %v: %+v", a.RetryAfter, v)
		}
		if v.Reason == "" && v.State != emitter.Delivered {
			t.Error("no reason")
		}
	})
}

func checkDue(t *rapid.T, a emitter.Attempt, p emitter.Policy, made int, v emitter.Verdict) {
	var scheduled time.Duration
	if n := len(p.Schedule); n > 0 {
		scheduled = p.Schedule[min(made, n)-1]
	}
	most := time.Duration(float64(scheduled) * (1 + p.Jitter))
	if a.Status/100 == 3 {
		most = max(most, 10*time.Minute)
	}
	most = max(most, a.RetryAfter)
	if wait := v.Due.Sub(judgeTime); wait < 0 || wait > most {
		t.Errorf("due in %v, not between 0 and %v", wait, most)
	}
	if made > len(p.Schedule) && v.Pause == "" && !p.Endless {
		t.Errorf("attempt %d of %d waits again", made, len(p.Schedule)+1)
	}
}
