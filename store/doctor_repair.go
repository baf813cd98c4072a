package store

import (
	"context"
	"slices"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/muster-engine/muster/filterql/searchql"
)

// FoldedIdentity has the folded columns of an identity, and what they are made from.
type FoldedIdentity struct {
	ID           ID
	Name         string
	Alias        string
	Email        *string
	Attributes   []byte
	NameKey      string
	AliasKey     string
	EmailKey     *string
	FirstNameKey *string
	LastNameKey  *string
	Words        []string // the lexemes of the index over words, with their numbers; nil where it has none
	lexemes      *searchql.Lexemes
}

// FoldedIdentities returns a page of all identities, by ID, after a given one.
func (s *Store) FoldedIdentities(ctx context.Context, q Querier, after ID, limit int) ([]FoldedIdentity, error) {
	const statement = `
		SELECT id, name, alias, email, attributes, name_key, alias_key, email_key, firstname_key, lastname_key,
		       CASE WHEN words IS NOT NULL THEN ARRAY(
		           SELECT u.lexeme || coalesce(':' || array_to_string(u.positions, ','), '') FROM unnest(words) u)
		       END AS words
		FROM muster.identities
		WHERE $1::uuid IS NULL OR id > $1
		ORDER BY id
		LIMIT $2`
	return collect(ctx, q, s.sql(statement), pgx.RowToStructByName[FoldedIdentity], after, limit)
}

// Fold makes the folded columns again, and reports whether they were different.
func (f *FoldedIdentity) Fold(first, last *string) bool {
	was := *f
	f.NameKey, f.AliasKey, f.EmailKey = FoldKey(f.Name), FoldKey(f.Alias), foldPointer(f.Email)
	f.FirstNameKey, f.LastNameKey = foldPointer(first), foldPointer(last)
	return f.reword() || was.NameKey != f.NameKey || was.AliasKey != f.AliasKey || !same(was.EmailKey, f.EmailKey) ||
		!same(was.FirstNameKey, f.FirstNameKey) || !same(was.LastNameKey, f.LastNameKey)
}

// reword makes the lexemes again, and reports whether they were different. An identity that was not processed yet has
// neither attributes nor lexemes.
func (f *FoldedIdentity) reword() bool {
	if f.Words == nil && len(f.Attributes) <= len("{}") {
		return false
	}
	email := ""
	if f.Email != nil {
		email = *f.Email
	}
	was := slices.Sorted(slices.Values(f.Words))
	had := f.Words != nil
	lexemes, ok := identityLexemes(f.Alias, f.Name, email, storedValues(f.Attributes))
	f.Words = nil
	var list []searchql.Lexeme
	if ok {
		list, ok = lexemes.List()
	}
	if ok {
		f.Words, f.lexemes = []string{}, lexemes
	}
	for _, x := range list {
		text := x.Text
		for k, n := range x.Numbers {
			text += string(":,"[min(k, 1)]) + strconv.Itoa(n)
		}
		f.Words = append(f.Words, text)
	}
	slices.Sort(f.Words)
	return had != ok || !slices.Equal(was, f.Words)
}

func same(a, b *string) bool { return a == b || a != nil && b != nil && *a == *b }

// SetFolded writes the folded columns of identities.
func (s *Store) SetFolded(ctx context.Context, tx pgx.Tx, list []FoldedIdentity) error {
	const statement = `
		UPDATE muster.identities i
		SET name_key = v.name_key, alias_key = v.alias_key, email_key = v.email_key,
		    firstname_key = v.firstname_key, lastname_key = v.lastname_key, words = v.words::tsvector
		FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[])
		     v (id, name_key, alias_key, email_key, firstname_key, lastname_key, words)
		WHERE i.id = v.id`
	n := len(list)
	ids, names, aliases := make([]ID, n), make([]string, n), make([]string, n)
	emails, first, last := make([]*string, n), make([]*string, n), make([]*string, n)
	words := make([]*string, n)
	for k := range list {
		f := &list[k]
		ids[k], names[k], aliases[k] = f.ID, f.NameKey, f.AliasKey
		emails[k], first[k], last[k] = f.EmailKey, f.FirstNameKey, f.LastNameKey
		if f.Words != nil {
			text, _ := f.lexemes.Text()
			words[k] = &text
		}
	}
	_, err := tx.Exec(ctx, s.sql(statement), ids, names, aliases, emails, first, last, words)
	return mapError(err)
}

