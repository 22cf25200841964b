package poller

import (
	"bytes"
	"net/http"
	"strconv"
	"strings"

	"github.com/tidwall/gjson"

	"github.com/deltahook/deltahook/internal/canon"
	"github.com/deltahook/deltahook/internal/expr"
)

// judge is a ResponseSettings, compiled: what makes an answer one.
type judge struct {
	sniff       bool     // a body of another content type must look like JSON
	require     []string // gjson paths
	ok          *expr.Program
	okText      string
	graphQL     bool // without ok, an answer that has errors is none
	statuses    map[int]meaning
	fingerprint string // of the settings
}

// status is an answer's status in words, without what the server put there.
func status(resp *http.Response) string {
	text := http.StatusText(resp.StatusCode)
	return strings.TrimSpace("status " + strconv.Itoa(resp.StatusCode) + " " + text)
}

// body is the body as it is handed on, or why it is no answer.
func (j *judge) body(a *Answer, raw []byte) ([]byte, error) {
	raw = bytes.TrimPrefix(raw, []byte("\xef\xbb\xbf"))
	if err := j.format(a.Header, raw); err != nil {
		return nil, err
	}
	for _, path := range j.require {
		if v := gjson.GetBytes(raw, path); !v.Exists() || v.Type == gjson.Null {
			word := "absent"
			if v.Exists() {
				word = "null"
			}
			return nil, Failf(ClassRequire, "%s is %s", path, word)
		}
	}
	return raw, j.condition(a, raw)
}

// format checks that the body is JSON, and says what else it seems to be.
func (j *judge) format(header map[string]string, raw []byte) error {
	content := mediaType(header["content-type"])
	text := bytes.TrimLeft(raw, " \t\r\n")
	switch {
	case len(text) == 0:
		return Failf(ClassFormat, "an empty body, where JSON was expected")
	case text[0] == '<' && (bytes.HasPrefix(text, []byte("<?xml")) || strings.HasSuffix(content, "xml")):
		return Failf(ClassFormat, "XML, not JSON (content type %q)", content)
	case text[0] == '<':
		return Failf(ClassFormat, "an HTML page, not JSON (content type %q): an error page, or one to log in at", content)
	case header["content-encoding"] != "":
		return Failf(ClassFormat, "the content encoding %q, which was not asked for", header["content-encoding"])
	case j.sniff && !isJSON(content) && text[0] != '{' && text[0] != '[':
		return Failf(ClassFormat, "not JSON (content type %q); response.format: json reads it as JSON regardless", content)
	}
	if err := canon.Valid(raw); err != nil {
		return Failf(ClassFormat, "not JSON (%d bytes, content type %q): %w", len(raw), content, err)
	}
	return nil
}

// mediaType is a content type without its parameters.
func mediaType(contentType string) string {
	media, _, _ := strings.Cut(contentType, ";")
	return strings.ToLower(strings.TrimSpace(media))
}

// isJSON reports whether a media type says JSON, or says nothing.
func isJSON(media string) bool {
	return media == "" || strings.HasSuffix(media, "/json") || strings.HasSuffix(media, "+json")
}

// condition evaluates `ok`. The body is decoded only where it is asked for.
func (j *judge) condition(a *Answer, raw []byte) error {
	if j.ok == nil {
		if j.graphQL {
			return graphQLErrors(raw)
		}
		return nil
	}
	vars := map[string]any{"status": a.Status, "headers": a.Header}
	if j.ok.Uses("body") {
		decoded, err := expr.Decode(raw)
		if err != nil {
			return Failf(ClassFormat, "not JSON: %w", err)
		}
		vars["body"] = decoded
	}
	good, err := j.ok.Bool(vars)
	if err != nil {
		return Failf(ClassOK, "%s: %w", j.okText, err)
	}
	if !good {
		return Failf(ClassOK, "false: %s", j.okText)
	}
	return nil
}
