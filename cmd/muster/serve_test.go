package main

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"io"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/muster-engine/muster/engine/enginetest"
)

// served is a server that runs in the test.
type served struct {
	t      *testing.T
	url    string
	client *http.Client
	said   *lockedText // on the standard output, behind the first line
	stop   func() (code int, log string)
}

// serve runs muster serve on the shell's database until stop is called, at the latest at the test's end.
func (s *shell) serve(args ...string) *served {
	s.t.Helper()
	ctx, cancel := context.WithCancel(context.WithoutCancel(s.t.Context()))
	out, in := io.Pipe()
	log := &lockedText{}
	code := make(chan int, 1)
	args = append([]string{"serve", "--listen", "127.0.0.1:0", "--database-url", s.url}, args...)
	go func() {
		code <- newApp(s.getenv, strings.NewReader(""), in, log).run(ctx, args)
		in.Close()
	}()
	lines := bufio.NewReader(out)
	line, err := lines.ReadString('\n')
	said := &lockedText{}
	go io.Copy(said, lines) //nolint:errcheck // it ends with the server
	if err != nil {
		cancel()
		s.t.Fatalf("muster serve: %v, exit %d\n%s", err, <-code, log)
	}
	w := &served{t: s.t, url: strings.TrimSpace(strings.TrimPrefix(line, "listening on ")),
		client: &http.Client{Transport: &http.Transport{}}, said: said}
	w.stop = sync.OnceValues(func() (int, string) {
		w.client.CloseIdleConnections()
		cancel()
		return <-code, log.String()
	})
	s.t.Cleanup(func() { w.stop() })
	return w
}

// lockedText collects what several goroutines write.
type lockedText struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *lockedText) Write(data []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(data)
}

