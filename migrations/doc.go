// Package migrations creates and changes the tables. It has numbered SQL files, embedded, and the job queue's own
// tables. One Provider of goose migrates both, up and down:
//
//	pool, err := pgxpool.New(ctx, databaseURL)
//	steps, err := migrations.Up(ctx, pool, migrations.Config{Schema: "acme"})
//
// Two processes may migrate at once: a session lock of PostgreSQL makes the second one wait. The version is stored in
// the tenant's own schema, so each tenant migrates on its own. [Check] says whether a schema fits this version of the
// library, and [Grant] gives other roles the rights to use it.
package migrations
