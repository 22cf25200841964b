// Package e2e plays the whole program: the built binary, real HTTP on
// loopback, real store files. Nothing in it looks inside.
package e2e

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
)

// patience is how long anything that must happen is waited for.
const patience = 30 * time.Second

// built is where the binaries go, for the life of this test process.
var built string

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "deltahook-e2e-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	built = dir
	// These tests wait for schedules, which are no faster than a second, much
	// more than they work: more of them at once than there are processors.
	flag.Parse()
	given := false
	flag.Visit(func(f *flag.Flag) { given = given || f.Name == "test.parallel" })
	if !given {
		_ = flag.Set("test.parallel", "8") // a number, so it can be set
	}
	goleak.VerifyTestMain(m, goleak.Cleanup(func(code int) {
		_ = os.RemoveAll(dir) // what is left lies in the system's temporary folder
		os.Exit(code)
	}))
}

// Each binary is built once, by the first test that asks for it.
var (
	buildRace  = sync.OnceValues(func() (string, error) { return build("race", raceFlags()...) })
	buildPlain = sync.OnceValues(func() (string, error) { return build("plain") })
)

// binary is the program with the race detector in it: a race it finds ends
// the program with status 66, which no test expects.
func binary(tb testing.TB) string {
	tb.Helper()
	path, err := buildRace()
	if err != nil {
		tb.Fatal(err)
	}
	return path
}

// plainBinary is the program as it is released, for tests that measure or
// start it very often.
func plainBinary(tb testing.TB) string {
	tb.Helper()
	path, err := buildPlain()
	if err != nil {
		tb.Fatal(err)
	}
	return path
}

// build builds the program as built/KIND/deltahook.
func build(kind string, flags ...string) (string, error) {
	path := filepath.Join(built, kind, "deltahook")
	args := append([]string{"build", "-o", path}, flags...)
	out, err := exec.Command("go", append(args, "github.com/deltahook/deltahook/cmd/deltahook")...).CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("go build: %w\n%s", err, out)
	}
	return path, nil
}

// raceFlags are none where there is no C compiler, which the race detector
// needs.
func raceFlags() []string {
	out, err := exec.Command("go", "env", "CGO_ENABLED").Output()
	if err != nil || strings.TrimSpace(string(out)) != "1" {
		return nil
	}
	return []string{"-race"}
}

// fixture is the path of a recorded answer, which lies beside the checkout
// and is not copied into it.
func fixture(tb testing.TB, api, name string) string {
	tb.Helper()
	path, err := filepath.Abs(filepath.Join("..", "..", "..", "shared", "fixtures", api, name))
	if err != nil {
		tb.Fatal(err)
	}
	if _, err := os.Stat(path); err != nil {
		tb.Skipf("the recorded answers are not here: %v", err)
	}
	return path
}

// read is a fixture's body.
func read(tb testing.TB, api, name string) []byte {
	tb.Helper()
	body, err := os.ReadFile(fixture(tb, api, name))
	if err != nil {
		tb.Fatal(err)
	}
	return body
}
