// Package imports_test holds the import table of ARCHITECTURE.md: who may
// import whom, and why. It has no other purpose and no other file.
package imports_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"path"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/deltahook/deltahook"

// row is what the packages of a folder may import of ours.
type row struct {
	may   []string // folders; "leaves" are all rows that are leaves, "*" is everything
	tests []string // what their tests may import besides
	why   string
}

const leaf = "a leaf is one small noun that any stage may use; it knows none of ours, so that no stage can reach another one through it"

// table is the import table; a package without a row of its own takes that of
// the nearest folder above it.
var table = map[string]row{
	"cmd": {may: []string{"*"}, why: "cmd ties the parts together"},
	"configs": {
		may: []string{"poller", "differ", "emitter", "internal/credential", "leaves"},
		why: "configs composes the stages' settings; it runs nothing and stores nothing",
	},
	"poller": {
		may: []string{"internal/credential", "internal/request", "leaves"},
		why: "the poller asks; it does not know whether anything changed, is stored or is told",
	},
	"differ": {
		may:   []string{"poller", "leaves"},
		tests: []string{"internal/store/mem"},
		why:   "the differ names the poller's Answer and the store as an interface; how an event is sent is not its matter",
	},
	"emitter": {
		may: []string{"differ", "internal/credential", "internal/request", "leaves"},
		why: "the emitter names the differ's Event and the queue as an interface; where an event came from is not its matter",
	},
	"internal/store": {
		may:   []string{"poller", "differ", "emitter", "leaves"},
		tests: []string{"internal/store/mem", "internal/store/storetest"},
		why:   "an engine fulfils the contracts of differ and emitter; engines do not know each other, nor what runs on them",
	},
	"internal/web": {
		may:   []string{"differ", "emitter", "leaves"},
		tests: []string{"test/loopback"},
		why:   "the web reads through interfaces of its own; which engine answers is main's choice",
	},
	"internal/imports": {why: "this test"},
	"test": {
		tests: []string{"*"},
		why:   "test holds tests of the whole program",
	},

	"internal/request": {
		may: []string{"leaves"},
		why: "a request is made of expressions; who sends it, and why, is not its matter",
	},
	"internal/credential": {
		may: []string{"internal/request", "leaves"},
		why: "poller and emitter share credentials, with their tokens; neither may know the other's, so these know neither",
	},

	"internal/auth":       {why: leaf, tests: []string{"internal/secret"}},
	"internal/budget":     {why: leaf},
	"internal/canon":      {why: leaf},
	"internal/curl":       {why: leaf},
	"internal/decode":     {why: leaf},
	"internal/egress":     {why: leaf},
	"internal/expr":       {why: leaf},
	"internal/fault":      {why: leaf},
	"internal/jsonpath":   {why: leaf},
	"internal/ordered":    {why: leaf},
	"internal/retryafter": {why: leaf},
	"internal/secret":     {why: leaf},
	"internal/trace":      {why: leaf},
	"internal/units":      {why: leaf},
	"internal/zone":       {why: leaf},
}

// fenced are modules of others that only some of our folders may import
// outside tests.
var fenced = []struct{ module, only, why string }{
	{"github.com/spf13/cobra", "cmd", "the command line is cmd's; every other package can be used without one"},
	{"go.etcd.io/bbolt", "internal/store/bolt", "an engine stays behind the contract, or it cannot be exchanged"},
	{"github.com/invopop/jsonschema", "", "the schema is made when it changes and embedded; the binary does not carry its maker"},
	{"github.com/google/go-cmp", "internal/store/storetest", "it panics and is not for production, as its own documentation says"},
}

// banned are names that say nothing: what lands there belongs elsewhere.
var banned = []string{"util", "utils", "common", "helpers", "misc", "shared", "base", "core", "model", "models", "types"}

// pkg is what `go list -json` says of a package.
type pkg struct {
	ImportPath   string
	Imports      []string
	TestImports  []string
	XTestImports []string
}

// folder is the package's path below the module; "" is the root.
func (p pkg) folder() string {
	return strings.TrimPrefix(strings.TrimPrefix(p.ImportPath, module), "/")
}

func TestImportTable(t *testing.T) {
	pkgs, err := list(t)
	if err != nil {
		t.Fatal(err)
	}
	if len(pkgs) < 10 {
		t.Fatalf("go list names only %d packages", len(pkgs))
	}
	for _, p := range pkgs {
		for _, fault := range judge(p) {
			t.Error(fault)
		}
	}
}

