package store

import (
	"context"

	"github.com/jackc/pgx/v5"
)

// ParkedTarget sums up the parked operations of one kind on one attribute of a source that wait for the same.
type ParkedTarget struct {
	ListedOperation // the one that was parked first
	Operations      int64
}

var parkedTargets = selectOperations + `, i.name, s.name, g.operations
	FROM (SELECT (array_agg(p.id ORDER BY p.parked, p.id))[1] AS first, count(*) AS operations
	      FROM muster.provisioning_operations p
	      WHERE p.state = 'PARKED' AND ($1::uuid IS NULL OR p.task_id = $1)
	      GROUP BY p.source_id, p.kind, p.attribute, p.awaits) g
	JOIN muster.provisioning_operations o ON o.id = g.first
	JOIN muster.sources s ON s.id = o.source_id
	LEFT JOIN muster.identities i ON i.id = o.identity_id
	ORDER BY o.parked, o.id
	LIMIT $2`

// ParkedTargets returns what is parked, what was parked first before the others: of the operations that a task planned,
// or of all where task is zero.
func (s *Store) ParkedTargets(ctx context.Context, q Querier, task ID, limit int) ([]ParkedTarget, error) {
	scan := func(row pgx.CollectableRow) (t ParkedTarget, err error) {
		err = row.Scan(operationColumns.targets(&t.Operation, &t.IdentityName, &t.SourceName, &t.Operations)...)
		return t, err
	}
	return collect(ctx, q, s.sql(parkedTargets), scan, task, limit)
}
