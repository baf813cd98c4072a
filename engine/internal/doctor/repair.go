package doctor

import (
	"context"

	"github.com/jackc/pgx/v5"

	"github.com/muster-engine/muster/store"
)

// repair mends what was found and can be mended. A repair that fails is reported, and the others are still made.
func (x *examination) repair(ctx context.Context) ([]Repair, error) {
	var done []Repair
	for i, repair := range x.repairs {
		if repair == nil {
			continue
		}
		count, text, err := repair(ctx)
		if err := ctx.Err(); err != nil {
			return done, err
		}
		r := Repair{Check: x.checks[i].Name, Count: count, Done: text}
		if err != nil {
			r.Done, r.Error = "", store.Reason(err)
		}
		if err != nil || count > 0 {
			done = append(done, r)
		}
	}
	return done, nil
}

// requesting makes a repair in one transaction that may request the processing of identities, by a task of its own.
func (x *examination) requesting(text string,
	work func(context.Context, pgx.Tx, store.Cause) (int, error),
) repairFunc {
	return func(ctx context.Context) (count int, done string, err error) {
		err = x.d.InTx(ctx, func(tx pgx.Tx) (err error) {
			cause := x.d.NewCause(ctx)
			if count, err = work(ctx, tx, cause); err != nil {
				return err
			}
			_, _, err = x.d.LaunchRequested(ctx, tx, cause, "Process what the doctor found", nil)
			return err
		})
		return count, text, err
	}
}

// simple makes a repair in one transaction that requests no processing.
func (x *examination) simple(text string, work func(context.Context, pgx.Tx) (int, error)) repairFunc {
	return x.requesting(text, func(ctx context.Context, tx pgx.Tx, _ store.Cause) (int, error) { return work(ctx, tx) })
}

// requests makes the repair that requests the processing of the identities which break an invariant.
func requests(i store.Invariant) func(*examination) repairFunc {
	return func(x *examination) repairFunc {
		return x.requesting("requested the processing of identities",
			func(ctx context.Context, tx pgx.Tx, cause store.Cause) (int, error) {
				return x.d.Store.RequestContradicting(ctx, tx, i, &x.given, cause)
			})
	}
}

// renews makes the repair that gives the requests which break an invariant to another task. It does not remove them: a
// request may come from a transaction that began before the identity was processed and committed after that.
func renews(i store.Invariant) func(*examination) repairFunc {
	return func(x *examination) repairFunc {
		return x.requesting("gave the requests to a task that processes the identities",
			func(ctx context.Context, tx pgx.Tx, cause store.Cause) (int, error) {
				return x.d.Store.RenewRequests(ctx, tx, i, &x.given, cause)
			})
	}
}
