package main

import (
	"io"
	"log/slog"
	"os"

	"github.com/lmittmann/tint"
	"golang.org/x/term"

	"github.com/deltahook/deltahook/configs"
	"github.com/deltahook/deltahook/internal/secret"
)

// newLogger logs to w as the configuration says: in colour where w is a
// terminal. Whatever is logged passes the redactor first: types and messages
// are written so that no secret is in them, and this is the second lock.
func newLogger(w io.Writer, cfg configs.Log, redactor *secret.Redactor) (*slog.Logger, *slog.LevelVar) {
	level := &slog.LevelVar{}
	_ = level.UnmarshalText([]byte(cfg.Level)) // one of four, as the schema says
	hide := func(_ []string, a slog.Attr) slog.Attr {
		switch v := a.Value.Any().(type) {
		case string:
			a.Value = slog.StringValue(redactor.Text(v))
		case error:
			a.Value = slog.StringValue(redactor.Text(v.Error()))
		}
		return a
	}
	options := &slog.HandlerOptions{Level: level, ReplaceAttr: hide}
	switch {
	case cfg.Format == "json":
		return slog.New(slog.NewJSONHandler(w, options)), level
	case isTerminal(w):
		return slog.New(tint.NewTextHandler(w, &tint.Options{Level: level, TimeFormat: "15:04:05", ReplaceAttr: hide})), level
	default:
		return slog.New(slog.NewTextHandler(w, options)), level
	}
}

func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd())) && os.Getenv("NO_COLOR") == ""
}
