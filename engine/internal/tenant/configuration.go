package tenant

import (
	"context"

	"github.com/jackc/pgx/v5"

	"github.com/muster-engine/muster/engine/configuration"
	"github.com/muster-engine/muster/store"
)

// ConfigurationAt returns the configuration of a version that the transaction holds, from the cache if it is there.
func (t *Tenant) ConfigurationAt(ctx context.Context, tx pgx.Tx, version int64) (*configuration.Configuration, error) {
	if cached := t.cached.Load(); cached != nil && cached.Version == version {
		return cached, nil
	}
	rows, err := t.Store.LoadConfiguration(ctx, tx)
	if err != nil {
		return nil, err
	}
	compiled, err := t.Compile(rows)
	if err != nil {
		return nil, err
	}
	t.cached.Store(compiled)
	return compiled, nil
}

// LockConfigurationShared locks the configuration FOR SHARE until the transaction ends, so that nobody changes it, and
// returns it.
func (t *Tenant) LockConfigurationShared(ctx context.Context, tx pgx.Tx) (*configuration.Configuration, error) {
	version, err := t.Store.LockConfigurationShared(ctx, tx)
	if err != nil {
		return nil, err
	}
	return t.ConfigurationAt(ctx, tx, version)
}

// CurrentConfiguration returns the latest committed configuration. It locks nothing where the cache has that version: a
// lock is written, and so waits for the disk.
func (t *Tenant) CurrentConfiguration(ctx context.Context) (*configuration.Configuration, error) {
	version, err := t.Store.LatestVersion(ctx, t.Pool)
	if err != nil {
		return nil, err
	}
	if cached := t.cached.Load(); cached != nil && cached.Version == version {
		return cached, nil
	}
	return Transact(ctx, t, func(tx pgx.Tx) (*configuration.Configuration, error) {
		return t.LockConfigurationShared(ctx, tx)
	})
}

// Compile compiles the rows of a configuration with the rules and the connectors that the host gave.
func (t *Tenant) Compile(rows store.Configuration) (*configuration.Configuration, error) {
	return configuration.Compile(rows, t.Rules, func(connector string) bool { return t.Connectors[connector] != nil })
}
