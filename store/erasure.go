package store

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
)

// Subject is what is stored of a person, by which traces are found.
type Subject struct {
	ID       ID
	Accounts []Account // of the identity, and uncorrelated ones that were made for it or that it was made from
	Natives  []string  // native identities of accounts that it has or had
	Former   []Former  // values in its history
	Deleted  []byte    // the detail of its last event of deletion; nil for none
	Rows     int64     // the number of rows of its history and its operations
}

// Former is a value that the name, the alias or the e-mail address has or had.
type Former struct{ Attribute, Value string }

// LockSubject locks the accounts of an identity, which may be gone, by ID and FOR UPDATE, until the transaction ends,
// and returns what is stored of the identity.
func (s *Store) LockSubject(ctx context.Context, tx pgx.Tx, id ID) (Subject, error) {
	subject := Subject{ID: id}
	accounts := s.sql(`
		SELECT ` + accountColumns + `
		FROM muster.accounts a
		WHERE a.identity_id = $1 OR a.identity_id IS NULL AND a.id IN (
		    SELECT (detail #>> '{created,accountId}')::uuid FROM muster.identity_events
		    WHERE identity_id = $1 AND detail ? 'created'
		    UNION ALL
		    SELECT account_id FROM muster.provisioning_operations WHERE identity_id = $1)
		ORDER BY a.id
		FOR UPDATE`)
	var err error
	if subject.Accounts, err = collect(ctx, tx, accounts, pgx.RowToStructByName[Account], id); err != nil {
		return subject, err
	}
	const natives = `
		SELECT native_identity FROM muster.accounts WHERE identity_id = $1
		UNION
		SELECT native_identity FROM muster.vanished_accounts WHERE identity_id = $1
		UNION
		SELECT native_identity FROM muster.provisioning_operations WHERE identity_id = $1 AND native_identity <> ''
		UNION
		SELECT p ->> 'nativeIdentity'
		FROM muster.identity_events e, jsonb_path_query(e.detail, 'lax $.provisioned[*]') p
		WHERE e.identity_id = $1 AND p ->> 'nativeIdentity' <> ''`
	if subject.Natives, err = collect(ctx, tx, s.sql(natives), pgx.RowTo[string], id); err != nil {
		return subject, err
	}
	for i := range subject.Accounts {
		subject.Natives = append(subject.Natives, subject.Accounts[i].NativeIdentity)
	}
	const former = `
		SELECT DISTINCT c ->> 'attribute', v #>> '{}'
		FROM muster.identity_events e, jsonb_path_query(e.detail, 'lax $.attributes[*]') c,
		     unnest(ARRAY[c -> 'oldValue', c -> 'newValue']) v
		WHERE e.identity_id = $1 AND c ->> 'attribute' IN ('displayName', 'uid', 'email') AND v #>> '{}' <> ''`
	if subject.Former, err = collect(ctx, tx, s.sql(former), pgx.RowToStructByPos[Former], id); err != nil {
		return subject, err
	}
	const rest = `
		SELECT (SELECT detail -> 'deleted' FROM muster.identity_events
		        WHERE identity_id = $1 AND detail ? 'deleted' ORDER BY write_id DESC LIMIT 1),
		       (SELECT count(*) FROM muster.identity_events WHERE identity_id = $1) +
		       (SELECT count(*) FROM muster.provisioning_operations WHERE identity_id = $1)`
	err = tx.QueryRow(ctx, s.sql(rest), id).Scan(&subject.Deleted, &subject.Rows)
	return subject, mapError(err)
}

// NamedByConfiguration returns the configured objects whose document names an identity, each as its kind and name.
func (s *Store) NamedByConfiguration(ctx context.Context, q Querier, id ID) ([]string, error) {
	const statement = `
		SELECT o.kind || ' ' || o.name
		FROM (SELECT 'access profile', name, document FROM muster.access_profiles
		      UNION ALL SELECT 'identity profile', name, document FROM muster.identity_profiles
		      UNION ALL SELECT 'lifecycle state', technical_name, document FROM muster.lifecycle_states
		      UNION ALL SELECT 'role', name, document FROM muster.roles
		      UNION ALL SELECT 'source', name, document FROM muster.sources
		      UNION ALL SELECT 'transform', name, document FROM muster.transforms) o (kind, name, document)
		WHERE strpos(lower(o.document::text), $1) > 0 OR strpos(lower(o.document::text), $2) > 0
		ORDER BY 1`
	return collect(ctx, q, s.sql(statement), pgx.RowTo[string], id.String(), id.Dashed())
}

