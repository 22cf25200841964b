package poller

import (
	"log/slog"
	"time"
)

// logPause is the least time between two lines about one streak.
const logPause = time.Minute

// streak is what was told of a source's failures in a row: one line when they
// start, one when their class changes, though at most one a minute, and one
// when they end.
type streak struct {
	class Class // told last; "": nothing
	at    time.Time
}

// failed tells of a failure where there is news in it; keys are the watch keys
// that were asked for.
func (s *streak) failed(log *slog.Logger, source string, keys []string, f *Failure, m Bookmarks, now time.Time) {
	if f.Class == s.class || s.class != "" && now.Sub(s.at) < logPause {
		return
	}
	s.class, s.at = f.Class, now
	whose := []any{"source", source}
	if len(keys) > 0 {
		whose = append(whose, "watch", keys[0])
	}
	if len(keys) > 1 {
		whose = append(whose, "others", len(keys)-1)
	}
	log.With(whose...).Warn("poll failed", "err", f.Error(), "failures", m.Failures,
		"next", m.Next.Format(time.RFC3339), "advice", f.Advice())
}

// end tells that a streak is over; m is of before.
func (s *streak) end(log *slog.Logger, source string, m Bookmarks, now time.Time) {
	*s = streak{}
	log.Info("poll works again", "source", source, "failures", m.Failures,
		"lasted", now.Sub(m.FailingSince).Round(time.Second).String(), "was", m.LastError)
}
