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
	// BodyMax is how many bytes the body of a request may have.
	BodyMax = 1 << 20
	// RequestTimeoutDefault is how long a request may take.
	RequestTimeoutDefault = 30 * time.Second
	// RateLimitDefault and RatePeriodDefault are how many requests a client may make, and in which time: the published
	// limit.
	RateLimitDefault  = 100
	RatePeriodDefault = 10 * time.Second
)

// Config is how a [Handler] works.
type Config struct {
	// Authenticator tells who makes a request. It is required: there is no API without one.
	Authenticator Authenticator

	// Logger receives a line for each request, with its tracking ID, what was decided about it and what it ended with.
	// No token, no query and no body is logged. Defaults to none.
	Logger *slog.Logger

	// Observe, if set, is called after each request that belongs to an operation, by many goroutines.
	Observe func(ctx context.Context, o Observation)

	// RateLimit limits how often a client may call.
	RateLimit RateLimit

	// RequestTimeout is how long a request may take. Defaults to [RequestTimeoutDefault].
	RequestTimeout time.Duration
}

// RateLimit is how many requests each client may make of each version of the API. A client that was silent may make
// Requests at once; from then on it gets as many in each Period.
type RateLimit struct {
	Requests int           // defaults to [RateLimitDefault]
	Period   time.Duration // defaults to [RatePeriodDefault]
	Off      bool
}

// Observation is what became of a request, for metrics.
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

// New returns the HTTP face of an engine, to be mounted at the root of a host's mux, or elsewhere behind
// [http.StripPrefix]. The engine goes on being the host's: New starts nothing and stops nothing.
func New(eng *engine.Engine, config Config) (*Handler, error) {
	config = config.WithDefaults()
	if err := config.validate(); err != nil {
		return nil, fmt.Errorf("httpapi: %w", err)
	}
	h := &Handler{engine: eng, config: config, mux: http.NewServeMux(), limiters: newLimiters(config.RateLimit)}
	h.route()
	return h, nil
}
