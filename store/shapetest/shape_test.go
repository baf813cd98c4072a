package shapetest

import (
	"fmt"
	"slices"
	"strings"

	pg "github.com/pganalyze/pg_query_go/v6"
)

// shape is a rule for statements.
type shape struct {
	name   string
	reason string // why a cluster refuses what breaks it, or does something else with it
	cure   string
	broken []string // examples
	mended []string // the examples, cured, and what looks like them and is right
	// breaks returns what in the statement breaks the rule.
	breaks func(s *statement, c *catalogue) []string
}

// shapes are the rules. They hold for statements about a tenant's tables, unless they say otherwise.
var shapes = []shape{
	{
		name:   "volatile function",
		reason: "functions used in UPDATE, INSERT and DELETE must not be VOLATILE; each node evaluates its own",
		cure:   "ask for the value first, or make it in Go, and send it as a parameter; now() is the transaction's time",
		broken: []string{
			`UPDATE muster.configuration SET version = nextval('muster.configuration_version') RETURNING version`,
			`INSERT INTO muster.tasks (id, kind) VALUES (gen_random_uuid(), $1)`,
			`WITH gone AS (DELETE FROM muster.accounts WHERE id = $1 RETURNING id) SELECT id, clock_timestamp() FROM gone`,
			`DELETE FROM muster.one_time_tokens WHERE expires < pg_catalog.clock_timestamp()`,
		},
		mended: []string{
			`SELECT nextval('muster.configuration_version')`,
			`UPDATE muster.configuration SET version = $1, modified = now() RETURNING version`,
		},
		breaks: volatileFunction,
	},
	{
		name:   "temporary table",
		reason: "direct joins between distributed and local tables: a temporary table is on one node only",
		cure:   "a table of the data schema with the ID of a run and a primary key; delete its rows in the same transaction",
		broken: []string{
			`SELECT EXISTS (SELECT 1 FROM pg_temp.aggregation_seen g WHERE g.native_identity = $1)`,
			`CREATE TEMPORARY TABLE seen (line bigint NOT NULL) ON COMMIT DROP`,
			`COPY "pg_temp"."aggregation_stage" ("line") FROM STDIN BINARY`,
			`DROP TABLE IF EXISTS pg_temp.aggregation_seen`,
		},
		mended: []string{
			`SELECT EXISTS (SELECT 1 FROM muster.aggregation_seen g WHERE g.run_id = $1 AND g.native_identity = $2)`,
		},
		breaks: temporaryTable,
	},
	{
		name: "lock in a subquery",
		reason: "a locking query below another one is planned apart, and its rows come back as those of a COPY: " +
			`invalid input syntax for type uuid: "PGCOPY"`,
		cure: "SELECT ... FOR UPDATE as a statement of its own, and the keys that it returns as a parameter; where a " +
			"statement takes what nobody else has locked, ctid = ANY (ARRAY (SELECT ctid ... FOR UPDATE SKIP LOCKED))",
		broken: []string{
			`WITH held AS (SELECT id FROM muster.identities WHERE id = ANY ($1) ORDER BY id FOR UPDATE)
			 UPDATE muster.accounts a SET modified = $2 FROM held WHERE a.identity_id = held.id`,
			`WITH held AS MATERIALIZED (SELECT id FROM muster.identities WHERE id = $1 FOR KEY SHARE)
			 INSERT INTO muster.identity_keys (key, identity_id) SELECT $2, id FROM held`,
			`DELETE FROM muster.refresh_requests
			 WHERE id IN (SELECT id FROM muster.refresh_requests WHERE identity_id = ANY ($1) FOR UPDATE SKIP LOCKED)`,
			`SELECT count(*) FROM (SELECT id FROM muster.identities WHERE id = ANY ($1) FOR SHARE) held`,
			`UPDATE muster.accounts a SET modified = $1
			 WHERE a.identity_id = (SELECT i.id FROM muster.identities i WHERE i.id = a.identity_id FOR KEY SHARE)`,
		},
		mended: []string{
			`SELECT id FROM muster.identities WHERE id = ANY ($1) ORDER BY id FOR UPDATE`,
			`SELECT a.id FROM muster.accounts a JOIN unnest($1::uuid[]) u (id) ON u.id = a.id ORDER BY a.id FOR UPDATE OF a`,
			// These are no joins: the array, or the ID, is a value that is found once, before the rest. The array ran
			// on a cluster. That the ID runs too is inferred. Neither takes a square where statistics are old.
			`DELETE FROM muster.refresh_requests
			 WHERE ctid = ANY (ARRAY (SELECT ctid FROM muster.refresh_requests WHERE identity_id = ANY ($1)
			                          FOR UPDATE SKIP LOCKED))`,
			`UPDATE muster.notifications SET leased = $2
			 WHERE id = (SELECT id FROM muster.notifications WHERE task_id = $1 ORDER BY id LIMIT 1 FOR UPDATE SKIP LOCKED)`,
		},
		breaks: lockInSubquery,
	},
	{
		name:   "INSERT fed by a write",
		reason: "cannot execute a distributed query from a query on a shard, where a CTE with a write feeds an INSERT",
		cure:   "two statements: the first one returns what the second one gets as parameters",
		broken: []string{
			`WITH gone AS (DELETE FROM muster.refresh_requests WHERE task_id = $1 RETURNING identity_id)
			 INSERT INTO muster.task_messages (task_id, text) SELECT $1, identity_id::text FROM gone`,
			`WITH changed AS (UPDATE muster.accounts SET identity_id = NULL WHERE id = $1 RETURNING id),
			 few AS (SELECT id FROM changed LIMIT 5),
			 noted AS (INSERT INTO muster.account_keys (key, account_id) SELECT $2, id FROM few)
			 SELECT count(*) FROM changed`,
		},
		mended: []string{
			`WITH few AS (SELECT id FROM muster.accounts WHERE identity_id = $1),
			 noted AS (INSERT INTO muster.account_keys (key, account_id) SELECT $2, id FROM few),
			 changed AS (UPDATE muster.accounts SET identity_id = NULL WHERE id IN (SELECT id FROM few) RETURNING id)
			 SELECT count(*) FROM changed`,
			`WITH gone AS (DELETE FROM muster.refresh_requests WHERE task_id = $1 RETURNING identity_id)
			 SELECT identity_id FROM gone`,
		},
		breaks: insertFedByWrite,
	},
	{
		name: "default in INSERT ... SELECT",
		reason: "the default goes into the SELECT: cannot push down this subquery, join that requires repartitioning; or " +
			"a worker's sequence, clock or transaction gives the value",
		cure: "a key made in Go: one UUID for the statement and row_number(), or VALUES",
		broken: []string{
			`INSERT INTO muster.shaped (name) SELECT name FROM muster.identities`,
			`INSERT INTO muster.shaped (id, name) OVERRIDING SYSTEM VALUE SELECT $1, name FROM muster.identities`,
			`INSERT INTO muster.shaped_default (name) SELECT u FROM unnest($1::text[]) u`,
		},
		mended: []string{
			`INSERT INTO muster.shaped (name) VALUES ($1)`,
			`INSERT INTO muster.shaped_default (id, name) SELECT i.id, i.name FROM muster.identities i`,
		},
		breaks: defaultInSelection,
	},
	{
		name:   "two schemas",
		reason: "the data schema is on a worker, the job schema on the coordinator: direct joins are not supported",
		cure:   "two statements, of which the first one returns IDs that the second one gets as a parameter",
		broken: []string{
			`SELECT t.id FROM muster.tasks t JOIN muster_jobs.river_job j ON j.id = t.job_id`,
			`SELECT id FROM muster.tasks WHERE job_id = ANY (ARRAY (SELECT id FROM muster_jobs.river_job))`,
		},
		mended: []string{
			`SELECT id, job_id FROM muster.tasks WHERE job_id = ANY ($1)`,
			`SELECT id FROM muster_jobs.river_job WHERE id = ANY ($1)`,
		},
		breaks: twoSchemas,
	},
	{
		name:   "correlated subquery of another schema",
		reason: "a subquery that takes columns from around it is a join, here with a table that is on another node",
		cure:   "a list that does not depend on the row, or two statements",
		broken: []string{
			`SELECT t.id FROM muster.tasks t
			 WHERE NOT EXISTS (SELECT 1 FROM muster_jobs.river_job j WHERE j.id = t.job_id)`,
			`SELECT s.id FROM muster.sources s
			 WHERE EXISTS (SELECT 1 FROM pg_catalog.pg_locks l WHERE l.objid::text = s.name)`,
			`SELECT s.id, l.pid FROM muster.sources s, LATERAL (SELECT pid FROM pg_locks k WHERE k.objid::text = s.name) l`,
		},
		mended: []string{
			`SELECT t.id FROM muster.tasks t WHERE EXISTS (SELECT 1 FROM muster.identities i WHERE i.id = t.identity_id)`,
		},
		breaks: correlatedElsewhere,
	},
	{
		name:   "several statements",
		reason: "cannot insert multiple commands into a prepared statement",
		cure:   "one statement for each call, or a batch",
		broken: []string{`DELETE FROM muster.identity_keys WHERE key = 'a'; DELETE FROM muster.identity_keys WHERE key = 'b'`},
		mended: []string{`DELETE FROM muster.identity_keys WHERE key = 'a';`},
		breaks: severalStatements,
	},
	{
		name:   "constraint by its name",
		reason: "the constraint of a shard has another name: owned_objects_owner_fkey_102024",
		cure:   "ON CONFLICT (columns)",
		broken: []string{
			`INSERT INTO muster.refresh_state (identity_id) VALUES ($1) ON CONFLICT ON CONSTRAINT refresh_state_pkey DO NOTHING`,
			`SET CONSTRAINTS muster.owned_objects_owner_fkey DEFERRED`,
		},
		mended: []string{
			`INSERT INTO muster.refresh_state (identity_id) VALUES ($1) ON CONFLICT (identity_id) DO NOTHING`,
			`INSERT INTO muster.refresh_state (identity_id) VALUES ($1) ON CONFLICT DO NOTHING`,
		},
		breaks: constraintByName,
	},
	{
		name:   "empty select list",
		reason: "a subquery that is planned apart needs columns: a column definition list is required",
		cure:   "SELECT 1",
		broken: []string{`SELECT EXISTS (SELECT FROM muster.identities WHERE id = $1)`},
		mended: []string{
			`SELECT EXISTS (SELECT 1 FROM muster.identities WHERE id = $1)`,
			`INSERT INTO muster.identity_keys (key, identity_id) VALUES ($1, $2)`,
			`SELECT id FROM muster.identities UNION ALL SELECT id FROM muster.accounts`,
		},
		breaks: emptySelectList,
	},
	{
		name:   "order of a server",
		reason: "each node numbers its own transactions: readers of such an order miss rows, or get them late",
		cure:   "a position of the tenant's own, given after the commit",
		broken: []string{
			`SELECT id FROM muster.identity_events WHERE transaction_id < pg_snapshot_xmin(pg_current_snapshot())`,
			`UPDATE muster.tasks SET seen = txid_current() WHERE id = $1`,
		},
		mended: []string{`SELECT id FROM muster.event_writes WHERE position > $1 ORDER BY position`},
		breaks: orderOfServer,
	},
}

