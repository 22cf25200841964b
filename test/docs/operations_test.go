package docs_test

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

const operations = "docs/operations"

// TestQuotedLogLinesExist finds what the pages of failures quote in the code:
// the message of a log line at its level, the fixed parts of any other line.
func TestQuotedLogLinesExist(t *testing.T) {
	var code strings.Builder
	for _, file := range sources(t) {
		if !strings.HasSuffix(file, "_test.go") {
			code.WriteString(read(t, file))
		}
	}
	all := code.String()
	line := regexp.MustCompile(`^level=([A-Z])([A-Z]+) msg="(.*?)"`)
	found := 0
	for _, b := range blocksOf(t, "log") {
		for quoted := range strings.Lines(b.text) {
			if m := line.FindStringSubmatch(quoted); m != nil {
				found++
				if call := "." + m[1] + strings.ToLower(m[2]) + `("` + m[3] + `"`; !strings.Contains(all, call) {
					t.Errorf("%s:%d: nothing logs %s", b.page, b.line, strings.TrimSpace(quoted))
				}
				continue
			}
			for part := range strings.SplitSeq(strings.TrimPrefix(strings.TrimSpace(quoted), "deltahook: "), "…") {
				if part = strings.Trim(part, " :;"); len(part) > 4 {
					found++
					if !strings.Contains(all, part) {
						t.Errorf("%s:%d: nothing says %q", b.page, b.line, part)
					}
				}
			}
		}
	}
	if found < 25 {
		t.Errorf("only %d quotes were found", found)
	}
}

// rule is as much of an alert as is looked at.
var rule = regexp.MustCompile(`- alert: (\w+)\n(?s:.*?)runbook_url: (\S+)`)

// TestAlertsHavePages follows each alert to its page, which names it.
func TestAlertsHavePages(t *testing.T) {
	alerts := rule.FindAllStringSubmatch(read(t, filepath.Join(root, operations, "alerts.rules.yaml")), -1)
	if len(alerts) < 15 {
		t.Fatalf("only %d alerts were found", len(alerts))
	}
	played := read(t, filepath.Join(root, operations, "alerts.test.yaml"))
	for _, a := range alerts {
		page, err := os.ReadFile(filepath.Join(root, a[2]))
		if err != nil || !strings.Contains(string(page), "`"+a[1]+"`") {
			t.Errorf("%s does not name the alert %s (%v)", a[2], a[1], err)
		}
		if !strings.Contains(played, "alertname: "+a[1]+"\n        exp_alerts:\n") {
			t.Errorf("no test has the alert %s fire", a[1])
		}
	}
}

// TestDashboardAndRulesNameMetrics looks up what they name in the code.
func TestDashboardAndRulesNameMetrics(t *testing.T) {
	quoted := regexp.MustCompile(`"(deltahook_[a-z_]+[a-z])"`)
	there := map[string]bool{}
	for _, file := range sources(t) {
		if !strings.HasSuffix(file, "_test.go") {
			for _, m := range quoted.FindAllStringSubmatch(read(t, file), -1) {
				there[m[1]] = true
			}
		}
	}
	for _, file := range []string{"grafana.json", "alerts.rules.yaml", "alerts.test.yaml"} {
		names := regexp.MustCompile(`\bdeltahook_[a-z_]+[a-z]\b`).FindAllString(read(t, filepath.Join(root, operations, file)), -1)
		if len(names) < 15 {
			t.Errorf("%s names only %d metrics", file, len(names))
		}
		for _, name := range names {
			if base := regexp.MustCompile(`_(bucket|sum|count)$`).ReplaceAllString(name, ""); !there[name] && !there[base] {
				t.Errorf("%s: there is no metric %s", file, name)
			}
		}
	}
}

// promtool runs it, or skips the test where there is none.
func promtool(t *testing.T, args ...string) {
	t.Helper()
	path, err := exec.LookPath("promtool")
	if err != nil {
		if os.Getenv("DELTAHOOK_REQUIRE_PROMTOOL") != "" {
			t.Fatal(err)
		}
		t.Skip("no promtool here: the rules and the dashboard are not checked (it is in Debian's package prometheus)")
	}
	if out, err := exec.CommandContext(t.Context(), path, args...).CombinedOutput(); err != nil {
		t.Errorf("promtool %s: %v\n%s", strings.Join(args, " "), err, out)
	}
}

// TestAlertRules checks the alerts and plays them.
func TestAlertRules(t *testing.T) {
	promtool(t, "check", "rules", filepath.Join(root, operations, "alerts.rules.yaml"))
	promtool(t, "test", "rules", filepath.Join(root, operations, "alerts.test.yaml"))
}

// TestDashboard has promtool read each expression of the dashboard, and holds
// that its panels have ids of their own and a place.
func TestDashboard(t *testing.T) {
	var board struct {
		Panels []struct {
			ID      int
			Type    string
			GridPos struct{ X, Y, W, H int }
			Targets []struct{ Expr string }
		}
	}
	if err := json.Unmarshal([]byte(read(t, filepath.Join(root, operations, "grafana.json"))), &board); err != nil {
		t.Fatal(err)
	}
	ids, rules, n := map[int]bool{}, "groups:\n- name: dashboard\n  rules:\n", 0
	for _, p := range board.Panels {
		if ids[p.ID] || p.GridPos.X+p.GridPos.W > 24 || p.GridPos.W == 0 {
			t.Errorf("panel %d is there twice, or has no place: %+v", p.ID, p.GridPos)
		}
		ids[p.ID] = true
		for _, target := range p.Targets {
			n++
			expr := strings.NewReplacer("$__rate_interval", "5m").Replace(target.Expr)
			rules += fmt.Sprintf("  - {record: 'panel:e%d', expr: %q}\n", n, expr)
		}
	}
	if n < 25 {
		t.Errorf("only %d expressions were found", n)
	}
	file := filepath.Join(t.TempDir(), "dashboard.yaml")
	if err := os.WriteFile(file, []byte(rules), 0o600); err != nil {
		t.Fatal(err)
	}
	promtool(t, "check", "rules", file)
}
