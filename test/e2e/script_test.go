package e2e

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// Scripts of commands whose output is text and whose exit status tells. What
// they may use beside testscript's own commands:
//
//	exits STATUS ARG...   run deltahook, which ends with that status
//	json                  the output of the last command is one JSON document
//	daemon ARG...         run the daemon with these, until the script ends, and wait until it answers; $ADMIN
//	                      is then the URL of its admin address
//	end                   tell that daemon to end
//	until PATTERN ARG...  run deltahook until its standard output matches
//	lines FILE N          write a file of so many lines, each another one
//	[fixtures]            the recorded answers are there, at $FIXTURES
//
// $API is the URL of an API that has the files in the folder api.
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
			api := httptest.NewServer(http.FileServer(http.Dir(filepath.Join(env.WorkDir, "api"))))
			env.Defer(api.Close)
			env.Setenv("API", api.URL)
			env.Values[daemonKey{}] = &scriptDaemon{program: program}
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
			"daemon": func(ts *testscript.TestScript, _ bool, args []string) { daemonOf(ts).start(ts, args) },
			"end":    func(ts *testscript.TestScript, _ bool, _ []string) { daemonOf(ts).end() },
			"until": func(ts *testscript.TestScript, _ bool, args []string) {
				want := regexp.MustCompile("(?m)" + args[0])
				for deadline := time.Now().Add(patience); ; time.Sleep(20 * time.Millisecond) {
					err := ts.Exec(program, args[1:]...)
					if err == nil && want.MatchString(ts.ReadFile("stdout")) {
						return
					}
					if time.Now().After(deadline) {
						ts.Fatalf("deltahook %q does not print %q: %v", args[1:], args[0], err)
					}
				}
			},
			"lines": func(ts *testscript.TestScript, _ bool, args []string) {
				n, err := strconv.Atoi(args[1])
				ts.Check(err)
				var text strings.Builder
				for i := range n {
					fmt.Fprintf(&text, "line-%d\n", i)
				}
				ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(text.String()), 0o600))
			},
			"json": func(ts *testscript.TestScript, _ bool, _ []string) {
				if !json.Valid([]byte(ts.ReadFile("stdout"))) {
					ts.Fatalf("not a JSON document: %s", ts.ReadFile("stdout"))
				}
			},
		},
	})
}

// daemonKey is what a script's daemon is found by.
type daemonKey struct{}

func daemonOf(ts *testscript.TestScript) *scriptDaemon {
	return ts.Value(daemonKey{}).(*scriptDaemon)
}

// scriptDaemon is the daemon that a script runs.
type scriptDaemon struct {
	program string
	cmd     *exec.Cmd // nil: none runs
}

// start runs the daemon in the script's folder until it answers.
func (d *scriptDaemon) start(ts *testscript.TestScript, args []string) {
	log := newOutput()
	d.cmd = exec.Command(d.program, append([]string{"run"}, args...)...)
	d.cmd.Dir, d.cmd.Stderr = ts.MkAbs("."), log
	for _, name := range []string{"API", "HOME", "TMPDIR", "PATH"} {
		d.cmd.Env = append(d.cmd.Env, name+"="+ts.Getenv(name))
	}
	ts.Check(d.cmd.Start())
	ts.Defer(func() {
		d.end()
		ts.Logf("the daemon:\n%s", tail(log.String()))
	})
	runs := regexp.MustCompile(`msg="deltahook runs".* listen=(\S*)`)
	for late := time.After(patience); ; {
		text, more := log.now()
		if m := runs.FindStringSubmatch(text); m != nil {
			ts.Setenv("ADMIN", "http://"+m[1])
			return
		}
		select {
		case <-more:
		case <-late:
			ts.Fatalf("the daemon does not run:\n%s", text)
		}
	}
}

// end ends the daemon that runs, if one does.
func (d *scriptDaemon) end() {
	if d.cmd != nil {
		_ = d.cmd.Process.Signal(syscall.SIGTERM)
		_ = d.cmd.Wait() // what a script is about is not how it ends
		d.cmd = nil
	}
}
