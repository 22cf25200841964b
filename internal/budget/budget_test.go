package budget_test

import (
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/deltahook/deltahook/internal/budget"
)

// noon is when the tests begin.
var noon = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

// drain takes all that it gets from a time on for so long, coming when it was
// told to.
func drain(l *budget.Limit, from time.Time, d time.Duration) (at []time.Time) {
	for now := from; now.Before(from.Add(d)); {
		g, ok := l.Take(now)
		if ok {
			l.Sent(g, now)
			at = append(at, now)
			continue
		}
		now = g.At
	}
	return at
}

// most is the largest number of times in any span of per.
func most(at []time.Time, per time.Duration) (n int) {
	for i, first := 0, 0; i < len(at); i++ {
		for !at[i].Before(at[first].Add(per)) {
			first++
		}
		n = max(n, i-first+1)
	}
	return n
}

// TestRate: no span has more than it may, and hardly less is let through.
func TestRate(t *testing.T) {
	for _, c := range []struct {
		n   int
		per time.Duration
	}{{1, time.Second}, {5, time.Second}, {20, time.Second}, {1400, 10 * time.Second}, {60, time.Minute}, {100, time.Hour}, {250, 24 * time.Hour}} {
		l := budget.New(budget.Terms{Requests: c.n, Per: c.per})
		at := drain(l, noon, 5*c.per)
		if got := most(at, c.per); got > c.n {
			t.Errorf("%d in %s: %d in one span", c.n, c.per, got)
		}
		if least := 5 * c.n * 10 / 12; len(at) < least {
			t.Errorf("%d in %s: %d went through in five of these, at least %d should have", c.n, c.per, len(at), least)
		}
		if got := l.Total(); got != uint64(len(at)) {
			t.Errorf("%d are counted of %d", got, len(at))
		}
	}
}

// TestSpacing: evenly, and by a second at most once a period has passed.
func TestSpacing(t *testing.T) {
	l := budget.New(budget.Terms{Requests: 60, Per: time.Hour})
	at := drain(l, noon, 2*time.Hour)
	if first := at[0].Sub(noon); first != time.Second {
		t.Errorf("the first came after %s", first)
	}
	if second := at[1].Sub(at[0]); second < 59*time.Second || second > 61*time.Second {
		t.Errorf("the second came %s after the first", second)
	}
	l = budget.New(budget.Terms{Requests: 60, Per: time.Hour})
	l.Next(noon) // begins
	at = drain(l, noon.Add(time.Hour), 50*time.Second)
	if len(at) < 49 {
		t.Errorf("after an idle hour only %d went through in 50 s", len(at))
	}
}

func TestQuota(t *testing.T) {
	l := budget.New(budget.Terms{Quota: 3})
	if at := drain(l, noon, 11*time.Hour); len(at) != 3 || l.Left(noon) != 0 {
		t.Errorf("%d went through, %d are left", len(at), l.Left(noon))
	}
	midnight := noon.Add(12 * time.Hour)
	if at := l.Next(noon.Add(time.Hour)); !at.Equal(midnight) {
		t.Errorf("the next may go at %s", at)
	}
	if left := l.Left(midnight); left != 3 {
		t.Errorf("%d are left at midnight", left)
	}
	if _, ok := l.Take(midnight); !ok {
		t.Error("none is let through at midnight")
	}
	if left := l.Left(noon); left != 2 {
		t.Errorf("the clock was put back, and %d are left", left)
	}
}

func TestRest(t *testing.T) {
	l := budget.New(budget.Terms{})
	if !l.Rest(noon.Add(time.Minute)) || l.Rest(noon.Add(time.Second)) {
		t.Error("a longer rest is no news, or a shorter one is")
	}
	if g, ok := l.Take(noon); ok || !g.At.Equal(noon.Add(time.Minute)) {
		t.Errorf("taken %t, or at %s", ok, g.At)
	}
	if _, ok := l.Take(noon.Add(time.Minute)); !ok {
		t.Error("not taken after the rest")
	}
}

