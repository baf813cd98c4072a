package doctor

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/muster-engine/muster/store"
)

// examineTables compares the tables with what the migrations make.
func (x *examination) examineTables(ctx context.Context) error {
	s := x.d.Store
	missing, err := s.MissingObjects(ctx, x.tx)
	if err != nil {
		return err
	}
	x.add("tables", SeverityFailure, missing,
		"create what is missing as the migrations do: somebody has taken it away", nil)
	if x.unverified, err = s.UnvalidatedConstraints(ctx, x.tx); err != nil {
		return err
	}
	x.add("constraints", SeverityFailure, store.Found(x.unverified), "ALTER TABLE ... VALIDATE CONSTRAINT",
		x.validateConstraints)
	if x.indexes, err = s.InvalidIndexes(ctx, x.tx, x.d.JobSchema); err != nil {
		return err
	}
	x.add("indexes", SeverityFailure, store.Found(x.indexes), "REINDEX INDEX CONCURRENTLY", x.reindex)
	return nil
}

// validateConstraints checks all rows against each constraint that was not validated.
func (x *examination) validateConstraints(ctx context.Context) (int, string, error) {
	return x.simple("validated constraints", func(ctx context.Context, tx pgx.Tx) (int, error) {
		for _, name := range x.unverified {
			if err := x.d.Store.ValidateConstraint(ctx, tx, name); err != nil {
				return 0, fmt.Errorf("%s: %w", name, err)
			}
		}
		return len(x.unverified), nil
	})(ctx)
}

// reindex builds each invalid index again, one after the other, outside of a transaction.
func (x *examination) reindex(ctx context.Context) (int, string, error) {
	const done = "built indexes again"
	for i, name := range x.indexes {
		if err := x.d.Store.Reindex(ctx, x.d.Pool, name); err != nil {
			return i, done, fmt.Errorf("%s: %w", name, err)
		}
	}
	return len(x.indexes), done, nil
}
