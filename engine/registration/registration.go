package registration

import (
	"bytes"
	"cmp"
	"crypto/rand"
	"embed"
	"errors"
	"fmt"
	"html/template"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"golang.org/x/text/language"

	"github.com/muster-engine/muster/engine"
	"github.com/muster-engine/muster/engine/internal/page"
)

// The limits of requests.
const (
	// BodyMax is the most bytes of a form.
	BodyMax = 64 << 10
	// tokenMax is the longest token, in bytes. Muster's have 43.
	tokenMax = 200
	// tokenAge is how long the browser keeps a token that was not redeemed, in seconds.
	tokenAge = 15 * 60
)

// Config configures a [Handler]. The zero Config is ready to use.
type Config struct {
	// Address returns the network address of the client of a request, by which attempts are limited: see
	// [engine.WithAddress]. Defaults to that of the connection; behind a proxy give one that reads what the proxy says.
	Address func(r *http.Request) string

	// Catalogues are the texts of further languages, by language and by the English text, which is a format of package
	// fmt. English and German are there without it.
	Catalogues map[language.Tag]map[string]string

	// ExternalURL is the address at which browsers reach the pages. It is needed where a proxy changes the host of a
	// request, or ends its TLS. Defaults to the host that each request names.
	ExternalURL string

	// Logger receives a line for each request: its method, status and time; never a token, a form or who it was.
	// Defaults to no logging.
	Logger *slog.Logger

	// Name is what the header calls the installation. Defaults to Muster.
	Name string

	// SignIn is the address of the page on which people sign in, such as ../console/, where it may be relative to the
	// mount. Defaults to none: the last page then has no link.
	SignIn string
}

// Handler serves the pages. It is safe for concurrent use, and holds no state.
type Handler struct {
	eng       *engine.Engine
	config    Config
	origin    *page.Origin
	languages *page.Languages
	templates *template.Template
}

//go:embed templates/*.html
var templateFiles embed.FS

//go:embed german.txt
var german string

// New returns the pages of an engine. It starts nothing.
func New(eng *engine.Engine, config Config) (*Handler, error) {
	if eng == nil {
		return nil, errors.New("registration: the engine is missing")
	}
	config.Name = cmp.Or(config.Name, "Muster")
	if config.Logger == nil {
		config.Logger = slog.New(slog.DiscardHandler)
	}
	if config.Address == nil {
		config.Address = page.Address
	}
	h := &Handler{eng: eng, config: config}
	var err error
	if h.origin, err = page.NewOrigin(config.ExternalURL); err != nil {
		return nil, fmt.Errorf("registration: %w", err)
	}
	if h.languages, err = page.NewLanguages(german, config.Catalogues); err != nil {
		return nil, fmt.Errorf("registration: Catalogues: %w", err)
	}
	if h.templates, err = template.ParseFS(templateFiles, "templates/*.html"); err != nil {
		return nil, fmt.Errorf("registration: %w", err)
	}
	return h, nil
}

// ServeHTTP implements [http.Handler].
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	started := time.Now()
	v := &visit{h: h, w: w, r: r, speech: h.languages.Of(r), status: http.StatusOK, tracking: rand.Text()}
	page.Protect(w.Header(), page.NoReferrer)
	if err := v.serve(); err != nil {
		v.fail(err)
	}
	h.config.Logger.LogAttrs(r.Context(), slog.LevelInfo, "registration", slog.String("method", r.Method),
		slog.Int("status", v.status), slog.String("tracking", v.tracking),
		slog.Duration("duration", time.Since(started)))
}

// visit is one request, and what its page shows.
type visit struct {
	h        *Handler
	w        http.ResponseWriter
	r        *http.Request
	speech   *page.Speech
	status   int
	tracking string

	Token   *engine.Token // that is good; nil for none
	Problem string        // what is wrong
	Done    string        // what was done: registered, or set
	Code    bool          // a code can be typed in
}

// The paths of the pages below the mount.
const (
	formPath       = "/"
	codePath       = "/code"
	registeredPath = "/registered"
	setPath        = "/set"
)

func (v *visit) serve() error {
	path := v.r.URL.Path
	if path == "" {
		// The mount without its slash. Only its last word tells where the pages are.
		asked, query, _ := strings.Cut(v.r.RequestURI, "?")
		reference := "./" + asked[strings.LastIndexByte(asked, '/')+1:] + "/"
		if query != "" {
			reference += "?" + query
		}
		return v.redirect(reference)
	}
	if strings.HasPrefix(path, page.StaticPath) && page.ServeAsset(v.w, v.r, path) {
		return nil
	}
	switch {
	case path != formPath && path != codePath && path != registeredPath && path != setPath:
		return v.refuse(http.StatusNotFound, "There is no such page.")
	case v.r.Method == http.MethodPost && path != registeredPath && path != setPath:
		return v.post(path)
	case v.r.Method != http.MethodGet && v.r.Method != http.MethodHead:
		v.w.Header().Set("Allow", "GET, HEAD")
		return v.refuse(http.StatusMethodNotAllowed, "This address does not do that.")
	case !v.h.origin.KeepsSecrets(v.r):
		return v.refuse(http.StatusForbidden, "Setting a password needs HTTPS, or a browser on this machine.")
	case path == registeredPath, path == setPath:
		v.Done = path[1:]
		return v.render()
	case path == codePath:
		v.Code = true
		return v.render()
	}
	return v.form()
}