// TestAClockThatWasAhead: what was noted then does not keep anything from being
// asked for longer than a day.
func TestAClockThatWasAhead(t *testing.T) {
	ahead := noon.AddDate(1, 0, 0)
	l := budget.New(budget.Terms{Quota: 2})
	if _, ok := l.Take(ahead); !ok {
		t.Fatal("not taken")
	}
	l.Rest(ahead.Add(time.Minute))
	if _, ok := l.Take(noon); !ok {
		t.Error("not taken when the clock was put back")
	}
	if at := l.Next(noon); !at.Equal(noon.Add(12 * time.Hour)) {
		t.Errorf("both are used, and the next may go at %s", at)
	}
	l = budget.New(budget.Terms{Quota: 100})
	told := false
	l.Keep(budget.Usage{Day: ahead.Truncate(24 * time.Hour), Used: 3, Rest: ahead}, func() { told = true }, noon)
	u, owed := l.Owed(noon)
	if !owed || !u.Rest.IsZero() || u.Used < 3 {
		t.Errorf("owes %t %+v", owed, u)
	}
	l.Stored(u)
	if at := l.Next(noon); !at.Equal(noon) {
		t.Errorf("after a restart the next may go at %s", at)
	}
	l.Rest(ahead)
	if at := l.Next(noon); !at.Equal(noon) || !told {
		t.Errorf("told %t, and a rest of a year lasts until %s", told, at)
	}
}

// TestReserve: in the order of coming, no more than may be, and nothing that
// would be too late.
func TestReserve(t *testing.T) {
	l := budget.New(budget.Terms{Requests: 10, Per: time.Second})
	var at []time.Time
	for {
		g, ok := l.Reserve(noon, noon.Add(5*time.Second))
		if !ok {
			break
		}
		at = append(at, g.At)
	}
	if !slices.IsSortedFunc(at, time.Time.Compare) || most(at, time.Second) > 10 || len(at) < 40 {
		t.Errorf("%d were reserved: %v", len(at), at)
	}
	if _, ok := l.Take(noon.Add(4 * time.Second)); ok {
		t.Error("somebody went past those who reserved")
	}
	l = budget.New(budget.Terms{Quota: 1})
	if _, ok := l.Reserve(noon, noon.Add(time.Second)); !ok {
		t.Error("the one of the quota was not reserved")
	}
	if g, ok := l.Reserve(noon, noon.Add(20*time.Hour)); ok || !g.At.Equal(noon.Add(12*time.Hour)) {
		t.Errorf("over the quota: %s, %t", g.At, ok)
	}
}

// TestLedger: nothing is used that isn't stored as used before, and what comes
// after a crash goes on from there.
func TestLedger(t *testing.T) {
	var stored budget.Usage
	told := 0
	start := func() *budget.Limit {
		l := budget.New(budget.Terms{Quota: 1000})
		l.Keep(stored, func() { told++ }, noon)
		return l
	}
	flush := func(l *budget.Limit) {
		if u, owed := l.Owed(noon); owed {
			stored = u
			l.Stored(u)
		}
	}
	l := start()
	if _, ok := l.Take(noon); ok {
		t.Fatal("taken before anything was stored")
	}
	used := 0
	for l != nil {
		told = 0
		flush(l)
		for {
			if _, ok := l.Take(noon); !ok {
				break
			}
			used++
		}
		switch {
		case used > stored.Used:
			t.Fatalf("%d are used and %d are stored", used, stored.Used)
		case stored.Used == 1000:
			l = nil
		case told == 0:
			t.Fatal("the ledger was not told")
		case used%3 == 0:
			l = start() // it was killed
		}
	}
	if used < 900 || used > 1000 {
		t.Errorf("%d of 1000 were used", used)
	}
}

