package e2e

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/deltahook/deltahook/emitter"
)

// TestWhomAWebhookMayReach tells an event to an address of each range of "Whom
// a webhook may reach" (events.md), and to a name of one: nothing is sent, and
// what is stored says why. Metadata addresses need to be named one by one.
func TestWhomAWebhookMayReach(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/refused" { // what else comes is some other test's
			t.Errorf("something came to %s", r.URL)
		}
	}))
	t.Cleanup(server.Close)
	port := server.URL[strings.LastIndex(server.URL, ":"):]
	hosts := []string{
		"0.0.0.0", "10.1.2.3", "100.64.0.1", "127.0.0.1", "169.254.1.1", "172.16.0.1", "192.0.0.1", "192.0.2.1", "192.88.99.1",
		"192.168.1.1", "198.18.0.1", "198.51.100.1", "203.0.113.1", "224.0.0.1", "240.0.0.1", "255.255.255.255", "168.63.129.16",
		"[::]", "[::1]", "[::ffff:127.0.0.1]", "[64:ff9b::7f00:1]", "[100::1]", "[fc00::1]", "[fe80::1]", "[ff02::1]",
		"[2001::1]", "[2001:db8::1]", "[2002:7f00:1::1]", "[3fff::1]",
		"169.254.169.254", "[fd00:ec2::254]", // though what they lie in is allowed
		"localhost",
	}
	var endpoints strings.Builder
	for i, host := range hosts {
		fmt.Fprintf(&endpoints, "  e%d: {url: \"http://%s%s/refused\", signature: none, retry: {schedule: [1h]}}\n", i, host, port)
	}
	url, set, _ := values(t, worth(1, 1))
	dir := t.TempDir()
	write(t, dir, "deltahook.yaml", fmt.Sprintf(`
server: {listen: "127.0.0.1:0"}
egress: {endpoints: {allow: [169.254.169.0/24, "fd00:ec2::/64"]}}
sources:%sendpoints:
%s`, listSource(url), endpoints.String()))
	d := start(t, binary(t), dir, "run")
	d.says(t, d.stderr, "first answer remembered")
	set(worth(1, 2))
	for i, host := range hosts {
		var all []emitter.DeliveryRecord
		d.until(t, host+" was tried", func() bool {
			all = deliveriesOf(t, d, fmt.Sprint("e", i))
			return len(all) == 1 && all[0].Attempts == 1
		})
		tried := gotten[emitter.AttemptPage](t, d, fmt.Sprintf("/api/v1/deliveries/%d/attempts", all[0].Number)).Attempts[0]
		if all[0].State != emitter.Waiting || tried.Error != emitter.ErrorRefused || !strings.Contains(tried.Reason, host) {
			t.Errorf("%s: %s, %s: %s", host, all[0].State, tried.Error, tried.Reason)
		}
	}
	d.stop(t)
}