// form shows the form for the token that the browser keeps. A token in the address is moved there first.
func (v *visit) form() error {
	if given := v.r.URL.Query().Get("token"); given != "" {
		v.keep(given)
		return v.redirect("./")
	}
	token := v.token()
	if token == "" {
		v.Code = true
		return v.render()
	}
	return v.show(token, http.StatusOK)
}

// show shows the form for a token, or why the token is not good.
func (v *visit) show(token string, status int) error {
	found, err := v.h.eng.FindToken(v.r.Context(), token)
	if engine.KindOf(err) == engine.Forbidden {
		v.keep("")
		v.Code = true
		return v.refuse(http.StatusForbidden, tokenProblem(err))
	}
	if err != nil {
		return err
	}
	v.Token, v.status = &found, status
	return v.render()
}

// post takes a code that was typed in, or redeems the token with the password of the form.
func (v *visit) post(path string) error {
	if v.h.origin.Check(v.r) != nil {
		return v.refuse(http.StatusForbidden, "The form was not sent by this page: nothing was changed.")
	}
	if !v.h.origin.KeepsSecrets(v.r) {
		return v.refuse(http.StatusForbidden, "Setting a password needs HTTPS, or a browser on this machine.")
	}
	v.r.Body = http.MaxBytesReader(v.w, v.r.Body, BodyMax)
	if err := v.r.ParseForm(); err != nil {
		return v.refuse(http.StatusBadRequest, "The form could not be read.")
	}
	if path == codePath {
		v.keep(strings.TrimSpace(v.r.PostFormValue("code")))
		return v.redirect("./")
	}
	token := v.token()
	if token == "" {
		v.Code = true
		return v.refuse(http.StatusForbidden, "The browser has lost the link: open it again, or type the code in.")
	}
	return v.redeem(token, v.r.PostFormValue("password"))
}

// redeem redeems the token that the browser keeps.
func (v *visit) redeem(token, password string) error {
	found, err := v.h.eng.FindToken(v.r.Context(), token)
	if engine.KindOf(err) == engine.Forbidden {
		return v.show(token, http.StatusForbidden)
	}
	if err != nil {
		return err
	}
	if password != v.r.PostFormValue("again") {
		v.Problem = v.T("The two passwords are not the same.")
		return v.show(token, http.StatusUnprocessableEntity)
	}
	if password == "" {
		v.Problem = v.T("A password is missing.")
		return v.show(token, http.StatusUnprocessableEntity)
	}
	who := engine.Actor{ID: found.Identity.ID, Name: found.Identity.Name, Via: "registration"}
	ctx := engine.WithAddress(engine.WithActor(v.r.Context(), who), v.h.config.Address(v.r))
	done := setPath
	if found.Purpose == engine.PurposeInvitation {
		done = registeredPath
		_, err = v.h.eng.Register(ctx, token, password)
	} else {
		_, err = v.h.eng.RedeemVerification(ctx, token, password)
	}
	if err == nil {
		v.keep("")
		return v.redirect("." + done)
	}
	switch engine.KindOf(err) {
	case engine.Forbidden:
		return v.show(token, http.StatusForbidden)
	case engine.Invalid:
		v.Problem = v.passwordProblem(err)
		return v.show(token, http.StatusUnprocessableEntity)
	case engine.RateLimited:
		v.Problem = v.T("There were too many attempts from your network. Wait a moment, and try again.")
		return v.show(token, http.StatusTooManyRequests)
	}
	if found.Source == "" {
		return err
	}
	// The source's own words may repeat the password.
	v.h.config.Logger.LogAttrs(ctx, slog.LevelWarn, "registration: a source did not take a password",
		slog.String("source", found.Source), slog.String("tracking", v.tracking))
	v.Problem = v.T("%s did not take the password. Try another one, or try again later.", found.Source)
	return v.show(token, http.StatusBadGateway)
}

// tokenProblem says why a token is not good.
func tokenProblem(err error) string {
	switch {
	case errors.Is(err, engine.ErrTokenUsed):
		return "The link was used already: it works once."
	case errors.Is(err, engine.ErrTokenRevoked):
		return "The link was replaced by a newer one. Use that of the last message."
	case errors.Is(err, engine.ErrTokenExpired):
		return "The link has expired. Ask for a new one."
	default:
		return "The link is not complete, or not known. Open it as the message has it."
	}
}

