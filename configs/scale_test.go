package configs_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/deltahook/deltahook/configs"
)

// BenchmarkParse reads a configuration of 1,000 sources.
func BenchmarkParse(b *testing.B) {
	var y, t strings.Builder
	for i := range 1_000 {
		fmt.Fprintf(&y, "  s%d: {schedule: '@every 1m', request: {url: 'https://api.example/%d', timeout: 5s}, response: {items: a, id: id}, events: {x: {when: new.a > 1}}}\n", i, i)
		fmt.Fprintf(&t, "[sources.s%d]\nschedule = '@every 1m'\nrequest = {url = 'https://api.example/%d', timeout = '5s'}\nresponse = {items = 'a', id = 'id'}\nevents.x.when = 'new.a > 1'\n", i, i)
	}
	for name, data := range map[string]string{"x.yaml": "sources:\n" + y.String(), "x.toml": t.String()} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := configs.Parse(name, []byte(data), unset); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