// TestLedgerIsToldOfANewDay: whose first request waits for the ledger.
func TestLedgerIsToldOfANewDay(t *testing.T) {
	told := 0
	l := budget.New(budget.Terms{Quota: 10})
	l.Keep(budget.Usage{Day: noon.Truncate(24 * time.Hour), Used: 10}, func() { told++ }, noon)
	if _, ok := l.Take(noon); ok || told != 0 {
		t.Errorf("taken %t, told %d times", ok, told)
	}
	if _, ok := l.Take(noon.Add(12 * time.Hour)); ok || told != 1 {
		t.Errorf("at midnight: taken %t, told %d times", ok, told)
	}
}

func TestLedgerKeepsARest(t *testing.T) {
	told := 0
	l := budget.New(budget.Terms{})
	l.Keep(budget.Usage{}, func() { told++ }, noon)
	if _, owed := l.Owed(noon); owed {
		t.Error("owes from the start")
	}
	l.Rest(noon.Add(time.Minute))
	u, owed := l.Owed(noon)
	if !owed || told != 1 || !u.Rest.Equal(noon.Add(time.Minute)) {
		t.Errorf("owes %t %+v, told %d times", owed, u, told)
	}
	l.Stored(u)
	if _, owed := l.Owed(noon); owed {
		t.Error("owes what is stored")
	}
	next := budget.New(budget.Terms{})
	next.Keep(l.Usage(noon), func() {}, noon)
	if at := next.Next(noon); !at.Equal(noon.Add(time.Minute)) {
		t.Errorf("after a restart it rests until %s", at)
	}
}

// TestSentLate: what counts is when a request was sent, be it long after it was
// granted; one that is not sent yet may be sent at any moment.
func TestSentLate(t *testing.T) {
	l := budget.New(budget.Terms{Requests: 2, Per: time.Second})
	take := func(now time.Time) budget.Grant {
		t.Helper()
		g, ok := l.Take(now)
		if !ok {
			t.Fatalf("not taken at %s but at %s", now, g.At)
		}
		return g
	}
	l.Next(noon) // begins
	first := take(noon.Add(time.Second))
	second := take(noon.Add(2 * time.Second))
	if at := l.Next(noon.Add(9 * time.Second)); !at.Equal(noon.Add(10100 * time.Millisecond)) {
		t.Errorf("while the first is not sent, the third may go at %s", at)
	}
	l.Sent(first, noon.Add(10*time.Second))
	l.Sent(first, noon.Add(20*time.Second))
	if at := l.Next(noon.Add(10 * time.Second)); !at.Equal(noon.Add(11100 * time.Millisecond)) {
		t.Errorf("the third may go at %s", at)
	}
	l.Sent(second, noon.Add(10*time.Second))
	take(noon.Add(11100 * time.Millisecond))
	l.Sent(first, noon.Add(30*time.Second)) // long forgotten
	take(noon.Add(12 * time.Second))
}