// faults returns the shapes that a statement breaks, each with what breaks it.
func faults(s *statement, c *catalogue) []string {
	var list []string
	for i := range shapes {
		for _, what := range shapes[i].breaks(s, c) {
			list = append(list, shapes[i].name+": "+what)
		}
	}
	slices.Sort(list)
	return slices.Compact(list)
}

func volatileFunction(s *statement, c *catalogue) []string {
	if !s.writes() || !c.concerns(s, ofData) {
		return nil
	}
	return slices.DeleteFunc(functions(s.tree), func(name string) bool { return !c.volatile[name] })
}

func temporaryTable(s *statement, c *catalogue) []string {
	var list []string
	for _, table := range all[*pg.RangeVar](s.tree) {
		if table.Relpersistence == "t" || c.kind(table) == ofSession {
			list = append(list, table.Relname)
		}
	}
	for _, drop := range all[*pg.DropStmt](s.tree) {
		for _, object := range drop.Objects {
			if parts := object.GetList().GetItems(); len(parts) > 1 && parts[0].GetString_().GetSval() == temporarySchema {
				list = append(list, parts[1].GetString_().GetSval())
			}
		}
	}
	return list
}

func lockInSubquery(s *statement, c *catalogue) []string {
	if !c.concerns(s, ofData) {
		return nil
	}
	var list []string
	walk(s.tree, func(p path) {
		query, is := p.node().(*pg.SelectStmt)
		if !is || len(query.LockingClause) == 0 {
			return
		}
		switch above := p.parent().(type) {
		case *pg.RawStmt:
		case *pg.SubLink:
			value := above.SubLinkType == pg.SubLinkType_ARRAY_SUBLINK || above.SubLinkType == pg.SubLinkType_EXPR_SUBLINK
			if !value || len(outer(query)) > 0 {
				list = append(list, "the lock of an expression's subquery")
			}
		case *pg.CommonTableExpr:
			list = append(list, "the lock of "+above.Ctename)
		default:
			list = append(list, fmt.Sprintf("a lock below a %s", p.parent().ProtoReflect().Descriptor().Name()))
		}
	})
	return list
}

