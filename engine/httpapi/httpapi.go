package httpapi

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
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
	case c.RateLimit.Requests < 0:
		return fmt.Errorf("RateLimit.Requests must be 1 or more, it is %d", c.RateLimit.Requests)
	case c.RateLimit.Period < 0:
		return fmt.Errorf("RateLimit.Period must be longer than 0, it is %s", c.RateLimit.Period)
	case c.RequestTimeout < 0:
		return fmt.Errorf("RequestTimeout must be longer than 0, it is %s", c.RequestTimeout)
	}
	return nil
}

// Handler is the HTTP face of an engine. It is safe for concurrent use. Make it with [New].
type Handler struct {
	engine   *engine.Engine
	config   Config
	mux      *http.ServeMux
	limiters *limiters
}

// New returns the HTTP face of an engine. Mount it at the root of a mux, or elsewhere behind [http.StripPrefix]. The
// host still owns the engine: New starts nothing and stops nothing.
func New(eng *engine.Engine, config Config) (*Handler, error) {
	config = config.WithDefaults()
	if err := config.validate(); err != nil {
		return nil, fmt.Errorf("httpapi: %w", err)
	}
	h := &Handler{engine: eng, config: config, mux: http.NewServeMux(), limiters: newLimiters(config.RateLimit)}
	h.route()
	return h, nil
}
