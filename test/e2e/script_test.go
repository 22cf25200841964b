package e2e

import (
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

// Scripts of commands whose output is text and whose exit status tells. What
// they may use beside testscript's own commands:
//
//	exits STATUS ARG...   run deltahook, which ends with that status
//	json                  the output of the last command is one JSON document
//	[fixtures]            the recorded answers are there, at $FIXTURES
func TestScripts(t *testing.T) {
	t.Parallel()
	program := binary(t)
	fixtures, err := filepath.Abs(filepath.Join("..", "..", "..", "shared", "fixtures"))
	if err != nil {
		t.Fatal(err)
	}
	testscript.Run(t, testscript.Params{
		Dir:                filepath.Join("testdata", "script"),
		RequireUniqueNames: true,
		Setup: func(env *testscript.Env) error {
			env.Setenv("FIXTURES", fixtures)
			return nil
		},
		Condition: func(cond string) (bool, error) {
			if cond != "fixtures" {
				return false, errors.New("unknown condition")
			}
			_, err := os.Stat(fixtures)
			return err == nil, nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"exits": func(ts *testscript.TestScript, _ bool, args []string) {
				want, err := strconv.Atoi(args[0])
				ts.Check(err)
				err = ts.Exec(program, args[1:]...)
				got := 0
				if exit, ok := errors.AsType[*exec.ExitError](err); ok {
					got = exit.ExitCode()
				} else {
					ts.Check(err)
				}
				if got != want {
					ts.Fatalf("deltahook %q ended with status %d, want %d\nstdout:\n%s\nstderr:\n%s",
						args[1:], got, want, ts.ReadFile("stdout"), ts.ReadFile("stderr"))
				}
			},
			"json": func(ts *testscript.TestScript, _ bool, _ []string) {
				if !json.Valid([]byte(ts.ReadFile("stdout"))) {
					ts.Fatalf("not a JSON document: %s", ts.ReadFile("stdout"))
				}
			},
		},
	})
}
