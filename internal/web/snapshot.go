package web

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"maps"
	"net/http"
	"slices"
	"time"

	"github.com/deltahook/deltahook/differ"
)

// Reader is what a snapshot is read from; every store is one, and its
// contract stands at differ.Store.
type Reader interface {
	Load(ctx context.Context, sources ...string) iter.Seq2[differ.State, error]
	Items(ctx context.Context, source string, keys []string) ([]differ.Item, error)
}

// chunk is how many items are read, held and written at once.
const chunk = 1000

// line is one line of a snapshot (NDJSON): first the state, then what is noted
// in the order of differ.State, then the items in the order of their keys, then
// the end. A snapshot without an end was cut.
// Exactly one field is set.
type line struct {
	State *stateLine `json:"state,omitempty"`
	Note  *noteLine  `json:"note,omitempty"`
	Item  *itemLine  `json:"item,omitempty"`
	End   *endLine   `json:"end,omitempty"`
}

type stateLine struct {
	Source    string          `json:"source"`
	Watch     string          `json:"watch,omitempty"`
	Version   uint64          `json:"version"`
	Shape     string          `json:"shape"`
	Since     time.Time       `json:"since"`
	Bookmarks json.RawMessage `json:"bookmarks"` // poller.Bookmarks, which this package may not name
}

type itemLine struct {
	Key      string          `json:"key"`
	Gone     bool            `json:"gone,omitempty"` // true: only key and revision are there
	Hash     string          `json:"hash,omitempty"` // hex
	Revision uint64          `json:"revision"`
	Seen     time.Time       `json:"seen,omitzero"`
	Content  json.RawMessage `json:"content,omitempty"` // space between its tokens is not kept
}

type noteLine struct {
	Key  string `json:"key"` // of the item; "": of the unit
	Name string `json:"name"`
	Data []byte `json:"data"` // base64
}

type endLine struct {
	Notes   int  `json:"notes"`             // lines of notes before this one, as a check
	Items   int  `json:"items"`             // lines of items, likewise
	Changed bool `json:"changed,omitempty"` // the source was committed meanwhile: what came is of two versions, ask again
}

// snapshots answers with the snapshot of a source, and with 404 for one that
// was never committed: whether it is configured is not known here.
type snapshots struct{ from Reader }

func (h snapshots) get(w http.ResponseWriter, r *http.Request) {
	name := r.PathValue("name")
	state, ok, err := h.state(r.Context(), name)
	switch {
	case err != nil:
		refuse(w, http.StatusInternalServerError, err.Error())
		return
	case !ok:
		refuse(w, http.StatusNotFound, fmt.Sprintf("nothing is stored of a source %q", name))
		return
	}
	w.Header().Set("Content-Type", "application/x-ndjson")
	if err := h.write(r.Context(), w, state); err != nil {
		panic(http.ErrAbortHandler) // the head is out: a cut body is all that can still tell
	}
}

func (h snapshots) state(ctx context.Context, name string) (differ.State, bool, error) {
	for state, err := range h.from.Load(ctx, name) {
		return state, err == nil, err
	}
	return differ.State{}, false, nil
}

// write sends the lines of a snapshot. State and items are read at different
// times, so each item is held against its mark in the state.
func (h snapshots) write(ctx context.Context, w http.ResponseWriter, state differ.State) error {
	marks, err := json.Marshal(state.Bookmarks)
	if err != nil {
		return err
	}
	control := http.NewResponseController(w)
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	head := stateLine{state.Source, state.Watch, state.Version, state.Shape, state.Since, marks}
	if err := enc.Encode(line{State: &head}); err != nil {
		return err
	}
	end := endLine{}
	for notes := range slices.Chunk(state.Notes, chunk) {
		if err := control.SetWriteDeadline(time.Now().Add(writeTimeout)); err != nil {
			return err
		}
		for _, n := range notes {
			if err := enc.Encode(line{Note: &noteLine{n.Key, n.Name, n.Data}}); err != nil {
				return err
			}
		}
		end.Notes += len(notes)
	}
	for keys := range slices.Chunk(slices.Sorted(maps.Keys(state.Items)), chunk) {
		if err := control.SetWriteDeadline(time.Now().Add(writeTimeout)); err != nil {
			return err
		}
		same, err := h.writeItems(ctx, enc, state, keys)
		if err != nil {
			return err
		}
		if !same {
			end.Changed = true
			break
		}
		end.Items += len(keys)
	}
	return enc.Encode(line{End: &end})
}

