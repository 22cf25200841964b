package emitter_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/deltahook/deltahook/emitter"
	"github.com/deltahook/deltahook/internal/fault"
	"github.com/deltahook/deltahook/internal/secret"
	"github.com/deltahook/deltahook/internal/units"
)

func secrets(texts ...string) []secret.Text {
	var all []secret.Text
	for _, text := range texts {
		all = append(all, secret.New(text))
	}
	return all
}

func TestSettingsCheck(t *testing.T) {
	good := emitter.Settings{URL: "https://shop.example/hooks/s3cr3t", Secrets: secrets(vectorShared, vectorPrivate)}
	for name, c := range map[string]struct {
		change func(*emitter.Settings)
		want   []string
	}{
		"good":                 {func(*emitter.Settings) {}, nil},
		"no url":               {func(s *emitter.Settings) { s.URL = "" }, []string{"url: an http or https URL is needed"}},
		"no scheme":            {func(s *emitter.Settings) { s.URL = "shop.example/hooks" }, []string{"url: the URL doesn't begin with https:// or http://"}},
		"another scheme":       {func(s *emitter.Settings) { s.URL = "ftp://shop.example" }, []string{"url: the URL doesn't begin with https:// or http://"}},
		"no host":              {func(s *emitter.Settings) { s.URL = "https:///hooks" }, []string{"url: the URL has no host"}},
		"not a URL":            {func(s *emitter.Settings) { s.URL = "https://shop.example/%zz" }, []string{"url: this is not a URL"}},
		"fragment":             {func(s *emitter.Settings) { s.URL += "#a" }, []string{"url: the URL has a #fragment, which is never sent"}},
		"long url":             {func(s *emitter.Settings) { s.URL += strings.Repeat("a", 8<<10) }, []string{"url: the URL is longer than 8 KiB"}},
		"plain http":           {func(s *emitter.Settings) { s.URL = "http://shop.example" }, []string{"url: warning: plain http to shop.example: anyone on the way can read the events and the headers"}},
		"loopback":             {func(s *emitter.Settings) { s.URL = "http://127.0.0.2:80" }, nil},
		"loopback, IPv6":       {func(s *emitter.Settings) { s.URL = "http://[::1]:80" }, nil},
		"localhost":            {func(s *emitter.Settings) { s.URL = "http://localhost:80" }, nil},
		"format":               {func(s *emitter.Settings) { s.Format = "slak" }, []string{`format: "slak" is not a format: expected standard, cloudevents, cloudevents_binary, slack, discord, teams, zapier or custom`}},
		"chats verify nothing": {func(s *emitter.Settings) { s.Format, s.Secrets = "slack", nil }, nil},
		"custom without json":  {func(s *emitter.Settings) { s.Format = "custom" }, []string{"json: format custom needs it: the payload"}},
		"json without a place": {func(s *emitter.Settings) { s.JSON = map[string]any{} }, []string{"json: format standard has a payload of its own; format: custom is that of json"}},
		"json is no mapping":   {func(s *emitter.Settings) { s.Format, s.JSON = "slack", "{{ key }}" }, []string{"json: format slack takes a mapping"}},
		"json in slack":        {func(s *emitter.Settings) { s.Format, s.JSON = "slack", map[string]any{"text": "{{ key }}"} }, nil},
		"expressions of json": {func(s *emitter.Settings) {
			s.Format, s.JSON = "custom", map[string]any{"a": []any{"{{ nwe.status }}"}, "b": "{{ new.status", "c": "{{ key + 1 }}"}
		}, []string{`json.a.0: column 4: unknown name "nwe" (did you mean "new"?)`, "json.b: column 1: the {{ here is never closed by }}", "json.c: column 8: invalid operation: + (mismatched types string and int)"}},
		"rate":                {func(s *emitter.Settings) { s.Rate = units.Rate{N: 100_001, Per: time.Second} }, []string{"rate: 100001/s: more than 100000 at once are not counted; write it for a shorter time"}},
		"bad secret":          {func(s *emitter.Settings) { s.Secrets = secrets(vectorShared, "hunter2") }, []string{"secrets.1: a secret begins with whsec_ or whsk_"}},
		"unsigned":            {func(s *emitter.Settings) { s.Secrets = nil }, []string{": warning: no secrets: webhooks are not signed, so the receiver can't tell them from forged ones (signature: none says that this is meant)"}},
		"unsigned, meant":     {func(s *emitter.Settings) { s.Secrets, s.Signature = nil, "none" }, nil},
		"unused secrets":      {func(s *emitter.Settings) { s.Signature = "none" }, []string{"secrets: warning: these are not used: signature is none"}},
		"signature":           {func(s *emitter.Settings) { s.Signature = "gitlab" }, []string{`signature: "gitlab" is not a signature: expected standard, github or none`}},
		"github":              {func(s *emitter.Settings) { s.Signature, s.Secrets = "github", secrets("any text") }, nil},
		"github, two secrets": {func(s *emitter.Settings) { s.Signature = "github" }, []string{"signature: github needs one secret and has 2"}},
		"github, empty":       {func(s *emitter.Settings) { s.Signature, s.Secrets = "github", secrets("") }, []string{"secrets.0: the secret is empty"}},
		"github, a key pair":  {func(s *emitter.Settings) { s.Signature, s.Secrets = "github", secrets(vectorPrivate) }, []string{"secrets.0: an ed25519 key (whsk_) makes no GitHub signatures: any text that is long and random does"}},
		"header name":         {func(s *emitter.Settings) { s.Headers = map[string]secret.Text{"X Y": {}} }, []string{`headers.X Y: "X Y" is not the name of a header`}},
		"header value":        {func(s *emitter.Settings) { s.Headers = map[string]secret.Text{"X-Y": secret.New("a\r\nb: c")} }, []string{"headers.X-Y: the value has a line end or another control character"}},
		"our header":          {func(s *emitter.Settings) { s.Headers = map[string]secret.Text{"Webhook-ID": secret.New("a")} }, []string{"headers.Webhook-ID: Webhook-ID is set by deltahook itself"}},
		"timeout":             {func(s *emitter.Settings) { s.Timeout = units.Duration(time.Hour) }, []string{"timeout: 1h0m0s is not between 0 and 10m0s"}},
		"concurrency":         {func(s *emitter.Settings) { s.Concurrency = 257 }, []string{"concurrency: 257 is not between 1 and 256"}},
		"negative":            {func(s *emitter.Settings) { s.Concurrency = -1 }, []string{"concurrency: -1 is not between 1 and 256"}},
		"zero wait":           {func(s *emitter.Settings) { s.Retry.Schedule = []units.Duration{units.Duration(time.Second), 0} }, []string{"retry.schedule.1: 0 is not between 1ms and 30d"}},
		"too many waits":      {func(s *emitter.Settings) { s.Retry.Schedule = slices.Repeat([]units.Duration{1e9}, 101) }, []string{"retry.schedule: 101 waits: more than 100"}},
		"jitter":              {func(s *emitter.Settings) { s.Retry.Jitter = new(units.Percent(1.5)) }, []string{"retry.jitter: 150% is not between 0% and 100%"}},
		"permanent success":   {func(s *emitter.Settings) { s.Retry.Permanent = []int{404, 200} }, []string{"retry.permanent.1: 200 is not a status between 300 and 599"}},
		"all at once": {func(s *emitter.Settings) { *s = emitter.Settings{Secrets: secrets("a"), Concurrency: 999} }, []string{
			"url: an http or https URL is needed", "secrets.0: a secret begins with whsec_ or whsk_", "concurrency: 999 is not between 1 and 256"}},
	} {
		t.Run(name, func(t *testing.T) {
			s := good
			c.change(&s)
			r := fault.New()
			s.Check(r)
			var got []string
			for _, f := range r.All() {
				text := f.Text
				if f.Warning {
					text = "warning: " + text
				}
				got = append(got, strings.Join(f.Path, ".")+": "+text)
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("faults (-want +got)\n%s", diff)
			}
			if strings.Contains(strings.Join(got, "\n"), "s3cr3t") {
				t.Error("a fault quotes the URL's path")
			}
		})
	}
}

