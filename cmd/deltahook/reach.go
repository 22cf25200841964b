package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/deltahook/deltahook/configs"
	"github.com/deltahook/deltahook/internal/web"
)

// remote is the daemon that a command asks at its admin address; zero: the one
// that runs with the configuration, on the socket beside its store.
type remote struct {
	server    string // URL
	tokenFile string
}

// tokenVariable names the variable that has the token of server.token. A command
// line is seen by all who use the machine, so there is no flag for it.
const tokenVariable = "DELTAHOOK_TOKEN"

// maxToken is how many bytes a file with a token may have.
const maxToken = 64 << 10

// reaching gives commands the flags that say which daemon they ask.
func (a *app) reaching(commands ...*cobra.Command) []*cobra.Command {
	for _, cmd := range commands {
		f := cmd.PersistentFlags()
		f.StringVar(&a.remote.server, "server", "", "ask the daemon at this `URL`, with the token of $"+tokenVariable+", not on the socket beside the store")
		f.StringVar(&a.remote.tokenFile, "token-file", "", "with --server: the `FILE` that has the token")
		_ = cmd.RegisterFlagCompletionFunc("server", cobra.NoFileCompletions)
		_ = cmd.MarkPersistentFlagFilename("token-file")
	}
	return commands
}

// dial finds the daemon that is to be asked. web.ErrNoDaemon: none runs with the
// configuration, which is cfg.
func (a *app) dial(ctx context.Context) (client *web.Client, cfg *configs.Config, err error) {
	if a.remote.server != "" {
		client, err = a.remote.connect(a)
		return client, nil, err
	}
	if a.remote.tokenFile != "" {
		return nil, nil, a.usage("--token-file goes with --server: the socket beside the store takes no token")
	}
	cfg, err = a.loadQuiet()
	store := storeOf(cfg, err)
	if store == "" {
		return nil, nil, err
	}
	client, unreached := web.Dial(ctx, store)
	if unreached != nil {
		return nil, cfg, cmp.Or(err, unreached)
	}
	return client, cfg, nil
}

// storeOf is the store of a configuration that was loaded, or could not be: the
// daemon runs on what was there before, and an edit that went wrong since is no
// reason not to ask it. "": not even that much of it can be read.
func storeOf(cfg *configs.Config, err error) string {
	if faulty, ok := errors.AsType[*configs.Error](err); ok {
		return faulty.Store
	}
	if err != nil {
		return ""
	}
	return cfg.Store
}

// storePath is the store beside which the daemon that is asked listens; "": it is
// asked elsewhere, or the configuration doesn't say.
func (a *app) storePath() string {
	if a.remote.server != "" {
		return ""
	}
	return storeOf(a.loadQuiet())
}

// connect is a client of the admin address.
func (r *remote) connect(a *app) (*web.Client, error) {
	token := os.Getenv(tokenVariable)
	if r.tokenFile != "" {
		var err error
		if token, err = readToken(r.tokenFile); err != nil {
			return nil, err
		}
	}
	client, err := web.Connect(r.server, strings.TrimSpace(token))
	if err != nil {
		return nil, a.usage("--server: %w", err)
	}
	return client, nil
}

func readToken(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", fmt.Errorf("--token-file: %w", err)
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxToken+1))
	switch {
	case err != nil:
		return "", fmt.Errorf("--token-file: %w", err)
	case len(text) > maxToken:
		return "", fmt.Errorf("--token-file %s: more than %d bytes", path, maxToken)
	case strings.TrimSpace(string(text)) == "":
		return "", fmt.Errorf("--token-file %s: it is empty", path)
	}
	return string(text), nil
}

// ask does something with the daemon.
func (a *app) ask(ctx context.Context, do func(context.Context, *web.Client) error) error {
	client, _, err := a.dial(ctx)
	if errors.Is(err, web.ErrNoDaemon) {
		return fmt.Errorf("no daemon runs with this configuration (%w): start one with 'deltahook run', or name one by --server URL", err)
	}
	if err != nil {
		return err
	}
	defer client.Close()
	return a.explain(ctx, client, do(ctx, client))
}

// explain says what to do about a daemon that cannot be asked, or not so.
func (a *app) explain(ctx context.Context, c *web.Client, err error) error {
	switch {
	case errors.Is(err, web.ErrToken) && os.Getenv(tokenVariable) == "" && a.remote.tokenFile == "":
		return fmt.Errorf("the daemon at %s wants its server.token: give it by $%s, or by --token-file FILE", a.remote.server, tokenVariable)
	case errors.Is(err, web.ErrToken) && a.remote.tokenFile != "":
		return fmt.Errorf("the token in %s is not the server.token of the daemon at %s", a.remote.tokenFile, a.remote.server)
	case errors.Is(err, web.ErrToken):
		return fmt.Errorf("the token of $%s is not the server.token of the daemon at %s", tokenVariable, a.remote.server)
	case errors.Is(err, web.ErrNoOperation), errors.Is(err, web.ErrStrange):
		return a.otherVersion(ctx, c, err)
	case errors.Is(err, web.ErrUnreached) && a.remote.server != "":
		return fmt.Errorf("no daemon answers at %s: %w", a.remote.server, err)
	}
	return err
}

// otherVersion says of which version the daemon is that did not understand, or
// was not understood.
func (a *app) otherVersion(ctx context.Context, c *web.Client, err error) error {
	if s, failed := c.Status(ctx); failed == nil && s.Version != "" {
		if s.Version == version {
			return fmt.Errorf("%w (daemon and command are both %s)", err, version)
		}
		return fmt.Errorf("the daemon is deltahook %s and this command is %s, which do not understand each other here: %w", s.Version, version, err)
	}
	if a.remote.server != "" {
		return fmt.Errorf("what answers at %s is no deltahook daemon, or one of another version than this command (%s): %w", a.remote.server, version, err)
	}
	return fmt.Errorf("the daemon is of another version than this command (%s): %w", version, err)
}
