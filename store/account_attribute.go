package store

import (
	"context"

	"github.com/jackc/pgx/v5"
)

// valued is the condition that an account a has a value of the attribute n.
const valued = `coalesce(a.attributes -> n.attribute, 'null') NOT IN ('null', '""', '[]')`

// AttributeCount says how many accounts have a value of an attribute.
type AttributeCount struct {
	Attribute string
	Accounts  int
}

// CountValues returns how many accounts of a source have a value of each of the attributes, without those that none
// has. It reads all accounts of the source.
func (s *Store) CountValues(ctx context.Context, q Querier, source ID, attributes []string) ([]AttributeCount, error) {
	const statement = `
		SELECT n.attribute, count(*)
		FROM (SELECT attributes FROM muster.accounts WHERE source_id = $1) a
		CROSS JOIN unnest($2::text[]) n (attribute)
		WHERE ` + valued + `
		GROUP BY n.attribute
		ORDER BY n.attribute`
	return collect(ctx, q, s.sql(statement), pgx.RowToStructByPos[AttributeCount], source, attributes)
}

// ChangingAttributes returns the names of the attributes of the accounts that differ from their rows in the stage.
func (s *Store) ChangingAttributes(ctx context.Context, tx pgx.Tx, staged *Staged) ([]string, error) {
	const statement = `
		SELECT DISTINCT k.name
		FROM muster.aggregation_stage g
		CROSS JOIN LATERAL (SELECT attributes FROM muster.accounts
		                    WHERE source_id = $1 AND native_identity = g.native_identity OFFSET 0) a
		CROSS JOIN LATERAL jsonb_object_keys(a.attributes) k (name)
		WHERE g.run_id = $2
		ORDER BY 1`
	return collect(ctx, tx, s.sql(statement), pgx.RowTo[string], staged.Source, staged.Run)
}