func (l *lockedText) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// do sends a request, with a token where one is given, and demands the status.
func (w *served) do(status int, method, path, token, body string) []byte {
	w.t.Helper()
	request, err := http.NewRequestWithContext(w.t.Context(), method, w.url+path, strings.NewReader(body))
	if err != nil {
		w.t.Fatal(err)
	}
	if token != "" {
		request.Header.Set("Authorization", "Bearer "+token)
	}
	if path == "/oauth/token" {
		request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	response, err := w.client.Do(request)
	if err != nil {
		w.t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		w.t.Fatal(err)
	}
	if response.StatusCode != status {
		w.t.Fatalf("%s %s: %d, want %d: %s", method, path, response.StatusCode, status, text)
	}
	return text
}

// staff fills the shell's database.
func (s *shell) staff() {
	s.t.Helper()
	s.run(exitOK, "", "migrate", "up")
	s.run(exitOK, enginetest.Documents, "apply", "-f", "-")
	s.run(exitOK, "id,name,dept,mgr\nann,Ann,Board,\nbob,Bob,Sales,ann\n", "aggregate", "HR", "--file", "-")
}

// browse returns a function that asks for a page as a browser does, which keeps cookies and follows redirections. It
// demands a text on the page, and returns the page's address.
func (w *served) browse(t *testing.T) func(method, path string, form url.Values, want string) string {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	w.client.Jar = jar
	return func(method, path string, form url.Values, want string) string {
		t.Helper()
		request, err := http.NewRequestWithContext(t.Context(), method, w.url+path, strings.NewReader(form.Encode()))
		if err != nil {
			t.Fatal(err)
		}
		request.Header.Set("Accept", "text/html")
		request.Header.Set("Origin", w.url)
		request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		response, err := w.client.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		defer response.Body.Close()
		text, err := io.ReadAll(response.Body)
		if err != nil || response.StatusCode != http.StatusOK || !strings.Contains(string(text), want) {
			t.Fatalf("%s %s: %d, %v, want %q in %s", method, path, response.StatusCode, err, want, text)
		}
		return response.Request.URL.RequestURI()
	}
}

// The console is there for a browser, and its link signs in the one who started the server.
func TestServeConsole(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("it takes long")
	}
	s := newShell(t)
	s.staff()
	w := s.serve("--dev-client", "helen:sesame:HELPDESK")
	ask := w.browse(t)
	if path := ask(http.MethodGet, "/", nil, "Sign in"); path != "/console/login" {
		t.Errorf("the root leads to %s", path)
	}
	var link string
	for range 200 { // it is said right after the first line
		if _, after, found := strings.Cut(w.said.String(), "console: "+w.url+"/console/login?link="); found {
			link = strings.TrimSpace(after)
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	ask(http.MethodPost, "/console/login", url.Values{"link": {link}, "next": {"identities/"}}, "Synchronize Attributes")
	ask(http.MethodPost, "/console/login", url.Values{"name": {"helen"}, "secret": {"sesame"}}, "Home")
	for args, want := range map[string]string{"--console maybe": "auto, on or off is expected",
		"--console on --listen 0.0.0.0:0": "--listen", "--console on --jwks-file x --listen 0.0.0.0:0": "HTTPS",
		"--registration maybe":   "on or off is expected",
		"--external-url nowhere": "ExternalURL"} {
		_, out := s.run(exitUsage, "", append([]string{"serve"}, strings.Fields(args)...)...)
		if !strings.Contains(out, want) {
			t.Errorf("%s says %q, want %q", args, out, want)
		}
	}
	// An API client at the root is the API's.
	w.do(http.StatusNotFound, http.MethodGet, "/", "", "")
}

// A client gets a token from the endpoint, asks, has a worker process, and the server ends when it is told to.
func TestServe(t *testing.T) {
	t.Parallel()
	s := newShell(t)
	s.staff()
	w := s.serve("--dev-client", "demo:secret:ORG_ADMIN", "--dev-client", "plain:secret2:", "--rate-limit", "off")
	token := func(client, secret string) string {
		t.Helper()
		var granted struct {
			AccessToken string `json:"access_token"`
		}
		form := url.Values{"grant_type": {"client_credentials"}, "client_id": {client}, "client_secret": {secret}}
		if err := json.Unmarshal(w.do(http.StatusOK, http.MethodPost, "/oauth/token", "", form.Encode()),
			&granted); err != nil {
			t.Fatal(err)
		}
		return granted.AccessToken
	}
	demo := token("demo", "secret")
	var list []struct{ ID, Alias string }
	if err := json.Unmarshal(w.do(http.StatusOK, http.MethodGet, "/beta/identities?sorters=alias", demo, ""),
		&list); err != nil || len(list) != 2 || list[1].Alias != "bob" {
		t.Fatalf("got %v %v, want err == nil && len(list) == 2 && list[1].Alias == \"bob\"", list, err)
	}
	var task struct{ ID string }
	if err := json.Unmarshal(w.do(http.StatusAccepted, http.MethodPost, "/beta/identities/process", demo,
		`{"identityIds": ["`+list[0].ID+`"]}`), &task); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(30 * time.Second); ; {
		var status struct{ CompletionStatus *string }
		if err := json.Unmarshal(w.do(http.StatusOK, http.MethodGet, "/beta/task-status/"+task.ID, demo, ""),
			&status); err != nil {
			t.Fatal(err)
		}
		if status.CompletionStatus != nil {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("nobody works on the task")
		}
		<-time.After(20 * time.Millisecond)
	}
	w.do(http.StatusForbidden, http.MethodPost, "/beta/identities/process", token("plain", "secret2"), "{}")
	w.do(http.StatusUnauthorized, http.MethodPost, "/oauth/token", "",
		"grant_type=client_credentials&client_id=demo&client_secret=wrong")
	w.do(http.StatusOK, http.MethodGet, "/readyz", "", "")
	demand(t, string(w.do(http.StatusOK, http.MethodGet, "/metrics", "", "")),
		`muster_http_request_duration_seconds_count{operation="listIdentities",status="200",version="beta"} 1`,
		"muster_database_connections ", "go_goroutines ")
	// A token that the command makes is good too.
	made, _ := s.run(exitOK, "", "token", "--authority", "ORG_ADMIN")
	w.do(http.StatusOK, http.MethodGet, "/v2024/identities/"+list[0].ID, strings.TrimSpace(made), "")
	code, log := w.stop()
	if code != exitOK {
		t.Errorf("exit %d\n%s", code, log)
	}
	demand(t, log, "operation=startIdentityProcessing", "decision=allowed", "client=demo")
	if strings.Contains(log, demo) || strings.Contains(log, "secret") {
		t.Errorf("the log holds a secret:\n%s", log)
	}
}

// With a key set there are no development tokens: none is given, and none is good.
func TestServeTLSAndKeySet(t *testing.T) {
	t.Parallel()
	s := newShell(t)
	s.run(exitOK, "", "migrate", "up")
	certificate := httptest.NewUnstartedServer(nil)
	certificate.StartTLS()
	pair := certificate.TLS.Certificates[0]
	certificate.Close()
	key, err := x509.MarshalPKCS8PrivateKey(pair.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	certFile := s.file("cert.pem", string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: pair.Certificate[0]})))
	keyFile := s.file("key.pem", string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: key})))
	keys := s.file("keys.json", `{"keys": []}`)
	w := s.serve("--tls-cert", certFile, "--tls-key", keyFile, "--jwks-file", keys, "--log-json", "--no-worker",
		"--rate-limit", "off")
	roots := x509.NewCertPool()
	roots.AddCert(certificate.Certificate())
	w.client.Transport = &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots, ServerName: "example.com"}}
	w.do(http.StatusOK, http.MethodGet, "/healthz", "", "")
	out, _ := s.run(exitOK, "", "health", w.url+"/readyz", "--any-certificate")
	demand(t, out, `"status"`)
	_, errOut := s.run(exitFailed, "", "health", w.url+"/readyz")
	demand(t, errOut, "certificate")
	_, errOut = s.run(exitFailed, "", "health", w.url+"/nothing", "--any-certificate")
	demand(t, errOut, "404")
	s.run(exitFailed, "", "health", "http://127.0.0.1:1/readyz")
	s.run(exitUsage, "", "health", "http://:x")
	w.do(http.StatusNotFound, http.MethodPost, "/oauth/token", "", "grant_type=client_credentials")
	made, _ := s.run(exitOK, "", "token", "--authority", "ORG_ADMIN")
	w.do(http.StatusUnauthorized, http.MethodGet, "/beta/identities", strings.TrimSpace(made), "")
	if code, log := w.stop(); code != exitOK || !strings.Contains(log, `"decision":"not authenticated`) {
		t.Errorf("exit %d\n%s", code, log)
	}
}

