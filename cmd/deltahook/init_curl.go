package main

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"github.com/deltahook/deltahook/configs"
	"github.com/deltahook/deltahook/internal/curl"
)

// initCurl writes a configuration with the source that a curl command is.
func (a *app) initCurl(in io.Reader, flags initFlags) error {
	command, err := readCommand(flags.curl, in)
	if err != nil {
		return err
	}
	request, err := curl.Parse(command)
	if err != nil {
		return a.usage("--from-curl: %w", err)
	}
	name := flags.name
	if name == "" {
		name = nameOf(request.URL)
	}
	if !sourceName.MatchString(name) {
		return a.usage("--name: up to 64 letters, digits, _, . and -, the first of them a letter or a digit")
	}
	d := &draft{name: name, request: request}
	text, err := d.write()
	if err != nil {
		return err
	}
	if err := a.writeNew(flags.to, text); err != nil {
		return err
	}
	for _, w := range d.warnings {
		fmt.Fprintf(a.err, "warning: %s\n", w)
	}
	fmt.Fprintln(a.err, "Set these variables:")
	for _, v := range d.variables {
		fmt.Fprintf(a.err, "  %-24s %s\n", v.name, v.what)
	}
	if flags.to != "-" {
		fmt.Fprintf(a.err, "%s is written. Then: deltahook poll %s --config %[1]s\n", flags.to, name)
	}
	return nil
}

var sourceName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$`)

// nameOf makes a source's name of the host: of api.github.com it is github.
func nameOf(raw string) string {
	u, err := url.Parse(raw)
	if err != nil || net.ParseIP(u.Hostname()) != nil {
		return "source"
	}
	labels := strings.Split(strings.ToLower(u.Hostname()), ".")
	if len(labels) > 1 {
		labels = labels[:len(labels)-1]
	}
	labels = slices.DeleteFunc(labels, func(l string) bool { return l == "www" || l == "api" })
	if len(labels) == 0 || !sourceName.MatchString(labels[len(labels)-1]) {
		return "source"
	}
	return labels[len(labels)-1]
}

// draft is a source in the making.
type draft struct {
	name      string
	request   *curl.Request
	variables []setting
	warnings  []string
	lines     strings.Builder
}

// setting is a variable that must be set.
type setting struct{ name, what string }

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
	case "WEBHOOK_URL":
		return "https://receiver.example/hook", true
	case "WEBHOOK_SECRET":
		return "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", true
	}
	return "example", slices.ContainsFunc(d.variables, func(s setting) bool { return s.name == name })
}

// variable notes a variable to set, once.
func (d *draft) variable(name, what string) string {
	if !slices.ContainsFunc(d.variables, func(s setting) bool { return s.name == name }) {
		d.variables = append(d.variables, setting{name, what})
	}
	return "${" + name + "}"
}

var notInName = regexp.MustCompile(`[^A-Z0-9]+`)

// secret is what stands in the place of a secret: the command's own variable,
// or a new one.
func (d *draft) secret(value, suffix, what string) string {
	if name, ok := curl.Variable(value); ok {
		return d.variable(name, what)
	}
	name := strings.Trim(notInName.ReplaceAllString(strings.ToUpper(d.name+"_"+suffix), "_"), "_")
	if name == "" || name[0] >= '0' && name[0] <= '9' {
		name = "SOURCE_" + name
	}
	for base, n := name, 2; d.taken(name, what); n++ {
		name = fmt.Sprintf("%s_%d", base, n)
	}
	return d.variable(name, what)
}

func (d *draft) taken(name, what string) bool {
	return slices.ContainsFunc(d.variables, func(s setting) bool { return s.name == name && s.what != what })
}

// line writes a line of the source, indented by levels of two.
func (d *draft) line(level int, format string, args ...any) {
	d.lines.WriteString(strings.Repeat("  ", level))
	fmt.Fprintf(&d.lines, format+"\n", args...)
}
