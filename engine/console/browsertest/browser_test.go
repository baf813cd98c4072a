package browsertest

import (
	"context"
	"flag"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"github.com/muster-engine/muster/engine"
	"github.com/muster-engine/muster/engine/console"
	"github.com/muster-engine/muster/engine/enginetest"
	"github.com/muster-engine/muster/store/storetest"
)

var screenshots = flag.String("screenshots", "", "folder for a picture of each page")

func TestMain(m *testing.M) { storetest.Main(m) }

// browser is a browser on pages over the sample company.
type browser struct {
	*enginetest.Company
	t       *testing.T
	ctx     context.Context
	url     string // of the pages, which are below a prefix
	pages   []string
	handler http.Handler // of the pages; it is there before the browser asks
	mu      sync.Mutex
	theme   string
	others  []string // addresses elsewhere to which the browser may go
	trouble []string // what the browser complained of
}

const prefix = "/a/b"

// open opens a browser on a console for an administrator.
func open(t *testing.T) *browser {
	t.Helper()
	b := launch(t)
	b.Company = enginetest.New(t)
	b.ApplyText(enginetest.Roles)
	b.AggregateText("Directory", enginetest.DirectoryHeader+"bobt,bob@example.com,,staff,true\n"+
		"cy,else@example.com,,,true\n", engine.AggregateOptions{})
	b.Process()
	if err := b.CountStatistics(t.Context()); err != nil {
		t.Fatal(err)
	}
	ui, err := console.New(b.Engine, console.Config{Authenticator: console.AuthenticatorFunc(
		func(*http.Request) (*console.Principal, error) {
			return &console.Principal{ID: "root", Name: "Root", Levels: []string{"ORG_ADMIN"}}, nil
		})})
	if err != nil {
		t.Fatal(err)
	}
	b.pages, b.handler = ui.Pages(), ui
	return b
}

// launch starts Chromium, and a server for pages that the test gives.
func launch(t *testing.T) *browser {
	t.Helper()
	b := &browser{t: t}
	server := httptest.NewServer(http.StripPrefix(prefix, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b.mu.Lock()
		r.AddCookie(&http.Cookie{Name: "muster-theme", Value: b.theme})
		b.mu.Unlock()
		b.handler.ServeHTTP(w, r)
	})))
	t.Cleanup(server.Close)
	b.url = server.URL + prefix
	options := chromedp.DefaultExecAllocatorOptions[:]
	if os.Getuid() == 0 {
		options = append(slices.Clone(options), chromedp.NoSandbox)
	}
	if path, err := exec.LookPath("chromium"); err == nil {
		options = append(slices.Clone(options), chromedp.ExecPath(path))
	}
	allocated, cancel := chromedp.NewExecAllocator(t.Context(), options...)
	t.Cleanup(cancel)
	ctx, cancel := chromedp.NewContext(allocated)
	t.Cleanup(cancel)
	b.ctx = ctx
	if err := chromedp.Listen(ctx, b.hear); err != nil {
		t.Fatal(err)
	}
	return b
}

// hear keeps what the browser complains of, and requests to another origin.
func (b *browser) hear(ev any) {
	complaint := ""
	switch ev := ev.(type) {
	case *log.EventEntryAdded:
		// That a page is an answer such as 404 is no trouble.
		if ev.Entry.Level == log.EntryLevelError && ev.Entry.Source != log.EntrySourceNetwork {
			complaint = ev.Entry.Text
		}
	case *runtime.EventExceptionThrown:
		complaint = fmt.Sprintf("%+v", ev.ExceptionDetails)
	case *network.EventRequestWillBeSent:
		// The browser draws its own buttons, such as the calendar of a day's field.
		may := slices.ContainsFunc(append([]string{b.url + "/", "data:"}, b.others...), func(address string) bool {
			return strings.HasPrefix(ev.Request.URL, address)
		})
		if !may {
			complaint = "a request for " + ev.Request.URL
		}
	}
	if complaint != "" {
		b.mu.Lock()
		defer b.mu.Unlock()
		b.trouble = append(b.trouble, complaint)
	}
}

