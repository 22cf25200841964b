package bench_test

import (
	"bufio"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// receiverEnv has the test binary be a receiver, which takes that long to
// answer, instead of running tests.
const receiverEnv = "DELTAHOOK_BENCH_RECEIVER"

// TestMain runs the benchmarks, or the receiver that one of them has started.
func TestMain(m *testing.M) {
	if takes, err := time.ParseDuration(os.Getenv(receiverEnv)); err == nil {
		receive(takes)
		return
	}
	os.Exit(m.Run())
}

// receive takes everything, until its input ends.
func receive(takes time.Duration) {
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		if takes > 0 {
			time.Sleep(takes)
		}
	}))
	defer server.Close()
	fmt.Println(server.URL)
	_, _ = io.Copy(io.Discard, os.Stdin)
}

// elsewhere is the URL of a receiver in a process of its own, so that what it
// costs is nobody's here.
func elsewhere(b *testing.B, takes time.Duration) string {
	b.Helper()
	receiver := exec.CommandContext(b.Context(), os.Args[0])
	receiver.Env = append(os.Environ(), receiverEnv+"="+takes.String())
	receiver.Stderr = os.Stderr
	input, err := receiver.StdinPipe()
	if err != nil {
		b.Fatal(err)
	}
	output, err := receiver.StdoutPipe()
	if err != nil {
		b.Fatal(err)
	}
	if err := receiver.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		_ = input.Close()
		_ = receiver.Wait()
	})
	url, err := bufio.NewReader(output).ReadString('\n')
	if err != nil {
		b.Fatal(err)
	}
	return strings.TrimSpace(url)
}
