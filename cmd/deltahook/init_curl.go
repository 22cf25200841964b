package main

import (
	"fmt"
	"io"
	"net"
	"net/url"
	"regexp"
	"slices"
	"strings"

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
	d := newDraft(name, request)
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