// LockOpenWork locks the open operations of an identity, by ID and FOR UPDATE, and its messages that wait to be sent,
// FOR UPDATE and but for those that another worker has locked, until the transaction ends, so that no worker begins. It
// reports whether a worker carries out one of the operations or sends one of the messages. A message that somebody else
// has locked counts as being sent: its worker waits for the identity.
func (s *Store) LockOpenWork(ctx context.Context, tx pgx.Tx, id ID, now time.Time) (bool, error) {
	const (
		lockOperations = `
		SELECT id FROM muster.provisioning_operations WHERE identity_id = $1 AND state = 'OPEN' ORDER BY id FOR UPDATE`
		lockMessages = `
		SELECT coalesce(leased > $2, false)
		FROM muster.notifications
		WHERE identity_id = $1 AND state = 'PENDING'
		FOR UPDATE SKIP LOCKED`
		// The messages are counted after those that can be locked are: one that was sent meanwhile waits no more.
		running = `
		SELECT EXISTS (SELECT 1 FROM muster.provisioning_operations o
		               JOIN muster.provisioning_batches b ON b.id = o.batch_id
		               WHERE o.identity_id = $1 AND o.state = 'OPEN' AND o.begun IS NOT NULL AND b.leased > $2),
		       (SELECT count(*) FROM muster.notifications WHERE identity_id = $1 AND state = 'PENDING')`
	)
	var batch pgx.Batch
	batch.Queue(s.sql(lockOperations), id)
	var leases []bool // of the messages that are locked
	batch.Queue(s.sql(lockMessages), id, now).Query(func(rows pgx.Rows) (err error) {
		leases, err = pgx.CollectRows(rows, pgx.RowTo[bool])
		return err
	})
	var is bool
	var waiting int
	batch.Queue(s.sql(running), id, now).QueryRow(func(row pgx.Row) error { return row.Scan(&is, &waiting) })
	err := tx.SendBatch(ctx, &batch).Close()
	return is || slices.Contains(leases, true) || len(leases) != waiting, mapError(err)
}

// Erased says how many rows of a table an erasure removed, or removed the person from.
type Erased struct {
	Table   string
	Rows    int64
	Emptied bool // the rows stay, without what told of the person
}

// erasure is a statement that removes an identity from a table.
type erasure struct {
	table, statement string
	emptied          bool
}

// erasures are the statements that remove what is about an identity, before the identity itself.
var erasures = []erasure{
	{"access_grants", `DELETE FROM muster.access_grants WHERE identity_id = $1`, false},
	// Her accounts are removed already, and those that vanished are forgotten with her.
	{"carried_access", `
		DELETE FROM muster.carried_access c
		WHERE NOT EXISTS (SELECT 1 FROM muster.accounts a WHERE a.id = c.account_id)
		  AND NOT EXISTS (SELECT 1 FROM muster.vanished_accounts v
		                  WHERE v.id = c.account_id AND v.identity_id IS DISTINCT FROM $1)`, false},
	{"carried_access", `UPDATE muster.carried_access SET identity_id = NULL WHERE identity_id = $1`, true},
	{"vanished_accounts", `DELETE FROM muster.vanished_accounts WHERE identity_id = $1`, false},
	{"role_assignments", `DELETE FROM muster.role_assignments WHERE identity_id = $1`, false},
	{"role_assignments", `UPDATE muster.role_assignments SET assigner_id = NULL WHERE assigner_id = $1`, true},
	{"synchronizations", `DELETE FROM muster.synchronizations WHERE identity_id = $1`, false},
	{"account_demands", `DELETE FROM muster.account_demands WHERE identity_id = $1`, false},
	{"identity_lookups", `DELETE FROM muster.identity_lookups WHERE reader_id = $1`, false},
	{"identity_lookups", `UPDATE muster.identity_lookups SET found_id = NULL WHERE found_id = $1`, true},
	// A request that a batch has claimed is removed by the batch, which waits for the identity.
	{"refresh_requests", takeRequests + `identity_id = $1` + takenRequests, false},
	{"refresh_state", `DELETE FROM muster.refresh_state WHERE identity_id = $1`, false},
	{"one_time_tokens", `DELETE FROM muster.one_time_tokens WHERE identity_id = $1`, false},
	{"notifications", `DELETE FROM muster.notifications WHERE identity_id = $1`, false},
	{"attempts", `DELETE FROM muster.attempts WHERE identity_id = $1`, false},
	{"credentials", `DELETE FROM muster.credentials WHERE identity_id = $1`, false},
	{"provisioning_operations", `DELETE FROM muster.provisioning_operations WHERE identity_id = $1`, false},
	{"identity_events", `DELETE FROM muster.identity_events WHERE identity_id = $1`, false},
}

