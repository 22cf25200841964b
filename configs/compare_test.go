package configs_test

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/deltahook/deltahook/configs"
)

const compared = `
store: state.db
server: {listen: "127.0.0.1:8080", token: first-token}
limits: {fedex: {rate: 5/s}}
auth: {fedex: {bearer: {token: secret-token}}}
sources:
  orders:
    schedule: "@every 30s"
    request: {url: "https://api.example/orders", json: {a: [1, {b: null}]}}
    response: {items: list, id: id, numbers: {price: {tolerance: 0.01}}}
    events: {order.new: {on: [created], to: [shop]}}
  parcels:
    schedule: "@every 30s"
    limit: fedex
    request: {url: "https://api.example/parcels", auth: fedex, headers: {X-Key: "${file:key.txt}"}}
  prices:
    schedule: "*/5 * * * *"
    request: {url: "https://api.example/prices", tls: {ca: ca.pem}}
endpoints:
  shop: {url: "https://shop.example/hooks", signature: none}
  slack: {url: "https://hooks.slack.com/services/x", format: slack, json: {text: "{{ key }}"}, signature: none}
`

// What differs between two configurations is what a person would say differs:
// neither a comment nor the order in which things stand.
func TestCompare(t *testing.T) {
	authority := certificate(t)
	edit := func(pairs ...string) func(dir string) string {
		return func(string) string {
			text := compared
			for i := 0; i < len(pairs); i += 2 {
				if !strings.Contains(text, pairs[i]) {
					t.Fatalf("there is no %q", pairs[i])
				}
				text = strings.Replace(text, pairs[i], pairs[i+1], 1)
			}
			return text
		}
	}
	put := func(name, content string) func(dir string) string {
		return func(dir string) string {
			if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
				t.Fatal(err)
			}
			return compared
		}
	}
	for name, c := range map[string]struct {
		edit func(dir string) string
		want string
	}{
		"nothing":        {edit(), ""},
		"comments":       {edit("sources:", "# more\n\nsources: # all\n"), ""},
		"alerts":         {edit("store:", "alerts: {to: [shop]}\nretention: {events: 1d}\nlog: {level: debug}\nstore:"), ""},
		"a token":        {edit("first-token", "second-token"), ""},
		"a schedule":     {edit("@every 30s", "@every 31s"), "~orders"},
		"a rule":         {edit("on: [created]", "on: [updated]"), "~orders compares"},
		"what is picked": {edit("items: list", "items: lists"), "~orders compares"},
		"a limit":        {edit("5/s", "6/s"), "~parcels"},
		"a credential":   {edit("secret-token", "other-token"), "~parcels"},
		"a value's file": {put("key.txt", "another key"), "~parcels"},
		"a certificate":  {put("ca.pem", certificate(t)), "~prices"},
		"its time only":  {put("ca.pem", authority), ""},
		"a source more":  {edit("  prices:", "  more: {was: less, schedule: '@every 1h', request: {url: 'https://x.example'}}\n  prices:"), "+more(less)"},
		"a source less":  {edit("  parcels:", "  packets:"), "+packets -parcels"},
		"a new name":     {edit("  parcels:", "  packets:\n    was: parcels"), "+packets(parcels) -parcels"},
		"a former name":  {edit("  parcels:", "  parcels:\n    was: packets"), ""},
		"an endpoint":    {edit("shop.example/hooks", "shop.example/hook"), "~>shop"},
		"a text":         {edit("{{ key }}", "{{ source }}"), "~>slack"},
		"one more":       {edit("endpoints:", "endpoints:\n  more: {url: 'https://x.example', signature: none}"), "+>more readdresses"},
		"sources' reach": {edit("store:", "egress: {sources: {allow_private: false}}\nstore:"), "~orders ~parcels ~prices"},
		"webhooks' reach": {edit("store:", "egress: {endpoints: {allow: [10.0.0.0/8]}}\nstore:"),
			"~>shop ~>slack"},
		"the store":   {edit("state.db", "other.db"), "!store"},
		"the address": {edit("127.0.0.1:8080", "127.0.0.1:8081", "store:", "log: {format: json}\nstore:"), "!server.listen !log.format"},
		"tracing":     {edit("store:", "tracing: {endpoint: 'http://localhost:4318'}\nstore:"), "!tracing"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			put("key.txt", "a key of its own\n")(dir)
			put("ca.pem", authority)(dir)
			load := func(text string) *configs.Config {
				t.Helper()
				cfg, err := configs.Parse(filepath.Join(dir, "deltahook.yaml"), []byte(text), nil)
				if err != nil {
					t.Fatal(err)
				}
				return cfg
			}
			before := load(compared)
			d := configs.Compare(before, load(c.edit(dir)))
			var got []string
			for _, name := range d.Sources.Added {
				if was := d.Renamed[name]; was != "" {
					name += "(" + was + ")"
				}
				got = append(got, "+"+name)
			}
			for _, name := range d.Sources.Removed {
				got = append(got, "-"+name)
			}
			for _, name := range d.Sources.Changed {
				got = append(got, "~"+name)
				if d.Compares(name) {
					got = append(got, "compares")
				}
			}
			for sign, names := range map[string][]string{"+>": d.Endpoints.Added, "->": d.Endpoints.Removed, "~>": d.Endpoints.Changed} {
				for _, name := range names {
					got = append(got, sign+name)
				}
			}
			if d.Readdresses() {
				got = append(got, "readdresses")
			}
			for _, r := range d.Restart {
				got = append(got, "!"+r.Path)
				if r.Line == 0 || r.File == "" {
					t.Errorf("%s has no place", r)
				}
			}
			if diff := cmp.Diff(c.want, strings.Join(got, " ")); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
			if empty := d.Sources.Added == nil && d.Sources.Removed == nil && d.Sources.Changed == nil && d.Endpoints.Added == nil &&
				d.Endpoints.Removed == nil && d.Endpoints.Changed == nil; d.Empty() != empty {
				t.Errorf("Empty says %v", d.Empty())
			}
		})
	}
}