// TestAnyArrivals: whatever comes when, by either way in, and however late it is sent, no span has more than
// it may, no day either, nothing goes during a rest, and whoever comes again
// when told to is let through in the end.
func TestAnyArrivals(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		terms := budget.Terms{
			Requests: rapid.IntRange(0, 30).Draw(rt, "requests"),
			Per:      time.Duration(rapid.IntRange(1, 120).Draw(rt, "seconds")) * time.Second,
			Quota:    rapid.IntRange(0, 60).Draw(rt, "quota"),
		}
		l := budget.New(terms)
		now, rest := noon, time.Time{}
		var at []time.Time // when each was sent
		last := noon
		send := func(g budget.Grant) {
			if g.At.Before(last) {
				rt.Fatalf("granted for %s after one for %s", g.At, last)
			}
			last = g.At
			when := g.At.Add(time.Duration(rapid.IntRange(0, 1).Draw(rt, "late")*rapid.IntRange(0, 900).Draw(rt, "ms")) * time.Millisecond)
			l.Sent(g, when)
			at = append(at, when)
		}
		for range rapid.IntRange(1, 150).Draw(rt, "arrivals") {
			now = now.Add(time.Duration(rapid.IntRange(0, 3000).Draw(rt, "gap")) * time.Millisecond)
			switch rapid.IntRange(0, 9).Draw(rt, "what") {
			case 0:
				if until := now.Add(time.Duration(rapid.IntRange(0, 60).Draw(rt, "rest")) * time.Second); l.Rest(until) {
					rest = until
				}
			case 1, 2:
				if g, ok := l.Reserve(now, now.Add(10*time.Second)); ok {
					send(g)
				}
			default:
				tries := 0
				g, ok := l.Take(now)
				for ; !ok; g, ok = l.Take(now) {
					if !g.At.After(now) {
						rt.Fatalf("told to come again at once")
					}
					if tries++; tries > 5 {
						rt.Fatalf("told %d times to come again", tries)
					}
					now = g.At
				}
				if now.Before(rest) {
					rt.Fatalf("let through during a rest")
				}
				send(g)
			}
		}
		slices.SortFunc(at, time.Time.Compare)
		if got := most(at, terms.Per); terms.Requests > 0 && got > terms.Requests {
			rt.Fatalf("%d in one span, of %d", got, terms.Requests)
		}
		days := map[time.Time]int{}
		for _, t := range at {
			days[t.Truncate(24*time.Hour)]++
		}
		for d, n := range days {
			if terms.Quota > 0 && n > terms.Quota {
				rt.Fatalf("%d on %s, of %d", n, d, terms.Quota)
			}
		}
	})
}

// TestFollow: a limit that takes the place of another goes on from what was
// asked of that, whatever both allow.
func TestFollow(t *testing.T) {
	was := budget.New(budget.Terms{Requests: 4, Per: 10 * time.Second, Quota: 50})
	now := noon
	var at []time.Time
	for len(at) < 9 {
		g, ok := was.Take(now)
		if !ok {
			now = g.At
			continue
		}
		was.Sent(g, now)
		at = append(at, now)
	}
	for _, terms := range []budget.Terms{
		{Requests: 2, Per: 10 * time.Second, Quota: 50}, {Requests: 4, Per: 10 * time.Second, Quota: 12},
		{Requests: 40, Per: 10 * time.Second, Quota: 50}, {Quota: 20},
	} {
		l, sent, now := budget.New(terms), slices.Clone(at), now
		l.Follow(was, now)
		for now.Sub(at[8]) < time.Minute {
			g, ok := l.Take(now)
			if !ok {
				now = g.At
				continue
			}
			l.Sent(g, now)
			sent = append(sent, now)
		}
		if n := len(sent); terms.Quota < 50 && n != terms.Quota {
			t.Errorf("%+v: %d requests", terms, n)
		}
		if terms.Requests > 3 && most(sent, terms.Per) > terms.Requests {
			t.Errorf("%+v: %d in one span", terms, most(sent, terms.Per))
		}
		if terms.Requests == 2 && sent[9].Sub(sent[7]) <= 10*time.Second {
			t.Errorf("the first after the change comes %s after the last but one", sent[9].Sub(sent[7]))
		}
		if len(sent) == 9 {
			t.Errorf("%+v: nothing more", terms)
		}
	}
}

// TestDrop: what was reserved and is not needed takes nothing of the quota.
func TestDrop(t *testing.T) {
	l := budget.New(budget.Terms{Requests: 1, Per: time.Second, Quota: 10})
	l.Next(noon)
	g, ok := l.Reserve(noon, noon.Add(time.Minute))
	if !ok || l.Left(noon) != 9 {
		t.Fatalf("reserved %t, %d left", ok, l.Left(noon))
	}
	if l.Drop(g); l.Left(noon) != 10 {
		t.Errorf("%d left", l.Left(noon))
	}
	if at := l.Next(g.At); !at.After(g.At) {
		t.Errorf("for the rate it counts: the next one is at %s", at)
	}
}
