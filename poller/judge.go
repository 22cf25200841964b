package poller

import (
	"net/http"
	"strconv"
	"strings"

	"github.com/tidwall/gjson"

	"github.com/deltahook/deltahook/internal/expr"
)

// judge is a ResponseSettings, compiled: what makes an answer one.
type judge struct {
	reader      *reader
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
	raw, err := j.reader.json(a.Header["content-type"], raw)
	if err != nil {
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
