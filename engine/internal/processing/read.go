package processing

import (
	"context"
	"crypto/rand"
	"slices"
	"time"

	"github.com/muster-engine/muster/engine/attribute"
	"github.com/muster-engine/muster/engine/refresh"
	"github.com/muster-engine/muster/engine/transform"
	"github.com/muster-engine/muster/store"
)

// Read is a batch whose identities are read. Its slices are parallel.
type Read struct {
	*Batch
	IDs       []store.ID
	Snapshots []refresh.Snapshot
	// Due is when each identity is due, nil for never.
	Due []*time.Time

	memory *workspace
	// changes are those that were calculated so far: a later identity must not take a name that an earlier one gets.
	changes []refresh.Change
	others  *others // nil where nobody reads anybody
}

// Read reads identities, which must be ordered by ID, with their accounts, assignments and access. synchronize are
// those whose synchronization was requested. An identity that does not exist has no snapshot.
func (b *Batch) Read(ctx context.Context, ids, synchronize []store.ID) (*Read, error) {
	return b.read(ctx, new(workspace), ids, synchronize, false, func(reader store.SnapshotReader) error {
		return b.Store.ReadSnapshots(ctx, b.Tx, ids, reader)
	})
}

// CreateInput returns the input of the fields of a source's create policy for an identity as it is stored. It is valid
// as long as the transaction of the batch, in which it looks others up. The error is [store.ErrNotFound] where the
// identity does not exist.
func (b *Batch) CreateInput(ctx context.Context, identity, source store.ID) (*transform.Input, error) {
	read, err := b.Read(ctx, []store.ID{identity}, nil)
	if err != nil {
		return nil, err
	}
	if len(read.Snapshots) == 0 {
		return nil, store.ErrNotFound
	}
	if _, err := read.Calculate(); err != nil { // from now on, others are looked up at once
		return nil, err
	}
	s := &read.Snapshots[0]
	input := s.CreateInput(source, &s.Identity, b.Cause.At)
	return &input, nil
}

// workspace is the memory of what a batch reads, ordered by identity. What it holds is valid until it is used again.
type workspace struct {
	accounts  []refresh.Account
	owners    []store.ID // of the accounts
	held      []refresh.Assignment
	holders   []store.ID       // of the assignments
	sets      []*attribute.Set // of the accounts
	snapshots []refresh.Snapshot
	memories  []*refresh.Memory // of the snapshots
	due       []*time.Time
	found     []store.ID
	requested []bool
	changes   []refresh.Change
}

func (w *workspace) reset() {
	clear(w.accounts)
	w.accounts, w.owners, w.held, w.holders = w.accounts[:0], w.owners[:0], w.held[:0], w.holders[:0]
	w.snapshots, w.due, w.found, w.requested = w.snapshots[:0], w.due[:0], w.found[:0], w.requested[:0]
}

// read reads the snapshots of identities into a workspace. stored says that they are compared with what is stored.
// rows calls the reader with their rows.
func (b *Batch) read(ctx context.Context, w *workspace, ids, synchronize []store.ID, stored bool,
	rows func(store.SnapshotReader) error,
) (*Read, error) {
	w.reset()
	r := &Read{Batch: b, IDs: ids, memory: w}
	account, assigned := 0, 0
	err := rows(store.SnapshotReader{
		Account: func(row *store.Account) error {
			if len(w.accounts) == len(w.sets) {
				w.sets = append(w.sets, new(attribute.Set))
			}
			a, err := b.Configuration.Account(row, w.sets[len(w.accounts)])
			w.accounts, w.owners = append(w.accounts, a), append(w.owners, row.IdentityID)
			return err
		},
		Assignment: func(row *store.HeldRole) error {
			w.held, w.holders = append(w.held, assignment(row)), append(w.holders, row.IdentityID)
			return nil
		},
		Identity: func(row *store.IdentityState) error {
			s := w.snapshot()
			if len(w.memories) < len(w.snapshots) {
				w.memories = append(w.memories, new(refresh.Memory))
			}
			s.Random, s.Memory = rand.Reader, w.memories[len(w.snapshots)-1]
			s.Location = b.Configuration.Settings.Location
			w.due, w.found = append(w.due, row.Due), append(w.found, row.FoundManager)
			w.requested = append(w.requested, row.Requested)
			if err := DecodeState(row, &s.Identity); err != nil {
				return err
			}
			first, last := span(w.owners, account, row.ID)
			s.Accounts, account = w.accounts[first:last:last], last
			slices.SortFunc(s.Accounts, earlierAccount)
			b.setApart(s)
			first, last = span(w.holders, assigned, row.ID)
			s.Assignments, assigned = w.held[first:last:last], last
			return nil
		},
	})
	if err != nil {
		return nil, err
	}
	r.Snapshots, r.Due = w.snapshots, w.due
	if err := r.readAccess(ctx, synchronize); err != nil {
		return nil, err
	}
	r.others, err = newOthers(ctx, r, stored)
	return r, err
}

// setApart takes the accounts of sources that the configuration does not have out of a snapshot: a preview takes these
// sources to be gone.
func (b *Batch) setApart(s *refresh.Snapshot) {
	gone := func(a refresh.Account) bool { return b.Configuration.Sources[a.SourceID] == nil }
	if !slices.ContainsFunc(s.Accounts, gone) {
		return
	}
	accounts := s.Accounts
	s.Accounts = slices.DeleteFunc(slices.Clone(accounts), gone)
	s.Gone = slices.DeleteFunc(slices.Clone(accounts), func(a refresh.Account) bool { return !gone(a) })
}

// snapshot returns the next snapshot, empty but for the memory of its attributes.
func (w *workspace) snapshot() *refresh.Snapshot {
	n := len(w.snapshots)
	if n == cap(w.snapshots) {
		w.snapshots = append(w.snapshots, refresh.Snapshot{})
		return &w.snapshots[n]
	}
	w.snapshots = w.snapshots[:n+1]
	s := &w.snapshots[n]
	attributes := s.Identity.Attributes
	*s = refresh.Snapshot{}
	s.Identity.Attributes = attributes
	return s
}

// span returns where the rows of an identity stand, from a place on. It skips rows of earlier identities: one that was
// deleted or created during the reading may have left some.
func span(identities []store.ID, from int, id store.ID) (first, last int) {
	for from < len(identities) && store.ID.Compare(identities[from], id) < 0 {
		from++
	}
	for last = from; last < len(identities) && identities[last] == id; {
		last++
	}
	return from, last
}

// earlierAccount orders accounts by the time of their creation, and those of the same time by ID.
func earlierAccount(a, b refresh.Account) int {
	if order := a.Created.Compare(b.Created); order != 0 {
		return order
	}
	return a.RowID.Compare(b.RowID)
}

// assignment returns an assignment as a calculation sees it.
func assignment(row *store.HeldRole) refresh.Assignment {
	a := refresh.Assignment{ID: row.ID, RoleID: row.RoleID,
		Membership: row.Source == store.AssignedByMembership}
	if row.StartDate != nil {
		a.StartDate = *row.StartDate
	}
	if row.RemoveDate != nil {
		a.RemoveDate = *row.RemoveDate
	}
	return a
}
