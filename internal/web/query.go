package web

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/deltahook/deltahook/emitter"
)

// invalidError says what is wrong with a request; it wraps ErrInvalid.
type invalidError string

// Error is the words for who asked.
func (e invalidError) Error() string { return string(e) }

// Is tells it to be what ErrInvalid stands for.
func (e invalidError) Is(target error) bool { return target == ErrInvalid }

func invalid(format string, args ...any) error { return invalidError(fmt.Sprintf(format, args...)) }

// tooLarge is how many bytes a body may have that had more.
type tooLarge int64

// Error is the words for who asked.
func (e tooLarge) Error() string { return fmt.Sprintf("the body is larger than %d bytes", int64(e)) }

// checkWords refuses a word that a query doesn't have, for it would be a filter
// that filters nothing, and one that is empty or stands twice.
func checkWords(q url.Values, words ...string) error {
	for word, values := range q {
		if !slices.Contains(words, word) {
			if len(words) == 0 {
				return invalid("%s is not a word of this query: expected none", word)
			}
			return invalid("%s is not a word of this query: expected one of %v", word, words)
		}
		if len(values) != 1 || values[0] == "" {
			return invalid("%s is empty, or stands twice", word)
		}
	}
	return nil
}

// readLimit reads how long a page may be; 0 where the query doesn't say.
func readLimit(q url.Values) (int, error) {
	text := q.Get("limit")
	if text == "" {
		return 0, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 || n > emitter.MaxPage {
		return 0, invalid("limit is %q: expected 1 to %d", text, emitter.MaxPage)
	}
	return n, nil
}

// readBool reads a word of a query; false where it is not there.
func readBool(query url.Values, word string) (bool, error) {
	text := query.Get(word)
	if text == "" {
		return false, nil
	}
	v, err := strconv.ParseBool(text)
	if err != nil {
		return false, invalid("%s is %q: expected true or false", word, text)
	}
	return v, nil
}

// queryTime reads a word of a query; the zero time where it is not there.
func queryTime(query url.Values, word string) (time.Time, error) {
	text := query.Get(word)
	if text == "" {
		return time.Time{}, nil
	}
	t, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return time.Time{}, invalid("%s is %q: expected a time such as 2026-11-23T10:00:00Z", word, text)
	}
	return t, nil
}

// readJSON reads a body of at most so many bytes into v, and nothing behind it.
func readJSON(w http.ResponseWriter, r *http.Request, most int64, v any) error {
	dec := json.NewDecoder(http.MaxBytesReader(w, r.Body, most))
	dec.DisallowUnknownFields()
	if err := dec.Decode(v); err != nil {
		if _, large := errors.AsType[*http.MaxBytesError](err); large {
			return tooLarge(most)
		}
		return invalid("the body is not what was expected, as JSON: %v", err)
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return invalid("something follows the JSON in the body")
	}
	return nil
}

// checkNoBody refuses a body where none is read: what somebody asks for in it
// would not be done. {} is none: there are clients that send it with each POST.
func checkNoBody(w http.ResponseWriter, r *http.Request, words ...string) error {
	if r.Body == nil || r.Body == http.NoBody {
		return nil
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxOrder))
	if _, large := errors.AsType[*http.MaxBytesError](err); large {
		return tooLarge(maxOrder)
	}
	if err != nil {
		return invalid("the body could not be read: %v", err)
	}
	if len(bytes.TrimSpace(body)) == 0 {
		return nil
	}
	said := "there is a body"
	if fields := map[string]json.RawMessage{}; json.Unmarshal(body, &fields) == nil && fields != nil {
		if len(fields) == 0 {
			return nil
		}
		said = fmt.Sprintf("the body has %.100q", slices.Min(slices.Collect(maps.Keys(fields))))
	}
	if len(words) > 0 {
		return invalid("%s, and none is read here: expected none, and in the query any of %v", said, words)
	}
	return invalid("%s, and none is read here: expected none", said)
}

// paged is a page of a list in the order of its names: those after one of them,
// and the name after which the next page begins ("": this is the last).
func paged[T any](list []T, name func(T) string, after string, limit int) (page []T, next string) {
	if limit == 0 {
		limit = emitter.DefaultPage
	}
	at, found := slices.BinarySearchFunc(list, after, func(e T, after string) int { return strings.Compare(name(e), after) })
	if found {
		at++
	}
	if after == "" {
		at = 0
	}
	page = list[at:min(at+limit, len(list))]
	if at+limit < len(list) {
		next = name(page[len(page)-1])
	}
	return append([]T{}, page...), next
}