// foldedTables are the tables of configured objects that are found by name.
var foldedTables = []string{"access_profiles", "identity_profiles", "roles", "sources", "transforms"}

// FoldedName is a configured object whose folded name is not that of its name.
type FoldedName struct {
	table string
	ID    ID
	Key   string // the right folded name
}

// UnfoldedNames returns the configured objects whose folded name is not that of their name.
func (s *Store) UnfoldedNames(ctx context.Context, q Querier) ([]FoldedName, error) {
	var wrong []FoldedName
	for _, table := range foldedTables {
		var row struct {
			id        ID
			name, key string
		}
		rows, err := q.Query(ctx, s.sql(`SELECT id, name, name_key FROM muster.`+table+` ORDER BY id`))
		if err != nil {
			return nil, mapError(err)
		}
		_, err = pgx.ForEachRow(rows, []any{&row.id, &row.name, &row.key}, func() error {
			if key := Fold(row.name); key != row.key {
				wrong = append(wrong, FoldedName{table, row.id, key})
			}
			return nil
		})
		if err != nil {
			return nil, mapError(err)
		}
	}
	return wrong, nil
}

// SetFoldedName writes the folded name of an object.
func (s *Store) SetFoldedName(ctx context.Context, tx pgx.Tx, f *FoldedName) error {
	_, err := tx.Exec(ctx, s.sql(`UPDATE muster.`+f.table+` SET name_key = $2 WHERE id = $1`), f.ID, f.Key)
	return mapError(err)
}

// KeyedAccount has the keys of an uncorrelated account, and what they are made from.
type KeyedAccount struct {
	ID             ID
	SourceID       ID
	NativeIdentity string
	Attributes     []byte
	Keys           []string
}

// KeyedAccounts returns a page of all uncorrelated accounts, by ID, after a given one.
func (s *Store) KeyedAccounts(ctx context.Context, q Querier, after ID, limit int) ([]KeyedAccount, error) {
	const statement = `
		SELECT id, source_id, native_identity, attributes, correlation_keys
		FROM muster.accounts
		WHERE identity_id IS NULL AND ($1::uuid IS NULL OR id > $1)
		ORDER BY id
		LIMIT $2`
	return collect(ctx, q, s.sql(statement), pgx.RowToStructByPos[KeyedAccount], after, limit)
}

// DropStages removes what aggregations left in the stage. The rows of one that runs are not seen.
func (s *Store) DropStages(ctx context.Context, tx pgx.Tx) (int, error) {
	var count int64
	for _, statement := range []string{`DELETE FROM muster.aggregation_seen`, `DELETE FROM muster.aggregation_stage`} {
		tag, err := tx.Exec(ctx, s.sql(statement))
		if err != nil {
			return 0, mapError(err)
		}
		count += tag.RowsAffected()
	}
	return int(count), nil
}

// SourcesWithStrays returns the sources that have uncorrelated accounts with keys.
func (s *Store) SourcesWithStrays(ctx context.Context, q Querier) ([]ID, error) {
	const statement = `
		SELECT DISTINCT source_id
		FROM muster.accounts
		WHERE identity_id IS NULL AND correlation_keys <> '{}'
		ORDER BY source_id`
	return collect(ctx, q, s.sql(statement), pgx.RowTo[ID])
}