// writeItems sends one chunk. It reports false, and sends nothing, where the
// items are no longer those of the state.
func (h snapshots) writeItems(ctx context.Context, enc *json.Encoder, state differ.State, keys []string) (bool, error) {
	items, err := h.from.Items(ctx, state.Unit(), keys)
	if err != nil {
		return false, err
	}
	stored := make(map[string]differ.Item, len(items))
	for _, item := range items {
		stored[item.Key] = item
	}
	for _, key := range keys {
		item, mark := stored[key], state.Items[key]
		if item.Hash != mark.Hash || (mark.Hash != differ.Hash{} && item.Revision != mark.Revision) {
			return false, nil
		}
	}
	for _, key := range keys {
		if err := enc.Encode(line{Item: toLine(key, state.Items[key], stored[key])}); err != nil {
			return false, err
		}
	}
	return true, nil
}

func toLine(key string, mark differ.Mark, item differ.Item) *itemLine {
	if mark.Hash == (differ.Hash{}) {
		return &itemLine{Key: key, Gone: true, Revision: mark.Revision}
	}
	return &itemLine{
		Key:      key,
		Hash:     hex.EncodeToString(mark.Hash[:]),
		Revision: mark.Revision,
		Seen:     item.Seen,
		Content:  item.Content,
	}
}

// readSnapshot reads what write sent. changed: ask again.
func readSnapshot(r io.Reader) (state differ.State, items []differ.Item, changed bool, err error) {
	dec := json.NewDecoder(r)
	dec.DisallowUnknownFields()
	for n := 0; ; {
		var l line
		if err := dec.Decode(&l); err != nil {
			return state, nil, false, fmt.Errorf("the snapshot was cut: %w", err)
		}
		switch {
		case l.State != nil && state.Items == nil:
			state, err = l.State.state()
		case l.Note != nil && state.Items != nil && n == 0:
			state.Notes = append(state.Notes, differ.Note{Key: l.Note.Key, Name: l.Note.Name, Data: append([]byte{}, l.Note.Data...)})
		case l.Item != nil && state.Items != nil:
			n++
			items, err = l.Item.addTo(state, items)
		case l.End != nil && state.Items != nil:
			if l.End.Items != n || l.End.Notes != len(state.Notes) {
				err = fmt.Errorf("the snapshot has %d items and %d notes and should have %d and %d", n, len(state.Notes), l.End.Items, l.End.Notes)
			}
			return state, items, l.End.Changed, err
		default:
			err = errors.New("the snapshot has a line that is out of place")
		}
		if err != nil {
			return state, nil, false, err
		}
	}
}

func (l *stateLine) state() (differ.State, error) {
	s := differ.State{
		Source: l.Source, Watch: l.Watch, Version: l.Version, Shape: l.Shape, Since: l.Since,
		Items: make(map[string]differ.Mark),
	}
	return s, json.Unmarshal(l.Bookmarks, &s.Bookmarks)
}

// addTo adds the item to the marks of state and, where it is there, to items.
func (l *itemLine) addTo(state differ.State, items []differ.Item) ([]differ.Item, error) {
	mark := differ.Mark{Revision: l.Revision, Seen: l.Seen}
	if !l.Gone {
		if n, err := hex.Decode(mark.Hash[:], []byte(l.Hash)); err != nil || n != len(mark.Hash) {
			return nil, fmt.Errorf("item %q: hash %q is not one", l.Key, l.Hash)
		}
		items = append(items, differ.Item{
			Key: l.Key, Hash: mark.Hash, Revision: l.Revision, Content: l.Content, Seen: l.Seen,
		})
	}
	state.Items[l.Key] = mark
	return items, nil
}
