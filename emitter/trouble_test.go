package emitter_test

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/deltahook/deltahook/emitter"
)

// The end of a row of failures is told where it began before a restart, too,
// with all of them, and once.
func TestRunLogsTheEndAfterARestart(t *testing.T) {
	for _, again := range []bool{false, true} { // it fails once more after the start
		synctest.Test(t, func(t *testing.T) {
			var log bytes.Buffer
			b := newBench()
			b.wire.set("shop", status(500, 0))
			b.queue.add("shop", "x", 1)
			s := unsigned
			s.Retry.Schedule = everySecond(9)
			start := func() {
				b.start(t, endpoints{"shop": s}, emitter.Options{Logger: slog.New(slog.NewTextHandler(&log, nil))})
			}
			start()
			time.Sleep(2500 * time.Millisecond)
			synctest.Wait()
			b.stop()
			failed := len(b.wire.requests())
			log.Reset()
			if !again {
				b.wire.set("shop", status(200, 0))
			}
			time.Sleep(time.Hour)
			start()
			synctest.Wait()
			b.wire.set("shop", status(200, 0))
			time.Sleep(time.Minute)
			for i := range uint64(3) {
				b.queue.add("shop", "y", i+1)
			}
			b.emitter.Wake()
			synctest.Wait()
			b.stop()

			want := []string{`level=INFO msg="endpoint works again" endpoint=shop failed=`}
			if again {
				want = append([]string{`level=WARN msg="endpoint fails" endpoint=shop`}, want...)
			}
			lines := strings.Split(strings.TrimSpace(log.String()), "\n")
			if len(lines) != len(want) || failed < 2 {
				t.Fatalf("%d failed before the restart, and it logged\n%s", failed, &log)
			}
			for i, line := range lines {
				if !strings.Contains(line, want[i]) {
					t.Errorf("line %d is not %s: %s", i+1, want[i], line)
				}
			}
			if end := lines[len(lines)-1]; !strings.Contains(end, "after=1h0m") || strings.Contains(end, "failed=1 ") {
				t.Errorf("it ends with %s", end)
			}
		})
	}
}
