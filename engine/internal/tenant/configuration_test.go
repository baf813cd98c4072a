package tenant_test

import (
	"testing"

	"github.com/jackc/pgx/v5"
	"golang.org/x/sync/errgroup"

	"github.com/muster-engine/muster/engine/internal/tenant"
	"github.com/muster-engine/muster/store"
	"github.com/muster-engine/muster/store/storetest"
)

// advance gives the configuration another version, and returns it.
func advance(t *testing.T, tables *tenant.Tenant, tx pgx.Tx) int64 {
	t.Helper()
	if _, err := tables.Store.LockConfiguration(t.Context(), tx); err != nil {
		t.Fatal(err)
	}
	version, err := tables.Store.AdvanceConfiguration(t.Context(), tx)
	if err != nil {
		t.Fatal(err)
	}
	return version
}

// Many readers of a new version compile it once, and later readers not at all.
func TestConfigurationIsCompiledOnce(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("it takes long")
	}
	pool := storetest.Pool(t)
	tables := newTenant(t, pool)
	for version := int64(1); version <= 3; version++ {
		err := store.InTx(t.Context(), pool, pgx.TxOptions{}, func(tx pgx.Tx) error {
			advance(t, tables, tx)
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		var readers errgroup.Group
		for range 12 {
			readers.Go(func() error {
				_, err := tables.CurrentConfiguration(t.Context())
				return err
			})
		}
		if err := readers.Wait(); err != nil {
			t.Fatal(err)
		}
		if got := tables.Compilations(); got != version {
			t.Errorf("12 readers of each of %d versions compile %d times", version, got)
		}
	}
}

// A change that is not committed takes the configuration from nobody.
func TestUncommittedConfigurationIsBesideTheOther(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("it takes long")
	}
	pool := storetest.Pool(t)
	tables := newTenant(t, pool)
	committed, err := tables.CurrentConfiguration(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	tx := begin(t, pool)
	version := advance(t, tables, tx)
	before := tables.Compilations()
	for range 3 {
		inside, err := tables.LockConfigurationShared(t.Context(), tx)
		if err != nil || inside.Version != version {
			t.Fatalf("%v %v, want version %d", inside, err, version)
		}
		outside, err := tables.CurrentConfiguration(t.Context())
		if err != nil || outside != committed {
			t.Fatalf("got another configuration outside: %v", err)
		}
	}
	if got := tables.Compilations() - before; got != 1 {
		t.Errorf("%d compilations, want 1", got)
	}
}
