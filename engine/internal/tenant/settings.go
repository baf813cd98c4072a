package tenant

import (
	"context"
	"log/slog"
	"time"

	"github.com/muster-engine/muster/engine/configuration"
	"github.com/muster-engine/muster/engine/connector"
	"github.com/muster-engine/muster/engine/transform"
	"github.com/muster-engine/muster/store"
)

// Settings are what the rooms see of the host's Config, complete and checked, but for what the tenant's settings say:
// those are part of the configuration. engine.Config documents each in the host's words.
type Settings struct {
	Actor store.Actor // who acts where a context names nobody
	// Allow is what sources may name of this machine and its network; nil for everything.
	Allow     *configuration.Allow
	BatchSize int // identities in one batch, at most
	// OperationsPerDay is how many operations with one target are carried out on one day.
	OperationsPerDay int
	Connectors       map[string]connector.Factory
	// Given are the tenant's settings that Config gives. They hold only where the tenant's settings are the same.
	Given     configuration.Values
	JobSchema string
	Logger    *slog.Logger
	Observe   func(context.Context, Observation) // nil: nobody looks
	Clock     func() time.Time
	Rules     map[string]transform.Rule
	Secret    func(reference string) (string, error) // nil: no connector gets a secret
	Schema    string
	Workers   int // goroutines that work on one large task
}
