package configs_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/deltahook/deltahook/configs"
)

func TestWhatIsNoConfiguration(t *testing.T) {
	t.Chdir(t.TempDir())
	if err := os.MkdirAll("empty/deltahook.yaml", 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir("crowd", 0o755); err != nil {
		t.Fatal(err)
	}
	for i := range 1_001 {
		write(t, fmt.Sprintf("crowd/%d.yaml", i), "")
	}
	write(t, "deltahook.json", "{}")
	write(t, "large.yaml", "store: x\n"+strings.Repeat("#", 4<<20))
	write(t, "latin1.toml", "store = \"x\"\n# caf\xe9\n")
	if err := os.Symlink("nowhere", "dangling.yaml"); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{
		"absent.yaml":    "absent.yaml: no such file or folder",
		"dangling.yaml":  "dangling.yaml: no such file or folder",
		"empty":          "empty: no *.yaml, *.yml or *.toml file is in this folder",
		"crowd":          "crowd: 1001 files are in this folder; at most 1000 are read",
		"deltahook.json": "deltahook.json: the name of a configuration file ends in .yaml, .yml or .toml",
		"large.yaml":     "large.yaml: larger than 4194304 bytes",
		"latin1.toml":    "latin1.toml:2:6: not UTF-8",
	} {
		cfg, err := configs.Load(path, unset)
		if err == nil || cfg != nil {
			t.Errorf("%s was loaded", path)
			continue
		}
		if diff := cmp.Diff(want, err.Error()); diff != "" {
			t.Errorf("%s (-want +got):\n%s", path, diff)
		}
	}
}

// TestFolder loads what a mounted ConfigMap looks like: links into a folder
// whose name starts with a dot.
func TestFolder(t *testing.T) {
	t.Chdir(t.TempDir())
	write(t, "etc/..data/a.yaml", "store: a.db\nserver: {token: '${file:token}'}\n")
	write(t, "etc/..data/b.toml", "\xef\xbb\xbf[sources.s]\nschedule = '@hourly'\nrequest.url = 'https://api.example/'\n")
	write(t, "etc/token", "hunter2-hunter2")
	write(t, "etc/.hidden.yaml", "nonsense")
	write(t, "etc/README.md", "nonsense")
	for _, name := range []string{"a.yaml", "b.toml"} {
		if err := os.Symlink(filepath.Join("..data", name), filepath.Join("etc", name)); err != nil {
			t.Fatal(err)
		}
	}
	cfg, err := configs.Load("etc", unset)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"etc/a.yaml", "etc/b.toml"}, cfg.Files); diff != "" {
		t.Error(diff)
	}
	if cfg.Store != "etc/a.db" || cfg.Dir != "etc" || cfg.Server.Token.Reveal() != "hunter2-hunter2" {
		t.Errorf("store %s, dir %s", cfg.Store, cfg.Dir)
	}
	if _, ok := cfg.Sources["s"]; !ok {
		t.Error("the other file's source is missing")
	}
}
