package postgres_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/muster-engine/muster/engine/attribute"
	"github.com/muster-engine/muster/engine/connector"
	"github.com/muster-engine/muster/engine/connector/connectortest"
	"github.com/muster-engine/muster/engine/connector/postgres"
	"github.com/muster-engine/muster/store/storetest"
	_ "github.com/muster-engine/muster/store/storetest/container"
)

func TestMain(m *testing.M) { storetest.Main(m) }

var schemas = []connector.Schema{
	{Name: "account", IdentityAttribute: "login", DisplayAttribute: "full name", Attributes: []connector.SchemaAttribute{
		{Name: "login"}, {Name: "full name"}, {Name: "level", Type: "INT"}, {Name: "active", Type: "BOOLEAN"},
		{Name: "groups", IsMulti: true, IsEntitlement: true}, {Name: "tags", IsMulti: true}}},
	{Name: "group", IdentityAttribute: "key", DisplayAttribute: "label"},
}

const settings = `{"connection": "env:URL", "table": "crm.users", "modified": "changed", "groups": {"group": "crm.groups"},
	"memberships": [{"attribute": "groups", "table": "crm.user_groups", "account": "login", "value": "group_key"}]}`

// database makes the tables of a source.
func database(t *testing.T) (url string, pool *pgxpool.Pool) {
	t.Helper()
	url = storetest.EmptyConnString(t)
	pool, err := pgxpool.New(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	for _, statement := range []string{
		`CREATE SCHEMA crm`,
		`CREATE TABLE crm.users (id bigint GENERATED ALWAYS AS IDENTITY, login varchar(80) PRIMARY KEY, "full name" text, level int CHECK (level < 10),
		 active boolean NOT NULL DEFAULT true, tags text[], changed timestamptz NOT NULL DEFAULT now())`,
		`CREATE TABLE crm.groups (key text PRIMARY KEY, label text)`,
		`CREATE TABLE crm.user_groups (login text NOT NULL REFERENCES crm.users (login), group_key text NOT NULL REFERENCES crm.groups (key))`,
		`INSERT INTO crm.groups VALUES ('sales', 'Sales people'), ('staff', NULL), ('r&d', 'Lab')`,
	} {
		if _, err := pool.Exec(t.Context(), statement); err != nil {
			t.Fatal(err)
		}
	}
	return url, pool
}

func open(ctx context.Context, url, attributes string) (connector.Connector, error) {
	return postgres.New(ctx, connector.Config{Source: "CRM", Schemas: schemas, Attributes: []byte(attributes),
		Secret: func(reference string) (string, error) {
			if reference != "env:URL" {
				return "", errors.New("no such secret")
			}
			return url, nil
		}})
}

func set(values map[string]attribute.Value) attribute.Set { return attribute.SetOf(values) }

func TestConformance(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("it takes long")
	}
	url, pool := database(t)
	// The rows of these views break off behind some thousands, or repeat.
	for _, statement := range []string{
		`CREATE VIEW crm.fails AS SELECT 'geheim-4711-' || n AS login, 'x' || 1 / (9000 - n) AS "full name", 1 AS level, true AS active,
		 '{}'::text[] AS tags, now() AS changed FROM generate_series(1, 9999) n`,
		`CREATE VIEW crm.ends AS SELECT 'geheim-4711-' || n AS login, CASE WHEN n = 9000 THEN pg_terminate_backend(pg_backend_pid())::text END
		 AS "full name", 1 AS level, true AS active, '{}'::text[] AS tags, now() AS changed FROM generate_series(1, 9999) n`,
		`CREATE VIEW crm.repeats AS SELECT 'geheim-4711-' || n % 9000 AS login, '' AS "full name", 1 AS level, true AS active,
		 '{}'::text[] AS tags, now() AS changed FROM generate_series(1, 9999) n`,
	} {
		if _, err := pool.Exec(t.Context(), statement); err != nil {
			t.Fatal(err)
		}
	}
	view := func(name string) func(t *testing.T) connector.Connector {
		return func(t *testing.T) connector.Connector {
			t.Helper()
			c, err := open(t.Context(), url, strings.Replace(settings, "crm.users", "crm."+name, 1))
			if err != nil {
				t.Fatal(err)
			}
			return c
		}
	}
	connectortest.Run(t, &connectortest.Source{
		Open: func(t *testing.T) connector.Connector {
			t.Helper()
			c, err := open(t.Context(), url, strings.Replace(settings, `"table"`, `"stableIdentityColumn": "id", "table"`, 1))
			if err != nil {
				t.Fatal(err)
			}
			return c
		},
		Account: func(n int) (string, attribute.Set) {
			login := fmt.Sprintf("u%d", n)
			return login, set(map[string]attribute.Value{"login": attribute.String(login), "level": attribute.Int(3),
				"full name": attribute.String("Person"), "active": attribute.Bool(true)})
		},
		Single: "full name", Entitlement: "groups", Values: [3]string{"sales", "staff", "r&d"},
		Enabled:  set(map[string]attribute.Value{"active": attribute.Bool(true)}),
		Disabled: set(map[string]attribute.Value{"active": attribute.Bool(false)}),
		Partial: map[string]func(*testing.T) connector.Connector{
			"a query that fails": view("fails"), "a connection that ends": view("ends"), "rows that repeat": view("repeats"),
		},
	})
}

