package console

import (
	"bytes"
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"html/template"
	"log/slog"
	"net/http"
	"regexp"
	"strings"
	"sync"
	"time"

	"golang.org/x/text/language"

	"github.com/muster-engine/muster/engine"
	"github.com/muster-engine/muster/engine/internal/page"
)

// The limits of requests.
const (
	// BodyMax is the most bytes of a form, other than one with a file of accounts: see [UploadMax].
	BodyMax = 1 << 20
	// StatementTimeoutDefault is the longest time that the reads of one page take.
	StatementTimeoutDefault = 10 * time.Second
)

// Config configures a [Handler]. An Authenticator is required, or else some of Development, Passwords and Provider, by
// which people sign in to the console itself.
type Config struct {
	// Address returns the network address of the client of a request, by which attempts to sign in are limited: see
	// [engine.WithAddress]. Defaults to that of the connection; behind a proxy give one that reads what the proxy says.
	Address func(r *http.Request) string

	// Authenticator identifies the visitor of each request, by the host's own means.
	Authenticator Authenticator

	// Catalogues are the texts of further languages, by language and by the English text, which is a format of package
	// fmt. A text that a catalogue lacks is shown in English. English and German are there without it.
	Catalogues map[language.Tag]map[string]string

	// Development lets people sign in to the console itself.
	Development *Development

	// ExternalURL is the address at which browsers reach the console, such as https://people.example.com/admin/. It is
	// needed where a proxy changes the host of a request. Defaults to the host that each request names.
	ExternalURL string

	// Logger receives a line for each request: the visitor's ID, the route, the status and how many rows of personal
	// data it showed; never a query, a form or a value. Defaults to no logging.
	Logger *slog.Logger

	// Name is what the header calls the installation. Defaults to Muster.
	Name string

	// Observe, if set, is called after each request for a route. Many goroutines call it.
	Observe func(ctx context.Context, o Observation)

	// Passwords lets registered identities sign in by their alias or e-mail address and their password:
	// [engine.Engine.SignIn]. They have their user levels, as these are at each request. Without one they see what
	// Muster has about them, and nothing else.
	Passwords bool

	// Provider lets people sign in at a provider of identities, such as that of package oidclogin. A registered
	// identity has its user levels as with Passwords, unless the provider gives some.
	Provider Provider

	// ReadOnly removes every action but signing in and out and the visitor's own settings.
	ReadOnly bool

	// SessionName distinguishes the cookies of two consoles on one host: 1 to 32 letters and digits. Defaults to
	// console.
	SessionName string

	// StatementTimeout is the longest time that the reads of one page take. Defaults to [StatementTimeoutDefault].
	StatementTimeout time.Duration
}

// Observation is the result of a request, for metrics.
type Observation struct {
	Route    string // as in the table of routes, such as identities/{id}/access
	Method   string
	Status   int
	Duration time.Duration
}

