package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/deltahook/deltahook/emitter"
)

func (a *app) secretCommand() *cobra.Command {
	group := &cobra.Command{
		Use:     "secret",
		GroupID: "hooks",
		Short:   "Make signing secrets",
		Args:    cobra.NoArgs,
		RunE:    func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	var pair bool
	made := &cobra.Command{
		Use:   "new",
		Short: "Print a new signing secret",
		Long: `Print a new signing secret for an endpoint's 'secrets': a random whsec_… that
the endpoint and its receiver share.

With --ed25519, a private key (whsk_…), which only the endpoint needs, and on
the next line the public key (whpk_…), which its receivers verify with.`,
		Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			text := emitter.NewSecret()
			if pair {
				private, public := emitter.NewKeyPair()
				text = private + "\n" + public
			}
			_, err := fmt.Fprintln(a.out, text)
			return err
		},
	}
	made.Flags().BoolVar(&pair, "ed25519", false, "a key pair in place of a shared secret")
	group.AddCommand(made)
	return group
}
