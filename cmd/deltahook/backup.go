package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"github.com/spf13/cobra"

	"github.com/deltahook/deltahook/internal/store/bolt"
	"github.com/deltahook/deltahook/internal/web"
)

// backups are the copies of the store as the admin address gives them.
type backups struct{ store *bolt.Store }

// Backup makes one.
func (b backups) Backup(ctx context.Context) (*web.Backup, error) {
	c, err := b.store.Copy(ctx)
	if errors.Is(err, bolt.ErrCopying) {
		return nil, refusal{err, web.ErrConflict}
	}
	if err != nil {
		return nil, err
	}
	return &web.Backup{ReadCloser: c, Size: c.Size, Sum: c.Sum, Taken: c.Taken}, nil
}

func (a *app) backupCommand() *cobra.Command {
	var force bool
	var format string
	cmd := &cobra.Command{
		Use:     "backup FILE",
		GroupID: "daemon",
		Short:   "Copy the store, while the daemon runs or without it",
		Long: `Copy the store to a file, as it is at one moment. The daemon goes on polling and
sending meanwhile; where none runs, the store is read as it is. The copy is
written to FILE.part, read through and checked, made durable, and only then
called FILE. "-" writes it to standard output instead, and checks only that it
came as it was sent.

To restore it: stop the daemon, put the file in the store's place, start. It
holds what APIs answered, and refresh tokens: keep it as the store is kept.`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if args[0] == "-" {
				return a.backupTo(cmd.Context(), a.out)
			}
			done, err := a.backup(cmd.Context(), args[0], force)
			if done == nil {
				return err
			}
			return errors.Join(err, a.showBackup(done, format))
		},
	}
	cmd.Flags().BoolVar(&force, "force", false, "replace FILE, where it is there")
	a.outputFlag(cmd, &format)
	return cmd
}

// saved is a backup that is in its place.
type saved struct {
	File   string `json:"file"`
	Size   int64  `json:"size"`
	SHA256 string `json:"sha256"`
	Damage string `json:"damage,omitempty"` // of the store that it is of; "": it is whole
}

func (a *app) showBackup(s *saved, format string) error {
	if format == formJSON {
		return a.print(s)
	}
	_, err := fmt.Fprintf(a.out, "%s: %s, sha256 %s\n", s.File, size(s.Size), s.SHA256)
	return err
}

// backup copies the store to a file. Where that has all that the store has, but
// some of it is damaged, both are given.
func (a *app) backup(ctx context.Context, path string, force bool) (*saved, error) {
	if err := mayWrite(path, a.storePath(), force); err != nil {
		return nil, err
	}
	part, err := newPart(path)
	if err != nil {
		return nil, err
	}
	defer part.discard()
	sum := sha256.New()
	if err := a.backupTo(ctx, io.MultiWriter(part, sum)); err != nil {
		return nil, err
	}
	n, err := part.sync()
	if err != nil {
		return nil, err
	}
	damage, err := a.readThrough(ctx, part.name())
	if err != nil {
		return nil, err
	}
	if err := part.place(); err != nil {
		return nil, err
	}
	done := &saved{File: path, Size: n, SHA256: hex.EncodeToString(sum.Sum(nil))}
	if damage != nil {
		done.Damage = damage.Error()
		return done, fmt.Errorf("the backup is as the store is, which has damage: %w", damage)
	}
	return done, nil
}

// mayWrite refuses to replace a file that nobody said to, and the store itself.
func mayWrite(path, store string, force bool) error {
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return err
	case !info.Mode().IsRegular():
		return fmt.Errorf("%s is not a file: name one to write to", path)
	}
	if of, err := os.Stat(store); err == nil && os.SameFile(info, of) {
		return fmt.Errorf("%s is the store itself: name another file", path)
	}
	if !force {
		return fmt.Errorf("%s is there already; --force replaces it", path)
	}
	return nil
}

// backupTo writes a copy of the store: of the daemon that runs, or of the file.
func (a *app) backupTo(ctx context.Context, w io.Writer) error {
	shown := a.progress("backup", size)
	defer shown.end()
	client, cfg, err := a.dial(ctx)
	if err == nil {
		defer client.Close()
		return a.explain(ctx, client, client.Backup(ctx, w, shown.at))
	}
	if !errors.Is(err, web.ErrNoDaemon) {
		return err
	}
	store, err := bolt.Open(cfg.Store, bolt.Options{ReadOnly: true, Version: version})
	if err != nil {
		return err
	}
	return errors.Join(store.Backup(ctx, w, shown.at), store.Close())
}

// readThrough reads every page and record of a copy. What is damaged of the
// store it is of is no error; that it can't be opened is.
func (a *app) readThrough(ctx context.Context, path string) (damage, err error) {
	store, err := bolt.Open(path, bolt.Options{ReadOnly: true, Version: version})
	if err != nil {
		return nil, fmt.Errorf("the copy cannot be opened: %w", err)
	}
	damage = store.Check(ctx)
	if err := errors.Join(ctx.Err(), store.Close()); err != nil {
		return nil, err
	}
	return damage, nil
}
