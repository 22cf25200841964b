// Package container_test builds the image of the Dockerfile and runs it as
// compose.yaml does: read-only, without capabilities, as uid 65532. There is
// no registry to take a Go image from, so the binary is built outside and
// stands in for the first stage; every line of the final stage is the real
// one.
package container_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/deltahook/deltahook/test/loopback"
)

const version = "v0.0.0-container-test"

// patience is how long a container may take for what takes it a second.
const patience = time.Minute

func TestImage(t *testing.T) {
	e := newEngine(t)
	image := e.build(t, firstStage(t), version)

	t.Run("says what it is", func(t *testing.T) { inspect(t, e, image) })
	t.Run("version", func(t *testing.T) {
		if out := must(t, e.run(t, "dh-version", image, nil, "version")); !strings.Contains(out, version) {
			t.Errorf("version prints %q, want %s in it", out, version)
		}
	})
	t.Run("runs", func(t *testing.T) { runs(t, e, image) })
	t.Run("writes to /data only", func(t *testing.T) {
		config := writeConfig(t, "/etc/deltahook/state.db", loopback.Free(t), "http://127.0.0.1:1", "http://127.0.0.1:1")
		out, err := e.run(t, "dh-readonly", image, []string{"-v", config + ":/etc/deltahook:ro"}).CombinedOutput()
		if err == nil || !strings.Contains(string(out), "read-only") {
			t.Errorf("with a store outside of /data: %v, %s; want it to end and to say that the place is read-only", err, out)
		}
	})
}

// firstStage makes what the Dockerfile's first stage leaves in /out.
func firstStage(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	certs := filepath.Join(dir, "out/root/etc/ssl/certs")
	for _, d := range []string{certs, filepath.Join(dir, "out/data")} {
		if err := os.MkdirAll(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	authorities, err := os.ReadFile("/etc/ssl/certs/ca-certificates.crt")
	if err != nil {
		t.Fatalf("the package ca-certificates is needed: %v", err)
	}
	if err := os.WriteFile(filepath.Join(certs, "ca-certificates.crt"), authorities, 0o644); err != nil {
		t.Fatal(err)
	}
	build := exec.Command("go", "build", "-trimpath", "-ldflags", "-s -w -X main.version="+version,
		"-o", filepath.Join(dir, "out/root/deltahook"), "./cmd/deltahook")
	build.Dir = "../.."
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	must(t, build)
	return dir
}

// inspect holds the image's description against what operators rely on.
func inspect(t *testing.T, e *engine, image string) {
	t.Helper()
	type config struct {
		User, WorkingDir string
		Entrypoint, Cmd  []string
		Volumes          map[string]struct{}
		Labels           map[string]string
	}
	var got []struct {
		Config      config
		Healthcheck struct{ Test []string }
	}
	if err := json.Unmarshal([]byte(must(t, e.command(t, "podman", "image", "inspect", image))), &got); err != nil {
		t.Fatal(err)
	}
	delete(got[0].Config.Labels, "io.buildah.version")
	want := config{
		User: "65532:65532", WorkingDir: "/data",
		Entrypoint: []string{"/deltahook"}, Cmd: []string{"run", "--config", "/etc/deltahook"},
		Volumes: map[string]struct{}{"/data": {}},
		Labels: map[string]string{
			"org.opencontainers.image.title":       "Deltahook",
			"org.opencontainers.image.description": "Polls APIs, compares, and sends signed webhooks when something changed",
			"org.opencontainers.image.licenses":    "Apache-2.0",
			"org.opencontainers.image.version":     version,
		},
	}
	if diff := cmp.Diff(want, got[0].Config); diff != "" {
		t.Errorf("config (-want +got):\n%s", diff)
	}
	health := []string{"CMD", "/deltahook", "healthcheck", "--config", "/etc/deltahook"}
	if diff := cmp.Diff(health, got[0].Healthcheck.Test); diff != "" {
		t.Errorf("health check (-want +got):\n%s", diff)
	}
}

// runs starts the daemon, waits for a webhook, asks for its health as the
// HEALTHCHECK does, looks at what is in /data, and stops it.
func runs(t *testing.T, e *engine, image string) {
	t.Helper()
	api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, `{"items": [{"id": "1", "status": "moving"}]}`)
	}))
	defer api.Close()
	told := make(chan string, 1)
	shop := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		select {
		case told <- r.Header.Get("Webhook-Signature") + " " + string(body):
		default:
		}
	}))
	defer shop.Close()

	config := writeConfig(t, "/data/deltahook.db", loopback.Free(t), api.URL, shop.URL)
	var log bytes.Buffer
	daemon := e.run(t, "dh-daemon", image, []string{"-v", config + ":/etc/deltahook:ro"})
	daemon.Stdout, daemon.Stderr = &log, &log
	if err := daemon.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- daemon.Wait() }()

	select {
	case webhook := <-told:
		if !strings.HasPrefix(webhook, "v1,") || !strings.Contains(webhook, `"moving"`) {
			t.Errorf("the receiver got %s, want a signed webhook with the item", webhook)
		}
	case err := <-ended:
		t.Fatalf("the daemon ended: %v\n%s", err, &log)
	case <-time.After(patience):
		_ = daemon.Process.Kill()
		<-ended
		t.Fatalf("no webhook came\n%s", &log)
	}
	must(t, e.command(t, "podman", "--runtime", "runc", "exec", "dh-daemon", "/deltahook", "healthcheck", "--config", "/etc/deltahook"))
	storeInData(t, e)

	if err := daemon.Process.Signal(syscall.SIGTERM); err != nil { // podman hands it on
		t.Fatal(err)
	}
	select {
	case err := <-ended:
		if err != nil {
			t.Errorf("after SIGTERM: %v, want exit status 0\n%s", err, &log)
		}
	case <-time.After(patience):
		t.Error("the daemon goes on after SIGTERM")
	}
}

// storeInData looks into the volume from outside: the image made it writable
// for 65532, without anybody's chown.
func storeInData(t *testing.T, e *engine) {
	t.Helper()
	volume := strings.TrimSpace(must(t, e.command(t, "podman", "inspect", "dh-daemon", "--format",
		`{{range .Mounts}}{{if eq .Destination "/data"}}{{.Source}}{{end}}{{end}}`)))
	info, err := os.Stat(filepath.Join(volume, "deltahook.db"))
	if err != nil {
		t.Fatal(err)
	}
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok || stat.Uid != 65532 || info.Mode().Perm() != 0o600 {
		t.Errorf("the store belongs to %+v with mode %v, want uid 65532 and 0600", stat, info.Mode())
	}
}

// writeConfig writes a config folder that uid 65532 may read.
func writeConfig(t *testing.T, store, listen, api, shop string) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	secret := "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
	text := fmt.Sprintf(`store: %s
server: {listen: %s}
sources:
  parcels:
    schedule: "@every 1s"
    request: {url: %s}
    response: {items: items, id: id}
    changes: {baseline: emit}
endpoints:
  shop: {url: %s, secrets: ["${file:whsec}"]}
egress:
  endpoints: {allow: [127.0.0.0/8]}
`, store, listen, api, shop)
	for name, content := range map[string]string{"deltahook.yaml": text, "whsec": secret} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}
