package main

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
)

// Forms of a command's output.
const (
	formTable = "table"
	formJSON  = "json"
)

// outputFlag adds --output to a command, and checks it before it runs.
func (a *app) outputFlag(cmd *cobra.Command, form *string) {
	cmd.Flags().StringVarP(form, "output", "o", formTable, "table, or json for programs")
	_ = cmd.RegisterFlagCompletionFunc("output", cobra.FixedCompletions([]string{formTable, formJSON}, cobra.ShellCompDirectiveNoFileComp))
	cmd.PreRunE = func(*cobra.Command, []string) error {
		if *form != formTable && *form != formJSON {
			return a.usage("--output %q: expected table or json", *form)
		}
		return nil
	}
}

// say tells what was done: a document to programs, a line to people.
func (a *app) say(form string, doc any, line string, args ...any) error {
	if form == formJSON {
		return a.print(doc)
	}
	_, err := fmt.Fprintf(a.out, line+"\n", args...)
	return err
}

// count is a number of things, one of which has this name.
func count(n int, one string) string {
	switch stem, y := strings.CutSuffix(one, "y"); {
	case n == 1:
	case y && !strings.HasSuffix(stem, "e"): // a key has two keys
		one = stem + "ies"
	default:
		one += "s"
	}
	return fmt.Sprintf("%d %s", n, one)
}

// print writes a document for programs.
func (a *app) print(doc any) error {
	e := json.NewEncoder(a.out)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(doc); err != nil {
		return fmt.Errorf("writing the output: %w", err)
	}
	return nil
}