// taskErasures are the statements about tasks, which are locked last.
var taskErasures = []erasure{
	{"task_messages", `DELETE FROM muster.task_messages WHERE $1 = ANY (examples) AND count = 1`, false},
	{"task_messages", `
		UPDATE muster.task_messages
		SET examples = array_remove(examples, $1), count = count - 1
		WHERE $1 = ANY (examples)`, true},
	// The digest would still tell of the text.
	{"task_messages", `
		UPDATE muster.task_messages
		SET text = replace(text, replace($1::uuid::text, '-', ''), 'an identity'), digest = id
		WHERE strpos(text, replace($1::uuid::text, '-', '')) > 0`, true},
	{"tasks", `
		UPDATE muster.tasks
		SET target_type = CASE WHEN target_id = $1 THEN NULL ELSE target_type END,
		    target_name = CASE WHEN target_id = $1 THEN NULL ELSE target_name END,
		    target_id = nullif(target_id, $1),
		    description = replace(description, replace($1::uuid::text, '-', ''), 'an identity')
		WHERE target_id = $1 OR strpos(description, replace($1::uuid::text, '-', '')) > 0`, true},
}

// EraseRows removes what belongs to an identity, its history and its operations, and says what that was.
func (s *Store) EraseRows(ctx context.Context, tx pgx.Tx, id ID) ([]Erased, error) {
	return s.erase(ctx, tx, erasures, id)
}

// lockTold locks the tasks that tell of an identity. A batch that adds a message has locked the task before it read the
// examples that are stored.
const lockTold = `
	SELECT t.id
	FROM muster.tasks t
	WHERE t.target_id = $1 OR strpos(t.description, replace($1::uuid::text, '-', '')) > 0
	   OR t.id IN (SELECT m.task_id
	               FROM muster.task_messages m
	               WHERE $1 = ANY (m.examples) OR strpos(m.text, replace($1::uuid::text, '-', '')) > 0)
	ORDER BY t.id
	FOR NO KEY UPDATE`

// EraseTasks locks the tasks that name an identity, FOR NO KEY UPDATE, until the transaction ends, so a transaction
// calls it last. It removes the identity from the messages, with the messages that are about nobody else, and its name
// from the tasks.
func (s *Store) EraseTasks(ctx context.Context, tx pgx.Tx, id ID) ([]Erased, error) {
	if _, err := tx.Exec(ctx, s.sql(lockTold), id); err != nil {
		return nil, mapError(err)
	}
	return s.erase(ctx, tx, taskErasures, id)
}

func (s *Store) erase(ctx context.Context, tx pgx.Tx, list []erasure, id ID) ([]Erased, error) {
	var erased []Erased
	for _, e := range list {
		var err error
		if erased, err = appendErased(ctx, tx, erased, e.table, e.emptied, s.sql(e.statement), id); err != nil {
			return nil, err
		}
	}
	return erased, nil
}

// appendErased runs a statement over a table, and appends how many rows it concerned, if any.
func appendErased(ctx context.Context, tx pgx.Tx, erased []Erased, table string, emptied bool, sql string,
	arguments ...any,
) ([]Erased, error) {
	tag, err := tx.Exec(ctx, sql, arguments...)
	if err == nil && tag.RowsAffected() > 0 {
		erased = append(erased, Erased{table, tag.RowsAffected(), emptied})
	}
	return erased, mapError(err)
}

