package docs_test

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/deltahook/deltahook/poller"
	"github.com/deltahook/deltahook/test/loopback"
)

var update = flag.Bool("update", false, "write the real output of commands into the pages")

// bin is the folder that deltahook is built into.
var bin string

// program builds deltahook, once.
var program = sync.OnceValue(func() error {
	build := exec.Command("go", "build", "-o", filepath.Join(bin, "deltahook"), "./cmd/deltahook")
	build.Dir = root
	if out, err := build.CombinedOutput(); err != nil {
		return fmt.Errorf("%w\n%s", err, out)
	}
	return nil
})

func TestMain(m *testing.M) {
	var err error
	if bin, err = os.MkdirTemp("", "deltahook-docs-"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	code := m.Run()
	_ = os.RemoveAll(bin)
	os.Exit(code)
}

// commandLine is a use of deltahook in a shell block.
var commandLine = regexp.MustCompile(`(?m)(?:^|[\s(;])(?:\./)?(?:bin/)?deltahook( [^\n#>|&)]*)?`)

// TestCommandLinesAreAccepted parses every command line of deltahook in the
// shell blocks: the command is there, and it has the flags.
func TestCommandLinesAreAccepted(t *testing.T) {
	found := 0
	for _, b := range blocksOf(t, "sh", "console") {
		text := strings.ReplaceAll(b.text, "\\\n", " ")
		for line := range strings.Lines(text) {
			if b.lang == "console" && !strings.HasPrefix(line, "$ ") || strings.Contains(line, "docker") {
				continue
			}
			for _, m := range commandLine.FindAllStringSubmatch(line, -1) {
				found++
				args := append(strings.Fields(m[1]), "--help")
				if out, err := command(t, t.TempDir(), args...).CombinedOutput(); err != nil {
					t.Errorf("%s:%d: deltahook%s: %v\n%s", b.page, b.line, m[1], err, out)
				}
			}
		}
	}
	if found < 10 {
		t.Errorf("only %d command lines were found", found)
	}
}

// command is a run of deltahook in dir. It is interrupted when the test ends.
func command(t *testing.T, dir string, args ...string) *exec.Cmd {
	t.Helper()
	if err := program(); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), filepath.Join(bin, "deltahook"), args...)
	cmd.Dir = dir
	cmd.Env = []string{"PATH=" + bin + ":" + os.Getenv("PATH"), "HOME=" + dir, "TMPDIR=" + dir}
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = 15 * time.Second
	return cmd
}

