package configs_test

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"

	"github.com/deltahook/deltahook/configs"
)

// TestBadConfigs compares everything that is told of faulty configurations.
//
// A case is a txtar archive. Its comment has a line for each of
//
//	schema: yes | no          whether the schema alone refuses the file
//	env NAME=VALUE            a variable of the environment
//	only yaml: REASON         why the other syntax can't have this fault
//
// then the files: deltahook.yaml and deltahook.toml, or the folders yaml/ and
// toml/, then want.yaml and want.toml, which -update writes.
func TestBadConfigs(t *testing.T) {
	cases, err := filepath.Glob("testdata/bad/*.txtar")
	if err != nil {
		t.Fatal(err)
	}
	if len(cases) < 40 {
		t.Fatalf("%d cases; at least 40 are wanted", len(cases))
	}
	for _, file := range cases {
		name := strings.TrimSuffix(filepath.Base(file), ".txtar")
		archive, err := txtar.ParseFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var loaded int
		for _, syntax := range []string{"yaml", "toml"} {
			path := entry(archive, syntax)
			if path == "" {
				if !bytes.Contains(archive.Comment, []byte("only ")) {
					t.Errorf("%s has no %s and doesn't say why", name, syntax)
				}
				continue
			}
			loaded++
			t.Run(name+"/"+syntax, func(t *testing.T) { badCase(t, archive, syntax, path) })
		}
		if loaded == 0 {
			t.Errorf("%s holds no configuration", name)
		}
		if *update {
			if err := os.WriteFile(file, txtar.Format(archive), 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// entry is what to load of an archive: a file, a folder, or nothing.
func entry(a *txtar.Archive, syntax string) string {
	for _, f := range a.Files {
		switch {
		case f.Name == "deltahook."+syntax:
			return f.Name
		case strings.HasPrefix(f.Name, syntax+"/"):
			return syntax
		}
	}
	return ""
}

func badCase(t *testing.T, archive *txtar.Archive, syntax, path string) {
	t.Helper()
	env := map[string]string{}
	for line := range strings.Lines(string(archive.Comment)) {
		if kv, ok := strings.CutPrefix(strings.TrimSpace(line), "env "); ok {
			k, v, _ := strings.Cut(kv, "=")
			env[k] = v
		}
	}
	t.Chdir(unpacked(t, archive))
	cfg, err := configs.Load(path, func(name string) (string, bool) { v, ok := env[name]; return v, ok })
	var faults *configs.Error
	if !errors.As(err, &faults) {
		t.Fatalf("no fault was found (%v)", err)
	}
	if cfg != nil {
		t.Error("a faulty configuration was handed out")
	}
	got := faults.Error() + "\n"
	for _, secret := range []string{"hunter2-hunter2", "s3cr3t"} {
		if strings.Contains(got, secret) {
			t.Errorf("a secret is shown:\n%s", got)
		}
	}
	seen := bytes.Contains(archive.Comment, []byte("schema: yes"))
	if refused := schemaRefuses(t, path); refused != seen {
		t.Errorf("the schema refuses it: %v; the case says %v", refused, seen)
	}
	want := "want." + syntax
	for i := range archive.Files {
		if archive.Files[i].Name == want {
			if *update {
				archive.Files[i].Data = []byte(got)
			}
			if diff := cmp.Diff(string(archive.Files[i].Data), got); diff != "" {
				t.Errorf("faults (-want +got):\n%s", diff)
			}
			return
		}
	}
	if !*update {
		t.Fatalf("the case has no %s:\n%s", want, got)
	}
	archive.Files = append(archive.Files, txtar.File{Name: want, Data: []byte(got)})
}

// unpacked is a folder with the files of an archive.
func unpacked(t *testing.T, archive *txtar.Archive) string {
	t.Helper()
	dir := t.TempDir()
	for _, f := range archive.Files {
		full := filepath.Join(dir, filepath.FromSlash(f.Name))
		if err := os.MkdirAll(filepath.Dir(full), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(full, f.Data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}
