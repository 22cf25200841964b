package main

import (
	"slices"
	"testing"

	"github.com/spf13/cobra"
)

// TestCommandsSpeakToPrograms: every command has -o, but those whose output is a
// file, is for a shell, or does not end. (That of init names its file.)
func TestCommandsSpeakToPrograms(t *testing.T) {
	not := []string{"completion", "demo", "healthcheck", "listen", "run", "schema", "secret", "version"}
	var walk func(*cobra.Command)
	walk = func(of *cobra.Command) {
		for _, cmd := range of.Commands() {
			if slices.Contains(not, cmd.Name()) {
				continue
			}
			if !cmd.HasSubCommands() && cmd.Flags().Lookup("output") == nil {
				t.Errorf("%s has no -o", cmd.CommandPath())
			}
			walk(cmd)
		}
	}
	walk((&app{}).root())
}
