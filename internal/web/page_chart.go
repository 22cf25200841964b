package web

import (
	"fmt"
	"math"
)

// The size of a chart, in the units of its view box.
const (
	barWidth    = 5
	barGap      = 1
	chartHeight = 40
)

// chart is a bar for each of the last polls.
type chart struct {
	Label         string // for who doesn't see it
	Width, Height int
	Bars          []bar
	Most          string // what the highest one stands for
}

type bar struct {
	X, Y, Height int
	Class, Title string
}

// latency shows how long the polls took.
func latency(pulse []Beat) chart {
	var most, sum float64
	failed := 0
	for _, b := range pulse {
		most, sum = max(most, b.Took), sum+b.Took
		if b.Failed {
			failed++
		}
	}
	c := draw(pulse, most, func(b Beat) (float64, string, string) {
		if b.Failed {
			return b.Took, "bar-bad", "failed after " + took(b.Took)
		}
		return b.Took, "bar", took(b.Took)
	})
	c.Most = took(most)
	mean := took(sum / float64(max(len(pulse), 1)))
	c.Label = fmt.Sprintf("Latency of the last %s: mean %s, at most %s, %d failed", count(len(pulse), "poll"), mean, c.Most, failed)
	return c
}

// changed shows how many changes the polls brought.
func changed(pulse []Beat) chart {
	most, sum := 0, 0
	for _, b := range pulse {
		most, sum = max(most, b.Changes), sum+b.Changes
	}
	c := draw(pulse, float64(most), func(b Beat) (float64, string, string) {
		if b.Failed {
			return 0, "bar-bad", "failed"
		}
		return float64(b.Changes), "bar", count(b.Changes, "change") + ", " + count(b.Events, "event")
	})
	c.Most = num(most)
	c.Label = fmt.Sprintf("Changes in the last %s: %d in all, at most %d", count(len(pulse), "poll"), sum, most)
	return c
}

// draw makes the bars, the latest on the right. A poll that failed can be seen.
func draw(pulse []Beat, most float64, one func(Beat) (value float64, class, title string)) chart {
	pulse = pulse[max(0, len(pulse)-MaxPulse):]
	c := chart{Width: MaxPulse * (barWidth + barGap), Height: chartHeight}
	for i, b := range pulse {
		value, class, text := one(b)
		height := 0
		if most > 0 {
			height = int(math.Ceil(value / most * chartHeight))
		}
		if b.Failed {
			height = max(height, 3)
		}
		c.Bars = append(c.Bars, bar{
			X: (MaxPulse - len(pulse) + i) * (barWidth + barGap), Y: chartHeight - max(height, 1), Height: max(height, 1),
			Class: class, Title: b.At.UTC().Format("15:04:05") + " UTC: " + text,
		})
	}
	return c
}