// Passwords and binary data are neither proposed nor read, also where the schema names them.
func TestUnreadColumns(t *testing.T) {
	t.Parallel()
	url, pool := database(t)
	if _, err := pool.Exec(t.Context(), `ALTER TABLE crm.users ADD pwd_hash text, ADD photo bytea, ADD note text`); err != nil {
		t.Fatal(err)
	}
	if _, err := pool.Exec(t.Context(), `INSERT INTO crm.users (login, pwd_hash, photo, note) VALUES ('ann', 'geheim', '\xffd8', 'n')`); err != nil {
		t.Fatal(err)
	}
	named := slices.Clone(schemas)
	named[0].Attributes = append(slices.Clone(named[0].Attributes), connector.SchemaAttribute{Name: "pwd_hash"},
		connector.SchemaAttribute{Name: "photo"}, connector.SchemaAttribute{Name: "note"})
	c, err := postgres.New(t.Context(), connector.Config{Source: "CRM", Schemas: named, Attributes: []byte(settings),
		Secret: func(string) (string, error) { return url, nil }})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	found, err := c.Discover(t.Context())
	if err != nil || found[0].Attribute("pwd_hash") != nil || found[0].Attribute("photo") != nil || found[0].Attribute("note") == nil {
		t.Errorf("proposed are %+v, %v", found, err)
	}
	read := func() (got string) {
		if _, err := c.Read(t.Context(), "", func(o *connector.Object) error {
			if o.Type == "" {
				got += string(o.Attributes.AppendJSON(nil))
			}
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		return got
	}
	if got := read(); got != `{"note":"n","login":"ann","active":true}` {
		t.Errorf("read is %s", got)
	}
	if notes := c.(connector.Noter).Notes(); len(notes) != 1 || notes[0] != `the column "photo" holds binary data: it is not read` {
		t.Errorf("the notes are %q", notes)
	}
	// A change of other columns leaves them as they are.
	if _, err := c.Apply(t.Context(), &connector.Operation{Kind: connector.SetAttributes, NativeIdentity: "ann",
		Attributes: set(map[string]attribute.Value{"note": attribute.String("m")})}); err != nil {
		t.Fatal(err)
	}
	var left string
	if err := pool.QueryRow(t.Context(), `SELECT pwd_hash || photo::text || note FROM crm.users`).Scan(&left); err != nil || left != `geheim\xffd8m` {
		t.Errorf("the row is %q, %v", left, err)
	}
}

func TestReadsGroupsArraysAndChanges(t *testing.T) {
	t.Parallel()
	url, pool := database(t)
	if _, err := pool.Exec(t.Context(), `INSERT INTO crm.users (login, tags, changed) VALUES ('ann', '{b,a}', now()),
		('bob', NULL, now() - interval '1 day')`); err != nil {
		t.Fatal(err)
	}
	c, err := open(t.Context(), url, settings)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	read := func(since string) (string, string) {
		t.Helper()
		var got []string
		cursor, err := c.Read(t.Context(), since, func(o *connector.Object) error {
			got = append(got, fmt.Sprintf("%s %s %s %s", o.Type, o.NativeIdentity, o.Name, o.Attributes.Get("tags").Text()))
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		return strings.Join(got, "|"), cursor
	}
	all, cursor := read("")
	for _, want := range []string{"group sales Sales people", "group staff ", " ann  b,a", " bob  "} {
		if !strings.Contains(all, want) {
			t.Errorf("%q is missing in %q", want, all)
		}
	}
	if changed, _ := read(cursor); !strings.Contains(changed, "ann") || strings.Contains(changed, "bob") {
		t.Errorf("the changes are %q", changed)
	}
	if _, err := c.Apply(t.Context(), &connector.Operation{Kind: connector.AddValues, NativeIdentity: "ann",
		Attributes: set(map[string]attribute.Value{"tags": attribute.List([]string{"c"})})}); err != nil {
		t.Fatal(err)
	}
	if all, _ = read(""); !strings.Contains(all, "b,a,c") {
		t.Error(all)
	}
}

func TestFaults(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("it takes long")
	}
	url, _ := database(t)
	for attributes, want := range map[string]string{
		`{}`: "connection, a reference to a URL, and table are expected",
		`{"connection": "postgres://ann:hunter2@db/crm", "table": "x"}`:                                  "a secret is not written into the configuration",
		`{"connection": "env:OTHER", "table": "x"}`:                                                      "no such secret",
		`{"connection": "env:URL", "table": "x", "memberships": [{"attribute": "login", "table": "y"}]}`: "memberships[0]",
	} {
		_, err := open(t.Context(), url, attributes)
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("got %s: %v, want err != nil && strings.Contains(err.Error(), want) && !strings.Contains(err.Error(), \"hunter2\")", attributes, err)
		}
	}
	c, err := open(t.Context(), url, settings)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	apply := func(kind connector.Kind, values map[string]attribute.Value) error {
		_, err := c.Apply(t.Context(), &connector.Operation{Kind: kind, NativeIdentity: "ann", Attributes: set(values)})
		return err
	}
	if err := apply(connector.Create, map[string]attribute.Value{"login": attribute.String("ann")}); err != nil {
		t.Fatal(err)
	}
	for want, values := range map[string]map[string]attribute.Value{
		"SQLSTATE 23514 by the constraint users_level_check": {"level": attribute.Int(4711)},
		"SQLSTATE 22P02":             {"level": attribute.String("geheim")},
		`no column "shoe size"`:      {"shoe size": attribute.String("geheim")},
		`"password" holds passwords`: {"password": attribute.String("geheim")},
		"one value only":             {"full name": attribute.List([]string{"a", "b"})},
	} {
		err := apply(connector.SetAttributes, values)
		if !connector.IsPermanent(err) || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "geheim") {
			t.Errorf("got %v: %v, want connector.IsPermanent(err) && strings.Contains(err.Error(), want) && !strings.Contains(err.Error(), \"geheim\")", values, err)
		}
	}
	if err := apply(connector.AddValues, map[string]attribute.Value{"groups": attribute.List([]string{"nobody"})}); err == nil ||
		!strings.Contains(err.Error(), "user_groups_group_key_fkey") {
		t.Error(err)
	}
	away, err := open(t.Context(), "postgres://ann:hunter2@127.0.0.1:1/crm", settings)
	if err != nil {
		t.Fatal(err)
	}
	if err := away.Test(t.Context()); err == nil || connector.IsPermanent(err) || strings.Contains(err.Error(), "hunter2") {
		t.Errorf("a database that is away: %v", err)
	}
}

// The stable identity is that of a column, which needs no attribute, and stays when the account is renamed.
func TestStableIdentity(t *testing.T) {
	t.Parallel()
	url, pool := database(t)
	if _, err := pool.Exec(t.Context(), `INSERT INTO crm.users (login) VALUES ('ann'), ('bob')`); err != nil {
		t.Fatal(err)
	}
	read := func(attributes string) string {
		t.Helper()
		c, err := open(t.Context(), url, attributes)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		got := ""
		if _, err := c.Read(t.Context(), "", func(o *connector.Object) error {
			if o.Type == "" {
				got += fmt.Sprintf("%s=%s ", o.NativeIdentity, o.StableIdentity)
			}
			return nil
		}); err != nil {
			return err.Error()
		}
		return got
	}
	stable := strings.Replace(settings, `"table"`, `"stableIdentityColumn": "id", "table"`, 1)
	if got, want := read(settings), "ann= bob= "; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if got, want := read(stable), "ann=1 bob=2 "; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	c, err := open(t.Context(), url, stable)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := c.Apply(t.Context(), &connector.Operation{Key: "k", Kind: connector.SetAttributes, NativeIdentity: "ann",
		Attributes: set(map[string]attribute.Value{"login": attribute.String("zoe")})}); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Apply(t.Context(), &connector.Operation{Key: "taken", Kind: connector.SetAttributes, NativeIdentity: "bob",
		Attributes: set(map[string]attribute.Value{"login": attribute.String("zoe")})}); !errors.Is(err, connector.ErrExists) {
		t.Errorf("the name of another account: %v, want %v", err, connector.ErrExists)
	}
	if got := read(stable); !strings.Contains(got, "zoe=1 ") {
		t.Errorf("got %q, want zoe=1", got)
	}
	schemas, err := c.Discover(t.Context())
	if err != nil || connector.AccountSchema(schemas).StableIdentityAttribute != "id" {
		t.Errorf("discovered %+v, %v", schemas, err)
	}
	if got := read(strings.Replace(stable, `"id"`, `"nothing"`, 1)); !strings.Contains(got, "42703") {
		t.Errorf("got %q, want the error of a column that is missing", got)
	}
}

// What names an account cannot be taken away, also where the table would allow it.
func TestNameOfNullableColumn(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("it takes long")
	}
	url, pool := database(t)
	for _, statement := range []string{
		`CREATE TABLE crm.loose (login text UNIQUE, "full name" text, level int, active boolean, tags text[], changed timestamptz)`,
		`INSERT INTO crm.loose (login) VALUES ('ann')`,
	} {
		if _, err := pool.Exec(t.Context(), statement); err != nil {
			t.Fatal(err)
		}
	}
	c, err := open(t.Context(), url, strings.Replace(settings, "crm.users", "crm.loose", 1))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	_, err = c.Apply(t.Context(), &connector.Operation{Key: "k", Kind: connector.SetAttributes, NativeIdentity: "ann",
		Attributes: set(map[string]attribute.Value{"login": attribute.Null})})
	if !connector.IsPermanent(err) || !strings.Contains(err.Error(), `"login" names the account`) {
		t.Errorf("got %v, want a permanent error", err)
	}
	if names := storetest.Texts(t, pool, `SELECT coalesce(login, 'nobody') FROM crm.loose`); len(names) != 1 || names[0] != "ann" {
		t.Errorf("the table has %q, want ann", names)
	}
}