// With TLS, tokens may come from other machines, also those of development.
func TestServeBeyondLoopback(t *testing.T) {
	t.Parallel()
	tls := server{listen: "0.0.0.0:443", certificate: "cert.pem"}
	for listen, private := range map[string]bool{"127.0.0.1:0": true, "[::1]:80": true, "localhost:80": true,
		"127.9.9.9:80": true, "10.0.0.1:80": false, "[2001:db8::1]:80": false} {
		s := server{listen: listen}
		if err := s.demandPrivate(); (err == nil) != private {
			t.Errorf("%s: %v, want it to be private: %t", listen, err, private)
		}
	}
	if err := tls.demandPrivate(); err != nil {
		t.Error(err)
	}
}

// What the server has beside the API redirects nobody, and pages of the origin that is named may read what it answers.
func TestServePaths(t *testing.T) {
	t.Parallel()
	s := newShell(t)
	s.staff()
	const origin = "https://admin.example.com"
	w := s.serve("--dev-client", "demo:secret:ORG_ADMIN", "--no-worker", "--cors-origin", origin)
	w.client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	for _, path := range []string{"//beta/identities", "/beta/identities/", "/beta//identities", "/metrics/",
		"//oauth/token", "/oauth/token/"} {
		for _, method := range []string{http.MethodGet, http.MethodPost} {
			demand(t, string(w.do(http.StatusNotFound, method, path, "", "")), "404 Not found", "trackingId")
		}
	}
	request, err := http.NewRequestWithContext(t.Context(), http.MethodOptions, w.url+"/v2024/identities", nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Origin", origin)
	request.Header.Set("Access-Control-Request-Method", http.MethodGet)
	response, err := w.client.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusNoContent || response.Header.Get("Access-Control-Allow-Origin") != origin {
		t.Errorf("preflight: %d %v", response.StatusCode, response.Header)
	}
}

// A token of one tenant is good for no other one that has the same data folder.
func TestTokensOfTenants(t *testing.T) {
	t.Parallel()
	s, other := newShell(t), newShell(t)
	s.staff()
	elsewhere := *s
	elsewhere.env = map[string]string{"MUSTER_DATA": filepath.Join(s.dir, "data2")}
	other.env = s.env
	w := s.serve("--no-worker")
	mint := func(s *shell, args ...string) string {
		made, _ := s.run(exitOK, "", append([]string{"token", "--authority", "ORG_ADMIN"}, args...)...)
		return strings.TrimSpace(made)
	}
	w.do(http.StatusOK, http.MethodGet, "/beta/identities", mint(s), "")
	w.do(http.StatusUnauthorized, http.MethodGet, "/beta/identities", mint(s, "--schema", "second"), "")
	w.do(http.StatusUnauthorized, http.MethodGet, "/beta/identities", mint(other), "")
	w.do(http.StatusUnauthorized, http.MethodGet, "/beta/identities", mint(&elsewhere), "")
}

func TestServeFaults(t *testing.T) {
	t.Parallel()
	s := newShell(t)
	s.run(exitOK, "", "migrate", "up")
	taken, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	short := s.file("short", "too short")
	for _, test := range []struct {
		code int
		args []string
		want string
	}{
		{exitUsage, []string{"--tls-cert", "x"}, "--tls-cert and --tls-key belong together"},
		{exitUsage, []string{"--jwks-file", "x", "--jwks-url", "y"}, "exclude each other"},
		{exitUsage, []string{"--jwks-file", "x", "--dev-client", "a:b"}, "they exclude a key set"},
		{exitUsage, []string{"--issuer", "x"}, "belong to --jwks-url or --jwks-file"},
		{exitUsage, []string{"--dev-client", "a:b:NOPE"}, `"NOPE" is no user level: USER, API, ORG_ADMIN,`},
		{exitUsage, []string{"--dev-client", "hunter2"}, "id:secret:AUTHORITY,... is expected"},
		{exitUsage, []string{"--listen", "0.0.0.0:0"}, "development tokens are for this machine"},
		{exitUsage, []string{"--listen", ":0"}, "development tokens are for this machine"},
		{exitUsage, []string{"--listen", "[::]:0", "--dev-client", "a:b"}, "development tokens are for this machine"},
		{exitUsage, []string{"--listen", "127.0.0.1"}, "--listen: "},
		{exitUsage, []string{"--cors-origin", "admin.example.com"}, "CORS.Origins"},
		{exitUsage, []string{"--cursor-key", "hunter2"}, "a secret is not written into the configuration"},
		{exitUsage, []string{"--cursor-key", "file:" + short}, "32 bytes or more"},
		{exitUsage, []string{"--rate-limit", "many"}, `--rate-limit: "many" is given`},
		{exitUsage, []string{"--token-key", "hunter2"}, "a secret is not written into the configuration"},
		{exitFailed, []string{"--jwks-file", filepath.Join(s.dir, "nothing")}, "read the key set"},
		{exitFailed, []string{"--listen", taken.Addr().String()}, "--listen: "},
	} {
		_, errOut := s.run(test.code, "", append([]string{"serve"}, test.args...)...)
		demand(t, errOut, test.want)
		if strings.Contains(errOut, "hunter2") {
			t.Errorf("%v: the error repeats a secret: %s", test.args, errOut)
		}
	}
}

// The key of development tokens is made once, for its owner alone, and is good for every command after that.
func TestTokenKey(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "new", "data")
	keys := make(chan string, 8)
	for range cap(keys) {
		go func() {
			key, err := ownTokenKey(dir)
			if err != nil {
				t.Error(err)
			}
			keys <- string(key)
		}()
	}
	first := <-keys
	for range cap(keys) - 1 {
		if key := <-keys; key != first || len(key) < 32 {
			t.Errorf("keys of %d and %d characters differ", len(first), len(key))
		}
	}
	info, err := os.Stat(dir)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("got %v %v, want err == nil && info.Mode().Perm() == 0o600", info.Mode(), err)
	}
	if entries, err := os.ReadDir(filepath.Dir(dir)); err != nil || len(entries) != 1 {
		t.Errorf("got %+v and the error %v, want 1 of them", entries, err)
	}
}

