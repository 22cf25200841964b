package decode_test

import (
	"bytes"
	"compress/flate"
	"compress/gzip"
	"compress/zlib"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/andybalholm/brotli"
	"github.com/klauspost/compress/zstd"
	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/japanese"
	"golang.org/x/text/encoding/unicode"

	"github.com/deltahook/deltahook/internal/decode"
)

// code compresses text.
func code(t testing.TB, coding, text string) string {
	t.Helper()
	var b bytes.Buffer
	var w io.WriteCloser
	var err error
	switch coding {
	case "gzip", "x-gzip":
		w = gzip.NewWriter(&b)
	case "deflate":
		w = zlib.NewWriter(&b)
	case "bare":
		w, err = flate.NewWriter(&b, 6)
	case "br":
		w = brotli.NewWriterLevel(&b, 1)
	case "zstd":
		w, err = zstd.NewWriter(&b, zstd.WithEncoderConcurrency(1))
	}
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(w, text); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// undo reads at most limit bytes.
func undo(f *decode.Inflater, body, codings string, limit int64) (string, error) {
	var got []byte
	err := f.Read(strings.NewReader(body), codings, func(r io.Reader) (err error) {
		got, err = io.ReadAll(io.LimitReader(r, limit))
		return err
	})
	return string(got), err
}

func TestCodings(t *testing.T) {
	text := strings.Repeat("Grüße ", 10_000)
	for name, c := range map[string]struct{ codings, body string }{
		"none":             {"", text},
		"identity":         {"identity", text},
		"gzip":             {"gzip", code(t, "gzip", text)},
		"x-gzip":           {"X-Gzip", code(t, "gzip", text)},
		"gzip in parts":    {"gzip", code(t, "gzip", text[:100]) + code(t, "gzip", text[100:])},
		"deflate":          {"deflate", code(t, "deflate", text)},
		"deflate, bare":    {"deflate", code(t, "bare", text)},
		"br":               {"br", code(t, "br", text)},
		"zstd":             {"zstd", code(t, "zstd", text)},
		"one upon another": {"gzip, br", code(t, "br", code(t, "gzip", text))},
	} {
		t.Run(name, func(t *testing.T) {
			var f decode.Inflater
			for range 3 { // decompressors are used again
				if got, err := undo(&f, c.body, c.codings, plenty); err != nil || got != text {
					t.Fatalf("%d bytes, %v", len(got), err)
				}
				if got, err := undo(&f, c.body, c.codings, 10); err != nil || got != text[:10] {
					t.Fatalf("the start: %q, %v", got, err)
				}
			}
			if c.body == text {
				return
			}
			if got, err := undo(&f, "", c.codings, plenty); err != nil || got != "" {
				t.Errorf("nothing: %q, %v", got, err)
			}
			if _, err := undo(&f, c.body[:len(c.body)-1], c.codings, plenty); err == nil {
				t.Error("a body that was cut is taken for a whole one")
			}
			if got, err := undo(&f, text, c.codings, plenty); err == nil {
				t.Errorf("plain text is taken for %s: %.20q", c.codings, got)
			}
		})
	}
}

func TestUnknownCodings(t *testing.T) {
	for _, codings := range []string{"compress", "br, gzip, zstd", "br;q=1"} {
		var f decode.Inflater
		_, err := undo(&f, "x", codings, plenty)
		if _, ok := errors.AsType[*decode.CodingError](err); !ok {
			t.Errorf("%s: %v", codings, err)
		}
	}
}

// TestBomb: of 16 MiB no more is made than is read.
func TestBomb(t *testing.T) {
	for _, coding := range []string{"gzip", "deflate", "br", "zstd"} {
		t.Run(coding, func(t *testing.T) {
			bomb := code(t, coding, strings.Repeat("\x00", 16<<20))
			var f decode.Inflater
			read := 0
			err := f.Read(strings.NewReader(bomb), coding, func(r io.Reader) error {
				n, err := io.Copy(io.Discard, io.LimitReader(r, 1<<20))
				read = int(n)
				return err
			})
			if err != nil || read != 1<<20 {
				t.Errorf("%d bytes of %d, %v", read, len(bomb), err)
			}
		})
	}
}

func TestCharsets(t *testing.T) {
	latin := func(s string) string { return encoded(t, charmap.Windows1252.NewEncoder().String, s) }
	sjis := func(s string) string { return encoded(t, japanese.ShiftJIS.NewEncoder().String, s) }
	big := func(s string) string {
		return encoded(t, unicode.UTF16(unicode.BigEndian, unicode.UseBOM).NewEncoder().String, s)
	}
	for _, c := range []struct {
		name, charset, contentType string
		where                      decode.Declared
		body, want                 string // a want that starts with ! is part of an error
	}{
		{"nothing said", "", "", decode.InHeader, "é", "é"},
		{"a mark", "", "text/csv; charset=latin1", decode.InHeader, "\xef\xbb\xbfé", "é"},
		{"a mark of UTF-16", "", "", decode.InXML, big("<?xml encoding='UTF-16'?><r>é</r>"), "<?xml encoding='UTF-16'?><r>é</r>"},
		{"not UTF-8", "", "text/plain", decode.InHeader, "a\xe9", "!not UTF-8 at byte 1"},
		{"not UTF-8 behind a mark", "", "", decode.InHeader, "\xef\xbb\xbf\xe9", "!not UTF-8 at byte 0"},
		{"the header", "", `text/csv; charset="ISO-8859-1"`, decode.InHeader, latin("é€"), "é€"},
		{"the setting, against the header", "windows-1252", "text/csv; charset=utf-8", decode.InHeader, latin("é"), "é"},
		{"the header, against the document", "", "text/xml; charset=Shift_JIS", decode.InXML, sjis("<?xml version='1.0' encoding='latin1'?>日"), "<?xml version='1.0' encoding='latin1'?>日"},
		{"the document", "", "text/xml", decode.InXML, latin("<?xml version='1.0' encoding=\"ISO-8859-1\" ?><r>é</r>"), "<?xml version='1.0' encoding=\"ISO-8859-1\" ?><r>é</r>"},
		{"a document that can't be UTF-16", "", "text/xml", decode.InXML, "<?xml version='1.0' encoding='utf-16'?>é", "<?xml version='1.0' encoding='utf-16'?>é"},
		{"meta", "", "text/html", decode.InHTML, sjis("<meta charset=shift_jis>日本"), "<meta charset=shift_jis>日本"},
		{"no meta", "", "text/html", decode.InHTML, "<p>é", "<p>é"},
		{"no meta and not UTF-8", "", "text/html", decode.InHTML, latin("<p>é"), "<p>é"},
		{"JSON whose header is wrong", "", "application/json; charset=ISO-8859-1", decode.InJSON, `"é"`, `"é"`},
		{"JSON whose header is right", "", "application/json; charset=ISO-8859-1", decode.InJSON, latin(`"é"`), `"é"`},
		{"a charset of nobody", "", "text/plain; charset=klingon", decode.InHeader, "é", "é"},
		{"a charset of nobody that is needed", "", "text/plain; charset=klingon", decode.InHeader, "\xe9", `!the charset "klingon" is not known`},
		{"not of its charset", "", "text/plain; charset=shift_jis", decode.InHeader, "\xff\xff", "!not shift_jis"},
		{"one that is refused everywhere", "", "text/plain; charset=iso-2022-kr", decode.InHeader, "a", "!replacement"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, marked, err := decode.Unmark([]byte(c.body))
			if err == nil && !marked {
				got, err = decode.UTF8(got, c.charset, c.contentType, c.where)
			}
			if want, failed := strings.CutPrefix(c.want, "!"); failed {
				if err == nil || !strings.Contains(err.Error(), want) {
					t.Errorf("%q, %v, want an error with %q", got, err, want)
				}
			} else if err != nil || string(got) != c.want {
				t.Errorf("%q, %v, want %q", got, err, c.want)
			}
		})
	}
}

func encoded(t *testing.T, encode func(string) (string, error), s string) string {
	t.Helper()
	out, err := encode(s)
	if err != nil {
		t.Fatal(err)
	}
	return out
}
