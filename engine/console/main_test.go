package console_test

import (
	"bytes"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"

	"golang.org/x/net/html"

	"github.com/muster-engine/muster/engine"
	"github.com/muster-engine/muster/engine/console"
	"github.com/muster-engine/muster/engine/enginetest"
	"github.com/muster-engine/muster/store/storetest"
	_ "github.com/muster-engine/muster/store/storetest/container"
)

func TestMain(m *testing.M) { storetest.Main(m) }

// site is a console over the sample company, and who asks it.
type site struct {
	*enginetest.Company
	t       *testing.T
	handler http.Handler
	logs    *logs
	prefix  string            // of the mount
	cookies map[string]string // that the browser keeps
	level   string            // of the visitor; "" for nobody
	header  map[string]string // that each request has
}

// logs collects what is logged.
type logs struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *logs) Write(data []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(data)
}

func (l *logs) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// visitor is the one whom a host identifies by a header of the tests.
func visitor(r *http.Request) (*console.Principal, error) {
	level := r.Header.Get("Test-Level")
	if level == "" {
		return nil, nil
	}
	return &console.Principal{ID: "op-" + strings.ToLower(level), Name: "Op <b>" + level + "</b>",
		Levels: strings.Split(level, ",")}, nil
}

// newSite returns a console for an administrator. The company has roles, an account in the Directory, an operation that
// a person has to carry out, and a run.
func newSite(t *testing.T, config console.Config) *site {
	t.Helper()
	c := enginetest.New(t)
	c.ApplyText(enginetest.Roles)
	c.AggregateText("Directory", enginetest.DirectoryHeader+"bobt,bob@example.com,,staff,true\n", engine.AggregateOptions{})
	c.Process()
	return siteOf(t, c, config)
}

func siteOf(t *testing.T, c *enginetest.Company, config console.Config) *site {
	t.Helper()
	s := &site{Company: c, t: t, logs: &logs{}, cookies: map[string]string{}, level: "ORG_ADMIN",
		header: map[string]string{}}
	if config.Authenticator == nil && config.Development == nil && !config.Passwords {
		config.Authenticator = console.AuthenticatorFunc(visitor)
	}
	config.Logger = slog.New(slog.NewTextHandler(s.logs, nil))
	ui, err := console.New(c.Engine, config)
	if err != nil {
		t.Fatal(err)
	}
	s.handler = ui
	return s
}

// answer is what the console answered.
type answer struct {
	t        *testing.T
	url      *url.URL // as the browser sees it
	status   int
	header   http.Header
	body     string
	document *html.Node
}

// do sends a request as a browser does, and keeps the cookies.
func (s *site) do(method, path string, form url.Values) *answer {
	s.t.Helper()
	var body io.Reader = http.NoBody
	if form != nil {
		body = strings.NewReader(form.Encode())
	}
	r := httptest.NewRequestWithContext(s.t.Context(), method, "http://localhost"+s.prefix+path, body)
	if method == http.MethodPost {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Header.Set("Sec-Fetch-Site", "same-origin")
	}
	return s.send(r)
}

