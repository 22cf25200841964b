package main

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/deltahook/deltahook/configs"
	"github.com/deltahook/deltahook/internal/curl"
	"github.com/deltahook/deltahook/internal/secret"
)

// draft is a source in the making.
type draft struct {
	name      string
	request   *curl.Request
	base      string // the variable that the URL begins with; "": none
	variables []setting
	warnings  []string
	lines     strings.Builder
}

// setting is a variable that must be set.
type setting struct {
	name, what string
	value      string // of the command, which is not shown; "": it is the command's own variable
}

func newDraft(name string, r *curl.Request) *draft {
	d := &draft{name: name, request: r}
	note := func(v string) string {
		d.variable(v, "of the command itself")
		return ""
	}
	plain := func(string) string { return "" }
	if !strings.HasPrefix(r.URL, "http") {
		d.base, _ = curl.First(r.URL)
		d.variable(d.base, "of the command itself: the beginning of the URL, with https:// or http://")
	}
	texts := []string{r.URL, r.Body}
	for _, h := range r.Headers {
		texts = append(texts, h.Value)
	}
	if r.User != nil {
		texts = append(texts, r.User.Name, r.User.Password)
	}
	for _, text := range texts {
		curl.Expand(text, plain, note)
	}
	return d
}

// write makes the configuration, and tries it: what can't be loaded is not
// written.
func (d *draft) write() ([]byte, error) {
	d.source()
	body := d.lines.String()
	d.variable("WEBHOOK_URL", "where webhooks go")
	d.variable("WEBHOOK_SECRET", "what they are signed with: whsec_…")

	var out strings.Builder
	out.WriteString("# Made of a curl command. Set these variables:\n#\n")
	for _, v := range d.variables {
		fmt.Fprintf(&out, "#   %-24s %s\n", v.name, v.what)
	}
	fmt.Fprintf(&out, "#\n# 'deltahook poll %s' then asks once and shows the answer; by that, set\n"+
		"# response: items and id make a list's items comparable one by one, pick says\n"+
		"# what of them counts. Without it the whole answer is one item.\n", d.name)
	out.WriteString("sources:\n" + body)
	out.WriteString("\nendpoints:\n  hook:\n    url: ${WEBHOOK_URL}\n    secrets: [\"${WEBHOOK_SECRET}\"]\n")
	text := []byte(out.String())
	_, err := configs.Parse("deltahook.yaml", text, d.example)
	if faulty, ok := errors.AsType[*configs.Error](err); ok {
		return nil, errors.New("the command makes no request that Deltahook can send: " + faulty.Faults[0].Text)
	}
	return text, err
}

// example stands for the environment while the draft is tried.
func (d *draft) example(name string) (string, bool) {
	switch name {
	case d.base, "WEBHOOK_URL":
		return "https://receiver.example", true
	case "WEBHOOK_SECRET":
		return "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", true
	}
	return "1", slices.ContainsFunc(d.variables, func(s setting) bool { return s.name == name })
}

// variable notes a variable of the command to set, once.
func (d *draft) variable(name, what string) string {
	if !slices.ContainsFunc(d.variables, func(s setting) bool { return s.name == name }) {
		d.variables = append(d.variables, setting{name: name, what: what})
	}
	return "${" + name + "}"
}

// secret is what stands in the place of a secret.
func (d *draft) secret(value, suffix, what string) string {
	return "${" + d.slot(value, suffix, what) + "}"
}

var notInName = regexp.MustCompile(`[^A-Z0-9]+`)

// slot is the variable in the place of a secret: the command's own, or a new
// one.
func (d *draft) slot(value, suffix, what string) string {
	if name, ok := curl.Variable(value); ok {
		return name
	}
	name := strings.Trim(notInName.ReplaceAllString(strings.ToUpper(d.name+"_"+suffix), "_"), "_")
	if name == "" || name[0] >= '0' && name[0] <= '9' {
		name = "SOURCE_" + name
	}
	for base, n := name, 2; ; n++ {
		i := slices.IndexFunc(d.variables, func(s setting) bool { return s.name == name })
		switch {
		case i < 0:
			d.variables = append(d.variables, setting{name, what, value})
			return name
		case d.variables[i].what == what && d.variables[i].value == value:
			return name
		}
		name = fmt.Sprintf("%s_%d", base, n)
	}
}

// tokenForm is how tokens begin that can be told by it: JSON Web Tokens, and
// those of some vendors.
var tokenForm = regexp.MustCompile(`^((Bearer |Basic )?eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]+\.|(sk|pk|rk)_(live|test)_|gh[oprsu]_|github_pat_|` +
	`glpat-|xox[abeprs]-|shp(at|ca|pa|ss)_|AKIA|whsec_|bot[0-9]{6,}:)`)

// hides reports whether a value must not be written down: by its name or by
// its form.
func hides(name, value string) bool {
	return value != "" && (secret.Name(name) || tokenForm.MatchString(value))
}

// line writes a line of the source, indented by levels of two.
func (d *draft) line(level int, format string, args ...any) {
	d.lines.WriteString(strings.Repeat("  ", level))
	fmt.Fprintf(&d.lines, format+"\n", args...)
}
