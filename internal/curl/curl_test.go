package curl_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/deltahook/deltahook/internal/curl"
)

func TestParse(t *testing.T) {
	for _, tt := range []struct {
		name, command string
		want          curl.Request
	}{
		{"plain", `curl https://api.example/x`, curl.Request{Method: "GET", URL: "https://api.example/x"}},
		{"without a scheme", `curl api.example`, curl.Request{Method: "GET", URL: "http://api.example/"}},
		{
			"as Chrome copies it", "curl 'https://api.example/q' \\\n  -H 'accept: */*' \\\n  -b 'sid=1; a=b' \\\n  --data-raw $'{\"a\":\"it\\'s \\u0021\"}' \\\n  --compressed",
			curl.Request{Method: "POST", URL: "https://api.example/q", Body: `{"a":"it's !"}`, Headers: []curl.Header{
				{Name: "accept", Value: "*/*"}, {Name: "Cookie", Value: "sid=1; a=b"},
				{Name: "Content-Type", Value: "application/x-www-form-urlencoded"},
			}},
		},
		{"get with data", `curl -G https://api.example/q -d a=1 --data-urlencode 'b=x y'`, curl.Request{Method: "GET", URL: "https://api.example/q?a=1&b=x%20y"}},
		{"user", `curl -sSLu ann:pass:word https://api.example/`, curl.Request{Method: "GET", URL: "https://api.example/", User: &curl.Userinfo{Name: "ann", Password: "pass:word"}}},
		{"user in the URL", `curl https://ann:p%40ss@api.example/`, curl.Request{Method: "GET", URL: "https://api.example/", User: &curl.Userinfo{Name: "ann", Password: "p@ss"}}},
		{"json", `curl --json '{}' https://api.example/`, curl.Request{Method: "POST", URL: "https://api.example/", Body: "{}", Headers: []curl.Header{
			{Name: "Content-Type", Value: "application/json"}, {Name: "Accept", Value: "application/json"},
		}}},
		{"beside the letter", `curl -XPOST -H"A: b" -m5 -k https://api.example/`, curl.Request{
			Method: "POST", URL: "https://api.example/", Timeout: "5", Insecure: true, Headers: []curl.Header{{Name: "A", Value: "b"}},
		}},
		{"braces are encoded", `curl -g 'https://api.example/?f={a{b}}'`, curl.Request{Method: "GET", URL: "https://api.example/?f=%7Ba%7Bb%7D%7D"}},
		{"a URL within the query", `curl api.example/x?u=http://y`, curl.Request{Method: "GET", URL: "http://api.example/x?u=http://y"}},
		{"brackets of PHP", `curl 'https://api.example/?a[]=1'`, curl.Request{Method: "GET", URL: "https://api.example/?a[]=1"}},
		{"no cookie", `curl https://api.example/ -b ''`, curl.Request{Method: "GET", URL: "https://api.example/"}},
		{
			"as Chrome copies it on Windows", "curl ^\"https://api.example/q?a=1^&b=^%^20c^&$t=5^\" ^\r\n" +
				"  -H ^\"a: ^\\^\"q^\\^\";v=C:^\\^\\^\" ^\r\n  --data-raw ^\"^{^\\^\"a^\\^\":^\\^\"x^\r\n\r\ny^\\^\"^}^\"",
			curl.Request{Method: "POST", URL: "https://api.example/q?a=1&b=%20c&$t=5", Body: "{\"a\":\"x\ny\"}", Headers: []curl.Header{
				{Name: "a", Value: `"q";v=C:\`}, {Name: "Content-Type", Value: "application/x-www-form-urlencoded"},
			}},
		},
		{
			"as it was copied on Windows", "curl \"https://api.example/q?a=1&b=^2\" ^\n  -H \"a: \"\"q\"\"\" ^\n  --data-raw \"{\\\"a\\\":1}\" ^\n  --compressed",
			curl.Request{Method: "POST", URL: "https://api.example/q?a=1&b=%5E2", Body: `{"a":1}`, Headers: []curl.Header{
				{Name: "a", Value: `"q"`}, {Name: "Content-Type", Value: "application/x-www-form-urlencoded"},
			}},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := curl.Parse(tt.command)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(&tt.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// A variable of the shell stays one.
func TestVariables(t *testing.T) {
	r, err := curl.Parse(`curl -H "Authorization: Bearer $TOKEN" -H 'X: $TOKEN' "https://api.example/${ID}/x"`)
	if err != nil {
		t.Fatal(err)
	}
	authorization := r.Headers[0].Value
	show := func(text string) string {
		return curl.Expand(text, func(s string) string { return s }, func(s string) string { return "<" + s + ">" })
	}
	got := []string{show(r.Headers[0].Value), show(r.Headers[1].Value), show(r.URL)}
	if diff := cmp.Diff([]string{"Bearer <TOKEN>", "$TOKEN", "https://api.example/<ID>/x"}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if r, err = curl.Parse(`curl "$BASE/x:1?y=$TOKEN"`); err != nil {
		t.Fatal(err)
	}
	if name, ok := curl.First(r.URL); !ok || name != "BASE" || show(r.URL) != "<BASE>/x:1?y=<TOKEN>" {
		t.Errorf("the URL is %s, its first variable %q", show(r.URL), name)
	}
	if r, err = curl.Parse(`curl "http://$HOST:$PORT"`); err != nil || show(r.URL) != "http://<HOST>:<PORT>/" {
		t.Errorf("a port: %v, %v", r, err)
	}
	if name, ok := curl.Variable(strings.TrimPrefix(authorization, "Bearer ")); !ok || name != "TOKEN" {
		t.Errorf("Variable = %q, %v", name, ok)
	}
}

func TestRefused(t *testing.T) {
	for command, want := range map[string]string{
		`wget https://x.example`:                                             "does not start with curl",
		`curl`:                                                               "no URL",
		`curl -F a=b https://x.example`:                                      "multipart",
		`curl -d @file https://x.example`:                                    "file",
		`curl -b jar.txt https://x.example`:                                  "file",
		`curl -X DELETE https://x.example`:                                   "GET or POST",
		`curl https://x.example | jq .`:                                      "alone",
		`curl "https://x.example/$(date)"`:                                   "nothing is run",
		"curl https://x.example/`date`":                                      "nothing is run",
		`curl 'https://x.example`:                                            "not closed",
		`curl ftp://x.example`:                                               "http or https",
		`curl https://a.example https://b.test`:                              "more than one URL",
		`curl --teleport https://x.example`:                                  "--teleport",
		`curl -H`:                                                            "no value",
		"curl -H $'A: b\\nc' https://x.example":                              "line break",
		"curl $'https://x.example/\\xff'":                                    "UTF-8",
		`curl ^"https://x.example`:                                           "not closed",
		`curl ^"https://x.example^" | more`:                                  "alone",
		"curl https://x.example ^\n":                                         "a line missing",
		"curl.exe `\n https://x.example":                                     "PowerShell",
		`curl https://x.example/{id}`:                                        "fill in",
		`curl 'https://x.example/[1-9]'`:                                     "fill in",
		`curl -u "$BOTH" https://x.example`:                                  "one variable",
		`curl --next https://x.example`:                                      "more than one request",
		`curl -Z https://x.example`:                                          "(-Z)",
		`curl https://x.example -H 'content-type: Multipart/form-data' -d x`: "multipart",
	} {
		_, err := curl.Parse(command)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", command, err, want)
		}
	}
}

// No error shows what a command holds.
func TestErrorsShowNoValue(t *testing.T) {
	for _, command := range []string{
		`curl -H "Authorization: hidden`, `curl --hidden=hidden-value https://x.example`, `curl hidden://hidden-value`,
		`curl -u hidden-value -X hidden-value https://x.example`, "curl ^\"hidden-value", `curl -H 'content-type: multipart/hidden-value' -d hidden-value x.example`, `curl https://hidden-value:%zz@x.example`,
	} {
		if _, err := curl.Parse(command); err == nil || strings.Contains(err.Error(), "hidden-value") {
			t.Errorf("%s: %v", command, err)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add("curl 'https://api.example/q' -H \"a: $B\" \\\n --data-raw $'\\u00e9\\x41\\'' -G --json '{}' -u a:b")
	f.Add("curl ^\"https://x.example/?a^&b^\" ^\n -H ^\"a: ^\\^\"b^\" \"\"c\"\"")
	f.Add(`curl -XPOST "https://u:p@[::1]:80/?a={b}" -b 'c=d' -m 1.5 --url-query 'a=b c'`)
	f.Fuzz(func(t *testing.T, command string) {
		r, err := curl.Parse(command)
		if err != nil {
			return
		}
		if r.Method != "GET" && r.Method != "POST" {
			t.Errorf("method %q", r.Method)
		}
		_, variable := curl.First(r.URL)
		if !variable && !strings.HasPrefix(r.URL, "http://") && !strings.HasPrefix(r.URL, "https://") {
			t.Errorf("URL %q", r.URL)
		}
	})
}