// send sends a request, and keeps the cookies.
func (s *site) send(r *http.Request) *answer {
	s.t.Helper()
	if s.level != "" {
		r.Header.Set("Test-Level", s.level)
	}
	for name, value := range s.header {
		if r.Header.Set(name, value); value == "" {
			r.Header.Del(name)
		}
		if name == "Host" {
			r.Host = value
		}
	}
	for name, value := range s.cookies {
		r.AddCookie(&http.Cookie{Name: name, Value: value})
	}
	recorder := httptest.NewRecorder()
	s.handler.ServeHTTP(recorder, r)
	response := recorder.Result()
	for _, cookie := range response.Cookies() {
		if s.cookies[cookie.Name] = cookie.Value; cookie.MaxAge < 0 {
			delete(s.cookies, cookie.Name)
		}
	}
	text, err := io.ReadAll(response.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	a := &answer{t: s.t, url: r.URL, status: response.StatusCode, header: response.Header, body: string(text)}
	if strings.HasPrefix(a.header.Get("Content-Type"), "text/html") {
		if a.document, err = html.Parse(strings.NewReader(a.body)); err != nil {
			s.t.Fatal(err)
		}
	}
	return a
}

// get asks for a page that is there.
func (s *site) get(path string) *answer {
	s.t.Helper()
	return s.do(http.MethodGet, path, nil).demand(http.StatusOK)
}

// post sends a form, and follows to the page that it leads to.
func (s *site) post(path string, form url.Values) *answer {
	s.t.Helper()
	return s.follow(s.do(http.MethodPost, path, form).demand(http.StatusSeeOther))
}

// follow goes where an answer redirects to.
func (s *site) follow(a *answer) *answer {
	s.t.Helper()
	return s.get(s.resolve(a, a.header.Get("Location")))
}

// resolve returns the path below the mount of a reference on a page.
func (s *site) resolve(a *answer, reference string) string {
	s.t.Helper()
	u, err := a.url.Parse(reference)
	if err != nil {
		s.t.Fatal(err)
	}
	path, below := strings.CutPrefix(u.RequestURI(), s.prefix+"/")
	if !below || u.Host != a.url.Host {
		s.t.Fatalf("%s: %q leads out of the console, to %s", a.url, reference, u)
	}
	return "/" + path
}

func (a *answer) demand(status int) *answer {
	a.t.Helper()
	if a.status != status {
		a.t.Fatalf("%s: %d, want %d: %s", a.url, a.status, status, a.text())
	}
	return a
}

// elements returns the elements of the page with one of the names.
func (a *answer) elements(names ...string) []*html.Node {
	var found []*html.Node
	if a.document == nil {
		return nil
	}
	for n := range a.document.Descendants() {
		for _, name := range names {
			if n.Type == html.ElementNode && n.Data == name {
				found = append(found, n)
			}
		}
	}
	return found
}

func attr(n *html.Node, name string) string {
	for _, a := range n.Attr {
		if a.Key == name {
			return a.Val
		}
	}
	return ""
}

func hasAttr(n *html.Node, name string) bool {
	for _, a := range n.Attr {
		if a.Key == name {
			return true
		}
	}
	return false
}

// textOf returns the text of an element, with single blanks.
func textOf(n *html.Node) string {
	var b strings.Builder
	for d := range n.Descendants() {
		if d.Type == html.TextNode {
			b.WriteString(d.Data + " ")
		}
	}
	return strings.Join(strings.Fields(b.String()), " ")
}

// text returns the text of the page's main part.
func (a *answer) text() string {
	a.t.Helper()
	if a.document == nil {
		return a.body
	}
	for _, n := range a.elements("main") {
		return textOf(n)
	}
	return a.body
}

// shows fails unless the page's main part has texts.
func (a *answer) shows(texts ...string) *answer {
	a.t.Helper()
	for _, text := range texts {
		if !strings.Contains(a.text(), text) {
			a.t.Errorf("%s does not show %q: %s", a.url, text, a.text())
		}
	}
	return a
}

// hides fails if the page's main part has one of texts.
func (a *answer) hides(texts ...string) {
	a.t.Helper()
	for _, text := range texts {
		if strings.Contains(a.text(), text) {
			a.t.Errorf("%s shows %q: %s", a.url, text, a.text())
		}
	}
}

// note returns what the last action says on the page.
func (a *answer) note() string {
	a.t.Helper()
	for _, n := range a.elements("div") {
		if attr(n, "role") == "status" && strings.HasPrefix(attr(n, "class"), "note") {
			return textOf(n)
		}
	}
	return ""
}

// link returns the reference of the link, or the action of the button, with a text.
func (a *answer) link(text string) string {
	a.t.Helper()
	for _, n := range a.elements("a", "button") {
		if textOf(n) != text {
			continue
		}
		if n.Data == "a" {
			return attr(n, "href")
		}
		if action := attr(n, "formaction"); action != "" {
			return action
		}
		for p := n.Parent; p != nil; p = p.Parent {
			if p.Data == "form" {
				return attr(p, "action")
			}
		}
	}
	a.t.Fatalf("%s has no link or button %q: %s", a.url, text, a.text())
	return ""
}

// ids are what the {id} of each route is in the tests: of somebody, of a run and of an operation that are there.
func (s *site) ids() map[string]string {
	s.t.Helper()
	run, err := s.ProcessIdentities(s.t.Context(), []string{s.ID("ann")})
	if err != nil {
		s.t.Fatal(err)
	}
	operations, err := s.Operations(s.t.Context(), engine.OperationQuery{Limit: 1})
	if err != nil || len(operations) == 0 {
		s.t.Fatalf("the company has no operation: %v", err)
	}
	accounts, err := s.ListAccounts(s.t.Context(), engine.AccountParams{Source: "Directory"})
	if err != nil || len(accounts.Items) == 0 {
		s.t.Fatalf("the company has no account: %v", err)
	}
	roles, err := s.ListConfiguration(s.t.Context(), engine.TypeRole, engine.PageParams{Sorters: "name"})
	if err != nil || len(roles.Items) == 0 {
		s.t.Fatalf("the company has no role: %v", err)
	}
	entitlements, err := s.ListEntitlements(s.t.Context(), engine.EntitlementParams{})
	if err != nil || len(entitlements.Items) == 0 {
		s.t.Fatalf("the company has no entitlement: %v", err)
	}
	return map[string]string{"identities": s.ID("bob"), "runs": run.ID, "operations": operations[0].ID,
		"accounts": accounts.Items[0].ID, "roles": roles.Items[0].ID, "entitlements": entitlements.Items[0].ID,
		"identity-profiles": s.profileID(), "sources": s.sourceID("Directory"),
		"configuration": s.firstRevision()}
}

// idFor returns the ID for a route.
func idFor(ids map[string]string, pattern string) string {
	part, _, _ := strings.Cut(pattern, "/")
	return ids[part]
}
