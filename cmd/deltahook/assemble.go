package main

import (
	"fmt"
	"log/slog"

	"github.com/deltahook/deltahook/configs"
	"github.com/deltahook/deltahook/differ"
	"github.com/deltahook/deltahook/emitter"
	"github.com/deltahook/deltahook/internal/auth"
	"github.com/deltahook/deltahook/internal/credential"
	"github.com/deltahook/deltahook/internal/secret"
	"github.com/deltahook/deltahook/internal/trace"
	"github.com/deltahook/deltahook/poller"
)

// parts are the stages' own forms of a configuration, sorted by name.
type parts struct {
	client    *poller.Client
	polled    []*poller.Source
	diffed    []*differ.Source
	endpoints []*emitter.Endpoint
}

// surroundings is what the stages' forms of a configuration have in common.
// Only the redactor must be there.
type surroundings struct {
	redactor *secret.Redactor
	tokens   auth.Store
	log      *slog.Logger
	access   func(credential.Access) // nil: nobody is told
	tracer   *trace.Tracer           // nil: nothing is traced
}

// assemble compiles a configuration that was loaded without a fault.
func assemble(cfg *configs.Config, in surroundings) (*parts, error) {
	o, err := clientOptions(cfg, in)
	if err != nil {
		return nil, err
	}
	return compile(cfg, in, poller.NewClient(o))
}

func clientOptions(cfg *configs.Config, in surroundings) (poller.ClientOptions, error) {
	sources, err := cfg.Egress.Sources.Policy()
	if err != nil {
		return poller.ClientOptions{}, fmt.Errorf("egress.sources: %w", err)
	}
	return poller.ClientOptions{
		Version: version, Egress: sources, Redactor: in.redactor, Limits: cfg.Limits,
		Auth: cfg.Auth, Tokens: in.tokens, Logger: in.log, Access: in.access,
	}, nil
}

func compile(cfg *configs.Config, in surroundings, client *poller.Client) (*parts, error) {
	endpoints, err := cfg.Egress.Endpoints.Policy()
	if err != nil {
		return nil, fmt.Errorf("egress.endpoints: %w", err)
	}
	p := &parts{client: client}
	names := sortedNames(cfg.Endpoints)
	for _, name := range names {
		e, err := emitter.NewEndpoint(name, cfg.Endpoints[name], emitter.EndpointOptions{
			Version: version, Egress: endpoints, Auth: p.client.Credentials(), Redactor: in.redactor, Tracer: in.tracer,
		})
		if err != nil {
			return nil, err
		}
		p.endpoints = append(p.endpoints, e)
	}
	for _, name := range sortedNames(cfg.Sources) {
		s := cfg.Sources[name]
		polled, err := poller.NewSource(name, s.Poll, s.Response.Judge, p.client)
		if err != nil {
			return nil, err
		}
		diffed, err := differ.NewSource(name, s.Diff, s.Response.Read, names)
		if err != nil {
			return nil, err
		}
		p.polled = append(p.polled, polled)
		p.diffed = append(p.diffed, diffed)
	}
	return p, nil
}

// endpoint is the one of a name.
func (p *parts) endpoint(name string) (*emitter.Endpoint, error) {
	for _, e := range p.endpoints {
		if e.Name() == name {
			return e, nil
		}
	}
	return nil, fmt.Errorf("endpoint %s is configured and was not assembled", name)
}

// close waits for refresh tokens that are being exchanged, and gives up the
// connections that are idle.
func (p *parts) close() {
	p.client.Close()
	for _, e := range p.endpoints {
		e.Close()
	}
}

// reassemble is assemble of another configuration: what is the same in both is
// the very same, and what both have in common is shared. It changes nothing of
// p, and may be given up. readdressed are the sources that tell others, and are
// the same but for that.
func (p *parts) reassemble(cfg *configs.Config, in surroundings, d *configs.Difference) (next *parts, readdressed map[string]bool, err error) {
	o, err := clientOptions(cfg, in)
	if err != nil {
		return nil, nil, err
	}
	client := p.client.Renew(o)
	if next, err = compile(cfg, in, client); err != nil {
		client.Close()
		return nil, nil, err
	}
	readdressed = map[string]bool{}
	changed := set(d.Sources.Changed)
	polled, diffed := named(p.polled), named(p.diffed)
	for i, s := range next.polled {
		name := s.Name()
		if polled[name] == nil {
			continue
		}
		if !changed[name] && s.Shares(polled[name]) {
			next.polled[i] = polled[name]
		}
		switch {
		case d.Compares(name):
		case d.Readdresses():
			readdressed[name] = true
		default:
			next.diffed[i] = diffed[name]
		}
	}
	changed = set(d.Endpoints.Changed)
	endpoints := named(p.endpoints)
	for i, e := range next.endpoints {
		if was := endpoints[e.Name()]; was != nil && !changed[e.Name()] {
			next.endpoints[i] = was
		}
	}
	return next, readdressed, nil
}

func named[T interface{ Name() string }](list []T) map[string]T {
	byName := make(map[string]T, len(list))
	for _, one := range list {
		byName[one.Name()] = one
	}
	return byName
}

func set(names []string) map[string]bool {
	in := make(map[string]bool, len(names))
	for _, name := range names {
		in[name] = true
	}
	return in
}
