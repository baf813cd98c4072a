package storetest_test

import (
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/muster-engine/muster/migrations"
	"github.com/muster-engine/muster/store/storetest"
)

// A host's own goroutine runs before the tests, and longer than they do: Main must not take it for a leak.
func TestMain(m *testing.M) {
	go func() { select {} }()
	storetest.Main(m)
}

func TestPoolIsMigrated(t *testing.T) {
	t.Parallel()
	if err := migrations.Check(t.Context(), storetest.Pool(t), migrations.Config{}); err != nil {
		t.Error(err)
	}
}

func TestEmptyIsEmpty(t *testing.T) {
	t.Parallel()
	var schemas []string
	const question = `SELECT coalesce(array_agg(nspname), '{}') FROM pg_namespace WHERE nspname LIKE 'muster%'`
	if err := storetest.Empty(t).QueryRow(t.Context(), question).Scan(&schemas); err != nil {
		t.Fatal(err)
	}
	if len(schemas) > 0 {
		t.Errorf("an empty database has the schemas %v", schemas)
	}
}

func TestDatabasesAreApart(t *testing.T) {
	t.Parallel()
	one, other := storetest.Empty(t), storetest.Empty(t)
	if _, err := one.Exec(t.Context(), "CREATE TABLE mine ()"); err != nil {
		t.Fatal(err)
	}
	var exists bool
	if err := other.QueryRow(t.Context(), "SELECT to_regclass('mine') IS NOT NULL").Scan(&exists); err != nil {
		t.Fatal(err)
	}
	if exists {
		t.Error("a table of one database is in another")
	}
}

func TestDatabaseGoesWithItsTest(t *testing.T) {
	t.Parallel()
	var name string
	passed := t.Run("uses a database", func(t *testing.T) {
		name = storetest.Pool(t).Config().ConnConfig.Database
	})
	if !passed {
		return
	}
	var exists bool
	const question = `SELECT EXISTS (SELECT FROM pg_database WHERE datname = $1)`
	if err := storetest.Empty(t).QueryRow(t.Context(), question, name).Scan(&exists); err != nil {
		t.Fatal(err)
	}
	if exists {
		t.Errorf("the database %s outlives its test", name)
	}
}

func TestConnString(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("it takes long")
	}
	for name, url := range map[string]string{
		"migrated": storetest.ConnString(t), "empty": storetest.EmptyConnString(t),
	} {
		conn, err := pgx.Connect(t.Context(), url)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if err := conn.Close(t.Context()); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Tests must not depend on rights that a host's database user may lack.
func TestUserHasNoSpecialRights(t *testing.T) {
	t.Parallel()
	var super, databases, roles bool
	const question = `SELECT rolsuper, rolcreatedb, rolcreaterole FROM pg_roles WHERE rolname = current_user`
	if err := storetest.Empty(t).QueryRow(t.Context(), question).Scan(&super, &databases, &roles); err != nil {
		t.Fatal(err)
	}
	if super || databases || roles {
		t.Errorf("the user is superuser: %t, creates databases: %t, creates roles: %t", super, databases, roles)
	}
}
