package main

import (
	"cmp"
	"fmt"
	"os"

	"github.com/deltahook/deltahook/configs"
)

// usual are the configurations that are looked for where none is named.
var usual = []string{"deltahook.yaml", "deltahook.yml", "deltahook.toml"}

// load reads the configuration that the command line or the environment
// names, or the one in the current folder. Its warnings go to stderr.
func (a *app) load() (*configs.Config, error) {
	cfg, err := a.loadQuiet()
	if err != nil {
		return nil, err
	}
	for _, w := range cfg.Warnings {
		fmt.Fprintf(a.err, "%s (warning)\n", w)
	}
	return cfg, nil
}

// loadQuiet is load without the warnings.
func (a *app) loadQuiet() (*configs.Config, error) {
	path := a.path()
	if path == "" {
		return nil, &configs.Error{Faults: []configs.Located{{
			File: usual[0], Text: "no such file; name a configuration by --config FILE, or try 'deltahook demo'",
		}}}
	}
	return configs.Load(path, os.LookupEnv)
}

// path is the configuration that is named, or found; "": there is none.
func (a *app) path() string {
	path := cmp.Or(a.config, os.Getenv("DELTAHOOK_CONFIG"))
	for _, name := range usual {
		if path != "" {
			break
		}
		if _, err := os.Stat(name); err == nil {
			path = name
		}
	}
	return path
}

// sourceNamed is a source of cfg, or a fault that lists those there are.
func sourceNamed(cfg *configs.Config, name string) (configs.Source, error) {
	s, ok := cfg.Sources[name]
	if !ok {
		return s, unknownName("source", name, cfg.Sources)
	}
	return s, nil
}