// passwordProblem says what is wrong with a password.
func (v *visit) passwordProblem(err error) string {
	switch {
	case errors.Is(err, engine.ErrPasswordShort):
		return v.T("The password is too short: it needs at least %d characters. A few words are fine.",
			engine.PasswordLengthMin)
	case errors.Is(err, engine.ErrPasswordLong):
		return v.T("The password is too long.")
	case errors.Is(err, engine.ErrPasswordCommon):
		return v.T("Attackers try this password first. Choose another one.")
	case errors.Is(err, engine.ErrPasswordOwn):
		return v.T("The password is made of your name, your account or your address. Choose another one.")
	default:
		return v.T("This cannot be a password. Choose another one.")
	}
}

// cookie keeps the token in the browser.
const cookie = "registration"

func (v *visit) token() string {
	kept, err := v.r.Cookie(v.h.origin.CookieName(v.r, cookie))
	if err != nil {
		return ""
	}
	return kept.Value
}

// keep gives the browser the token; "" takes it away. Browsers send the cookie where a person follows a link in a mail,
// and with no form of another site.
func (v *visit) keep(token string) {
	c := &http.Cookie{Name: v.h.origin.CookieName(v.r, cookie), Value: token, Path: "/", HttpOnly: true,
		Secure: v.h.origin.Secure(v.r), SameSite: http.SameSiteLaxMode, MaxAge: tokenAge}
	if token == "" || len(token) > tokenMax || strings.ContainsFunc(token, notOfToken) {
		c.Value, c.MaxAge = "", -1
		if token != "" { // it is no token, and the page says so
			c.Value, c.MaxAge = "none", tokenAge
		}
	}
	http.SetCookie(v.w, c)
}

// notOfToken reports whether no token has a character: they are base64 for addresses.
func notOfToken(r rune) bool {
	return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '-' && r != '_'
}

// refuse shows a page that says what is wrong.
func (v *visit) refuse(status int, problem string) error {
	v.status, v.Problem = status, v.T(problem)
	return v.render()
}

// fail answers with the page of an unexpected error. Its words are for the log.
func (v *visit) fail(err error) {
	v.h.config.Logger.LogAttrs(v.r.Context(), slog.LevelError, "registration: a page failed",
		slog.String("error", engine.Reason(err)), slog.String("tracking", v.tracking))
	v.Token, v.Code = nil, false
	status := http.StatusInternalServerError
	if engine.KindOf(err) == engine.Unavailable {
		status = http.StatusServiceUnavailable
	}
	if v.refuse(status, "Something went wrong: nothing was changed. Try again later.") != nil {
		http.Error(v.w, http.StatusText(status), status)
	}
}

func (v *visit) render() error {
	var written bytes.Buffer
	if err := v.h.templates.ExecuteTemplate(&written, "layout", v); err != nil {
		return fmt.Errorf("render: %w", err)
	}
	page.Write(v.w, v.r, v.status, v.speech, written.Bytes())
	return nil
}

// redirect answers that the page is another one, by a reference that is relative to this one. It is written by hand,
// because [http.Redirect] makes it absolute and so loses a prefix that was taken off.
func (v *visit) redirect(reference string) error {
	v.status = http.StatusSeeOther
	v.w.Header().Set("Location", reference)
	v.w.WriteHeader(v.status)
	return nil
}

// What the template asks of the visit.

// T returns a text in the visitor's language.
func (v *visit) T(key string, arguments ...any) string { return v.speech.T(key, arguments...) }

// Asset returns the reference of an asset.
func (v *visit) Asset(name string) string { return page.Asset(page.BaseOf(v.r.URL.Path), name) }

// Lang returns the language of the page.
func (v *visit) Lang() string { return v.speech.Tag.String() }

// Theme returns the visitor's choice of colours.
func (v *visit) Theme() string { return page.Theme(v.r) }

// Site returns the name of the installation.
func (v *visit) Site() string { return v.h.config.Name }

// SignIn returns the address of the page on which people sign in.
func (v *visit) SignIn() string { return v.h.config.SignIn }

// Least returns how many characters a password has at least.
func (v *visit) Least() int { return engine.PasswordLengthMin }

// Invited reports whether the token is of an invitation.
func (v *visit) Invited() bool { return v.Token != nil && v.Token.Purpose == engine.PurposeInvitation }

// Account returns what the browser's keeper of passwords keeps the password for.
func (v *visit) Account() string { return v.Token.Identity.Alias }

// Tracking returns what finds the request in the log.
func (v *visit) Tracking() string { return v.tracking }
