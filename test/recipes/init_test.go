package recipes_test

import (
	"bytes"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/deltahook/deltahook/test/loopback"
)

// deltahook runs the program to its end.
func deltahook(t *testing.T, dir string, env []string, args ...string) (status int, stdout, stderr string) {
	t.Helper()
	var out, log bytes.Buffer
	cmd := exec.CommandContext(t.Context(), program, args...)
	cmd.Dir, cmd.Stdout, cmd.Stderr = dir, &out, &log
	cmd.Env = append([]string{"HOME=" + dir, "WEBHOOK_URL=https://receiver.example/hook", "WEBHOOK_SECRET=" + whsec}, env...)
	_ = cmd.Run() // the status says it
	return cmd.ProcessState.ExitCode(), out.String(), log.String()
}

func TestInit(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	status, out, _ := deltahook(t, dir, nil, "init", "--list")
	apis, receivers, grouped := strings.Cut(out, "To a chat, or to Zapier:\n")
	if status != 0 || !grouped || strings.Count(out, "\n  ") != len(plays) || !strings.Contains(apis, "\n  usgs-quakes ") || !strings.Contains(receivers, "  slack ") {
		t.Errorf("--list: status %d\n%s", status, out)
	}
	if status, _, log := deltahook(t, dir, nil, "init", "usgs-quaks"); status != 2 || !strings.Contains(log, `did you mean "usgs-quakes"`) {
		t.Errorf("a slip: status %d: %s", status, log)
	}
	if status, _, log := deltahook(t, dir, nil, "init", "usgs-quakes"); status != 0 {
		t.Fatalf("status %d: %s", status, log)
	}
	path := filepath.Join(dir, "deltahook.yaml")
	before, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if status, _, log := deltahook(t, dir, nil, "init", "rss"); status != 1 || !strings.Contains(log, "is there already") {
		t.Errorf("over a file: status %d: %s", status, log)
	}
	if after, err := os.ReadFile(path); err != nil || !bytes.Equal(before, after) {
		t.Errorf("the file was changed (%v)", err)
	}
	if _, out, _ := deltahook(t, dir, nil, "init", "rss", "-o", "-"); !strings.HasPrefix(out, "# An RSS") {
		t.Errorf("-o -: %s", out)
	}
	for _, args := range [][]string{{}, {"rss", "--list"}, {"rss", "--name", "x"}, {"rss", "usgs-quakes"}, {"--list", "--from-curl", "curl x"}, {"--from-curl", "curl x.example", "--name", "a b"}} {
		if status, _, _ := deltahook(t, dir, nil, append([]string{"init"}, args...)...); status != 2 {
			t.Errorf("init %q: status %d, want 2", args, status)
		}
	}
	if _, out, _ := deltahook(t, dir, nil, "__complete", "init", "us"); !strings.Contains(out, "usgs-quakes") {
		t.Errorf("completion: %s", out)
	}
}

