package main

import (
	"cmp"
	"errors"
	"time"

	"github.com/deltahook/deltahook/configs"
	"github.com/deltahook/deltahook/internal/secret"
)

// checked is what check says to programs.
type checked struct {
	Files     []string          `json:"files"`
	Faults    []checkedFault    `json:"faults"`
	Warnings  []checkedFault    `json:"warnings"`
	Sources   []checkedSource   `json:"sources"`
	Endpoints []checkedEndpoint `json:"endpoints"`
}

// checkedFault is what is wrong, with its place; line 0: the file as a whole.
type checkedFault struct {
	File   string `json:"file"`
	Line   int    `json:"line"`
	Column int    `json:"column"`
	Path   string `json:"path"`
	Text   string `json:"text"`
}

type checkedSource struct {
	Name     string    `json:"name"`
	Schedule string    `json:"schedule"`
	Next     time.Time `json:"next,omitzero"`
	Disabled bool      `json:"disabled,omitempty"`
	Request  string    `json:"request"` // without what may be secret
}

type checkedEndpoint struct {
	Name   string `json:"name"`
	Format string `json:"format"`
	Signed string `json:"signed"`
	Host   string `json:"host"`
}

// checkForPrograms is check as one document, with the faults in it.
func (a *app) checkForPrograms() error {
	doc := checked{Files: []string{}, Sources: []checkedSource{}, Endpoints: []checkedEndpoint{}}
	cfg, err := a.loadQuiet()
	if faulty, ok := errors.AsType[*configs.Error](err); ok {
		doc.Faults, doc.Warnings = checkedFaults(faulty.Faults), checkedFaults(faulty.Warnings)
		if err := a.print(doc); err != nil {
			return err
		}
		return errFaultsShown
	}
	if err != nil {
		return err
	}
	redactor := cfg.Redactor()
	parts, err := assemble(cfg, surroundings{redactor: redactor})
	if err != nil {
		return err
	}
	defer parts.close()
	doc.Files, doc.Faults, doc.Warnings = cfg.Files, checkedFaults(nil), checkedFaults(cfg.Warnings)
	for _, s := range parts.polled {
		settings := cfg.Sources[s.Name()].Poll
		one := checkedSource{Name: s.Name(), Schedule: settings.Schedule, Disabled: settings.Disabled, Request: shownURL(settings.Request.URL, redactor)}
		if !settings.Disabled {
			one.Next = s.Schedule().Next(time.Now())
		}
		doc.Sources = append(doc.Sources, one)
	}
	for _, e := range parts.endpoints {
		settings := cfg.Endpoints[e.Name()]
		doc.Endpoints = append(doc.Endpoints, checkedEndpoint{e.Name(), cmp.Or(settings.Format, "standard"), signed(settings), secret.Host(settings.URL)})
	}
	return a.print(doc)
}

func checkedFaults(all []configs.Located) []checkedFault {
	faults := make([]checkedFault, len(all))
	for i, f := range all {
		faults[i] = checkedFault(f)
	}
	return faults
}