// TestJudge shows that the table can refuse.
func TestJudge(t *testing.T) {
	ours := func(folders ...string) (paths []string) {
		for _, f := range folders {
			paths = append(paths, path.Join(module, f))
		}
		return paths
	}
	for _, c := range []struct {
		name string
		p    pkg
		want string // part of the only fault; "": none
	}{
		{"the flow", pkg{ImportPath: module + "/emitter", Imports: ours("differ", "internal/secret")}, ""},
		{"against the flow", pkg{ImportPath: module + "/differ", Imports: ours("emitter")}, "how an event is sent is not its matter"},
		{"past a stage", pkg{ImportPath: module + "/emitter", Imports: ours("poller")}, "where an event came from"},
		{"a leaf that knows ours", pkg{ImportPath: module + "/internal/expr", Imports: ours("internal/secret")}, "a leaf is one small noun"},
		{"an engine in a stage", pkg{ImportPath: module + "/poller", Imports: ours("internal/store/bolt")}, "poller must not import internal/store/bolt"},
		{"an engine in another", pkg{ImportPath: module + "/internal/store/bolt", Imports: ours("internal/store/mem")}, "engines do not know each other"},
		{"the contract test", pkg{ImportPath: module + "/internal/store/bolt", XTestImports: ours("internal/store/bolt", "internal/store/storetest")}, ""},
		{"a store in the emitter's tests", pkg{ImportPath: module + "/emitter", TestImports: ours("internal/store/mem")}, "tests of emitter must not import internal/store/mem"},
		{"a row below", pkg{ImportPath: module + "/cmd/deltahook", Imports: ours("configs", "internal/web")}, ""},
		{"cobra elsewhere", pkg{ImportPath: module + "/configs", Imports: []string{"github.com/spf13/cobra"}}, "the command line is cmd's"},
		{"go-cmp in the binary", pkg{ImportPath: module + "/cmd/deltahook", Imports: []string{"github.com/google/go-cmp/cmp"}}, "not for production"},
		{"go-cmp in a test", pkg{ImportPath: module + "/poller", TestImports: []string{"github.com/google/go-cmp/cmp"}}, ""},
		{"no row", pkg{ImportPath: module + "/internal/news"}, "has no row"},
		{"a name that says nothing", pkg{ImportPath: module + "/poller/util"}, "says nothing"},
	} {
		faults := judge(c.p)
		if c.want == "" && len(faults) > 0 || c.want != "" && (len(faults) != 1 || !strings.Contains(faults[0].Error(), c.want)) {
			t.Errorf("%s: %v, want %q", c.name, faults, c.want)
		}
	}
}

// judge says what is wrong with a package's imports.
func judge(p pkg) (faults []error) {
	for part := range strings.SplitSeq(p.folder(), "/") {
		if slices.Contains(banned, part) {
			faults = append(faults, fmt.Errorf("%s: a package named %s says nothing about what it holds; name it for that", p.folder(), part))
		}
	}
	rule, ok := rowOf(p.folder())
	if !ok {
		return append(faults, fmt.Errorf("%s has no row in the import table: add one to table and to ARCHITECTURE.md", p.folder()))
	}
	refuse := func(who, imported, why string) {
		faults = append(faults, fmt.Errorf("%s must not import %s: %s", who, imported, why))
	}
	for _, imported := range p.Imports {
		if !allowed(rule.may, imported) {
			refuse(p.folder(), strings.TrimPrefix(imported, module+"/"), rule.why)
		}
		for _, f := range fenced {
			if within(imported, f.module) && !within(p.folder(), f.only) {
				refuse(p.folder(), imported, f.why)
			}
		}
	}
	for _, imported := range slices.Concat(p.TestImports, p.XTestImports) {
		if imported != p.ImportPath && !allowed(slices.Concat(rule.may, rule.tests), imported) {
			refuse("tests of "+p.folder(), strings.TrimPrefix(imported, module+"/"), rule.why)
		}
	}
	return faults
}

// rowOf finds the row of a folder, or of the nearest one above it.
func rowOf(folder string) (row, bool) {
	for ; folder != "." && folder != ""; folder = path.Dir(folder) {
		if r, ok := table[folder]; ok {
			return r, true
		}
	}
	return row{}, false
}

// allowed reports whether a row that may import what may names may import
// imported. What is not ours is not the table's matter.
func allowed(may []string, imported string) bool {
	if !within(imported, module) {
		return true
	}
	folder := strings.TrimPrefix(imported, module+"/")
	for _, m := range may {
		if m == "*" || within(folder, m) || m == "leaves" && isLeaf(folder) {
			return true
		}
	}
	return false
}

func isLeaf(folder string) bool {
	r, ok := rowOf(folder)
	return ok && r.why == leaf
}

func within(p, folder string) bool { return p == folder || strings.HasPrefix(p, folder+"/") }

// list asks the go command for the module's packages.
func list(t *testing.T) ([]pkg, error) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", "list", "-e", "-json=ImportPath,Imports,TestImports,XTestImports", module+"/...")
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("go list: %w", err)
	}
	dec := json.NewDecoder(strings.NewReader(string(out)))
	var pkgs []pkg
	for {
		var p pkg
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			return pkgs, nil
		} else if err != nil {
			return nil, fmt.Errorf("go list: %w", err)
		}
		pkgs = append(pkgs, p)
	}
}
