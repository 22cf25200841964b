package main

import (
	"fmt"
	"time"

	"github.com/deltahook/deltahook/differ"
)

// timers shows when rules with `at` would tell of the items that changed.
func (p *printer) timers(timers []differ.Timer) {
	if len(timers) == 0 {
		return
	}
	p.section("Timers", fmt.Sprint(len(timers)))
	for i, t := range timers {
		if i == shownMost {
			p.more("… and %d more", len(timers)-i)
			break
		}
		p.more("%s  %s of %s", t.Due.Format(time.RFC3339), t.Type, t.Key)
	}
}