// RenewRequests locks the requests for the identities that contradict an invariant FOR UPDATE until the transaction
// ends, skips those that a worker has locked, and gives them to another task.
func (s *Store) RenewRequests(ctx context.Context, tx pgx.Tx, i Invariant, e *Examination, cause Cause) (int, error) {
	lock := s.dynamic(`
		WITH given (now, stalled) AS (SELECT $1::timestamptz, $2::timestamptz), found (id) AS (` + invariants[i] + `)
		SELECT ` + requestColumns + `
		FROM muster.refresh_requests
		WHERE identity_id = ANY (ARRAY (SELECT id::uuid FROM found))
		ORDER BY request_id, number
		FOR UPDATE SKIP LOCKED`)
	found, err := collect(ctx, tx, lock, scanRequest, e.Now, e.Stalled)
	if err != nil || len(found) == 0 {
		return 0, err
	}
	keys := make([]RequestKey, len(found))
	for i := range found {
		keys[i] = found[i].Key
	}
	ids, numbers := keyColumns(keys)
	const statement = `UPDATE muster.refresh_requests SET task_id = $3, requested_at = $4 WHERE ` + theseRequests
	tag, err := tx.Exec(ctx, s.sql(statement), ids, numbers, cause.Task, cause.At)
	return int(tag.RowsAffected()), mapError(err)
}

// EndLeases ends the leases of deliveries and messages that expired long ago.
func (s *Store) EndLeases(ctx context.Context, tx pgx.Tx, stalled time.Time) (int, error) {
	count := 0
	for _, statement := range []string{
		`UPDATE muster.provisioning_batches SET leased = NULL, lease_owner = NULL WHERE leased < $1`,
		`UPDATE muster.notifications SET leased = NULL, lease_owner = NULL WHERE state = 'PENDING' AND leased < $1`,
	} {
		tag, err := tx.Exec(ctx, s.sql(statement), stalled)
		if err != nil {
			return count, mapError(err)
		}
		count += int(tag.RowsAffected())
	}
	return count, nil
}

// CancelForsakenNotifications cancels the messages of tasks that have ended.
func (s *Store) CancelForsakenNotifications(ctx context.Context, tx pgx.Tx, now time.Time) (int, error) {
	const statement = `
		UPDATE muster.notifications n SET state = 'CANCELLED', completed = $1, leased = NULL
		FROM muster.tasks t
		WHERE t.id = n.task_id AND n.state = 'PENDING' AND t.completed IS NOT NULL`
	tag, err := tx.Exec(ctx, s.sql(statement), now)
	return int(tag.RowsAffected()), mapError(err)
}

// DropForsakenParts removes the parts and the texts of tasks that have ended, as a task that is cancelled does.
func (s *Store) DropForsakenParts(ctx context.Context, tx pgx.Tx) (int, error) {
	const (
		parts = `
		DELETE FROM muster.task_parts p USING muster.tasks t WHERE t.id = p.task_id AND t.completed IS NOT NULL`
		texts = `
		DELETE FROM muster.errand_texts x USING muster.tasks t WHERE t.id = x.task_id AND t.completed IS NOT NULL`
	)
	dropped := 0
	for _, statement := range []string{parts, texts} {
		tag, err := tx.Exec(ctx, s.sql(statement))
		if err != nil {
			return dropped, mapError(err)
		}
		dropped += int(tag.RowsAffected())
	}
	return dropped, nil
}

// SourcesWithoutDelivery returns the sources of open operations that belong to no delivery.
func (s *Store) SourcesWithoutDelivery(ctx context.Context, tx pgx.Tx) ([]ID, error) {
	const statement = `
		SELECT DISTINCT o.source_id
		FROM muster.provisioning_operations o
		WHERE o.state = 'OPEN' AND NOT EXISTS (SELECT 1 FROM muster.provisioning_batches b WHERE b.id = o.batch_id)
		ORDER BY o.source_id`
	return collect(ctx, tx, s.sql(statement), pgx.RowTo[ID])
}

// AdoptOperations puts the open operations of a source that belong to no delivery into one, and returns how many.
func (s *Store) AdoptOperations(ctx context.Context, tx pgx.Tx, source, delivery ID) (int, error) {
	const statement = `
		UPDATE muster.provisioning_operations o SET batch_id = $2
		WHERE o.source_id = $1 AND o.state = 'OPEN'
		  AND NOT EXISTS (SELECT 1 FROM muster.provisioning_batches b WHERE b.id = o.batch_id)`
	tag, err := tx.Exec(ctx, s.sql(statement), source, delivery)
	return int(tag.RowsAffected()), mapError(err)
}