// A key that somebody else made, or can read, is refused: whoever knows it can be anybody.
func TestTokenKeyOfOthers(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	key := strings.Repeat("k", 43)
	write := func(name string, mode os.FileMode) string {
		t.Helper()
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(key), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		return path
	}
	own := write("own", 0o600)
	if got, err := ownTokenKey(own); err != nil || string(got) != key {
		t.Errorf("got %d bytes, %v, want the key of the file", len(got), err)
	}
	link := filepath.Join(dir, "link")
	if err := os.Symlink(own, link); err != nil {
		t.Fatal(err)
	}
	folder := filepath.Join(dir, "folder")
	if err := os.Mkdir(folder, 0o700); err != nil {
		t.Fatal(err)
	}
	faults := map[string]string{write("group", 0o640): "has the mode", write("all", 0o604): "has the mode",
		write("written", 0o620): "has the mode", link: "is no file", folder: "is no file"}
	if os.Geteuid() == 0 {
		theirs := write("theirs", 0o600)
		if err := os.Chown(theirs, 65534, 65534); err != nil {
			t.Fatal(err)
		}
		faults[theirs] = "belongs to another user"
	}
	for path, want := range faults {
		if _, err := ownTokenKey(path); err == nil || !strings.Contains(err.Error(), want) ||
			strings.Contains(err.Error(), key) {
			t.Errorf("%s: %v, want %q", path, err, want)
		}
	}
}

func TestTokenFaults(t *testing.T) {
	t.Parallel()
	s := newShell(t)
	short := s.file("short", "too short")
	_, errOut := s.run(exitUsage, "", "token", "--token-key", "file:"+short)
	demand(t, errOut, "32 bytes or more")
	_, errOut = s.run(exitUsage, "", "token", "--ttl", "-1h")
	demand(t, errOut, "a token is good for up to")
}