// WithDefaults returns c with the defaults filled in.
func (c Config) WithDefaults() Config {
	c.Name = cmp.Or(c.Name, "Muster")
	c.SessionName = cmp.Or(c.SessionName, "console")
	c.StatementTimeout = cmp.Or(c.StatementTimeout, StatementTimeoutDefault)
	if c.Address == nil {
		c.Address = page.Address
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.Observe == nil {
		c.Observe = func(context.Context, Observation) {}
	}
	return c
}

var sessionName = regexp.MustCompile(`^[A-Za-z0-9]{1,32}$`)

func (c Config) validate() error {
	switch {
	case c.Authenticator == nil && c.Development == nil && !c.Passwords && c.Provider == nil:
		return errors.New("Authenticator is missing: give one, a Development login, Passwords, or a Provider")
	case c.Authenticator != nil && (c.Development != nil || c.Passwords || c.Provider != nil):
		return errors.New("Authenticator excludes Development, Passwords and Provider, by which people sign in to " +
			"the console")
	case !sessionName.MatchString(c.SessionName):
		return fmt.Errorf("SessionName: %q is given where 1 to 32 letters and digits are expected", c.SessionName)
	case c.StatementTimeout < 0:
		return fmt.Errorf("StatementTimeout: %s is negative", c.StatementTimeout)
	}
	return nil
}

// Handler serves the console. It is safe for concurrent use, and holds no state of its visitors: those are in the
// database, so that any process of the tenant serves any of them.
type Handler struct {
	eng       *engine.Engine
	config    Config
	origin    *page.Origin
	routes    []route
	templates map[string]*template.Template
	languages *page.Languages

	uploads chan struct{} // that are read
	runs    *runPoller

	mu       sync.Mutex
	exports  map[string]int // that are open, by visitor
	zone     *time.Location // of the tenant, as it was at zoneRead
	zoneRead time.Time
}

// New returns the console of an engine. It starts nothing.
func New(eng *engine.Engine, config Config) (*Handler, error) {
	if eng == nil {
		return nil, errors.New("console: the engine is missing")
	}
	config = config.WithDefaults()
	if err := config.validate(); err != nil {
		return nil, fmt.Errorf("console: %w", err)
	}
	h := &Handler{eng: eng, config: config, routes: routes(), exports: map[string]int{},
		uploads: make(chan struct{}, UploadsMax), runs: newRunPoller(eng, config.Logger)}
	var err error
	if h.origin, err = page.NewOrigin(config.ExternalURL); err != nil {
		return nil, fmt.Errorf("console: %w", err)
	}
	if h.languages, err = page.NewLanguages(german, config.Catalogues); err != nil {
		return nil, fmt.Errorf("console: Catalogues: %w", err)
	}
	if h.templates, err = parseTemplates(); err != nil {
		return nil, fmt.Errorf("console: %w", err)
	}
	return h, nil
}

// Pages returns the patterns of all pages, without files, below the mount and without their first slash, such as
// identities/{id}/access. It is for tests and monitors that look at each of them.
func (h *Handler) Pages() []string {
	var patterns []string
	for i := range h.routes {
		if h.routes[i].method == http.MethodGet && !h.routes[i].file {
			patterns = append(patterns, h.routes[i].pattern)
		}
	}
	return patterns
}

// Close ends the streams that tell of runs, so that a server need not wait for them: a host registers it by
// [http.Server.RegisterOnShutdown]. The pages go on to be served.
func (h *Handler) Close() { h.runs.close() }

// ServeHTTP implements [http.Handler].
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	started := time.Now()
	v := &visit{h: h, w: w, r: r, path: r.URL.Path, tracking: rand.Text(), status: http.StatusOK}
	v.base = page.BaseOf(v.path)
	// Browsers send forms with the origin null over plain HTTP where no page learns of another.
	page.Protect(w.Header(), page.SameOrigin)
	err := v.serve()
	if err != nil {
		v.fail(err)
	}
	name := ""
	if v.route != nil {
		name = v.route.pattern
		h.config.Observe(r.Context(), Observation{Route: name, Method: r.Method, Status: v.status,
			Duration: time.Since(started)})
	}
	h.config.Logger.LogAttrs(r.Context(), slog.LevelInfo, "console", slog.String("method", r.Method),
		slog.String("route", name), slog.Int("status", v.status), slog.String("visitor", v.visitorID()),
		slog.Int("rows", v.rows), slog.String("tracking", v.tracking), slog.Duration("duration", time.Since(started)))
}

// visit is one request.
type visit struct {
	h         *Handler
	w         http.ResponseWriter
	r         *http.Request
	path      string // below the mount; it begins with a slash
	base      string // the mount as seen from the page: "./", "../", ...
	route     *route
	values    map[string]string // what the route's {names} stand for
	principal *Principal
	token     string // of the session; "" for none
	session   engine.Session
	language  *page.Speech
	said      map[string]string // the texts without arguments that the page has said, by their keys
	tracking  string
	status    int
	rows      int // of personal data that were shown
}

func (v *visit) visitorID() string {
	if v.principal == nil {
		return ""
	}
	return v.principal.ID
}

