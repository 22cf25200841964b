package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"github.com/deltahook/deltahook/emitter"
	"github.com/deltahook/deltahook/internal/secret"
)

func (a *app) listenCommand() *cobra.Command {
	var (
		addr    string
		secrets []string
		fail    int
		delay   time.Duration
	)
	cmd := &cobra.Command{
		Use:     "listen",
		GroupID: "hooks",
		Short:   "Receive webhooks here: print each one and verify its signature",
		Example: `  deltahook listen --secret whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw
  deltahook listen --addr 127.0.0.1:9001 --fail 503   # a receiver that is down`,
		Args: cobra.NoArgs,
		PreRunE: func(*cobra.Command, []string) error {
			if fail < 200 || fail > 599 {
				return a.usage("--fail %d: expected a status from 200 to 599", fail)
			}
			if delay < 0 {
				return a.usage("--delay %s: expected a duration that is not negative", delay)
			}
			for _, s := range secrets {
				if !emitter.IsStandardKey(s) {
					continue // of signature: github, any text
				}
				if err := emitter.Verify([]string{s}, http.Header{}, nil, time.Now()); !errors.Is(err, emitter.ErrHeaders) {
					return a.usage("--secret: %w", err)
				}
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, _ []string) error {
			l, err := new(net.ListenConfig).Listen(cmd.Context(), "tcp", addr)
			if err != nil {
				return err
			}
			fmt.Fprintf(a.out, "listening on http://%s/ (Ctrl-C ends it)\n", l.Addr())
			show := &console{printer: printer{w: a.out, hide: secret.NewRedactor(secrets...)}}
			return serve(cmd.Context(), l, &receiver{
				keys: secrets,
				show: show.webhook,
				answer: func(webhook) int {
					wait(cmd.Context(), delay)
					return fail
				},
			})
		},
	}
	cmd.Flags().StringVar(&addr, "addr", "127.0.0.1:9000", "address to listen on")
	cmd.Flags().StringArrayVar(&secrets, "secret", nil,
		"secret to verify with: whsec_… or whsk_…, a public key whpk_…, or any text with signature: github (may be given several times)")
	cmd.Flags().IntVar(&fail, "fail", http.StatusOK, "answer every webhook with this status")
	cmd.Flags().DurationVar(&delay, "delay", 0, "wait so long before each answer")
	return cmd
}

// console prints webhooks, one at a time.
type console struct {
	mu sync.Mutex
	printer
}

func (c *console) webhook(h webhook, status int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	verified := "signature verified"
	if h.Verified != nil {
		verified = h.Verified.Error()
	}
	c.printf("%s  %s  %s  %s, answered %d\n", time.Now().Format(time.TimeOnly), h.head(), h.ID, verified, status)
	var pretty bytes.Buffer
	if json.Indent(&pretty, h.Body, "", "  ") != nil {
		pretty.Reset()
		fmt.Fprintf(&pretty, "%q", h.Body)
	}
	c.block(pretty.String())
}
