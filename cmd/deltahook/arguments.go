package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"
)

// sayArguments has a command, and those below it, say which arguments it takes
// where it was given others. One that only holds others does not pass over what
// is none of them. Arguments are counted, not shown: one may be a curl command
// with its token.
func sayArguments(c *cobra.Command) {
	name := strings.TrimPrefix(c.CommandPath(), "deltahook ")
	_, words, _ := strings.Cut(c.Use, " ")
	if takes := c.Args; takes != nil && c.Runnable() {
		c.Args = func(cmd *cobra.Command, args []string) error {
			switch {
			case takes(cmd, args) == nil:
				return nil
			case words == "":
				return fmt.Errorf("%s takes no arguments, and was given %q", name, args[0])
			case len(args) == 0:
				return fmt.Errorf("%s needs %s", name, words)
			default:
				return fmt.Errorf("%s takes %s, and was given %d arguments", name, words, len(args))
			}
		}
	}
	var below []string
	for _, b := range c.Commands() {
		sayArguments(b)
		below = append(below, b.Name())
	}
	if c.Runnable() || !c.HasParent() {
		return
	}
	c.Args = func(_ *cobra.Command, args []string) error {
		if len(args) == 0 {
			return nil
		}
		return fmt.Errorf("%s has no command %q; there are: %s", name, args[0], strings.Join(below, ", "))
	}
	c.RunE = func(cmd *cobra.Command, _ []string) error { return cmd.Help() }
}
