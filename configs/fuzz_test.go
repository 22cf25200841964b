package configs_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/rogpeppe/go-internal/txtar"

	"github.com/deltahook/deltahook/configs"
)

func FuzzYAML(f *testing.F) { fuzz(f, "yaml") }

func FuzzTOML(f *testing.F) { fuzz(f, "toml") }

// fuzz loads anything: it never panics, tells a fault or gives a
// configuration, and each fault lies within the file.
func fuzz(f *testing.F, syntax string) {
	f.Helper()
	cases, err := filepath.Glob("testdata/bad/*.txtar")
	if err != nil {
		f.Fatal(err)
	}
	for _, c := range cases {
		archive, err := txtar.ParseFile(c)
		if err != nil {
			f.Fatal(err)
		}
		for _, file := range archive.Files {
			if strings.HasSuffix(file.Name, "."+syntax) && !strings.HasPrefix(file.Name, "want") {
				f.Add(file.Data)
			}
		}
	}
	examples, err := filepath.Glob("examples/*." + syntax)
	if err != nil {
		f.Fatal(err)
	}
	for _, e := range examples {
		if data, err := os.ReadFile(e); err == nil {
			f.Add(data)
		}
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		cfg, err := configs.Parse("fuzz."+syntax, data, func(name string) (string, bool) { return "v", name == "V" })
		if (cfg == nil) != (err != nil) {
			t.Fatal("neither a configuration nor an error, or both")
		}
		if err == nil {
			return
		}
		var faults *configs.Error
		if !errors.As(err, &faults) || len(faults.Faults) == 0 {
			t.Fatalf("an error without faults: %v", err)
		}
		for _, fault := range faults.Faults {
			holds(t, data, fault)
		}
	})
}

// holds checks that a fault lies in the file: at a character of it, or at an
// end. YAML breaks lines at more characters than TOML does; places that are
// told before the syntax is known count LF alone.
func holds(t *testing.T, data []byte, f configs.Located) {
	t.Helper()
	if f.Line == 0 {
		return
	}
	text := strings.ReplaceAll(string(data), "\r\n", "\n")
	more := strings.NewReplacer("\r", "\n", "\u0085", "\n", "\u2028", "\n", "\u2029", "\n").Replace(text)
	if !lies(string(data), f) && !lies(text, f) && !lies(more, f) {
		t.Fatalf("%v: that is not in the file", f)
	}
}

func lies(text string, f configs.Located) bool {
	lines := strings.Split(text, "\n")
	return f.Column >= 1 && (f.Line == len(lines)+1 && f.Column == 1 ||
		f.Line <= len(lines) && f.Column <= utf8.RuneCountInString(lines[f.Line-1])+1)
}
