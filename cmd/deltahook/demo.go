package main

import (
	"context"
	"crypto/rand"
	_ "embed"
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"github.com/deltahook/deltahook/configs"
)

// demoConfig is the configuration that the demo runs and prints.
//
//go:embed demo.yaml
var demoConfig []byte

func (a *app) demoCommand() *cobra.Command {
	var length time.Duration
	cmd := &cobra.Command{
		Use:     "demo",
		GroupID: "daemon",
		Short:   "Watch it work: a simulated carrier, the real daemon, a receiver",
		Long: `Start a simulated carrier on loopback whose parcels move every few seconds,
the real daemon with a configuration that is printed, and a receiver that
verifies each webhook and shows it as a line. The receiver refuses one webhook
on the way, to show that it comes again. A browser shows what goes on, at the
address that is printed. No network and no files are needed;
what is stored goes when the demo ends.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if length < 0 {
				return a.usage("--for %s: expected a duration that is not negative", length)
			}
			ctx := cmd.Context()
			if length > 0 {
				var cancel context.CancelFunc
				ctx, cancel = context.WithTimeout(ctx, length)
				defer cancel()
			}
			return a.demo(ctx)
		},
	}
	cmd.Flags().DurationVar(&length, "for", 0, "end after this long (default: run until Ctrl-C)")
	return cmd
}

// demo joins carrier, daemon and receiver on three loopback ports.
func (a *app) demo(ctx context.Context) error {
	dir, err := os.MkdirTemp("", "deltahook-demo-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }() // best effort: it is a temporary folder
	var listen net.ListenConfig
	carrierAt, err := listen.Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	receiverAt, err := listen.Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return errors.Join(err, carrierAt.Close())
	}
	pagesAt, err := freeAddress(ctx)
	if err != nil {
		return errors.Join(err, carrierAt.Close(), receiverAt.Close())
	}
	key := make([]byte, 24)
	_, _ = rand.Read(key) // never fails
	whsec := "whsec_" + base64.StdEncoding.EncodeToString(key)
	env := map[string]string{
		"CARRIER": "http://" + carrierAt.Addr().String(), "RECEIVER": "http://" + receiverAt.Addr().String(), "SECRET": whsec, "PAGES": pagesAt,
	}
	cfg, err := configs.Parse(filepath.Join(dir, "demo.yaml"), demoConfig, func(name string) (string, bool) {
		v, ok := env[name]
		return v, ok
	})
	if err != nil {
		return errors.Join(err, carrierAt.Close(), receiverAt.Close())
	}
	fmt.Fprintf(a.out, "The configuration of this demo, with ${CARRIER}, ${RECEIVER} and ${PAGES} on loopback:\n\n%s\n"+
		"What it does shows at http://%s/\n\nThe first answer is only remembered. From then on, each line is a webhook\n"+
		"that came in and whose signature was verified.\n\n", indent(demoConfig), pagesAt)

	desk := &desk{out: a.out}
	group, ctx := errgroup.WithContext(ctx) // what cannot start ends the others
	group.Go(func() error { return serve(ctx, carrierAt, newCarrier(time.Now())) })
	group.Go(func() error {
		return serve(ctx, receiverAt, &receiver{keys: []string{whsec}, show: desk.show, answer: desk.answer})
	})
	redactor := cfg.Redactor()
	log, level := newLogger(a.err, cfg.Log, redactor)
	group.Go(func() error {
		return daemon(ctx, cfg, surroundings{redactor: redactor, log: log}, newReloader("", level), nil)
	})
	err = group.Wait()
	fmt.Fprintf(a.out, "\n%d webhooks received and verified. Next: 'deltahook --help', or 'Your first source' in README.md.\n", desk.verified.Load())
	return err
}

// freeAddress is a port of loopback that nobody listens on now.
func freeAddress(ctx context.Context) (string, error) {
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return l.Addr().String(), l.Close()
}

func indent(text []byte) string {
	return "    " + strings.ReplaceAll(strings.TrimRight(string(text), "\n"), "\n", "\n    ") + "\n"
}

// desk is the demo's receiver: it shows a line a webhook, and refuses the
// third the first time it comes.
type desk struct {
	out      interface{ Write([]byte) (int, error) }
	came     atomic.Int64
	verified atomic.Int64
}

func (d *desk) answer(webhook) int {
	if d.came.Add(1) == 3 {
		return http.StatusServiceUnavailable
	}
	return http.StatusOK
}

func (d *desk) show(h webhook, status int) {
	line := visible(fmt.Sprintf("%s  %-24s  %s", time.Now().Format(time.TimeOnly), h.Type, parcelLine(h)))
	switch {
	case h.Verified != nil:
		line += "  (" + h.Verified.Error() + ")"
	case status != http.StatusOK:
		line += "  (answered 503, to show that it comes again)"
	default:
		d.verified.Add(1)
		line += "  ✓ verified"
	}
	_, _ = fmt.Fprintln(d.out, line)
}
