package httpapi

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"log/slog"
	"math"
	"net/http"
	"path"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/muster-engine/muster/engine"
	"github.com/muster-engine/muster/engine/right"
	"github.com/muster-engine/muster/store"
)

// call is a request for an operation, and its state.
type call struct {
	*http.Request
	w          *answer
	operation  *operation
	version    string
	principal  *Principal
	trackingID string
}

// answer is a response that records its status when it begins.
type answer struct {
	http.ResponseWriter
	status int
}

func (a *answer) WriteHeader(status int) {
	if a.status == 0 {
		a.status = status
	}
	a.ResponseWriter.WriteHeader(status)
}

func (a *answer) Write(data []byte) (int, error) {
	if a.status == 0 {
		a.status = http.StatusOK
	}
	return a.ResponseWriter.Write(data)
}

// Unwrap is for [http.ResponseController].
func (a *answer) Unwrap() http.ResponseWriter { return a.ResponseWriter }

// route fills the mux. It registers paths without methods, so that the API can answer a wrong method itself.
func (h *Handler) route() {
	byPath := map[string][]*call{}
	for i := range operations {
		o := &operations[i]
		for _, version := range o.versions {
			p := o.pathIn(version)
			byPath[p] = append(byPath[p], &call{operation: o, version: version})
			if strings.HasPrefix(o.path, "/task-status") && version == versionBeta {
				byPath[o.path] = append(byPath[o.path], &call{operation: o, version: version})
			}
		}
	}
	for p, calls := range byPath {
		pattern := inPath.ReplaceAllStringFunc(p, muxName)
		h.mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) { h.dispatch(w, r, calls) })
	}
	h.mux.HandleFunc("/healthz", only(h.health))
	h.mux.HandleFunc("/readyz", only(h.ready))
	h.mux.HandleFunc("/openapi.json", only(serveDocument))
	h.mux.HandleFunc("/", notFound)
}

// muxName returns the name of a parameter of a path as the mux takes it, which knows no hyphens.
func muxName(parameter string) string { return strings.ReplaceAll(parameter, "-", "_") }

// PathValue returns a parameter of the path, by its published name.
func (c *call) PathValue(name string) string { return c.Request.PathValue(muxName(name)) }

// ServeHTTP implements [http.Handler].
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if h.config.CORS.answer(w, r) {
		return
	}
	// The mux would redirect to the cleaned path, and some clients would repeat a POST there as a GET.
	if r.URL.Path != path.Clean(r.URL.Path) {
		refuse(w, r, noResource.with("The path has two slashes in a row, a slash at its end, or a part that is only "+
			"dots: leave them out."))
		return
	}
	h.mux.ServeHTTP(w, r)
}

// newTrackingID returns 128 random bits in the published form.
func newTrackingID() string {
	var bits [16]byte
	if _, err := rand.Read(bits[:]); err != nil {
		panic(err) // cannot fail
	}
	return hex.EncodeToString(bits[:])
}

// dispatch serves the operation with the request's method, or refuses the method.
func (h *Handler) dispatch(w http.ResponseWriter, r *http.Request, calls []*call) {
	method := r.Method
	if method == http.MethodHead {
		method = http.MethodGet
	}
	at := slices.IndexFunc(calls, func(c *call) bool { return c.operation.method == method })
	if at < 0 {
		var allowed []string
		for _, c := range calls {
			allowed = append(allowed, c.operation.method)
		}
		wrongMethod(w, r, allowed...)
		return
	}
	h.serve(&call{Request: r, w: &answer{ResponseWriter: w}, operation: calls[at].operation,
		version: calls[at].version, trackingID: newTrackingID()})
}

// moveDeadlines gives a request more time than the server gives others, which else would cut it off.
func (c *call) moveDeadlines(until time.Time) error {
	control := http.NewResponseController(c.w)
	for _, move := range []func(time.Time) error{control.SetReadDeadline, control.SetWriteDeadline} {
		if err := move(until); err != nil && !errors.Is(err, http.ErrNotSupported) {
			return err
		}
	}
	return nil
}

