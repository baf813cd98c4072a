package doctor

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/muster-engine/muster/store"
)

// examineRows looks for rows that break what a constraint demands: the constraint may be missing.
func (x *examination) examineRows(ctx context.Context) error {
	s := x.d.Store
	for i := range store.References {
		r := &store.References[i]
		found, err := s.FindMissing(ctx, x.tx, r, &x.given)
		if err != nil {
			return fmt.Errorf("the rows that %s names: %w", r.Name(), err)
		}
		mend, repair := "remove the rows, or restore what they name", repairFunc(nil)
		if r.Remedy != store.RemedyNone {
			repair = x.mendMissing(r)
			if mend = "remove the rows, as it goes with what they name"; r.Remedy == store.RemedyClear {
				mend = "set the column to null"
			}
		}
		x.add("reference:"+r.Name(), SeverityFailure, found, mend, repair)
	}
	for i := range store.Uniquenesses {
		u := &store.Uniquenesses[i]
		found, err := s.FindTwice(ctx, x.tx, u, &x.given)
		if err != nil {
			return fmt.Errorf("the rows of %s that are there twice: %w", u.Table, err)
		}
		mend, repair := "remove one of the rows", repairFunc(nil)
		switch u.Table {
		case "provisioning_operations":
			mend, repair = "cancel the later operation", x.cancelTwice
		case "role_assignments":
			mend, repair = "remove one of the assignments", x.dropMembershipsTwice
		}
		x.add("unique:"+u.Table, SeverityFailure, found, mend, repair)
	}
	for i := range store.Rules {
		r := &store.Rules[i]
		found, err := s.FindUnruly(ctx, x.tx, r, &x.given)
		if err != nil {
			return fmt.Errorf("the rows that contradict %s: %w", r.Constraint, err)
		}
		mend, repair := "write values that the constraint allows", repairFunc(nil)
		switch r.Constraint {
		case "identities_not_own_manager":
			mend, repair = "set manager_id to null", x.clearOwnManagers
		case "identities_email_key":
			mend, repair = "write the folded address again", x.foldIdentities(nil)
		}
		x.add("rule:"+r.Constraint, SeverityFailure, found, mend, repair)
	}
	return nil
}

// mendMissing makes the repair of rows that name rows which do not exist.
func (x *examination) mendMissing(r *store.Reference) repairFunc {
	text := "removed rows that belong to nothing"
	if r.Remedy == store.RemedyClear {
		text = "set the column to null"
	}
	return x.simple(text, func(ctx context.Context, tx pgx.Tx) (int, error) {
		return x.d.Store.MendMissing(ctx, tx, r)
	})
}

// cancelTwice cancels the later of two open operations with the same account and target.
func (x *examination) cancelTwice(ctx context.Context) (int, string, error) {
	return x.simple("cancelled the later operations", func(ctx context.Context, tx pgx.Tx) (int, error) {
		return x.d.Store.CancelOperationsTwice(ctx, tx, x.d.Now())
	})(ctx)
}

// dropMembershipsTwice removes the later of two assignments of the same role by membership.
func (x *examination) dropMembershipsTwice(ctx context.Context) (int, string, error) {
	return x.simple("removed later assignments by membership", x.d.Store.DropMembershipsTwice)(ctx)
}

// clearOwnManagers removes the manager of identities that are their own manager.
func (x *examination) clearOwnManagers(ctx context.Context) (int, string, error) {
	return x.simple("took the managers away", x.d.Store.ClearOwnManagers)(ctx)
}