// What a curl command would send is what the source that is made of it sends,
// and no secret of the command is in the file.
func TestFromCurl(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, command string // with API for the server
		env           []string
		want          string // method, URI, some headers, body
		hidden        []string
	}{
		{
			"bearer and query", `curl 'API/v1/orders?b=2&access_token=hidden-query&$top=5' -H 'Authorization: Bearer hidden-token' -H 'accept: text/x' --compressed -H 'sec-fetch-mode: cors'`,
			[]string{"T_TOKEN=hidden-token", "T_ACCESS_TOKEN=hidden-query"},
			"GET /v1/orders?b=2&$top=5&access_token=hidden-query|Bearer hidden-token|text/x||", []string{"hidden-query", "hidden-token"},
		},
		{
			"own variable, JSON", `curl API/q -H "Authorization: SSWS $MINE" --json '{"q": "a{{b}}${c}", "password": "hidden-pass", "n": [1, true, null]}'`,
			[]string{"MINE=hidden-token", "T_PASSWORD=hidden-pass"},
			`POST /q|SSWS hidden-token|application/json|application/json|{"n":[1,true,null],"password":"hidden-pass","q":"a{{b}}${c}"}`, []string{"hidden-pass"},
		},
		{
			"basic and form", `curl -u 'ann:hidden-pass' API/form -d 'b=x%20y&client_secret=hidden-form' -A 'me/1'`,
			[]string{"T_USER=ann", "T_PASSWORD=hidden-pass", "T_CLIENT_SECRET=hidden-form"},
			"POST /form|Basic YW5uOmhpZGRlbi1wYXNz||application/x-www-form-urlencoded|b=x+y&client_secret=hidden-form", []string{"hidden-pass", "hidden-form"},
		},
		{
			"a body as it is", `curl API/x -H 'Content-Type: text/xml' --data-raw $'<a>\n{{ $ }}\u00e9</a>' -b 'sid=hidden-cookie'`,
			[]string{"T_COOKIE=sid=hidden-cookie"},
			"POST /x|||text/xml|<a>\n{{ $ }}é</a>", []string{"hidden-cookie"},
		},
		{
			"as Windows copies it", "curl ^\"API/w?a=1^&b=^%^20c^\" ^\n  -H ^\"authorization: Bearer hidden-token^\" ^\n  --data-raw ^\"^{^\\^\"a^\\^\":1.5^}^\" -H ^\"content-type: application/json; charset=UTF-8^\"",
			[]string{"T_TOKEN=hidden-token"}, `POST /w?a=1&b=%20c|Bearer hidden-token||application/json; charset=UTF-8|{"a":1.5}`, []string{"hidden-token"},
		},
		{
			"secrets of one name", `curl API/s --json '{"a": {"password": "hidden-1"}, "b": {"password": "hidden-2"}}' -H 'Accept:'`,
			[]string{"T_PASSWORD=hidden-1", "T_PASSWORD_2=hidden-2"},
			`POST /s||application/json|application/json|{"a":{"password":"hidden-1"},"b":{"password":"hidden-2"}}`, []string{"hidden-1", "hidden-2"},
		},
		{
			"secrets of a JSON text that stays one", `curl API/s -d '{"n": 1e5, "secrets": ["hidden-1", {"x": 2}, "hid\nden-2"], "y": "z"}' -H 'content-type: application/json'`,
			[]string{"T_SECRETS=hidden-1", `T_SECRETS_2=hid\nden-2`},
			`POST /s|||application/json|{"n": 1e5, "secrets": ["hidden-1", {"x": 2}, "hid\nden-2"], "y": "z"}`, []string{"hidden-1", "den-2"},
		},
		{
			"secrets of a form that stays one", `curl API/s -d a=1 -d a=2 -d password=hidden%2D1`, []string{"T_PASSWORD=hidden%2D1"},
			"POST /s|||application/x-www-form-urlencoded|a=1&a=2&password=hidden%2D1", []string{"hidden%2D1"},
		},
		{
			"secrets that come again in the URL", `curl 'API/s/ghp_hidden3/x?token=hidden-1&token=hidden-2'`,
			[]string{"T_TOKEN=hidden-1", "T_TOKEN_2=hidden-2", "T_PATH=ghp_hidden3"},
			"GET /s/ghp_hidden3/x?token=hidden-2&token=hidden-1||||", []string{"hidden-1", "hidden-2", "hidden3"},
		},
		{
			"secrets by their form", `curl API/s -H 'X-Mine: sk_live_hidden1' -d 'assertion=eyJhbGciOiJub25lIn0.hidden2.'`,
			[]string{"T_X_MINE=sk_live_hidden1", "T_ASSERTION=eyJhbGciOiJub25lIn0.hidden2."},
			"POST /s|||application/x-www-form-urlencoded|assertion=eyJhbGciOiJub25lIn0.hidden2.", []string{"hidden1", "hidden2"},
		},
		{
			"a variable that has the name already", `curl API/v -H 'Authorization: Bearer hidden-token' -d "x=$T_TOKEN"`,
			[]string{"T_TOKEN=own", "T_TOKEN_2=hidden-token"}, "POST /v|Bearer hidden-token||application/x-www-form-urlencoded|x=own", []string{"hidden-token"},
		},
		{
			"the header wins over -u", `curl -u a:hidden-pass API/v -H 'Authorization: Bearer hidden-token'`,
			[]string{"T_TOKEN=hidden-token"}, "GET /v|Bearer hidden-token|||", []string{"hidden-pass", "hidden-token"},
		},
		{
			"the key is the user", `curl 'http://hidden-key:x@HOST/v'`, []string{"T_USER=hidden-key", "T_PASSWORD=x"},
			"GET /v|Basic aGlkZGVuLWtleTp4|||", []string{"hidden-key"},
		},
		{
			"the URL begins with a variable", `curl "$BASE/v?x=1"`, []string{"BASE=API"}, "GET /v?x=1||||", nil,
		},
		{
			"POST without a body", `curl -X POST API/p -H 'X-Api-Key: hidden-key'`, []string{"T_X_API_KEY=hidden-key"},
			"POST /p||||", []string{"hidden-key"},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got := make(chan string, 10)
			server := loopback.NewServer(t, func(w http.ResponseWriter, r *http.Request) {
				body, _ := io.ReadAll(r.Body) // what is missing shows
				accept := r.Header.Get("Accept")
				if !strings.Contains(tt.command, "accept") && !strings.Contains(tt.command, "--json") {
					accept = ""
				}
				got <- r.Method + " " + r.URL.RequestURI() + "|" + r.Header.Get("Authorization") + "|" + accept + "|" + r.Header.Get("Content-Type") + "|" + string(body)
				_, _ = io.WriteString(w, "{}")
			})
			defer server.Close()
			dir := t.TempDir()
			status, _, log := deltahook(t, dir, nil, "init", "--name", "t", "--from-curl", strings.NewReplacer("API", server.URL, "HOST", server.Listener.Addr().String()).Replace(tt.command))
			if status != 0 {
				t.Fatalf("init: status %d: %s", status, log)
			}
			file, err := os.ReadFile(filepath.Join(dir, "deltahook.yaml"))
			if err != nil {
				t.Fatal(err)
			}
			for _, secret := range tt.hidden {
				if strings.Contains(string(file)+log, secret) {
					t.Errorf("%s is in the file or was printed:\n%s%s", secret, file, log)
				}
			}
			for i, v := range tt.env {
				tt.env[i] = strings.Replace(v, "=API", "="+server.URL, 1)
				if name, _, _ := strings.Cut(v, "="); !strings.Contains(log, name) {
					t.Errorf("%s is not listed:\n%s", name, log)
				}
			}
			if status, out, log := deltahook(t, dir, tt.env, "check"); status != 0 {
				t.Fatalf("check: status %d\n%s%s\n%s", status, out, log, file)
			}
			if status, out, log := deltahook(t, dir, tt.env, "poll", "t"); status != 0 {
				t.Fatalf("poll: status %d\n%s%s\n%s", status, out, log, file)
			}
			if diff := cmp.Diff(tt.want, <-got); diff != "" {
				t.Errorf("sent (-want +got):\n%s\n%s", diff, file)
			}
		})
	}
}

func TestFromCurlRefuses(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	status, _, log := deltahook(t, dir, nil, "init", "--from-curl", "curl -F a=hidden-value https://api.example")
	if status != 2 || !strings.Contains(log, "multipart") || strings.Contains(log, "hidden-value") {
		t.Errorf("status %d: %s", status, log)
	}
	if _, err := os.Stat(filepath.Join(dir, "deltahook.yaml")); err == nil {
		t.Error("a file was written")
	}
	if status, _, log := deltahook(t, dir, nil, "init", "--from-curl", "curl -k https://api.example"); status != 0 || !strings.Contains(log, "warning: -k") {
		t.Errorf("-k: status %d: %s", status, log)
	}
}
