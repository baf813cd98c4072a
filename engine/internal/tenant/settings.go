package tenant

import (
	"log/slog"
	"time"

	"github.com/muster-engine/muster/engine/connector"
	"github.com/muster-engine/muster/engine/transform"
	"github.com/muster-engine/muster/store"
)

// Settings are what the rooms see of the host's Config, complete and checked. engine.Config documents each in the
// host's words.
type Settings struct {
	Actor      store.Actor // who acts where a context names nobody
	BatchSize  int         // identities in one batch, at most
	Connectors map[string]connector.Factory
	Guard      Guard
	JobSchema  string
	Location   *time.Location
	Logger     *slog.Logger
	Clock      func() time.Time
	Objects    int // that one aggregation reads, at most
	Rules      map[string]transform.Rule
	Secret     func(reference string) (string, error) // nil: no connector gets a secret
	Schema     string
	Workers    int // goroutines that work on one large task
}

// Guard limits what a run may take away before somebody confirms it. engine.Guard documents it in full; task.CheckGuard
// applies it.
type Guard struct {
	Share   float64 // of the identities that the run is about, above 0 and at most 1
	Minimum int     // the least limit, in identities
	Off     bool    // every run may do everything
}

// Limit returns how many identities of a population a run may concern without a confirmation.
func (g Guard) Limit(population int64) int64 {
	return max(int64(g.Minimum), int64(g.Share*float64(population)))
}