func insertFedByWrite(s *statement, c *catalogue) []string {
	if !c.concerns(s, ofData) {
		return nil
	}
	queries := map[string]*pg.CommonTableExpr{}
	for _, q := range all[*pg.CommonTableExpr](s.tree) {
		queries[q.Ctename] = q
	}
	var list []string
	for _, insert := range all[*pg.InsertStmt](s.tree) {
		seen := map[string]bool{}
		var follow func(*pg.Node)
		follow = func(from *pg.Node) {
			for _, table := range all[*pg.RangeVar](from) {
				q := queries[table.Relname]
				if table.Schemaname != "" || q == nil || seen[q.Ctename] {
					continue
				}
				seen[q.Ctename] = true
				if write(q.Ctequery) {
					list = append(list, q.Ctename+" feeds "+insert.Relation.Relname)
				}
				follow(q.Ctequery)
			}
		}
		if insert.SelectStmt != nil {
			follow(insert.SelectStmt)
		}
	}
	return list
}

func write(n *pg.Node) bool {
	return n.GetInsertStmt() != nil || n.GetUpdateStmt() != nil || n.GetDeleteStmt() != nil || n.GetMergeStmt() != nil
}

func defaultInSelection(s *statement, c *catalogue) []string {
	var list []string
	for _, insert := range all[*pg.InsertStmt](s.tree) {
		if c.kind(insert.Relation) != ofData || !insertsSelection(insert) {
			continue
		}
		for _, column := range c.filled[insert.Relation.Relname] {
			given := slices.ContainsFunc(insert.Cols, func(n *pg.Node) bool { return n.GetResTarget().GetName() == column.name })
			if !given || column.identity {
				list = append(list, insert.Relation.Relname+"."+column.name)
			}
		}
	}
	return list
}

