package tenant

import (
	"log/slog"
	"time"

	"github.com/muster-engine/muster/engine/connector"
	"github.com/muster-engine/muster/engine/transform"
)

// Settings are what the rooms see of the host's configuration of an engine, complete and checked. The host's own words
// for each are at engine.Config.
type Settings struct {
	BatchSize  int // identities that one transaction processes
	Connectors map[string]connector.Factory
	Guard      Guard
	JobSchema  string
	Launcher   string // who launches tasks where nobody else is named
	Location   *time.Location
	Logger     *slog.Logger
	Clock      func() time.Time
	Objects    int // that one aggregation reads at most
	Rules      map[string]transform.Rule
	Secret     func(reference string) (string, error) // nil: no connector gets a secret
	Schema     string
	Workers    int // goroutines that work on one large task
}

// Guard limits what a run may take away before somebody confirms it. engine.Guard says it in full.
type Guard struct {
	Share   float64 // of the identities that the run is about, above 0 and at most 1
	Minimum int     // the least limit, in identities
	Off     bool    // every run may do everything
}

// Limit returns how many of a population may be concerned.
func (g Guard) Limit(population int64) int64 {
	return max(int64(g.Minimum), int64(g.Share*float64(population)))
}
