package e2e

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"html"
	"io"
	"net/http"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/deltahook/deltahook/test/loopback"
)

// mark is in every secret of this test, at both ends: what remains of one shows
// it, in whatever encoding that leaves letters alone.
const mark = "pl4nted"

// plant is a secret with characters that encodings change.
func plant(what string) string { return mark + ` ` + what + ` +&"=\/é<` + mark }

// traces are what shows of a mark: as it is, and within base64.
func traces() [][]byte {
	all := [][]byte{[]byte(mark)}
	for before := range 3 {
		encoded := base64.RawStdEncoding.EncodeToString(append(make([]byte, before), mark...))
		all = append(all, []byte(encoded[(8*before+5)/6:8*(before+len(mark))/6]))
	}
	return all
}

// refreshEnds are the ends of refresh tokens in the store.
var refreshEnds = regexp.MustCompile(`-?[0-9]+-` + mark)

// heardOf is what servers heard.
type heardOf struct {
	mu  sync.Mutex
	all strings.Builder
}

// listen is all of a request as text, decoded as well.
func (h *heardOf) listen(r *http.Request) string {
	text, _ := io.ReadAll(r.Body) // whoever asked may be gone
	var b strings.Builder
	fmt.Fprintf(&b, "You asked for %s with ", r.URL.RequestURI())
	_ = r.Header.Write(&b)
	fmt.Fprintf(&b, " %s", text)
	h.mu.Lock()
	defer h.mu.Unlock()
	user, password, _ := r.BasicAuth()
	fmt.Fprintln(&h.all, b.String(), user, password)
	return b.String()
}

func (h *heardOf) of(what string) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return strings.Contains(h.all.String(), what)
}

