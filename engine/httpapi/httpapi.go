package httpapi

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/muster-engine/muster/engine"
)

// The limits of requests.
const (
	// BodyMax is the most bytes of a request's body.
	BodyMax = 1 << 20
	// RequestTimeoutDefault is the longest time of a request.
	RequestTimeoutDefault = 30 * time.Second
	// RateLimitDefault requests in RatePeriodDefault are the published limit of a client.
	RateLimitDefault  = 100
	RatePeriodDefault = 10 * time.Second
)

// Config configures a [Handler].
type Config struct {
	// Authenticator identifies the caller of a request. It is required.
	Authenticator Authenticator

	// CORS lets pages of other origins call the API from a browser. Defaults to none.
	CORS CORS

	// CursorKey seals the cursors of lists, which would otherwise tell the names in them to whoever sees a URL. Several
	// processes that serve the same clients need the same key. It has at least [CursorKeyMin] bytes. Defaults to a
	// random one of the handler's own.
	CursorKey []byte

	// Logger receives a line for each request, with its tracking ID, the decision about it and its result. It never
	// receives a token, a query or a body. Defaults to no logging.
	Logger *slog.Logger

	// Observe, if set, is called after each request for an operation. Many goroutines call it.
	Observe func(ctx context.Context, o Observation)

	// RateLimit limits the requests of each client.
	RateLimit RateLimit

	// RequestTimeout is the longest time of a request. Defaults to [RequestTimeoutDefault].
	RequestTimeout time.Duration
}

// RateLimit limits the requests of each client to each version of the API. After a pause a client may make Requests at
// once; from then on it gets as many in each Period.
type RateLimit struct {
	Requests int           // defaults to [RateLimitDefault]
	Period   time.Duration // defaults to [RatePeriodDefault]
	Off      bool
}

// Observation is the result of a request, for metrics.
type Observation struct {
	Operation string // the published operationId
	Version   string // beta, v2024, ...
	Status    int
	Duration  time.Duration
}

// WithDefaults returns c with the defaults filled in.
func (c Config) WithDefaults() Config {
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.Observe == nil {
		c.Observe = func(context.Context, Observation) {}
	}
	if c.RateLimit.Requests == 0 {
		c.RateLimit.Requests = RateLimitDefault
	}
	if c.RateLimit.Period == 0 {
		c.RateLimit.Period = RatePeriodDefault
	}
	if c.RequestTimeout == 0 {
		c.RequestTimeout = RequestTimeoutDefault
	}
	return c
}

func (c Config) validate() error {
	switch {
	case c.Authenticator == nil:
		return errors.New("Authenticator is missing: give one, as NewJWT makes it")
	case c.CursorKey != nil && len(c.CursorKey) < CursorKeyMin:
		return fmt.Errorf("CursorKey must have %d bytes or more, it has %d", CursorKeyMin, len(c.CursorKey))
	case c.RateLimit.Requests < 0:
		return fmt.Errorf("RateLimit.Requests must be 1 or more, it is %d", c.RateLimit.Requests)
	case c.RateLimit.Period < 0:
		return fmt.Errorf("RateLimit.Period must be longer than 0, it is %s", c.RateLimit.Period)
	case c.RequestTimeout < 0:
		return fmt.Errorf("RequestTimeout must be longer than 0, it is %s", c.RequestTimeout)
	}
	return c.CORS.validate()
}

// Handler is the HTTP face of an engine. It is safe for concurrent use. Make it with [New].
type Handler struct {
	engine   *engine.Engine
	config   Config
	mux      *http.ServeMux
	limiters *limiters
	cursors  *cursors
	uploads  chan struct{} // has one element for each file that is read now
}

// Under returns a handler that serves the API under a prefix, such as /api/iam, and everything else with next. The API
// gets paths as they came. An [http.ServeMux] would redirect those with two slashes, and clients would lose their POST.
func Under(prefix string, api, next http.Handler) http.Handler {
	below := http.StripPrefix(prefix, api)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if rest, found := strings.CutPrefix(r.URL.Path, prefix); found && strings.HasPrefix(rest, "/") {
			below.ServeHTTP(w, r)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// New returns the HTTP face of an engine. Mount it at the root of a server, or elsewhere by [Under]. The host still
// owns the engine: New starts nothing and stops nothing.
func New(eng *engine.Engine, config Config) (*Handler, error) {
	config = config.WithDefaults()
	if err := config.validate(); err != nil {
		return nil, fmt.Errorf("httpapi: %w", err)
	}
	sealed, err := newCursors(config.CursorKey)
	if err != nil {
		return nil, fmt.Errorf("httpapi: %w", err)
	}
	h := &Handler{engine: eng, config: config, mux: http.NewServeMux(), limiters: newLimiters(config.RateLimit),
		cursors: sealed, uploads: make(chan struct{}, UploadsMax)}
	h.route()
	return h, nil
}
