package tenant

import (
	"context"
	"encoding/json"
	"maps"
	"os"
	"runtime/debug"
	"slices"
	"sync"
	"time"

	"github.com/muster-engine/muster/engine/configuration"
	"github.com/muster-engine/muster/migrations"
	"github.com/muster-engine/muster/store"
)

// How engines tell that they are there.
const (
	// presenceEvery is how often a started engine gives a sign of life.
	presenceEvery = 30 * time.Second
	// PresenceMax is how long an engine without a sign of life counts as running.
	PresenceMax = 5 * time.Minute
	// presenceTimeout ends a sign of life that the database does not answer.
	presenceTimeout = 10 * time.Second
)

// Presence is what a started engine says of itself: what must be the same for all engines of a tenant, and cannot be
// part of the configuration.
type Presence struct {
	Rules         []string        `json:"rules"`      // of the host, by name
	Connectors    []string        `json:"connectors"` // by name
	SchemaVersion int64           `json:"schemaVersion"`
	Settings      json.RawMessage `json:"settings"` // those that its Config gives, as a SETTINGS object
}

// Running is a started engine.
type Running struct {
	store.Engine
	Presence
}

// Announce records that the engine is started, and tells so every half minute until the context ends or the function
// that it returns is called. Then it forgets the engine. The function waits for that, a few seconds at most.
func (t *Tenant) Announce(ctx context.Context) (leave func(), err error) {
	row, err := t.presence()
	if err != nil {
		return nil, err
	}
	if err := t.Store.AddEngine(ctx, t.Pool, row); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(ctx)
	var group sync.WaitGroup
	group.Go(func() { t.stay(ctx, row) })
	return func() { cancel(); group.Wait() }, nil
}

// presence returns the row of this engine.
func (t *Tenant) presence() (*store.Engine, error) {
	host, err := os.Hostname()
	if err != nil {
		host = "unknown"
	}
	text, err := json.Marshal(Presence{
		Rules: names(t.Rules), Connectors: names(t.Connectors), SchemaVersion: migrations.Latest(),
		Settings: t.Given.Document(),
	})
	return &store.Engine{ID: t.EngineID, Host: host, Process: int64(os.Getpid()), Version: libraryVersion(),
		Settings: text}, err
}

// names returns the keys of a map, in their order.
func names[T any](m map[string]T) []string {
	if len(m) == 0 {
		return []string{}
	}
	return slices.Sorted(maps.Keys(m))
}

// module is the path of this library, by which a program knows its version.
const module = "github.com/muster-engine/muster"

// libraryVersion returns the version of this library in the program, with the revision where the program was built from
// the library's own source.
func libraryVersion() string {
	build, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	if build.Main.Path != module {
		for _, d := range build.Deps {
			if d.Path == module {
				return d.Version
			}
		}
		return "unknown"
	}
	return build.Main.Version
}

// stay gives signs of life until the context ends, and then forgets the engine.
func (t *Tenant) stay(ctx context.Context, row *store.Engine) {
	ticker := time.NewTicker(presenceEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
			t.tell(ctx, "an engine could not tell that it is there", func(ctx context.Context) error {
				seen, err := t.Store.SeeEngine(ctx, t.Pool, row.ID)
				if err == nil && !seen { // it was silent for too long, and others have forgotten it
					err = t.Store.AddEngine(ctx, t.Pool, row)
				}
				return err
			})
		case <-ctx.Done():
			t.tell(context.WithoutCancel(ctx), "an engine could not tell that it is gone",
				func(ctx context.Context) error { return t.Store.RemoveEngine(ctx, t.Pool, row.ID) })
			return
		}
	}
}

// tell writes about the presence of the engine. A failure is logged: the engine works all the same.
func (t *Tenant) tell(ctx context.Context, failed string, write func(context.Context) error) {
	limited, cancel := context.WithTimeout(ctx, presenceTimeout)
	defer cancel()
	if err := write(limited); err != nil && ctx.Err() == nil {
		t.Logger.InfoContext(ctx, failed, "error", store.Reason(err))
	}
}

// RunningEngines returns the engines that gave a sign of life within [PresenceMax].
func (t *Tenant) RunningEngines(ctx context.Context, q store.Querier) ([]Running, error) {
	rows, err := t.Store.Engines(ctx, q, PresenceMax)
	running := make([]Running, len(rows))
	for i := range rows {
		running[i].Engine = rows[i]
		if err := json.Unmarshal(rows[i].Settings, &running[i].Presence); err != nil {
			return nil, err
		}
	}
	return running, err
}

// Contradictions returns the settings of the Config of a running engine that contradict the tenant's.
func (r *Running) Contradictions(s *configuration.Settings) []configuration.SettingConflict {
	given, err := configuration.ParseSettings(r.Presence.Settings)
	if err != nil {
		return nil // an engine of another version has settings that this one does not know
	}
	_, conflict := s.Compare(given, true)
	if conflict == nil {
		return nil
	}
	return conflict.Conflicts
}
