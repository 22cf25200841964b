package poller

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/agext/levenshtein"
)

// cronField is what one field of a cron spec may hold.
type cronField struct {
	name     string
	min, max int
	names    []string // of the values from min on; nil: none
}

var cronFields = []cronField{
	{"second", 0, 59, nil},
	{"minute", 0, 59, nil},
	{"hour", 0, 23, nil},
	{"day-of-month", 1, 31, nil},
	{"month", 1, 12, []string{"jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"}},
	{"day-of-week", 0, 6, []string{"sun", "mon", "tue", "wed", "thu", "fri", "sat"}},
}

var descriptors = []string{"@hourly", "@daily", "@midnight", "@weekly", "@monthly", "@yearly", "@annually"}

// checkSpec finds what is wrong with a cron spec or a descriptor. It is
// stricter than robfig/cron, which takes "*-5" for "*" and an empty list for a
// field that never matches, does not name the field that it refuses, and
// panics on "TZ=".
func checkSpec(spec string) error {
	switch {
	case spec == "":
		return fmt.Errorf(`no schedule: expected 5 or 6 cron fields, @hourly or the like, or "@every 30s"`)
	case strings.HasPrefix(spec, "TZ="), strings.HasPrefix(spec, "CRON_TZ="):
		return fmt.Errorf("schedule %q: a zone does not stand in the schedule; write it as `timezone` beside it", spec)
	case strings.HasPrefix(spec, "@"):
		if !slices.Contains(descriptors, spec) {
			return fmt.Errorf("schedule %q: expected %s or @every with a duration%s", spec, strings.Join(descriptors, ", "), meant(spec))
		}
		return nil
	}
	texts := strings.Fields(spec)
	fields := cronFields
	switch len(texts) {
	case 5:
		fields = cronFields[1:]
	case 6:
	default:
		return fmt.Errorf("schedule %q: expected 5 fields (minute hour day-of-month month day-of-week) or 6 (second first), found %d",
			spec, len(texts))
	}
	for i, f := range fields {
		if err := f.check(texts[i]); err != nil {
			return fmt.Errorf("%s field %q: %w", f.name, texts[i], err)
		}
	}
	return nil
}

// meant is the end of a fault's text: the descriptor that spec is most
// probably a slip of; "" where none is near.
func meant(spec string) string {
	word, rest, _ := strings.Cut(spec, " ")
	best, distance := "", 3
	for _, name := range append([]string{"@every"}, descriptors...) {
		if d := levenshtein.Distance(strings.ToLower(word), name, nil); d < distance {
			best, distance = name, d
		}
	}
	switch {
	case best == "":
		return ""
	case best == "@every":
		best = strings.TrimSpace(best + " " + rest)
	}
	return fmt.Sprintf(" (did you mean %q?)", best)
}

// check finds what is wrong with a list of ranges.
func (f cronField) check(text string) error {
	for part := range strings.SplitSeq(text, ",") {
		if err := f.checkRange(part); err != nil {
			return err
		}
	}
	return nil
}

// checkRange finds what is wrong with *, N, N-M and each of these with /STEP.
func (f cronField) checkRange(text string) error {
	span, step, stepped := strings.Cut(text, "/")
	if stepped {
		most := f.max - f.min + 1
		if n, err := number(step); err != nil || n < 1 || n > most {
			return fmt.Errorf("the step %q: expected a number from 1 to %d", step, most)
		}
	}
	if span == "*" || span == "?" {
		return nil
	}
	low, high, isRange := strings.Cut(span, "-")
	from, err := f.value(low)
	if err != nil || !isRange {
		return err
	}
	to, err := f.value(high)
	if err != nil {
		return err
	}
	if from > to {
		return fmt.Errorf("the range %s runs backwards; write two, with a comma", span)
	}
	return nil
}

// value is a number or a name of the field.
func (f cronField) value(text string) (int, error) {
	if i := slices.Index(f.names, strings.ToLower(text)); i >= 0 {
		return f.min + i, nil
	}
	n, err := number(text)
	if err == nil && n >= f.min && n <= f.max {
		return n, nil
	}
	expected := fmt.Sprintf("%d to %d", f.min, f.max)
	if f.names != nil {
		expected += fmt.Sprintf(" or %s to %s", f.names[0], f.names[len(f.names)-1])
	}
	if f.name == "day-of-week" && err == nil && n == 7 {
		expected += "; Sunday is 0"
	}
	return 0, fmt.Errorf("%q is not %s", text, expected)
}

// number reads plain digits; strconv.Atoi takes signs as well.
func number(text string) (int, error) {
	if text == "" || strings.Trim(text, "0123456789") != "" {
		return 0, strconv.ErrSyntax
	}
	return strconv.Atoi(text)
}
