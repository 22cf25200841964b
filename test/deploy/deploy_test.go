// Package deploy_test holds the files of deploy to what they promise: systemd
// accepts and confines the unit, Kubernetes accepts the manifests, and the
// configurations in them load.
package deploy_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"go.yaml.in/yaml/v4"

	"github.com/deltahook/deltahook/configs"
)

const folder = "../../deploy"

// tool is the path of a command. Where there is none the test is skipped,
// unless the variable is set.
func tool(t *testing.T, name, required string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		path, err = exec.LookPath(filepath.Join("../../bin", name))
	}
	if err != nil {
		if os.Getenv(required) != "" {
			t.Fatal(err)
		}
		t.Skipf("no %s here", name)
	}
	return path
}

func read(t *testing.T, path ...string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(append([]string{folder}, path...)...))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// TestUnit has systemd check the unit, and weigh how well it is confined.
func TestUnit(t *testing.T) {
	analyze := tool(t, "systemd-analyze", "DELTAHOOK_REQUIRE_SYSTEMD")
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	// The binary need not be installed for this: another one stands in.
	text := strings.ReplaceAll(read(t, "systemd/deltahook.service"), "/usr/local/bin/deltahook", self)
	unit := filepath.Join(t.TempDir(), "deltahook.service")
	if err := os.WriteFile(unit, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.CommandContext(t.Context(), analyze, "verify", unit).CombinedOutput(); err != nil || strings.Contains(string(out), "deltahook.service") {
		t.Errorf("verify: %v\n%s", err, out)
	}
	out, err := exec.CommandContext(t.Context(), analyze, "security", "--offline=true", "--no-pager", unit).CombinedOutput()
	m := regexp.MustCompile(`exposure level for deltahook\.service: (\d+\.\d)`).FindSubmatch(out)
	if err != nil || m == nil {
		t.Fatalf("security: %v\n%s", err, out)
	}
	if level, err := strconv.ParseFloat(string(m[1]), 64); err != nil || level > 1.5 {
		t.Errorf("the exposure level is %s (%v), want 1.5 at most", m[1], err)
	}
}

// loads parses a configuration whose secrets are files.
func loads(t *testing.T, text, store string) {
	t.Helper()
	dir := t.TempDir()
	files := regexp.MustCompile(`\$\{file:([^}]*)\}`).FindAllStringSubmatch(text, -1)
	if len(files) == 0 {
		t.Error("no secret is a file")
	}
	for _, m := range files {
		file := filepath.Join(dir, filepath.Base(m[1]))
		if err := os.WriteFile(file, []byte("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"), 0o600); err != nil {
			t.Fatal(err)
		}
		text = strings.ReplaceAll(text, m[0], "${file:"+file+"}")
	}
	cfg, err := configs.Parse(filepath.Join(dir, "deltahook.yaml"), []byte(text), func(string) (string, bool) { return "", false })
	if err != nil {
		t.Fatal(err)
	}
	if cfg.Store != store {
		t.Errorf("the store is %s, want %s", cfg.Store, store)
	}
}

// at is what stands at a path in a document.
func at(t *testing.T, doc any, path ...any) any {
	t.Helper()
	for _, step := range path {
		switch in := doc.(type) {
		case map[string]any:
			doc = in[step.(string)]
		case []any:
			if i := step.(int); i < len(in) {
				doc = in[i]
				continue
			}
			t.Fatalf("nothing at %v", path)
		default:
			t.Fatalf("nothing at %v", path)
		}
	}
	return doc
}

func parse(t *testing.T, path ...string) (doc any) {
	t.Helper()
	if err := yaml.Unmarshal([]byte(read(t, path...)), &doc); err != nil {
		t.Fatal(err)
	}
	return doc
}

// TestManifests holds what the pod must be, whatever the cluster allows.
func TestManifests(t *testing.T) {
	loads(t, at(t, parse(t, "kubernetes/configmap.yaml"), "data", "deltahook.yaml").(string), "/data/deltahook.db")
	set := parse(t, "kubernetes/statefulset.yaml")
	pod := at(t, set, "spec", "template", "spec")
	container := at(t, pod, "containers", 0)
	for _, c := range []struct {
		what      string
		got, want any
	}{
		{"replicas", at(t, set, "spec", "replicas"), 1},
		{"the claim's access", at(t, set, "spec", "volumeClaimTemplates", 0, "spec", "accessModes", 0), "ReadWriteOncePod"},
		{"the account's token", at(t, pod, "automountServiceAccountToken"), false},
		{"runAsNonRoot", at(t, pod, "securityContext", "runAsNonRoot"), true},
		{"the user", at(t, pod, "securityContext", "runAsUser"), 65532},
		{"the group of volumes", at(t, pod, "securityContext", "fsGroup"), 65532},
		{"seccomp", at(t, pod, "securityContext", "seccompProfile", "type"), "RuntimeDefault"},
		{"escalation", at(t, container, "securityContext", "allowPrivilegeEscalation"), false},
		{"the root", at(t, container, "securityContext", "readOnlyRootFilesystem"), true},
		{"capabilities", at(t, container, "securityContext", "capabilities", "drop", 0), "ALL"},
		{"liveness", at(t, container, "livenessProbe", "httpGet", "path"), "/healthz"},
		{"readiness", at(t, container, "readinessProbe", "httpGet", "path"), "/readyz"},
		{"the selector", at(t, parse(t, "kubernetes/service.yaml"), "spec", "selector", "app.kubernetes.io/name"), at(t, set, "spec", "template", "metadata", "labels", "app.kubernetes.io/name")},
	} {
		if c.got != c.want {
			t.Errorf("%s: %v, want %v", c.what, c.got, c.want)
		}
	}
}

// TestManifestsValidate holds the manifests to Kubernetes' own schema.
func TestManifestsValidate(t *testing.T) {
	validate := tool(t, "kubectl-validate", "DELTAHOOK_REQUIRE_KUBECTL_VALIDATE")
	files, err := filepath.Glob(filepath.Join(folder, "kubernetes/*.yaml"))
	if err != nil || len(files) != 3 {
		t.Fatalf("the manifests are %v (%v)", files, err)
	}
	for _, file := range files {
		if out, err := exec.CommandContext(t.Context(), validate, file).CombinedOutput(); err != nil {
			t.Errorf("%s: %v\n%s", file, err, out)
		}
	}
}

// TestCompose holds what the service must be, as for the one that test/container
// plays.
func TestCompose(t *testing.T) {
	loads(t, read(t, "compose/config/deltahook.yaml"), "/data/deltahook.db")
	service := at(t, parse(t, "compose/compose.yaml"), "services", "deltahook")
	for _, c := range []struct {
		what      string
		got, want any
	}{
		{"the root", at(t, service, "read_only"), true},
		{"capabilities", at(t, service, "cap_drop", 0), "ALL"},
		{"privileges", at(t, service, "security_opt", 0), "no-new-privileges:true"},
		{"the configuration", at(t, service, "volumes", 0), "./config:/etc/deltahook:ro"},
		{"the data", at(t, service, "volumes", 1), "data:/data"},
		{"the health check", at(t, service, "healthcheck", "test", 2), "healthcheck"},
	} {
		if c.got != c.want {
			t.Errorf("%s: %v, want %v", c.what, c.got, c.want)
		}
	}
}

// TestNoRegistryIsNamed: there is none to pull from, so a name would be
// somebody else's image.
func TestNoRegistryIsNamed(t *testing.T) {
	image := regexp.MustCompile(`(?m)^\s*image: (\S+)`)
	for _, file := range []string{"compose/compose.yaml", "kubernetes/statefulset.yaml"} {
		found := image.FindAllStringSubmatch(read(t, file), -1)
		if len(found) == 0 {
			t.Errorf("%s names no image", file)
		}
		for _, m := range found {
			if !strings.HasPrefix(m[1], "deltahook:") {
				t.Errorf("%s: the image %s", file, m[1])
			}
		}
	}
}
