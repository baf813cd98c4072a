package store

import (
	"cmp"
	"context"
	"slices"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"
)

// LossKind says what an identity loses.
type LossKind string

// The kinds of losses.
const (
	LossRole      LossKind = "ROLE"               // a role that its membership gave it
	LossLifecycle LossKind = "LIFECYCLE_STATE"    // its lifecycle state, to another one or to none
	LossActivity  LossKind = "ACTIVITY"           // it ceases to be active
	LossAttribute LossKind = "ATTRIBUTE"          // the value of an identity attribute
	LossValue     LossKind = "SYNCHRONIZED_VALUE" // the value of an account attribute, by synchronization
	LossAccess    LossKind = "ACCESS"             // an entitlement on a source
	LossAccount   LossKind = "ACCOUNT"            // an account on a source, which is disabled or deleted
)

// Loss is what the guard counts by itself: a kind, and where.
type Loss struct {
	Kind      LossKind
	SourceID  ID     // zero for none
	Attribute string // of the identity or of the accounts of the source; "" for none
}

// LossCause is what losses add up for. Its ID is that of a task, or a version of the configuration.
type LossCause struct{ Kind, ID string }

// LossesOfTask are what the batches of a task wrote, and those of the tasks that follow from it.
func LossesOfTask(task ID) LossCause { return LossCause{"TASK", task.String()} }

// LossesOfSurvey are what the survey of a task found before its first batch.
func LossesOfSurvey(task ID) LossCause { return LossCause{"SURVEY", task.String()} }

// LossesOfVersion are what was written under a version of the configuration, by any task.
func LossesOfVersion(version int64) LossCause {
	return LossCause{"CONFIGURATION", strconv.FormatInt(version, 10)}
}

// LossSum is how many identities had a loss by a cause. An identity that loses the same again, in another batch, counts
// again.
type LossSum struct {
	Cause LossCause
	Loss
	Identities int64
}

// compare orders sums by the key of the table, so that those who add to several lock them in one order.
func (s *LossSum) compare(other *LossSum) int {
	return cmp.Or(cmp.Compare(s.Cause.ID, other.Cause.ID), cmp.Compare(s.Cause.Kind, other.Cause.Kind),
		cmp.Compare(s.Kind, other.Kind), s.SourceID.Compare(other.SourceID), cmp.Compare(s.Attribute, other.Attribute))
}

const (
	addLosses = `
		INSERT INTO muster.guard_losses AS l (cause, cause_id, kind, source_id, attribute, identities, at)
		SELECT cause, cause_id, kind, coalesce(source_id, '00000000-0000-0000-0000-000000000000'), attribute,
		       identities, $7::timestamptz
		FROM unnest($1::text[], $2::text[], $3::text[], $4::uuid[], $5::text[], $6::bigint[]) WITH ORDINALITY
		     v (cause, cause_id, kind, source_id, attribute, identities, number)
		ORDER BY number
		ON CONFLICT (cause_id, cause, kind, source_id, attribute)
		DO UPDATE SET identities = l.identities + excluded.identities, at = greatest(l.at, excluded.at)`
	lossColumns = `l.cause, l.cause_id, l.kind, nullif(l.source_id, '00000000-0000-0000-0000-000000000000'),
		       l.attribute, l.identities`
	lossesOf = `
		SELECT ` + lossColumns + `
		FROM muster.guard_losses l
		WHERE l.cause_id = ANY ($1)`
)

// lossArguments sorts additions to sums, of which no two have the same key, and returns the parameters of addLosses.
func lossArguments(added []LossSum, now time.Time) []any {
	slices.SortFunc(added, func(a, b LossSum) int { return a.compare(&b) })
	n := len(added)
	causes, ids, kinds := make([]string, n), make([]string, n), make([]string, n)
	sources, attributes, identities := make([]ID, n), make([]string, n), make([]int64, n)
	for i := range added {
		a := &added[i]
		causes[i], ids[i], kinds[i] = a.Cause.Kind, a.Cause.ID, string(a.Kind)
		sources[i], attributes[i], identities[i] = a.SourceID, a.Attribute, a.Identities
	}
	return []any{causes, ids, kinds, sources, attributes, identities, now}
}

