package tenant

import (
	"context"

	"github.com/jackc/pgx/v5"

	"github.com/muster-engine/muster/engine/configuration"
	"github.com/muster-engine/muster/store"
)

// compiledAt returns the configuration of a version from the cache, or nil.
func (t *Tenant) compiledAt(version int64) *configuration.Configuration {
	if cached := t.cached.Load(); cached != nil {
		for _, c := range cached {
			if c != nil && c.Version == version {
				return c
			}
		}
	}
	return nil
}

// keep puts a configuration into the cache.
func (t *Tenant) keep(c *configuration.Configuration) {
	kept := [2]*configuration.Configuration{c}
	if cached := t.cached.Load(); cached != nil {
		kept[1] = cached[0]
		if kept[1].Version > c.Version {
			kept[0], kept[1] = kept[1], kept[0]
		}
	}
	t.cached.Store(&kept)
}

// configurationAt returns the configuration of a version that the transaction holds, from the cache if it is there. Of
// many who ask for a new version at the same time one compiles it, and the others wait.
func (t *Tenant) configurationAt(ctx context.Context, tx pgx.Tx, version int64) (*configuration.Configuration, error) {
	if cached := t.compiledAt(version); cached != nil {
		return cached, nil
	}
	select {
	case t.compiling <- struct{}{}:
		defer func() { <-t.compiling }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	if cached := t.compiledAt(version); cached != nil {
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
	t.keep(compiled)
	t.warnOfConflict(ctx, compiled.Settings)
	return compiled, nil
}

// Compilations returns how often this engine compiled a configuration. It is for tests.
func (t *Tenant) Compilations() int64 { return t.compilations.Load() }

// SnapshotConfiguration returns the configuration that a transaction with a snapshot sees. It locks nothing.
func (t *Tenant) SnapshotConfiguration(ctx context.Context, tx pgx.Tx) (*configuration.Configuration, error) {
	version, err := t.Store.LatestVersion(ctx, tx)
	if err != nil {
		return nil, err
	}
	return t.configurationAt(ctx, tx, version)
}

// warnOfConflict logs that the tenant's settings were changed to what contradicts the host's Config: they count. It
// does so once, until the contradiction ends.
func (t *Tenant) warnOfConflict(ctx context.Context, s *configuration.Settings) {
	_, conflict := s.Compare(t.Given, true)
	if conflict == nil {
		t.warned.Store(false)
		return
	}
	if !t.warned.Swap(true) {
		t.Logger.WarnContext(ctx, "the tenant's settings changed, and are followed instead of Config", "conflict",
			conflict.Error())
	}
}

// SettingsIn returns the tenant's settings that the transaction or the pool sees. It locks nothing.
func (t *Tenant) SettingsIn(ctx context.Context, q store.Querier) (*configuration.Settings, error) {
	row, err := t.Store.Settings(ctx, q)
	if err != nil {
		return nil, err
	}
	if cached := t.compiledAt(row.Version); cached != nil {
		return cached.Settings, nil
	}
	s, err := configuration.CompileSettings(row.Document)
	if err == nil {
		t.warnOfConflict(ctx, s)
	}
	return s, err
}

// LockConfigurationShared locks the configuration FOR SHARE until the transaction ends, so that nobody changes it, and
// returns it.
func (t *Tenant) LockConfigurationShared(ctx context.Context, tx pgx.Tx) (*configuration.Configuration, error) {
	version, err := t.Store.LockConfigurationShared(ctx, tx)
	if err != nil {
		return nil, err
	}
	return t.configurationAt(ctx, tx, version)
}

// CurrentConfiguration returns the latest committed configuration. It locks nothing where the cache has that version: a
// lock is written, and so waits for the disk.
func (t *Tenant) CurrentConfiguration(ctx context.Context) (*configuration.Configuration, error) {
	version, err := t.Store.LatestVersion(ctx, t.Pool)
	if err != nil {
		return nil, err
	}
	if cached := t.compiledAt(version); cached != nil {
		return cached, nil
	}
	return Transact(ctx, t, func(tx pgx.Tx) (*configuration.Configuration, error) {
		return t.LockConfigurationShared(ctx, tx)
	})
}

// Compile compiles the rows of a configuration with the rules and the connectors that the host gave.
func (t *Tenant) Compile(rows store.Configuration) (*configuration.Configuration, error) {
	t.compilations.Add(1)
	return configuration.Compile(rows, t.Rules, func(connector string) bool { return t.Connectors[connector] != nil })
}
