package poller

import (
	"net/http"
	"time"
)

// longestValidator is the length in bytes over which an ETag is not kept.
const longestValidator = 1024

// validators are what makes a request conditional (RFC 9110, section 13).
type validators struct{ etag, lastModified string }

func (v validators) none() bool { return v == validators{} }

// mayValidate reports whether w is a request that may be conditional. That of
// a page is not: its validators say nothing of the other pages; nor is that of
// a batch, whose keys come and go.
func (s *Source) mayValidate(w *wire) bool {
	return s.conditional && w.method == http.MethodGet && s.paging == nil && (s.watch == nil || s.watch.batch == 0)
}

// validators are the marks' where they belong to this very request. They are
// sent to its own URL only: after a redirect neither sent nor kept, for they
// are worth nothing to another resource.
func (s *Source) validators(w *wire, marks Bookmarks) validators {
	if !s.mayValidate(w) || marks.Request != w.fingerprint {
		return validators{}
	}
	return validators{marks.ETag, marks.LastModified}
}

// set makes a request's header conditional.
func (v validators) set(h http.Header) {
	if v.etag != "" {
		h.Set("If-None-Match", v.etag)
	}
	if v.lastModified != "" {
		h.Set("If-Modified-Since", v.lastModified)
	}
}

// validatorsOf are an answer's.
func validatorsOf(h http.Header) (etag, lastModified string) {
	if v := h.Get("ETag"); len(v) <= longestValidator {
		etag = v
	}
	if v := h.Get("Last-Modified"); len(v) <= longestValidator && settled(v, h.Get("Date")) {
		lastModified = v
	}
	return etag, lastModified
}

// settled reports whether a modification time had passed when the answer was
// made. It counts whole seconds: what is written twice within one keeps it, and
// a 304 would hide the second writing (RFC 9110, section 8.8.2.2).
func settled(modified, date string) bool {
	m, err := http.ParseTime(modified)
	if err != nil {
		return false
	}
	d, err := http.ParseTime(date)
	return err == nil && d.Sub(m) >= 2*time.Second
}

// unmodified is the answer that a 304 stands for. It may bring newer
// validators (RFC 9110, section 15.4.5).
func (s *Source) unmodified(resp *http.Response, w *wire, given validators) *Answer {
	etag, lastModified := validatorsOf(resp.Header)
	if etag == "" {
		etag = given.etag
	}
	if lastModified == "" {
		lastModified = given.lastModified
	}
	return &Answer{
		Source:     s.name,
		Received:   time.Now(),
		Unmodified: true,
		Status:     resp.StatusCode,
		Header:     flatten(resp.Header),
		Bookmarks:  Bookmarks{Request: w.fingerprint, ETag: etag, LastModified: lastModified},
	}
}