// targets returns where a row of lossColumns goes.
func (s *LossSum) targets() []any {
	return []any{&s.Cause.Kind, &s.Cause.ID, &s.Kind, &s.SourceID, &s.Attribute, &s.Identities}
}

func scanLoss(row pgx.CollectableRow) (LossSum, error) {
	var s LossSum
	err := row.Scan(s.targets()...)
	return s, err
}

// causeIDs returns the IDs of causes, which find their sums.
func causeIDs(causes []LossCause) []string {
	ids := make([]string, len(causes))
	for i := range causes {
		ids[i] = causes[i].ID
	}
	return ids
}

// NamedLoss is a sum with the name of its source, "" for none.
type NamedLoss struct {
	LossSum
	Source string
}

// Losses returns the sums of causes, the greatest first.
func (s *Store) Losses(ctx context.Context, q Querier, causes ...LossCause) ([]NamedLoss, error) {
	const statement = `
		SELECT ` + lossColumns + `, coalesce(s.name, '')
		FROM muster.guard_losses l
		LEFT JOIN muster.sources s ON s.id = l.source_id
		WHERE l.cause_id = ANY ($1)
		ORDER BY l.identities DESC, l.cause, l.kind, l.source_id, l.attribute`
	scan := func(row pgx.CollectableRow) (NamedLoss, error) {
		var n NamedLoss
		err := row.Scan(append(n.targets(), &n.Source)...)
		return n, err
	}
	sums, err := collect(ctx, q, s.sql(statement), scan, causeIDs(causes))
	return slices.DeleteFunc(sums, func(n NamedLoss) bool { return !slices.Contains(causes, n.Cause) }), err
}

// ForgetLosses locks the sums of causes, which it removes, until the transaction ends. What is lost later counts from
// zero.
func (s *Store) ForgetLosses(ctx context.Context, tx pgx.Tx, causes ...LossCause) error {
	const statement = `
		DELETE FROM muster.guard_losses
		WHERE cause_id = ANY ($1) AND (cause_id, cause) IN (SELECT * FROM unnest($1::text[], $2::text[]))`
	kinds := make([]string, len(causes))
	for i := range causes {
		kinds[i] = causes[i].Kind
	}
	_, err := tx.Exec(ctx, s.sql(statement), causeIDs(causes), kinds)
	return mapError(err)
}

const deleteLosses = `DELETE FROM muster.guard_losses WHERE at < $1`

// TaskCause is from which task a task follows, itself for most, how many identities that one is about, and whether
// somebody lets it do all.
type TaskCause struct {
	Task       ID
	Population int64
	Confirmed  bool
}

// CauseOfTask returns the task from which a task follows, or [ErrNotFound] where the task does not exist. Where the
// first one does not exist any more, the population is 0.
func (s *Store) CauseOfTask(ctx context.Context, q Querier, task ID) (TaskCause, error) {
	const statement = `
		SELECT coalesce(t.cause_id, t.id), coalesce(c.population, 0), c.confirmed IS NOT NULL
		FROM muster.tasks t
		LEFT JOIN muster.tasks c ON c.id = coalesce(t.cause_id, t.id)
		WHERE t.id = $1`
	var cause TaskCause
	err := q.QueryRow(ctx, s.sql(statement), task).Scan(&cause.Task, &cause.Population, &cause.Confirmed)
	return cause, mapError(err)
}

// RevisionTime returns when a version of the configuration was applied, or [ErrNotFound] where no revision made it.
func (s *Store) RevisionTime(ctx context.Context, q Querier, version int64) (time.Time, error) {
	var at time.Time
	err := q.QueryRow(ctx, s.sql(`SELECT at FROM muster.configuration_revisions WHERE version = $1`), version).Scan(&at)
	return at, mapError(err)
}
