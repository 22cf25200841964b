package poller

import (
	"context"
	"errors"
	"io"
	"net"
	"strings"
	"unicode/utf8"

	"github.com/deltahook/deltahook/internal/egress"
)

// longestText is the length in bytes at which the text of an error is cut: a
// part of it may come from the server.
const longestText = 500

// transportFailure classifies an error of sending or reading. The transport
// itself shows no URL, unlike http.Client.
func transportFailure(ctx context.Context, err error) error {
	var (
		failure *Failure
		refused *egress.Refused
		network net.Error
	)
	switch {
	case errors.As(err, &failure):
		return failure
	case errors.As(err, &refused):
		return &Failure{Class: ClassRefused, Err: refused}
	case errors.Is(ctx.Err(), context.DeadlineExceeded):
		return &Failure{Class: ClassTimeout, Err: context.Cause(ctx)}
	case ctx.Err() != nil:
		return Failf(ClassNetwork, "the poll was called off")
	case errors.As(err, &network) && network.Timeout():
		return &Failure{Class: ClassTimeout, Err: err}
	case errors.Is(err, io.ErrUnexpectedEOF):
		return Failf(ClassNetwork, "the connection was cut in the middle of the answer")
	case errors.Is(err, io.EOF):
		return Failf(ClassNetwork, "the connection was closed without an answer")
	}
	return &Failure{Class: ClassNetwork, Err: err}
}

// failure is err, a *Failure, as it may be shown: without the secrets that are
// known, on one line and not too long. What it wrapped is gone, for it may
// show more.
func (c *Client) failure(err error) *Failure {
	f := &Failure{Class: ClassStore, Err: err}
	if own, ok := errors.AsType[*Failure](err); ok {
		*f = *own
	}
	text := strings.Join(strings.Fields(c.redactor.Text(f.Err.Error())), " ")
	if len(text) > longestText {
		end := longestText
		for !utf8.RuneStart(text[end]) {
			end--
		}
		text = text[:end] + "…"
	}
	f.Err = errors.New(text)
	return f
}
