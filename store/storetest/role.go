package storetest

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"net/url"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// Role is a role of the server that may sign in, and nothing else.
type Role struct {
	Name     string
	password string
}

// NewRole makes a role for a test. It is dropped when the test ends, so it must be made before the databases in which
// it is given anything: those are dropped first.
func NewRole(t testing.TB) Role {
	t.Helper()
	var random [12]byte
	if _, err := rand.Read(random[:]); err != nil {
		t.Fatal(err)
	}
	text := hex.EncodeToString(random[:])
	role := Role{Name: "role_" + text[:12], password: text[12:]}
	asAdministrator(t, "CREATE ROLE "+role.Name+" LOGIN PASSWORD '"+role.password+"'")
	t.Cleanup(func() {
		if !t.Failed() { // the database of a test that failed is kept, and with it what the role was given
			asAdministrator(t, "DROP ROLE "+role.Name)
		}
	})
	return role
}

// asAdministrator runs a statement as the server's superuser.
func asAdministrator(t testing.TB, statement string) {
	t.Helper()
	server, err := sharedServer()
	if err != nil {
		t.Fatal(err)
	}
	ctx := context.WithoutCancel(t.Context()) // it has ended when the test cleans up
	conn, err := pgx.Connect(ctx, server.config.URL())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(ctx)
	if _, err := conn.Exec(ctx, statement); err != nil {
		t.Fatal(err)
	}
}

// AdministratorURL returns the URL of the database of a pool for the server's superuser.
func AdministratorURL(t testing.TB, pool *pgxpool.Pool) string {
	t.Helper()
	server, err := sharedServer()
	if err != nil {
		t.Fatal(err)
	}
	config := server.config
	config.Database = pool.Config().ConnConfig.Database
	return config.URL()
}

// As returns a pool of the role on the database of another pool.
func (r *Role) As(t testing.TB, pool *pgxpool.Pool) *pgxpool.Pool {
	t.Helper()
	text, err := r.URL(pool.Config().ConnString())
	if err != nil {
		t.Fatal(err)
	}
	return open(t, text)
}

// URL returns the URL of a database with the role in the place of another.
func (r *Role) URL(database string) (string, error) {
	u, err := url.Parse(database)
	if err != nil {
		return "", errors.New("the URL of the database cannot be read")
	}
	u.User = url.UserPassword(r.Name, r.password)
	return u.String(), nil
}