// A connection that is lost while the types of the columns are read leaves nothing behind: what comes next is carried out
// as if nothing had happened.
func TestConnectionLostWhileTypesAreRead(t *testing.T) {
	t.Parallel()
	url, pool := database(t)
	if _, err := pool.Exec(t.Context(), `INSERT INTO crm.users (login) VALUES ('ann')`); err != nil {
		t.Fatal(err)
	}
	c, err := open(t.Context(), url, settings)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	}()
	read := func() error {
		_, err := c.Read(t.Context(), "", func(*connector.Object) error { return nil })
		return err
	}
	if err := read(); err != nil { // which prepares the statements: the next time it is their rows that do not come
		t.Fatal(err)
	}
	const end = `SELECT count(*) FILTER (WHERE pg_terminate_backend(pid, 10000)) FROM pg_stat_activity
		WHERE datname = current_database() AND pid <> pg_backend_pid()`
	var ended int
	if err := pool.QueryRow(t.Context(), end).Scan(&ended); err != nil || ended != 1 {
		t.Fatalf("%d connections were ended: %v", ended, err)
	}
	if err := read(); err == nil || connector.IsPermanent(err) {
		t.Errorf("without a connection: %v, want an error that passes", err)
	}
	_, err = c.Apply(t.Context(), &connector.Operation{Key: "k", Kind: connector.SetAttributes, NativeIdentity: "ann",
		Attributes: set(map[string]attribute.Value{"full name": attribute.String("Ann")})})
	if err != nil {
		t.Errorf("after that: %v", err)
	}
}