// do runs actions within half a minute.
func (b *browser) do(actions ...chromedp.Action[chromedp.Void]) {
	b.t.Helper()
	if err := chromedp.Do(b.ctx, func(ctx context.Context, t *chromedp.Target) (chromedp.Void, error) {
		ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
		defer cancel()
		return chromedp.Steps(actions...)(ctx, t)
	}); err != nil {
		b.t.Fatal(err)
	}
}

func (b *browser) open(page string) {
	b.t.Helper()
	b.do(chromedp.Navigate(b.url + page))
}

// evaluate returns the value of an expression on the page.
func evaluate[T any](b *browser, expression string, options ...chromedp.EvaluateOption) T {
	b.t.Helper()
	value, err := chromedp.Run(b.ctx, chromedp.Evaluate[T](expression, options...))
	if err != nil {
		b.t.Fatal(err)
	}
	return value
}

// until waits until an expression on the page holds.
func (b *browser) until(expression string) {
	b.t.Helper()
	for range 300 {
		// While a page goes, nothing can be asked.
		// The script is there when the page is complete.
		ready := `document.readyState === "complete" && (` + expression + ")"
		if holds, err := chromedp.Run(b.ctx, chromedp.Evaluate[bool](ready)); err == nil && holds {
			return
		}
		time.Sleep(20 * time.Millisecond)
	}
	b.t.Fatalf("%s does not hold at %s", expression, evaluate[string](b, "location.href"))
}

func (b *browser) quiet() {
	b.t.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, complaint := range b.trouble {
		b.t.Error(complaint)
	}
	b.trouble = nil
}

// violation is a rule of axe-core that a page breaks.
type violation struct {
	ID, Help string
	Nodes    []struct {
		HTML           string
		FailureSummary string
	}
}

// axe runs every rule of WCAG 2.2 AA and of best practice on the page that is open.
func (b *browser) axe(source string) []violation {
	b.t.Helper()
	// A colour that is on its way to another one is no fault.
	const run = `document.getAnimations().forEach(a => a.finish()), axe.run(document, {runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"],
		resultTypes: ["violations"]}).then(r => r.violations.map(v => ({ID: v.id, Help: v.help,
			Nodes: v.nodes.map(n => ({HTML: n.html, FailureSummary: n.failureSummary}))})))`
	evaluate[bool](b, source+"; true")
	return evaluate[[]violation](b, run, chromedp.EvalAwaitPromise)
}

// press presses keys.
func (b *browser) press(keys ...string) {
	b.t.Helper()
	for _, key := range keys {
		b.do(chromedp.KeyEvent(key))
	}
}

// into types a text into a field, by the keyboard, in place of what it has.
func (b *browser) into(field, text string) {
	b.t.Helper()
	b.until(fmt.Sprintf(`(document.querySelector(%q)?.focus(), document.activeElement?.matches(%[1]q))`, field))
	evaluate[bool](b, `document.activeElement.select(); true`)
	for _, key := range text {
		b.press(string(key))
	}
}

// follow puts the focus on the link, the button or the menu with a text, and presses Enter.
func (b *browser) follow(text string) {
	b.t.Helper()
	b.followIn("body", text)
}

// followIn is follow for what is in an element.
func (b *browser) followIn(place, text string) {
	b.t.Helper()
	b.until(fmt.Sprintf(`([...document.querySelectorAll(%q)].flatMap(e => [...e.querySelectorAll("a, button, summary")])
		.find(e => e.textContent.trim() === %q)?.focus(),
		document.activeElement?.textContent.trim() === %[2]q && document.activeElement.tabIndex >= 0)`, place, text))
	b.press(kb.Enter)
}

// shows waits for a page with a heading, and demands texts on it.
func (b *browser) shows(heading string, texts ...string) {
	b.t.Helper()
	b.until(fmt.Sprintf(`document.querySelector("h1")?.textContent === %q`, heading))
	said := evaluate[string](b, `document.querySelector("main").innerText`)
	for _, text := range texts {
		if !strings.Contains(said, text) {
			b.t.Errorf("%s does not say %q: %s", heading, text, said)
		}
	}
}

// script switches the pages' scripts on or off.
func (b *browser) script(on bool) {
	b.t.Helper()
	b.do(chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
		_, err := cdp.Call(ctx, t, emulation.SetScriptExecutionDisabled,
			emulation.SetScriptExecutionDisabledParams{Value: !on})
		return err
	}))
}