// Secrets in files, variables, bodies, credentials of sources and endpoints,
// tokens, keys and proxies are in nothing that comes out: logs, metrics, the
// admin API, commands, the store, a crash. Everything that is asked repeats all
// it hears, as an error.
func TestPlantedSecretsStayHidden(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	var heard heardOf
	var polls, tokens atomic.Int64
	var healthy atomic.Bool
	healthy.Store(true)
	mux := http.NewServeMux()
	mux.HandleFunc("/token", func(w http.ResponseWriter, r *http.Request) {
		said := heard.listen(r)
		if !healthy.Load() {
			w.WriteHeader(http.StatusUnauthorized)
			fmt.Fprintf(w, `{"error":"invalid_client","error_description":%q}`, said)
			return
		}
		n := tokens.Add(1)
		fmt.Fprintf(w, `{"access_token":"%[1]s-access-%[2]d-%[1]s","refresh_token":"%[1]s-refresh-%[2]d-%[1]s","expires_in":3600}`, mark, n)
	})
	mux.HandleFunc("/login", func(w http.ResponseWriter, r *http.Request) {
		said := heard.listen(r)
		if !healthy.Load() {
			w.WriteHeader(http.StatusForbidden)
			_, _ = io.WriteString(w, said)
			return
		}
		fmt.Fprintf(w, `{"session":"%[1]s-session-%[1]s"}`, mark)
	})
	var told heardOf // by traces
	exported := make(chan struct{}, 1000)
	mux.HandleFunc("/otlp/v1/traces", func(w http.ResponseWriter, r *http.Request) {
		said := heard.listen(r.Clone(r.Context()))
		_, body, _ := strings.Cut(said, `{"resourceSpans"`)
		told.mu.Lock()
		fmt.Fprintln(&told.all, body)
		told.mu.Unlock()
		exported <- struct{}{}
		if len(exported) > 1 { // the first time it takes them, then it repeats them
			w.WriteHeader(http.StatusBadRequest)
			_, _ = io.WriteString(w, said)
			return
		}
		_, _ = fmt.Fprintf(w, `{"partialSuccess":{"rejectedSpans":"1","errorMessage":%q}}`, said)
	})
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		said := heard.listen(r)
		if strings.HasPrefix(r.URL.Path, "/api/") && healthy.Load() {
			fmt.Fprintf(w, `{"v":%d}`, polls.Add(1))
			return
		}
		w.Header().Set("Content-Type", "text/"+strings.Map(func(c rune) rune { // a header repeats it, too
			if c < ' ' || c > '~' {
				return '.'
			}
			return c
		}, said))
		w.WriteHeader(http.StatusInternalServerError)
		_, _ = io.WriteString(w, said)
	})
	server := loopback.NewServer(t, mux.ServeHTTP)
	t.Cleanup(server.Close)
	clientIdentity(t, dir)
	key := strings.Split(string(content(t, dir, "key.pem")), "\n")[1]
	for _, name := range []string{"path", "query", "body", "endpoint", "payload", "proxy"} {
		write(t, dir, name, plant(name)+"\n")
	}
	write(t, dir, "plain", mark+"-plain-"+mark)
	write(t, dir, "deltahook.yaml", fmt.Sprintf(`
log: {level: debug}
tracing: {endpoint: "%[1]s/otlp", headers: {X-Team: "${file:plain}-otlp", Authorization: "Bearer %[3]s-otlp-%[3]s"}}
server: {listen: "127.0.0.1:0", token: %[3]s-admin-%[3]s}
auth:
  client: {oauth2: {grant: client_credentials, token_url: "%[1]s/token", client_id: me, client_secret: "${CLIENT_SECRET}", style: body, params: {api_key: "${PARAM}"}}}
  person: {oauth2: {grant: refresh_token, token_url: "%[1]s/token", client_id: me, client_secret: "${CLIENT_SECRET}", refresh_token: "${REFRESH}"}}
  login: {login: {token: session, name: X-Session, request: {url: "%[1]s/login", json: {user: me, pin: "${PIN}", password: "%[3]s-literal-%[3]s"}}}}
defaults: {source: {schedule: "@every 1s"}}
sources:
  json: {request: {url: "%[1]s/api/json", auth: client, json: {a: ["${file:body}"], b: "x ${SHOP_PASSWORD}", auth: {pw: "${PW}"}}, tls: {key: key.pem, cert: cert.pem}}}
  form: {request: {url: "%[1]s/api/form", auth: login, form: {a: "${file:body}", b: "x ${SHOP_PASSWORD}", pass: "${PW}"}}}
  path: {request: {url: "%[1]s/api/{{ raw('${file:plain}') }}/x", query: {q: "${file:query}", r: "{{ '${file:plain}' }}"}, auth: {api_key: {query: k, value: "${KEY}"}, basic: {user: me, password: "${file:query}"}}}}
  person: {request: {url: "%[1]s/api/person", auth: person}}
  gone: {request: {url: "http://%[4]s/${file:plain}", auth: {bearer: "${PW}"}, headers: {X-Note: "a ${SHOP_PASSWORD}"}}}
endpoints:
  hook: {url: "%[1]s/%[3]sPathOfAnEndpoint%[3]s?x=${file:plain}", secrets: [%[2]s], headers: {X-Token: "${PW}"}, auth: {api_key: {query: k, value: "${file:endpoint}"}}, retry: {schedule: [1s, 1h]}}
  custom: {url: "%[1]s/custom", format: custom, json: {text: "{{ source }}"}, signature: none, headers: {X-Text: "${PW}", Authorization: "Bearer ${PW}"}, retry: {schedule: [1h]}}
  oauth: {url: "%[1]s/oauth", secrets: [%[2]s], auth: client, tls: {key: key.pem, cert: cert.pem}, retry: {schedule: [1h]}}
  own: {url: "%[1]s/own", signature: github, secrets: ["${file:plain}-github"], auth: {basic: {user: me, password: "${file:endpoint}"}, login: {token: session, name: X-S, request: {url: "%[1]s/login", form: {p: "${PIN}"}}}}, retry: {schedule: [1h]}}
  proxied: {url: "%[1]s/proxied", secrets: [%[2]s], proxy: "http://me:%[3]s-proxy-%[3]s@%[4]s", retry: {schedule: [1h]}}
egress: {endpoints: {allow: [127.0.0.0/8]}}
`, server.URL, whsec, mark, loopback.Nobody))
	var env []string
	for _, name := range []string{"CLIENT_SECRET", "PARAM", "REFRESH", "PIN", "SHOP_PASSWORD"} {
		env = append(env, name+"="+plant(name))
	}
	env = append(env, "PW="+mark+"-PW-"+mark, "KEY="+plant("KEY"))

	d := startEnv(t, binary(t), dir, env, "run")
	for _, source := range []string{"json", "form", "path", "person"} {
		d.says(t, d.stderr, `msg="first answer remembered, no events" source=`+source)
	}
	for _, name := range []string{"hook", "custom", "oauth", "own", "proxied"} {
		d.says(t, d.stderr, `msg="endpoint fails" endpoint=`+name)
	}
	healthy.Store(false)
	for _, source := range []string{"json", "form", "path", "person", "gone"} {
		d.says(t, d.stderr, `msg="poll failed" source=`+source)
	}
	seen := map[string][]byte{}
	walkAdmin(t, d, mark+"-admin-"+mark, seen)
	run := func(args ...string) {
		p := startEnv(t, binary(t), dir, env, args...)
		p.exit(t, patience)
		seen[strings.Join(args, " ")] = []byte(p.stdout.String() + p.stderr.String())
	}
	run("check")
	run("holds")
	for _, name := range []string{"json", "form", "path", "gone", "person"} {
		run("poll", name)
	}
	for _, name := range []string{"hook", "custom", "oauth", "own", "proxied"} {
		run("send", name)
	}
	healthy.Store(true)
	for _, name := range []string{"json", "form", "path"} {
		run("poll", name)
	}
	<-exported
	<-exported // of all sources and endpoints
	told.mu.Lock()
	seen["traces"] = []byte(told.all.String())
	told.mu.Unlock()
	for _, name := range []string{"json", "path", "gone", "hook", "own", "proxied"} {
		if !bytes.Contains(seen["traces"], []byte(`"stringValue":"`+name+`"`)) {
			t.Errorf("no span is about %s", name)
		}
	}
	d.signal(t, syscall.SIGQUIT) // as a crash: it prints every stack
	d.exit(t, patience)
	seen["run"] = []byte(d.stdout.String() + d.stderr.String())
	if !bytes.Contains(seen["run"], []byte("goroutine 1 ")) {
		t.Error("there are no stacks")
	}
	// The refresh token that a person's consent gave is stored, by need.
	seen["the store"] = bytes.ReplaceAll(content(t, dir, "deltahook.db"), []byte(mark+"-refresh-"), nil)
	seen["the store"] = []byte(refreshEnds.ReplaceAllString(string(seen["the store"]), ""))
	write(t, dir, "faulty.yaml", strings.NewReplacer("schedule: \"@every 1s\"", "schedule: 1s", "client_id: me", "client_id: [me]", "style: body", "style: x").Replace(string(content(t, dir, "deltahook.yaml"))))
	run("check", "-c", "faulty.yaml")

	// There was something to hide.
	for _, what := range []string{"CLIENT_SECRET", "PARAM", "REFRESH", "PIN", "SHOP_PASSWORD", "KEY", "query", "body", "endpoint", "-access-", "-session-", "-literal-", "-PW-", "-plain-", "-otlp"} {
		if !heard.of(what) {
			t.Errorf("nobody heard the secret %s", what)
		}
	}
	for where, text := range seen {
		if len(text) == 0 {
			t.Errorf("%s is empty", where)
		}
		for _, trace := range append(traces(), []byte(key[8:40]), []byte(strings.TrimPrefix(whsec, "whsec_"))) {
			if i := bytes.Index(text, trace); i >= 0 {
				t.Errorf("%s shows %q: …%q…", where, trace, text[max(0, i-150):min(len(text), i+150)])
			}
		}
	}
}

