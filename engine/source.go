package engine

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"time"

	"github.com/muster-engine/muster/engine/configuration"
	"github.com/muster-engine/muster/engine/connector"
	"github.com/muster-engine/muster/engine/fault"
	"github.com/muster-engine/muster/engine/internal/tenant"
	"github.com/muster-engine/muster/store"
)

// TestSource reports why the connector of a source, named by ID or by name, cannot reach it; nil when it can.
func (e *Engine) TestSource(ctx context.Context, name string) error {
	const op = "test the source"
	return e.tenant.WithConnector(ctx, op, name, func(_ *configuration.CompiledSource, c connector.Connector) error {
		return tenant.AtSource(op, name, c.Test(ctx))
	})
}

// DiscoverSource returns the schemas that a source reports by its connector. Nothing is applied.
func (e *Engine) DiscoverSource(ctx context.Context, name string) ([]Schema, error) {
	const op = "discover the source"
	var schemas []Schema
	discover := func(_ *configuration.CompiledSource, c connector.Connector) (err error) {
		schemas, err = c.Discover(ctx)
		return tenant.AtSource(op, name, err)
	}
	err := e.tenant.WithConnector(ctx, op, name, discover)
	return schemas, err
}

// AggregateSource is [Engine.Aggregate] of what the source's connector reads. It reads everything, or with
// options.Delta what changed since the last time; a source that cannot tell that is read completely. Entitlements that
// the source describes get their names.
func (e *Engine) AggregateSource(ctx context.Context, name string, options AggregateOptions) (AggregateResult, error) {
	result, err := e.aggregator.AggregateSource(ctx, name, options.options())
	return aggregateResult(&result), err
}

// SourceState is the state of the aggregation of a source.
type SourceState struct {
	ID        string          `json:"id"`
	Source    string          `json:"source"`
	Connector string          `json:"connector"`
	Connected bool            `json:"connected"` // this engine has the connector
	Schedule  string          `json:"schedule,omitempty"`
	Next      *time.Time      `json:"next"`   // by the schedule
	Last      *time.Time      `json:"last"`   // that succeeded
	Failed    *time.Time      `json:"failed"` // if that was the last
	Error     string          `json:"error,omitempty"`
	Result    json.RawMessage `json:"result,omitempty"` // of the last one by schedule
}

// Sources returns the state of the aggregation of each source, by name.
func (e *Engine) Sources(ctx context.Context) ([]SourceState, error) {
	const op = "list the sources"
	c, err := e.tenant.CurrentConfiguration(ctx)
	if err != nil {
		return nil, fault.Wrap(op, "", err)
	}
	rows, err := e.tenant.Store.Aggregations(ctx, e.tenant.Pool)
	if err != nil {
		return nil, fault.Wrap(op, "", err)
	}
	states := []SourceState{}
	for id, source := range c.Sources {
		state := SourceState{ID: id.String(), Source: source.Name, Connector: source.Connector,
			Schedule:  source.Schedule(),
			Connected: e.tenant.Connectors[source.Connector] != nil}
		if at := slices.IndexFunc(rows, func(r store.Aggregation) bool { return r.SourceID == id }); at >= 0 {
			r := &rows[at]
			state.Last, state.Failed, state.Error = utc(r.Last), utc(r.Failed), store.TextOf(r.Error)
			state.Result = r.Result
			if state.Schedule != "" && store.TextOf(r.Schedule) == state.Schedule {
				state.Next = utc(r.Next)
			}
		}
		states = append(states, state)
	}
	slices.SortFunc(states, func(a, b SourceState) int {
		return strings.Compare(store.Fold(a.Source), store.Fold(b.Source))
	})
	return states, nil
}
