package aggregation

import (
	"context"
	"errors"
	"fmt"

	"github.com/muster-engine/muster/engine/fault"
	"github.com/muster-engine/muster/store"
)

// staged is an aggregation that has read its data: the accounts stand in the stage. It holds no lock yet.
type staged struct {
	*run
	count    store.Staged
	findings findings
}

// stage reads everything into the stage.
func (r *run) stage(ctx context.Context, reader *reader) (staged, error) {
	authoritative := !r.source.ProfileID.IsZero()
	count, err := r.Store.Stage(ctx, r.tx, r.source.RowID, authoritative, r.repeatable, reader.next)
	if err != nil {
		return staged{}, err
	}
	return staged{r, count, reader.findings}, nil
}

// demandLatest fails with a [store.RetryableError] where the source was aggregated since this aggregation began to
// read: what it read may be older than what is known. A worker that was paused while it read would bring back the state
// of then.
func (s staged) demandLatest(ctx context.Context) error {
	if !s.read {
		return nil
	}
	last, err := s.Store.LastAggregation(ctx, s.tx, s.source.RowID)
	if err != nil {
		return err
	}
	if last != s.last && (last == nil || s.last == nil || !last.Equal(*s.last)) {
		return &store.RetryableError{Err: errors.New("the source was aggregated while it was read")}
	}
	return nil
}

// lock takes the locks of an aggregation, in the order that package store states, and returns what is to be merged. Of
// several rows for one account only the first stays.
func (s staged) lock(ctx context.Context) (*merge, error) {
	version, err := s.Store.LockConfigurationShared(ctx, s.tx)
	if err != nil {
		return nil, err
	}
	if version != s.version {
		return nil, &fault.Error{
			Kind: fault.Conflict, Op: "aggregate", Subject: s.source.Name,
			Err: errors.New("the configuration changed while the data was read: aggregate again"),
		}
	}
	if err := s.Store.LockDeletionsShared(ctx, s.tx); err != nil {
		return nil, err
	}
	if err := s.Store.LockSource(ctx, s.tx, s.source.RowID); err != nil {
		return nil, err
	}
	if err := s.demandLatest(ctx); err != nil {
		return nil, err
	}
	duplicates, err := s.Store.DropDuplicates(ctx, s.tx, s.count.Run)
	if err != nil {
		return nil, err
	}
	faults := &s.findings.faults
	for _, d := range duplicates {
		text := "its account is the same as that of an earlier object"
		if d.First > 0 {
			text = fmt.Sprintf("its account is the same as that of line %d", d.First)
		}
		faults.add(int(d.Line), text)
	}
	return &merge{
		staged: s, cause: s.NewCause(ctx), eventWrite: s.NewWriteID(), duplicates: len(duplicates) > 0,
		result: Result{Source: s.source.Name, Rows: int(s.count.Rows) - len(duplicates), Faulty: faults.count,
			RowErrors: faults.reported, Notes: s.findings.notes},
	}, nil
}