// ids returns the ID of an object of each kind that has a page.
func (b *browser) ids() map[string]string {
	b.t.Helper()
	ctx := b.t.Context()
	accounts, err := b.ListAccounts(ctx, engine.AccountParams{Uncorrelated: true})
	if err != nil || len(accounts.Items) == 0 {
		b.t.Fatalf("there is no account that nobody has: %v", err)
	}
	roles, err := b.ListConfiguration(ctx, engine.TypeRole, engine.PageParams{Filters: `name eq "Sales"`})
	if err != nil || len(roles.Items) == 0 {
		b.t.Fatalf("there is no role: %v", err)
	}
	entitlements, err := b.ListEntitlements(ctx, engine.EntitlementParams{})
	if err != nil || len(entitlements.Items) == 0 {
		b.t.Fatalf("there is no entitlement: %v", err)
	}
	profile, err := b.ConfigurationObject(ctx, engine.TypeIdentityProfile, "Employees")
	if err != nil {
		b.t.Fatal(err)
	}
	revisions, err := b.ConfigurationRevisions(ctx, 0, 1)
	if err != nil || len(revisions) == 0 {
		b.t.Fatalf("there is no revision: %v", err)
	}
	sources, err := b.Sources(ctx)
	if err != nil || len(sources) == 0 {
		b.t.Fatalf("there is no source: %v", err)
	}
	return map[string]string{"configuration": strconv.FormatInt(revisions[0].Version, 10), "sources": sources[0].ID,
		"accounts": accounts.Items[0].ID, "entitlements": entitlements.Items[0].ID,
		"identities": b.ID("bob"), "identity-profiles": profile.ID, "roles": roles.Items[0].ID}
}

// addresses returns the address of each page, with data, and some without.
func (b *browser) addresses() []string {
	b.t.Helper()
	run, err := b.ProcessIdentities(b.t.Context(), []string{b.ID("ann")})
	if err != nil {
		b.t.Fatal(err)
	}
	if _, err := b.Pool.Exec(b.t.Context(), `UPDATE muster.tasks SET held = now(), held_reason = 'many would lose a role'
		WHERE replace(id::text, '-', '') = $1`, run.ID); err != nil {
		b.t.Fatal(err)
	}
	ids := b.ids()
	ids["runs"] = run.ID
	list := []string{"/find?q=a", "/find?q=nobody", "/identities/?filters=" + url.QueryEscape(`name eqq "x"`),
		"/identities/?filters=" + url.QueryEscape(`name eq "nobody"`), "/nothing", "/history/?since=x", "/health/?doctor=1",
		"/configuration/object?type=ROLE&name=Sales", "/configuration/propose?type=ROLE&name=Sales",
		"/identity-profiles/" + ids["identity-profiles"] + "/?person=bob"}
	for _, pattern := range b.pages {
		if pattern == "login" { // the host's
			continue
		}
		part, _, _ := strings.Cut(pattern, "/")
		list = append(list, "/"+strings.ReplaceAll(pattern, "{id}", ids[part]))
	}
	return list
}

// axeSource returns axe-core.
func axeSource(t *testing.T) string {
	t.Helper()
	path := os.Getenv("MUSTER_AXE")
	if path == "" {
		t.Fatal("MUSTER_AXE is the file axe.min.js of axe-core: run make test-browser")
	}
	source, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(source)
}

// looks are the ways in which axe-core sees a page.
var looks = []struct {
	name, theme   string
	width, height int64
}{{"light", "light", 1360, 900}, {"dark", "dark", 1360, 900}, {"narrow", "light", 320, 700}}

// No page breaks a rule of axe-core: light, dark and narrow. None asks for anything elsewhere, breaks its own policy or
// moves while it is read.
func TestAxe(t *testing.T) {
	source := axeSource(t)
	b := open(t)
	addresses := b.addresses()
	if len(addresses) < 25 {
		t.Fatalf("there are %d pages", len(addresses))
	}
	for _, look := range looks {
		b.mu.Lock()
		b.theme = look.theme
		b.mu.Unlock()
		b.do(chromedp.EmulateViewport(look.width, look.height))
		for _, address := range addresses {
			b.open(address)
			for _, v := range b.axe(source) {
				for _, n := range v.Nodes {
					t.Errorf("%s, %s: %s: %s\n%s\n%s", address, look.name, v.ID, v.Help, n.HTML, n.FailureSummary)
				}
			}
			if wide := evaluate[bool](b, "document.documentElement.scrollWidth > innerWidth"); wide {
				t.Errorf("%s, %s: the page is wider than the window", address, look.name)
			}
			b.picture(look.name, address)
		}
		b.quiet()
	}
}