func twoSchemas(s *statement, c *catalogue) []string {
	if c.concerns(s, ofData) && c.concerns(s, ofJobs) {
		return []string{"data and jobs"}
	}
	return nil
}

func correlatedElsewhere(s *statement, c *catalogue) []string {
	if !c.concerns(s, ofData) {
		return nil
	}
	var list []string
	walk(s.tree, func(p path) {
		switch p.node().(type) {
		case *pg.SubLink, *pg.RangeSubselect:
		default:
			return
		}
		columns := outer(p.node())
		for _, table := range all[*pg.RangeVar](p.node()) {
			if kind := c.kind(table); len(columns) > 0 && (kind == ofJobs || kind == ofServer) {
				list = append(list, fmt.Sprintf("%s by %s", table.Relname, strings.Join(columns, ", ")))
			}
		}
	})
	return list
}

func severalStatements(s *statement, _ *catalogue) []string {
	if n := len(s.tree.Stmts); n > 1 {
		return []string{fmt.Sprintf("%d", n)}
	}
	return nil
}

func constraintByName(s *statement, _ *catalogue) []string {
	var list []string
	for _, infer := range all[*pg.InferClause](s.tree) {
		if infer.Conname != "" {
			list = append(list, infer.Conname)
		}
	}
	for _, set := range all[*pg.ConstraintsSetStmt](s.tree) {
		for _, table := range all[*pg.RangeVar](set) {
			list = append(list, table.Relname)
		}
	}
	return list
}

func emptySelectList(s *statement, c *catalogue) []string {
	if !c.concerns(s, ofData) {
		return nil
	}
	for _, query := range all[*pg.SelectStmt](s.tree) {
		if query.Op == pg.SetOperation_SETOP_NONE && len(query.TargetList) == 0 && len(query.ValuesLists) == 0 {
			return []string{"SELECT FROM"}
		}
	}
	return nil
}

// orders are the beginnings of the names of functions that tell of the transactions of a server.
var orders = []string{"pg_current_snapshot", "pg_current_xact_id", "pg_snapshot_", "pg_visible_in_snapshot", "txid_"}

func orderOfServer(s *statement, c *catalogue) []string {
	if !c.concerns(s, ofData) {
		return nil
	}
	return slices.DeleteFunc(functions(s.tree), func(name string) bool {
		return !slices.ContainsFunc(orders, func(prefix string) bool { return strings.HasPrefix(name, prefix) })
	})
}