// The stamp is another when a file is that the configuration is made of, also
// where a link leads elsewhere, as when Kubernetes exchanges a ConfigMap; and
// not when something else is in the folder.
func TestStamp(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) {
		t.Helper()
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	link := func(to, name string) {
		t.Helper()
		path := filepath.Join(dir, name)
		if err := os.Symlink(to, path+".new"); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(path+".new", path); err != nil {
			t.Fatal(err)
		}
	}
	source := func(key string) string {
		return fmt.Sprintf("sources: {s: {schedule: '@every 1s', request: {url: 'https://x.example', headers: {X-Key: '%s'}}}}", key)
	}
	write("1/a.yaml", source("${file:../key}"))
	write("2/a.yaml", source("${file:../key}"))
	write("key", "first-key")
	link("1", "..data")
	if err := os.Mkdir(filepath.Join(dir, "conf"), 0o700); err != nil {
		t.Fatal(err)
	}
	link("../..data/a.yaml", "conf/a.yaml")
	named := filepath.Join(dir, "conf")
	cfg, err := configs.Load(named, nil)
	if err != nil {
		t.Fatal(err)
	}
	last := cfg.Stamp(named)
	expect := func(what string, changes bool) {
		t.Helper()
		is := cfg.Stamp(named)
		if (is != last) != changes {
			t.Errorf("%s: the stamp is another: %v, want %v", what, is != last, changes)
		}
		last = is
	}
	expect("nothing", false)
	write("conf/deltahook.db", "x")
	write("conf/.a.yaml.swp", "x")
	expect("another file", false)
	link("2", "..data")
	expect("a link", true)
	write("key", "second-key")
	expect("a value's file", true)
	write("conf/b.yaml", "log: {level: debug}")
	expect("one more", true)
	if err := os.Remove(filepath.Join(dir, "conf", "b.yaml")); err != nil {
		t.Fatal(err)
	}
	expect("one less", true)
	if err := os.Remove(filepath.Join(dir, "key")); err != nil {
		t.Fatal(err)
	}
	expect("a value's file that is gone", true)
	if (*configs.Config)(nil).Stamp(named) == (*configs.Config)(nil).Stamp(filepath.Join(dir, "1")) {
		t.Error("without a configuration two folders are the same")
	}
}

// certificate is one of its own, as PEM.
func certificate(tb testing.TB) string {
	tb.Helper()
	public, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		tb.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), IsCA: true}
	der, err := x509.CreateCertificate(rand.Reader, template, template, public, private)
	if err != nil {
		tb.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
}
