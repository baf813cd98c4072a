package doctor

import (
	"context"
	"fmt"
	"time"

	"github.com/muster-engine/muster/migrations"
	"github.com/muster-engine/muster/store"
)

// examineClock compares this process's clock with the server's. The way there and back is not counted.
func (x *examination) examineClock(ctx context.Context) error {
	before := x.d.Clock()
	server, err := x.d.Store.ServerTime(ctx, x.d.Pool)
	if err != nil {
		return err
	}
	after := x.d.Clock()
	var skew time.Duration
	switch {
	case server.Before(before):
		skew = before.Sub(server)
	case server.After(after):
		skew = server.Sub(after)
	}
	severity := SeverityWarning
	if skew > clockFailure {
		severity = SeverityFailure
	}
	x.addSetting("clock", severity, skew <= clockWarning, "differs by "+skew.Round(time.Millisecond).String(),
		"synchronize the clocks of this machine and of the database server")
	return nil
}

// poolMin is the least number of connections with which an engine with workers gets on: one for the queue's
// notifications, and some to work with.
const poolMin = 4

// timeoutLeast is the least time that statements and transactions must be allowed to take.
const timeoutLeast = 5 * time.Minute

// examineServer looks at the settings of the server and of the session that would do harm.
func (x *examination) examineServer(ctx context.Context) error {
	v, err := x.d.Store.Server(ctx, x.tx, x.d.JobSchema)
	if err != nil {
		return err
	}
	schemas := migrations.Config{Schema: x.d.Schema, JobSchema: x.d.JobSchema}
	add := x.addSetting
	add("server-version", SeverityFailure, v.Version >= migrations.MinServerVersion, fmt.Sprint(v.Version),
		fmt.Sprintf("PostgreSQL %d or later is needed", migrations.MinServerVersion/10000))
	add("encoding", SeverityFailure, v.Encoding == "UTF8", v.Encoding, "the database's encoding must be UTF8")
	add("collation", SeverityFailure, v.ICU, "und-x-icu", "the server must be built with ICU")
	add("writable", SeverityFailure, !v.ReadOnly, "read only",
		"connect to the primary server, without default_transaction_read_only")
	add("isolation", SeverityFailure, v.Isolation == "read committed", "default_transaction_isolation",
		"set default_transaction_isolation to read committed for this role: what is locked must be read as it is then")
	add("durability", SeverityWarning, v.Durable, "fsync, full_page_writes, synchronous_commit",
		"switch fsync, full_page_writes and synchronous_commit on: a crash loses what was committed")
	add("autovacuum", SeverityWarning, v.Autovacuum, "autovacuum", "switch autovacuum on")
	add("statement-timeout", SeverityWarning, v.Statement == 0 || v.Statement >= timeoutLeast, "statement_timeout",
		"set statement_timeout to 0 for this role: the aggregation of a large source is one statement")
	add("idle-timeout", SeverityWarning, v.Idle == 0 || v.Idle >= timeoutLeast, "idle_in_transaction_session_timeout",
		"set idle_in_transaction_session_timeout to 0 for this role: an aggregation waits for its source")
	add("pool", SeverityWarning, x.d.Pool.Config().MaxConns >= poolMin,
		fmt.Sprintf("%d connections", x.d.Pool.Config().MaxConns),
		fmt.Sprintf("give the pool %d connections or more: see Engine.Start", poolMin))
	add("job-schema-version", SeverityFailure, v.JobVersion == migrations.JobVersion(),
		fmt.Sprintf("version %d", v.JobVersion),
		fmt.Sprintf("version %d of the job tables is needed: muster migrate", migrations.JobVersion()))
	add("job-schema-owner", SeverityFailure, v.JobsOf == migrations.JobSchemaComment(schemas), x.d.JobSchema,
		"the comment of the job schema names another tenant: configure this tenant's own")
	x.add("privileges", SeverityFailure, store.Found(v.Unprivileged),
		"grant this role SELECT, INSERT, UPDATE and DELETE: muster migrate up --grant-to ROLE", nil)
	x.add("long-transaction", SeverityWarning, store.Found(v.LongRunning),
		"end the transactions of these server processes: readers of events and the vacuum wait for them", nil)
	return nil
}