// CountIdentityKeys returns how many keys find an identity.
func (s *Store) CountIdentityKeys(ctx context.Context, q Querier, id ID) (int64, error) {
	var count int64
	err := q.QueryRow(ctx, s.sql(`SELECT count(*) FROM muster.identity_keys WHERE identity_id = $1`), id).Scan(&count)
	return count, mapError(err)
}

// DeleteAccounts removes accounts.
func (s *Store) DeleteAccounts(ctx context.Context, tx pgx.Tx, ids []ID) error {
	_, err := tx.Exec(ctx, s.sql(`DELETE FROM muster.accounts WHERE id = ANY ($1)`), ids)
	return mapError(err)
}

// erasedID stands for an erased identity where the history of others named it.
const erasedID = "00000000000000000000000000000000"

// documents are a column of documents in a table whose key is an ID and a number.
type documents struct{ table, id, number, column, where string }

// othersDocuments are those of the history of others than $2, and of their operations that have ended.
var othersDocuments = []documents{
	{"identity_events", "write_id", "t.number", "detail", "t.identity_id <> $2::text::uuid"},
	{"provisioning_operations", "id", "0", "attributes",
		"t.identity_id <> $2::text::uuid AND t.state NOT IN ('OPEN', 'MANUAL', 'PARKED')"},
}

// MaskOthers removes an identity from the history of others, and from their operations that have ended: its ID becomes
// zeros, and values that are one of the texts become null. It reads all of both tables.
func (s *Store) MaskOthers(ctx context.Context, tx pgx.Tx, id ID, texts []string) ([]Erased, error) {
	return s.maskDocuments(ctx, tx, id, texts, othersDocuments)
}

// maskDocuments removes an identity from documents: its ID becomes zeros, and values that are one of the texts become
// null.
func (s *Store) maskDocuments(ctx context.Context, tx pgx.Tx, id ID, texts []string, list []documents) ([]Erased,
	error,
) {
	var erased []Erased
	for _, d := range list {
		// In the server's form of a document a value stands behind ': ', and quotes inside texts are escaped.
		statement := fmt.Sprintf(`
			WITH RECURSIVE texts (nth, literal) AS (
			    SELECT nth, ': ' || to_jsonb(v)::text FROM unnest($1::text[]) WITH ORDINALITY u (v, nth)
			), concerned AS (
			    SELECT t.%[4]s AS id, %[5]s AS number, replace(replace(t.%[2]s::text, $2, $4), $3, $4) AS document
			    FROM muster.%[1]s t
			    WHERE %[3]s
			      AND (strpos(t.%[2]s::text, $2) > 0 OR strpos(t.%[2]s::text, $3) > 0
			           OR EXISTS (SELECT 1 FROM texts WHERE strpos(t.%[2]s::text, literal) > 0))
			), masked (id, number, nth, document) AS (
			    SELECT id, number, 0::bigint, document FROM concerned
			    UNION ALL
			    SELECT m.id, m.number, x.nth, replace(m.document, x.literal, ': null')
			    FROM masked m JOIN texts x ON x.nth = m.nth + 1
			)
			UPDATE muster.%[1]s t
			SET %[2]s = m.document::jsonb
			FROM masked m
			WHERE m.id = t.%[4]s AND m.number = %[5]s AND m.nth = cardinality($1::text[])`, d.table, d.column, d.where,
			d.id, d.number)
		var err error
		if erased, err = appendErased(ctx, tx, erased, d.table, true, s.dynamic(statement), nonNil(texts), id.String(),
			id.Dashed(), erasedID); err != nil {
			return nil, err
		}
	}
	return erased, nil
}

// Trace is a column in which rows tell of a person.
type Trace struct {
	Table, Column string // the table with its schema
	Rows          int64
}

// wholeMax is the length, in characters, up to which a text is looked for as a whole value only, since parts of other
// words are equal to it.
const wholeMax = 7

