package container_test

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// engine builds and runs images without a daemon and without a registry, in a
// storage of its own.
type engine struct {
	storage []string // the options of buildah and podman that name it
	dir     string
}

// newEngine skips the test where images cannot be built and run, and fails it
// where DELTAHOOK_REQUIRE_CONTAINER says that they must be.
func newEngine(t *testing.T) *engine {
	t.Helper()
	missing := ""
	for _, tool := range []string{"buildah", "podman", "runc"} {
		if _, err := exec.LookPath(tool); err != nil {
			missing = tool + " is not installed"
		}
	}
	if os.Getuid() != 0 {
		missing = "this is not root"
	}
	switch {
	case missing != "" && os.Getenv("DELTAHOOK_REQUIRE_CONTAINER") != "":
		t.Fatalf("%s, and DELTAHOOK_REQUIRE_CONTAINER wants the image tested", missing)
	case missing != "":
		t.Skipf("the image is not tested: %s", missing)
	}
	// Not t.TempDir: podman takes no more than 50 characters.
	dir, err := os.MkdirTemp("", "dh") //nolint:usetesting // see above
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Errorf("storage: %v", err)
		}
	})
	return &engine{dir: dir, storage: []string{
		"--storage-driver", "vfs", "--root", filepath.Join(dir, "root"), "--runroot", filepath.Join(dir, "run"),
	}}
}

// build makes the image of the Dockerfile, with its first stage replaced by
// the folder stage.
func (e *engine) build(t *testing.T, stage, version string) (image string) {
	t.Helper()
	image = "deltahook:test"
	must(t, e.command(t, "buildah", "bud", "--isolation", "chroot", "--format", "docker", "--pull=never",
		"--build-context", "build="+stage, "--build-arg", "VERSION="+version, "-t", image, "../.."))
	return image
}

// run is a command in a new container, as locked up as compose.yaml has it.
func (e *engine) run(t *testing.T, name, image string, options []string, args ...string) *exec.Cmd {
	t.Helper()
	all := append([]string{
		"--runtime", "runc", "run", "--rm", "--name", name,
		"--no-healthcheck", // its timer needs systemd; the test asks by itself
		"--ulimit", "nofile=1024:1024", "--ulimit", "nproc=1024:1024", "--network", "host",
		"--read-only", "--read-only-tmpfs=false", "--cap-drop", "ALL", "--security-opt", "no-new-privileges",
	}, options...)
	return e.command(t, "podman", append(append(all, image), args...)...)
}

// command is buildah or podman on this storage.
func (e *engine) command(t *testing.T, tool string, args ...string) *exec.Cmd {
	t.Helper()
	cmd := exec.Command(tool, slices.Concat(e.storage, args)...)
	cmd.Env = append(os.Environ(), "HOME="+e.dir, "XDG_CONFIG_HOME="+e.dir)
	return cmd
}

// must runs a command that has to succeed and gives what it printed.
func must(t *testing.T, cmd *exec.Cmd) string {
	t.Helper()
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil {
		t.Fatalf("%s: %v\n%s%s", strings.Join(cmd.Args, " "), err, &out, &errs)
	}
	return out.String()
}