// walkAdmin follows the links of the pages from the overview on, 60 of them at
// most, asks the API for all that it shows, and has it do things.
func walkAdmin(t *testing.T, d *process, token string, seen map[string][]byte) {
	t.Helper()
	read := func(path string) string {
		text := adminPage(t, d, path, token)
		seen[path] = []byte(text)
		return text
	}
	link := regexp.MustCompile(`href="(/[^"#]*)`)
	for queue := []string{"/", "/config"}; len(queue) > 0 && len(seen) < 60; queue = queue[1:] {
		path := html.UnescapeString(queue[0])
		if seen[path] != nil {
			continue
		}
		for _, to := range link.FindAllStringSubmatch(read(path), -1) {
			queue = append(queue, to[1])
		}
	}
	for _, path := range []string{"/metrics", "/healthz", "/readyz"} {
		read(path)
	}
	const api = "/api/v1"
	for _, path := range []string{"/status", "/config", "/openapi.json", "/holds", "/replays", "/sources", "/endpoints"} {
		read(api + path)
	}
	for _, m := range regexp.MustCompile(`"id":"(evt_[^"]+)"`).FindAllStringSubmatch(read(api+"/events?limit=5"), -1) {
		read(api + "/events/" + m[1])
	}
	for _, m := range regexp.MustCompile(`"number":(\d+)`).FindAllStringSubmatch(read(api+"/deliveries?limit=5"), -1) {
		read(api + "/deliveries/" + m[1])
		read(api + "/deliveries/" + m[1] + "/attempts")
	}
	do := func(path string) { _, seen["POST "+path] = adminAsk(t, d, http.MethodPost, path, token) }
	for _, name := range []string{"json", "form", "path", "person", "gone"} {
		read(api + "/sources/" + name)
		do(api + "/sources/" + name + "/poll")
		do("/sources/" + name + "/poll")
	}
	for _, name := range []string{"hook", "custom", "oauth", "own", "proxied"} {
		read(api + "/endpoints/" + name)
		do(api + "/endpoints/" + name + "/test")
		do("/endpoints/" + name + "/test")
	}
	do(api + "/reload")
	do("/config/reload")
	if len(seen) < 60 {
		t.Errorf("only %d places were looked at", len(seen))
	}
}

// adminPage is a page that a token is needed for, and that is there.
func adminPage(t *testing.T, d *process, path, token string) string {
	t.Helper()
	status, text := adminAsk(t, d, http.MethodGet, path, token)
	if status >= 300 {
		t.Errorf("%s answers %d", path, status)
	}
	return string(text)
}

// adminAsk gives what is answered, with its header.
func adminAsk(t *testing.T, d *process, method, path, token string) (status int, text []byte) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, "http://"+d.Addr(t)+path, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+token)
	req.Close = true
	res, err := http.DefaultTransport.RoundTrip(req) // a redirect is an answer
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	text, err = io.ReadAll(res.Body)
	if err != nil {
		t.Errorf("%s: %v", path, err)
	}
	return res.StatusCode, fmt.Append(text, res.Header)
}