// picture keeps a picture of the page, where that is asked for.
func (b *browser) picture(look, address string) {
	b.t.Helper()
	if *screenshots == "" {
		return
	}
	picture, err := chromedp.Run(b.ctx, chromedp.CaptureScreenshot())
	if err != nil {
		b.t.Fatal(err)
	}
	for _, alias := range []string{"ann", "bob"} {
		address = strings.ReplaceAll(address, b.ID(alias), alias)
	}
	name := strings.Trim(strings.NewReplacer("/", "-", "?", "-", "=", "-", "&", "-", "%", "").Replace(address), "-")
	if err := os.WriteFile(filepath.Join(*screenshots, look+"-"+name+".png"), picture, 0o600); err != nil {
		b.t.Fatal(err)
	}
}

// By the keyboard alone: find a person, see why she has a role, press Synchronize Attributes and see what it did.
func TestByKeyboard(t *testing.T) {
	b := open(t)
	press := func(keys ...string) {
		t.Helper()
		for _, key := range keys {
			b.do(chromedp.KeyEvent(key))
		}
	}
	b.open("/")
	press("/")
	b.until(`document.activeElement.id === "find"`)
	// The driver sends the character of a key also where the page has taken the key.
	evaluate[bool](b, `document.activeElement.value = ""; true`)
	press("B", "o", "b", " ", "T", kb.Enter)
	b.until(`document.querySelector("h1")?.textContent === "Bob Twain"`)
	evaluate[bool](b, `[...document.querySelectorAll(".tabs a")].find(a => a.textContent === "Access").focus(); true`)
	press(kb.Enter)
	b.until(`document.querySelector(".criterion")?.textContent.includes("department EQUALS")`)
	press("g", "i")
	b.until(`document.querySelector("h1")?.textContent === "Identity List"`)
	press("j", "j") // the second row, which is Bob's
	if name := evaluate[string](b, "document.activeElement.textContent"); name != "Bob Twain" {
		t.Errorf("the row is that of %q", name)
	}
	press(".")
	if text := evaluate[string](b, "document.activeElement.textContent"); text != "Synchronize Attributes" {
		t.Errorf("the menu begins with %q", text)
	}
	press(kb.Escape)
	if open := evaluate[bool](b, `document.querySelector("details.menu[open]") !== null`); open {
		t.Error("Escape does not close the menu")
	}
	press("j", "k", ".", kb.Enter)
	b.until(`document.querySelector(".note")?.textContent.includes("synchronization of the attributes was asked for")`)
	if focused := evaluate[bool](b, `document.activeElement.classList.contains("note")`); !focused {
		t.Error("the focus is not on what happened")
	}
	evaluate[bool](b, `document.querySelector(".note a").focus(); true`)
	press(kb.Enter)
	b.until(`document.querySelector("h1")?.textContent.startsWith("Synchronize the attributes")`)
	press("?")
	b.until(`document.querySelector("h1")?.textContent === "Help"`)
	b.quiet()
}

// The page of a run that is open follows it to its end.
func TestRunIsFollowed(t *testing.T) {
	b := open(t)
	run, err := b.ProcessIdentities(t.Context(), []string{b.ID("bob")})
	if err != nil {
		t.Fatal(err)
	}
	b.open("/runs/" + run.ID + "/")
	b.until(`document.querySelector("[data-run=state]").textContent === "Waiting"`)
	b.Process()
	b.until(`document.querySelector("[data-run=state]").textContent === "Done"`)
	b.until(`document.querySelector("progress").value === 100`)
	if counts := evaluate[string](b, `document.querySelector("[data-run=counts]").textContent`); !strings.Contains(counts,
		"Identities processed1") {
		t.Errorf("the counts are %q", counts)
	}
	b.quiet()
}