// RestoreSingletons writes the configuration, the watermark, the positions of events and the state of the statistics,
// each of which is one row, where they are missing. The configuration gets a version that none ever had, events get
// positions behind those that are there, and changes are counted again from the history.
func (s *Store) RestoreSingletons(ctx context.Context, tx pgx.Tx) (int, error) {
	version, err := s.nextVersion(ctx, tx)
	if err != nil {
		return 0, err
	}
	const configuration = `
		INSERT INTO muster.configuration (singleton, version)
		SELECT true, $1 WHERE NOT EXISTS (SELECT 1 FROM muster.configuration)`
	const watermark = `
		INSERT INTO muster.refresh_watermark (singleton)
		SELECT true WHERE NOT EXISTS (SELECT 1 FROM muster.refresh_watermark)`
	written, err := tx.Exec(ctx, s.sql(configuration), version)
	if err != nil {
		return 0, mapError(err)
	}
	count := written.RowsAffected()
	const positions = `
		INSERT INTO muster.event_positions (last, purged)
		SELECT coalesce(max(position + events - 1), 0), coalesce(min(position) - 1, 0) FROM muster.event_writes
		HAVING NOT EXISTS (SELECT 1 FROM muster.event_positions)`
	const statistics = `
		INSERT INTO muster.statistics_state (singleton)
		SELECT true WHERE NOT EXISTS (SELECT 1 FROM muster.statistics_state)`
	for _, statement := range []string{watermark, positions, statistics} {
		if written, err = tx.Exec(ctx, s.sql(statement)); err != nil {
			return 0, mapError(err)
		}
		count += written.RowsAffected()
	}
	return int(count), nil
}

// sequences are the sequences of a tenant, by name, each with the query for the greatest of its numbers that a row has.
// A sequence and the rows are never asked in one statement: they may be on different servers of a cluster.
var sequences = []struct{ name, sequence, greatest string }{
	{"configuration_version", `'muster.configuration_version'::regclass`,
		`SELECT coalesce(max(version), 0) FROM muster.configuration`},
	{"event_writes", `pg_get_serial_sequence('muster.event_writes', 'sequence')::regclass`,
		`SELECT coalesce(max(sequence), 0) FROM muster.event_writes`},
}

// BehindSequences returns the sequences whose next value is not greater than all that exist: a row that was copied may
// be ahead of its sequence.
func (s *Store) BehindSequences(ctx context.Context, q Querier) ([]string, error) {
	var behind []string
	for _, x := range sequences {
		var greatest, given int64
		if err := q.QueryRow(ctx, s.sql(x.greatest)).Scan(&greatest); err != nil {
			return nil, mapError(err)
		}
		last := `SELECT coalesce(pg_sequence_last_value(` + x.sequence + `), 0)`
		if err := q.QueryRow(ctx, s.sql(last)).Scan(&given); err != nil {
			return nil, mapError(err)
		}
		if greatest > given {
			behind = append(behind, x.name)
		}
	}
	return behind, nil
}

// AdvanceSequences sets the sequences that are behind to the greatest numbers that rows have, and returns how many
// those are.
func (s *Store) AdvanceSequences(ctx context.Context, tx pgx.Tx) (int, error) {
	behind, err := s.BehindSequences(ctx, tx)
	if err != nil {
		return 0, err
	}
	for _, x := range sequences {
		if !slices.Contains(behind, x.name) {
			continue
		}
		var greatest int64
		if err := tx.QueryRow(ctx, s.sql(x.greatest)).Scan(&greatest); err != nil {
			return 0, mapError(err)
		}
		set := `SELECT setval(` + x.sequence + `, greatest($1, nextval(` + x.sequence + `)))`
		if _, err := tx.Exec(ctx, s.sql(set), greatest); err != nil {
			return 0, mapError(err)
		}
	}
	return len(behind), nil
}