// serve carries out an operation, and logs the decision and the result.
func (h *Handler) serve(c *call) {
	started := time.Now()
	timeout := cmp.Or(c.operation.timeout, h.config.RequestTimeout)
	ctx, cancel := context.WithTimeout(c.Context(), timeout)
	defer cancel()
	c.Request = c.WithContext(ctx)
	c.w.Header().Set(trackingHeader, c.trackingID)
	attributes := make([]slog.Attr, 0, 11)
	defer func() {
		if fault := recover(); fault != nil {
			if err, ok := fault.(error); ok && errors.Is(err, http.ErrAbortHandler) {
				panic(fault)
			}
			// The text of a panic may quote values. The stack is enough.
			attributes = append(attributes, slog.String("panic", string(debug.Stack())))
			if c.w.status == 0 {
				c.fail(internalFault)
			}
		}
		elapsed := time.Since(started)
		attributes = append(attributes, slog.String("trackingId", c.trackingID),
			slog.String("operation", c.operation.id), slog.String("version", c.version),
			slog.Int("status", c.w.status), slog.Duration("duration", elapsed))
		level := slog.LevelInfo
		// A client that goes away is not a fault of the server.
		if c.w.status >= http.StatusInternalServerError && !errors.Is(c.Context().Err(), context.Canceled) {
			level = slog.LevelError
		}
		h.config.Logger.LogAttrs(c.Context(), level, "request", attributes...)
		h.config.Observe(c.Context(), Observation{c.operation.id, c.version, c.w.status, elapsed})
	}()
	decision, err := h.admit(c)
	attributes = append(attributes, slog.String("decision", decision))
	if c.principal != nil {
		// The name of a user is personal data, and not logged.
		actor := c.principal.actor()
		attributes = append(attributes, slog.String("client", loggedText(c.principal.ClientID)),
			slog.String("actor", loggedText(actor.ID)))
	}
	if target := c.target(); target != "" {
		attributes = append(attributes, slog.String("target", target))
	}
	if err == nil && c.operation.timeout > 0 {
		err = c.moveDeadlines(started.Add(timeout))
	}
	if err == nil {
		c.Request = c.WithContext(engine.WithActor(c.Context(), c.principal.actor()))
		err = c.operation.handle(h, c)
	}
	if err != nil {
		if text := h.answerError(c, err); text != "" {
			attributes = append(attributes, slog.String("error", text))
		}
	}
}

// target returns the ID of the identity, the task or the object that a request is about, for the log: "" where it names
// none. A text that is no ID is left out, as it may be a name.
func (c *call) target() string {
	for _, parameter := range []string{"identityId", "identity-id", "lifecycle-state-id", "identity-profile-id", "id"} {
		if id, known := store.IDOf(c.PathValue(parameter)); known {
			return id.String()
		}
	}
	return ""
}

// loggedText returns a text of a token as a log can take it.
func loggedText(text string) string { return store.Actor{ID: text}.Clean().ID }

// admit decides whether to carry out a request, and returns the decision for the log.
func (h *Handler) admit(c *call) (decision string, err error) {
	principal, err := h.config.Authenticator.Authenticate(c.Request)
	if err != nil {
		var refused *UnauthorizedError
		if errors.As(err, &refused) {
			return "not authenticated: " + refused.Reason, err
		}
		return "not authenticated", err
	}
	c.principal = principal
	if wait, ok := h.limiters.admit(principal.key(), c.version, time.Now()); !ok {
		return "over the rate limit", &engine.Error{Kind: engine.RateLimited, Op: c.operation.id, RetryAfter: wait}
	}
	granted := right.Decide(c.operation.id, editionOf(c.version), principal.caller())
	reason := granted.Reason
	if granted.Range == right.Reports {
		if reason, err = h.notReporting(c); err != nil {
			return "not decided", err
		}
	}
	if reason != "" {
		return "refused: " + reason, &engine.Error{Kind: engine.Forbidden, Op: c.operation.id,
			Err: errors.New(reason)}
	}
	return "allowed", nil
}

// notReporting says why the identity in the path does not report to the caller; "" where it does. Nobody learns by it
// whether an identity exists.
func (h *Handler) notReporting(c *call) (string, error) {
	manager, known := store.IDOf(c.principal.IdentityID)
	if !known {
		return "the token names no identity, to which others could report", nil
	}
	const other = "the identity does not report to the caller"
	identity, err := h.engine.GetIdentity(c.Context(), c.PathValue("identityId"))
	if err != nil && engine.KindOf(err) != engine.NotFound {
		return "", err
	}
	if identity.ManagerRef == nil || identity.ManagerRef.ID != manager.String() { // also where it does not exist
		return other, nil
	}
	return "", nil
}

// retryAfter writes a time to wait in whole seconds, at least one.
func retryAfter(header http.Header, wait time.Duration) {
	seconds := max(1, int(math.Ceil(wait.Seconds())))
	header.Set("Retry-After", strconv.Itoa(seconds))
}

// only passes GET and HEAD on to next.
func only(next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			wrongMethod(w, r, http.MethodGet)
			return
		}
		next(w, r)
	}
}