// TestCommandsPrintWhatThePageSays plays docs/commands.md: the commands of its
// console blocks, in their order, in a folder with its files. The receiver and
// the daemon run until the end, and their blocks have all that they printed.
func TestCommandsPrintWhatThePageSays(t *testing.T) {
	const path = "docs/commands.md"
	// A poll that is due while the page is played would be shown.
	due, err := poller.ParseSchedule("@every 1h", "", "parcels", 0)
	if err != nil {
		t.Fatal(err)
	}
	if left := time.Until(due.Next(time.Now())); left < time.Minute {
		time.Sleep(left)
	}
	s := newStage(t)
	text := read(t, filepath.Join(root, path))
	blocks := cut(t, path, text)
	s.files(blocks)

	type session struct {
		block block
		run   *background
	}
	var running []session
	got := map[int]string{} // by line of the block
	for _, b := range blocks {
		if b.lang != "console" {
			continue
		}
		switch {
		case strings.HasPrefix(b.text, "$ deltahook listen"):
			running = append(running, session{b, s.start("listening on", "listen", "--addr", s.receiver, "--secret", someSecret)})
		case strings.HasPrefix(b.text, "$ deltahook run"):
			running = append(running, session{b, s.start("first answer remembered", "run")})
		default:
			got[b.line] = s.console(b)
		}
	}
	for _, r := range slices.Backward(running) { // the daemon before the receiver
		first, _, _ := strings.Cut(r.block.text, "\n")
		got[r.block.line] = first + "\n" + s.usual(r.run.end(t))
	}
	for _, b := range blocks {
		out, ok := got[b.line]
		if !ok {
			continue
		}
		if diff := cmp.Diff(steady(b.text), steady(out)); diff != "" {
			if *update {
				text = strings.Replace(text, "```console\n"+b.text, "```console\n"+out, 1)
				continue
			}
			t.Errorf("%s:%d is not what is printed (-page +printed; -update writes it):\n%s", path, b.line, diff)
		}
	}
	if *update {
		if err := os.WriteFile(filepath.Join(root, path), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// stage is a folder in which a page is played, with an API and free ports in
// the place of those that the page names.
type stage struct {
	t                    *testing.T
	dir                  string
	api, receiver, admin string
}

func newStage(t *testing.T) *stage {
	t.Helper()
	s := &stage{t: t, dir: t.TempDir(), receiver: loopback.Free(t), admin: loopback.Free(t)}
	server := httptest.NewServer(http.FileServer(http.Dir(s.dir)))
	t.Cleanup(server.Close)
	s.api = server.Listener.Addr().String()
	return s
}

// own puts the stage's addresses in the place of the page's, usual does the
// reverse.
func (s *stage) own(text string) string {
	return strings.NewReplacer("127.0.0.1:9100", s.api, "127.0.0.1:9000", s.receiver,
		"[127.0.0.1]", "[127.0.0.0/8]", `["127.0.0.1"]`, `["127.0.0.0/8"]`).Replace(text)
}

func (s *stage) usual(text string) string {
	return strings.NewReplacer(s.api, "127.0.0.1:9100", s.receiver, "127.0.0.1:9000", s.admin, "127.0.0.1:8080").Replace(text)
}

// files writes the page's configuration, and the answers that it names in the
// line above them.
func (s *stage) files(blocks []block) {
	write := func(name, text string) {
		if err := os.WriteFile(filepath.Join(s.dir, name), []byte(text), 0o600); err != nil {
			s.t.Fatal(err)
		}
	}
	named := regexp.MustCompile("`([a-z]+\\.json)`$")
	for _, b := range blocks {
		switch m := named.FindStringSubmatch(b.before); {
		case b.lang == "yaml":
			write("deltahook.yaml", s.own(b.text)+fmt.Sprintf("server: {listen: %q}\n", s.admin))
		case b.lang == "json" && m != nil:
			write(m[1], b.text)
			if m[1] == "old.json" {
				write("parcels.json", b.text)
			}
		}
	}
}

// console runs the commands of a block and gives it with their output.
func (s *stage) console(b block) string {
	s.t.Helper()
	var out strings.Builder
	for line := range strings.Lines(b.text) {
		cmd, ok := strings.CutPrefix(line, "$ ")
		if !ok {
			continue
		}
		shell := command(s.t, s.dir)
		run := exec.CommandContext(s.t.Context(), "sh", "-c", cmd)
		run.Dir, run.Env = shell.Dir, shell.Env
		printed, err := run.CombinedOutput()
		if _, exited := errors.AsType[*exec.ExitError](err); err != nil && !exited {
			s.t.Fatalf("%s:%d: %v", b.page, b.line, err)
		}
		out.WriteString(line + s.usual(string(printed)))
	}
	return out.String()
}

// background is a command that runs until it is told to end.
type background struct {
	cmd    *exec.Cmd
	mu     sync.Mutex
	out    bytes.Buffer
	marker string
	ready  chan struct{} // closed when the marker was printed
}

// start runs deltahook until it has printed marker.
func (s *stage) start(marker string, args ...string) *background {
	s.t.Helper()
	b := &background{cmd: command(s.t, s.dir, args...), marker: marker, ready: make(chan struct{})}
	b.cmd.Stdout, b.cmd.Stderr = b, b
	if err := b.cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(s.t.Context(), 30*time.Second)
	defer cancel()
	select {
	case <-b.ready:
	case <-ctx.Done():
		s.t.Fatalf("%v did not print %q:\n%s", args, marker, b.printed())
	}
	return b
}

// Write takes what the command prints.
func (b *background) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.out.Write(p)
	if b.marker != "" && strings.Contains(b.out.String(), b.marker) {
		b.marker = ""
		close(b.ready)
	}
	return len(p), nil
}

func (b *background) printed() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.out.String()
}

// end ends the command and gives all that it printed.
func (b *background) end(t *testing.T) string {
	t.Helper()
	if err := b.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := b.cmd.Wait(); err != nil {
		t.Errorf("%v: %v", b.cmd.Args[1:], err)
	}
	return b.printed()
}

// varying is what differs from run to run.
var varying = []struct {
	what *regexp.Regexp
	mask string
}{
	{regexp.MustCompile(`evt_[0-9a-f-]{36}`), "evt_ID"},
	{regexp.MustCompile(`\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d+)?( UTC|Z)`), "TIME"},
	{regexp.MustCompile(`(?m)^\d\d:\d\d:\d\d `), "CLOCK "},
	{regexp.MustCompile(`\(in (\d+h)?(\d+m)?\d+s\)`), "(in AWHILE)"},
	{regexp.MustCompile(`in \d+(\.\d+)?(µs|ms|s)\b`), "in AWHILE"},
	{regexp.MustCompile(`\b\d+(\.\d+)?(µs|ms|s)\b`), "AWHILE"},
	{regexp.MustCompile(`after=\d+s`), "after=AWHILE"},
	{regexp.MustCompile(`\(go\d[^)]*\)`), "(GO)"},
	// The table of check is as wide as its times.
	{regexp.MustCompile(` {2,}`), "  "},
}

// steady is text without what varies.
func steady(text string) string {
	for _, v := range varying {
		text = v.what.ReplaceAllString(text, v.mask)
	}
	return text
}