// Traces returns the columns that have the ID or the texts, of all columns of the tenant's schemas with texts,
// documents or IDs. Case does not count. Texts of up to 7 characters are found as whole values only. It reads every
// row.
func (s *Store) Traces(ctx context.Context, q Querier, jobSchema string, id ID, texts []string) ([]Trace, error) {
	whole, part := traceForms(id, texts)
	columns, err := s.traceColumns(ctx, q, jobSchema)
	if err != nil {
		return nil, err
	}
	traces := []Trace{}
	for _, c := range columns {
		t := Trace{Table: c.Schema + "." + c.Table, Column: c.Column}
		if c.Type == "uuid" {
			err = q.QueryRow(ctx, c.count(`%s = $1`), id).Scan(&t.Rows)
		} else {
			err = q.QueryRow(ctx, c.count(c.tells()), nonNil(part), nonNil(whole)).Scan(&t.Rows)
		}
		if err != nil {
			return nil, fmt.Errorf("%s.%s: %w", t.Table, t.Column, mapError(err))
		}
		if t.Rows > 0 {
			traces = append(traces, t)
		}
	}
	return traces, nil
}

// traceForms returns the texts by which a person is found: those that must be a whole value, and those that may be a
// part of one.
func traceForms(id ID, texts []string) (whole, part []string) {
	for _, text := range append([]string{id.String(), id.Dashed()}, texts...) {
		for _, form := range []string{text, Fold(text)} {
			if len([]rune(form)) <= wholeMax {
				whole = append(whole, form)
			} else {
				part = append(part, form)
			}
		}
	}
	return whole, part
}

// traceColumn is a column that can tell of a person.
type traceColumn struct{ Schema, Table, Column, Type, Element string }

func (s *Store) traceColumns(ctx context.Context, q Querier, jobSchema string) ([]traceColumn, error) {
	const statement = `
		SELECT c.table_schema::text, c.table_name::text, c.column_name::text, c.data_type::text, c.udt_name::text
		FROM information_schema.columns c
		JOIN information_schema.tables t ON t.table_schema = c.table_schema AND t.table_name = c.table_name
		WHERE c.table_schema = ANY ($1) AND t.table_type = 'BASE TABLE'
		  AND c.data_type IN ('text', 'character varying', 'json', 'jsonb', 'uuid', 'ARRAY')
		ORDER BY 1, 2, c.ordinal_position`
	return collect(ctx, q, statement, pgx.RowToStructByPos[traceColumn], []string{s.schema, jobSchema})
}

// count returns the statement that counts the rows for which a condition on the column holds.
func (c *traceColumn) count(condition string) string {
	column := pgx.Identifier{c.Column}.Sanitize()
	return `SELECT count(*) FROM ` + pgx.Identifier{c.Schema, c.Table}.Sanitize() + ` WHERE ` +
		strings.ReplaceAll(condition, "%s", column)
}

// tells returns the condition that one of the texts is in the column. In keys the part behind the separator counts as a
// whole value too, in documents each value.
func (c *traceColumn) tells() string {
	text := `%s::text`
	if c.Type == "ARRAY" {
		text = `array_to_string(%s, E'\n')`
	}
	text = `lower(` + text + ` COLLATE "und-x-icu")`
	const term = `lower(t COLLATE "und-x-icu")`
	if strings.Contains(c.Type+c.Element, "json") {
		const inner = `lower(substr(to_jsonb(t)::text, 2, length(to_jsonb(t)::text) - 2) COLLATE "und-x-icu")`
		values := `replace(` + text + `, '"' || ` + inner + ` || '":', '')`
		return `EXISTS (SELECT 1 FROM unnest($1::text[]) t WHERE strpos(` + text + `, ` + inner + `) > 0)
			OR EXISTS (SELECT 1 FROM unnest($2::text[]) t
			           WHERE strpos(` + values + `, '"' || ` + inner + ` || '"') > 0)`
	}
	return `EXISTS (SELECT 1 FROM unnest($1::text[]) t WHERE strpos(` + text + `, ` + term + `) > 0)
		OR EXISTS (SELECT 1 FROM unnest($2::text[]) t, unnest(ARRAY[E'\n', '=', ':']) before
		           WHERE strpos(E'\n' || ` + text + ` || E'\n', before || ` + term + ` || E'\n') > 0)`
}
