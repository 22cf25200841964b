// Package npm_test shows that verify.mjs, which other tests ask whether a
// webhook is signed as the official JavaScript library expects, can say both
// yes and no.
package npm_test

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"
)

type webhook struct {
	Secret  string            `json:"secret"`
	Headers map[string]string `json:"headers"`
	Body    string            `json:"body"`
}

// signed is a webhook as the standard has it, made without Deltahook's code.
func signed(key []byte, body string, at time.Time) webhook {
	id, stamp := "evt_1", fmt.Sprint(at.Unix())
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(id + "." + stamp + "." + body))
	return webhook{
		Secret: "whsec_" + base64.StdEncoding.EncodeToString(key),
		Headers: map[string]string{
			"webhook-id": id, "webhook-timestamp": stamp,
			"webhook-signature": "v1," + base64.StdEncoding.EncodeToString(mac.Sum(nil)),
		},
		Body: body,
	}
}

func TestVerify(t *testing.T) {
	if _, err := os.Stat("node_modules/standardwebhooks"); err != nil {
		if os.Getenv("DELTAHOOK_REQUIRE_NPM") != "" {
			t.Fatal("the npm library is not installed, and DELTAHOOK_REQUIRE_NPM wants it: make test installs it")
		}
		t.Skip("the npm library is not installed: make test installs it where npm is")
	}
	key := []byte("0123456789abcdef01234567")
	good := signed(key, `{"test": 2432232314, "é": 1.10}`, time.Now())
	changed := signed(key, `{"test": 1}`, time.Now())
	changed.Body = `{"test": 2}`
	old := signed(key, `{}`, time.Now().Add(-time.Hour))

	var in bytes.Buffer
	for _, w := range []webhook{good, changed, old} {
		if err := json.NewEncoder(&in).Encode(w); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.CommandContext(t.Context(), "node", "verify.mjs")
	cmd.Stdin = &in
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	if len(lines) != 3 || lines[0] != "ok" || !strings.HasPrefix(lines[1], "no: ") || !strings.HasPrefix(lines[2], "no: ") {
		t.Errorf("verify.mjs says %q, want ok, no, no", lines)
	}
}