func TestNewEndpointRefusesWhatCheckFaults(t *testing.T) {
	for want, s := range map[string]emitter.Settings{
		"endpoint shop: url: this is not a URL":                              {URL: "https://shop.example/%zz"},
		"endpoint shop: secret 1: a secret begins with whsec_ or whsk_":      {URL: "https://shop.example", Secrets: secrets("hunter2")},
		"endpoint shop: url: the URL doesn't begin with https:// or http://": {URL: "shop.example"},
	} {
		if _, err := emitter.NewEndpoint("shop", s, emitter.EndpointOptions{}); err == nil || err.Error() != want {
			t.Errorf("error %v, want %s", err, want)
		}
	}
}

func TestHeaderTwice(t *testing.T) {
	r := fault.New()
	emitter.Settings{URL: "https://shop.example/", Signature: "none", Headers: map[string]secret.Text{"X-A": secret.New("1"), "x-a": secret.New("2")}}.Check(r)
	if n := len(r.All()); n != 1 {
		t.Errorf("%d faults: %v", n, r.All())
	}
}

// What only some resolvers take for an address could get past the guard, by a
// proxy that has one of these.
func TestHostsThatAreNumbers(t *testing.T) {
	for host, good := range map[string]bool{
		"127.0.0.1": true, "[::1]": true, "shop.example": true, "1.example": true, "0x7f.example": true, "shop.example.": true, "my_shop": true, "xn--kln-sna.example": true,
		"köln.example": true, "127.1": false, "2130706433": false, "0x7f000001": false, "127.0.0.0x1": false, "127.0.0.1.": false, "0177.0.0.1": false,
	} {
		_, err := emitter.NewEndpoint("shop", emitter.Settings{URL: "https://" + host + ":8443/x"}, emitter.EndpointOptions{})
		if (err == nil) != good {
			t.Errorf("%s: %v", host, err)
		}
	}
}
