// Package migrations is how the tables came to be: numbered SQL files, embedded, and the job queue's own tables, all
// brought up and down by one Provider of goose.
//
//	pool, err := pgxpool.New(ctx, databaseURL)
//	results, err := migrations.Up(ctx, pool, migrations.Config{Schema: "acme"})
//
// Two processes may migrate at once: a session lock of PostgreSQL makes the second wait. The version is kept in the
// tenant's own schema, so each tenant moves by itself. [Check] tells whether a schema fits this version of the library.
package migrations