// MendEventWrites makes each write as large as the greatest number of its events, and adds the write where it is
// missing, with the time of its ID and without an actor. A write that grew is to get another position: readers get it
// again. It returns how many writes it changed. It locks the row of event_positions until the transaction ends.
func (s *Store) MendEventWrites(ctx context.Context, tx pgx.Tx) (int, error) {
	if _, err := s.LockEventPositions(ctx, tx); err != nil {
		return 0, err
	}
	const grow = `
		UPDATE muster.event_writes w SET events = e.last, position = NULL
		FROM (SELECT write_id, max(number) AS last FROM muster.identity_events GROUP BY write_id) e
		WHERE e.write_id = w.id AND e.last > w.events`
	tag, err := tx.Exec(ctx, s.sql(grow))
	if err != nil {
		return 0, mapError(err)
	}
	type lost struct {
		ID     ID
		Events int
	}
	const missing = `
		SELECT e.write_id, max(e.number) FROM muster.identity_events e
		WHERE NOT EXISTS (SELECT 1 FROM muster.event_writes w WHERE w.id = e.write_id)
		GROUP BY e.write_id ORDER BY e.write_id`
	writes, err := collect(ctx, tx, s.sql(missing), pgx.RowToStructByPos[lost])
	for _, w := range writes {
		if err := s.AddEventWrite(ctx, tx, w.ID, w.Events, Cause{At: w.ID.Time()}); err != nil {
			return 0, err
		}
	}
	return int(tag.RowsAffected()) + len(writes), err
}

// MendEventPositions takes their positions from writes that have none of their own, so that they get others: readers
// get their events again. It returns how many those are. It locks the row of event_positions until the transaction
// ends.
func (s *Store) MendEventPositions(ctx context.Context, tx pgx.Tx) (int, error) {
	if _, err := s.LockEventPositions(ctx, tx); err != nil {
		return 0, err
	}
	const statement = `
		UPDATE muster.event_writes SET position = NULL
		WHERE id = ANY (ARRAY(SELECT m.id FROM (` + misplacedWrites + `) m))`
	tag, err := tx.Exec(ctx, s.sql(statement))
	return int(tag.RowsAffected()), mapError(err)
}

// FoldedIdentitiesOf is [Store.FoldedIdentities] for identities that are given.
func (s *Store) FoldedIdentitiesOf(ctx context.Context, q Querier, ids []ID) ([]FoldedIdentity, error) {
	const statement = `
		SELECT id, name, alias, email, attributes, name_key, alias_key, email_key, firstname_key, lastname_key,
		       CASE WHEN words IS NOT NULL THEN ARRAY(
		           SELECT u.lexeme || coalesce(':' || array_to_string(u.positions, ','), '') FROM unnest(words) u)
		       END AS words
		FROM muster.identities
		WHERE id = ANY ($1)
		ORDER BY id`
	return collect(ctx, q, s.sql(statement), pgx.RowToStructByName[FoldedIdentity], ids)
}

// UnfoldedAddresses returns the identities that have an address without its folded form, or a folded form without an
// address.
func (s *Store) UnfoldedAddresses(ctx context.Context, q Querier) ([]ID, error) {
	const statement = `SELECT id FROM muster.identities WHERE (email IS NULL) <> (email_key IS NULL) ORDER BY id`
	return collect(ctx, q, s.sql(statement), pgx.RowTo[ID])
}

// LockKeyedAccounts locks those of the accounts that are uncorrelated, by ID and FOR UPDATE, until the transaction
// ends, and returns them.
func (s *Store) LockKeyedAccounts(ctx context.Context, tx pgx.Tx, ids []ID) ([]KeyedAccount, error) {
	const statement = `
		SELECT id, source_id, native_identity, attributes, correlation_keys
		FROM muster.accounts
		WHERE id = ANY ($1) AND identity_id IS NULL
		ORDER BY id
		FOR UPDATE`
	return collect(ctx, tx, s.sql(statement), pgx.RowToStructByPos[KeyedAccount], ids)
}