// ctx returns the context of the request. What is written with it is done by the visitor.
func (v *visit) ctx() context.Context {
	if v.principal == nil {
		return v.r.Context()
	}
	return engine.WithActor(v.r.Context(), v.principal.actor())
}

// reading returns the context for what a page reads. The page calls cancel when it has read it.
func (v *visit) reading() (ctx context.Context, cancel context.CancelFunc) {
	return context.WithTimeout(v.ctx(), v.h.config.StatementTimeout)
}

func (v *visit) serve() error {
	v.language = v.h.languages.Of(v.r)
	if v.path == "" {
		// The mount without its slash. Only its last word tells where the pages are.
		asked, _, _ := strings.Cut(v.r.RequestURI, "?")
		return v.redirectTo(asked[strings.LastIndexByte(asked, '/')+1:]+"/", http.StatusFound)
	}
	if strings.HasPrefix(v.path, page.StaticPath) {
		if page.ServeAsset(v.w, v.r, v.path) {
			return nil
		}
		return &pageError{status: http.StatusNotFound, key: "There is no such page."}
	}
	if err := v.h.guardHost(v.r); err != nil {
		return err
	}
	if done, err := v.find(); done || err != nil {
		return err
	}
	if v.r.Method == http.MethodPost {
		if err := v.h.checkOrigin(v.r); err != nil {
			return err
		}
		if !v.route.upload {
			if err := v.readForm(); err != nil {
				return err
			}
		}
	}
	if err := v.authenticate(); err != nil {
		return err
	}
	if v.principal == nil && !v.route.public {
		return v.askToSignIn()
	}
	if v.route.pattern == "" && !v.may(read) && v.may(readOwn) {
		return v.redirect("me")
	}
	if !v.route.public && !v.may(v.route.right) {
		return v.forbidden(v.route.right)
	}
	if v.route.method == http.MethodPost && v.h.config.ReadOnly && !v.route.own {
		return &pageError{status: http.StatusForbidden, key: "This console is read-only: nothing was changed."}
	}
	if v.route.method == http.MethodPost && !v.route.own && !v.route.upload {
		return v.once(v.r.PostForm, func() error { return v.route.serve(v) })
	}
	return v.route.serve(v)
}

func (v *visit) readForm() error {
	v.r.Body = http.MaxBytesReader(v.w, v.r.Body, BodyMax)
	if err := v.r.ParseForm(); err != nil {
		return unreadable
	}
	return nil
}

var unreadable = &pageError{status: http.StatusBadRequest, key: "The form could not be read."}

// render answers with a page.
func (v *visit) render(name string, data any) error {
	t, ok := v.h.templates[name]
	if !ok {
		return fmt.Errorf("there is no template %s", name)
	}
	var written bytes.Buffer
	if err := t.ExecuteTemplate(&written, "layout", data); err != nil {
		return fmt.Errorf("render %s: %w", name, err)
	}
	page.Write(v.w, v.r, v.status, v.language, keyed(written.Bytes()))
	return nil
}

// redirect answers that the page is another one, below the mount: "" is Home.
func (v *visit) redirect(target string) error {
	return v.redirectTo(v.base+target, http.StatusSeeOther)
}

// redirectTo answers with a reference that is relative to the page. It is written by hand, because [http.Redirect]
// makes it absolute and so loses a prefix that was taken off.
func (v *visit) redirectTo(reference string, status int) error {
	v.status = status
	v.w.Header().Set("Location", reference)
	v.w.WriteHeader(status)
	return nil
}

// zoneMax is how long the tenant's time zone is taken from memory.
const zoneMax = time.Minute

// tenantZone returns the tenant's time zone.
func (h *Handler) tenantZone(ctx context.Context) (*time.Location, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.zone != nil && time.Since(h.zoneRead) < zoneMax {
		return h.zone, nil
	}
	settings, err := h.eng.Settings(ctx)
	if err != nil {
		return nil, err
	}
	h.zone, h.zoneRead = settings.Location, time.Now()
	return h.zone, nil
}
