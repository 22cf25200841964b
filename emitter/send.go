package emitter

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"strconv"
	"time"

	"github.com/deltahook/deltahook/internal/egress"
	"github.com/deltahook/deltahook/internal/retryafter"
)

// Send makes one attempt to deliver d, within the endpoint's timeout, and
// records it. Of d it needs what tells of the event: Event, Type, Source, Key,
// Time and Body. The signature and the timestamp
// are made here, for this attempt. Where ctx ends first, the attempt has no
// status and says nothing about the receiver.
//
// A connection that is refused at once is tried a second time after 100 ms;
// nothing that may have reached the receiver is ever repeated here.
func (e *Endpoint) Send(ctx context.Context, d Delivery) Attempt {
	start := time.Now()
	ctx, cancel := context.WithTimeout(ctx, e.timeout)
	defer cancel()
	a := Attempt{At: start.Round(0).UTC()}
	e.exchange(ctx, d, start, &a)
	a.Took = time.Since(start)
	return a
}

// exchange sends the request and enters what comes back into a.
func (e *Endpoint) exchange(ctx context.Context, d Delivery, now time.Time, a *Attempt) {
	answer, err := e.identified(ctx, d, now, a)
	if err != nil {
		a.Error, a.Reason = e.classify(err)
		if missing, ok := errors.AsType[*noToken](err); ok {
			a.RetryAfter = missing.after()
		}
		return
	}
	defer answer.Body.Close()
	a.Status = answer.StatusCode
	a.Directive = directive(answer.Header)
	a.Response = e.keep(answer.Body)
	if !isSuccess(a.Status) {
		a.Reason = describe(a.Status)
	}
	if e.format.judge != nil {
		*a = e.format.judge(*a, answer.Header)
	}
	if a.Reason == "" {
		return
	}
	if wait, ok := retryafter.Parse(answer.Header.Get("Retry-After"), time.Now()); ok {
		a.RetryAfter = max(a.RetryAfter, wait)
	}
}

// post sends a request with a body. What cannot be dialled is tried twice.
func (e *Endpoint) post(r *http.Request, body []byte) (*http.Response, error) {
	r.ContentLength = int64(len(body))
	r.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(body)), nil }
	r.Body, _ = r.GetBody()
	answer, err := e.transport.RoundTrip(r)
	if err == nil || !redials(err) {
		return answer, err
	}
	select {
	case <-r.Context().Done():
		return nil, err
	case <-time.After(redialWait):
	}
	r.Body, _ = r.GetBody()
	return e.transport.RoundTrip(r)
}

// HeaderID and the like as an http.Header has them.
const (
	canonicalID        = "Webhook-Id"
	canonicalTimestamp = "Webhook-Timestamp"
	canonicalSignature = "Webhook-Signature"
)

func (e *Endpoint) request(ctx context.Context, d Delivery, now time.Time) *http.Request {
	header := make(http.Header, len(e.header)+4)
	maps.Copy(header, e.header)
	header[canonicalID] = []string{d.Event}
	header[canonicalTimestamp] = []string{strconv.FormatInt(now.Unix(), 10)}
	if signature := Sign(e.signers, d.Event, now, d.Body); signature != "" {
		header[canonicalSignature] = []string{signature}
	}
	if e.github != nil {
		header.Set(headerGitHub, "sha256="+hex.EncodeToString(mac(e.github, d.Body)))
	}
	if e.format.head != nil {
		e.format.head(header, d)
	}
	if e.parent != nil {
		header.Set(headerTraceparent, e.parent.Parent(spanOf(&d, now)))
	}
	r := &http.Request{
		Method: http.MethodPost, URL: e.url, Host: e.url.Host, Header: header,
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
	}
	return r.WithContext(ctx)
}

// directive is what webhook-delivery of an answer asks for, "" where it is
// nothing that is known.
func directive(h http.Header) string {
	switch v := h.Get("Webhook-Delivery"); v {
	case DirectiveAbort, DirectiveDisable:
		return v
	default:
		return ""
	}
}

// classify makes a class and words of an error of a transport. None that says
// the whole URL gets here: only net/http's Client adds that.
func (e *Endpoint) classify(err error) (ErrorClass, string) {
	refused, isRefused := errors.AsType[*egress.Refused](err)
	timeout, isNet := errors.AsType[net.Error](err)
	missing, isMissing := errors.AsType[*noToken](err)
	switch {
	case isMissing:
		return ErrorAuth, e.text(missing.Error())
	case isRefused:
		return ErrorRefused, e.text(fmt.Sprintf("%s: %v", e.Host(), refused))
	case errors.Is(err, context.Canceled):
		return ErrorNetwork, e.Host() + ": the attempt was cut short"
	case isNet && timeout.Timeout():
		return ErrorTimeout, fmt.Sprintf("%s: no answer within %s", e.Host(), e.timeout)
	default:
		return ErrorNetwork, e.text(fmt.Sprintf("%s: %v", e.Host(), err))
	}
}
