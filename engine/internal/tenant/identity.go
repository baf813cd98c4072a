package tenant

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/muster-engine/muster/engine/configuration"
	"github.com/muster-engine/muster/engine/fault"
	"github.com/muster-engine/muster/store"
)

// LockIdentity takes the locks of a write to one identity, in the order that holds everywhere, and returns the
// configuration that holds until the transaction ends.
func (t *Tenant) LockIdentity(ctx context.Context, tx pgx.Tx, op, id string) (*configuration.Configuration, store.ID, error) {
	parsed, err := store.ParseID(id)
	if err != nil {
		return nil, parsed, fault.NoIdentity(op, id)
	}
	c, err := t.LockConfigurationShared(ctx, tx)
	if err != nil {
		return nil, parsed, err
	}
	locked, err := t.Store.LockIdentities(ctx, tx, []store.ID{parsed})
	if err == nil && len(locked) == 0 {
		err = fault.NoIdentity(op, id)
	}
	return c, parsed, err
}

// LockIdentityShared returns the ID of an identity that exists, and goes on existing until the transaction ends.
func (t *Tenant) LockIdentityShared(ctx context.Context, tx pgx.Tx, op, id string) (store.ID, error) {
	parsed, err := store.ParseID(id)
	var found []store.ID
	if err == nil {
		if found, err = t.Store.LockIdentitiesShared(ctx, tx, []store.ID{parsed}); err != nil {
			return parsed, err
		}
	}
	if len(found) == 0 {
		return parsed, fault.NoIdentity(op, id)
	}
	return parsed, nil
}

// FindIdentityID returns the ID of an identity that is there now.
func (t *Tenant) FindIdentityID(ctx context.Context, op, id string) (store.ID, error) {
	parsed, known := store.IDOf(id)
	err := store.ErrNotFound
	if known {
		_, err = t.Store.IdentityByID(ctx, t.Pool, parsed)
	}
	if errors.Is(err, store.ErrNotFound) {
		err = fault.NoIdentity(op, id)
	}
	return parsed, fault.Wrap(op, id, err)
}

// LockIdentitiesShared returns the identities that are named by ID, each once, and keeps them from being deleted until the
// transaction ends. It fails unless all of them exist.
func (t *Tenant) LockIdentitiesShared(ctx context.Context, tx pgx.Tx, op string, ids []string, limit int) ([]store.ID, error) {
	wanted, missing, err := ParseIDs(op, ids, limit)
	if err != nil {
		return nil, err
	}
	found, err := t.Store.LockIdentitiesShared(ctx, tx, wanted)
	if err != nil {
		return nil, err
	}
	return wanted, DemandAll(op, wanted, found, missing)
}

// DemandAll says which of the identities that were named do not exist, nil when all were found.
func DemandAll(op string, wanted, found []store.ID, nobodys []string) error {
	for _, id := range wanted {
		if !slices.Contains(found, id) {
			nobodys = append(nobodys, id.String())
		}
	}
	return NoIdentities(op, nobodys)
}

// ParseIDs reads 1 to limit IDs, each once. A text that is no ID is nobody's: those are returned too.
func ParseIDs(op string, ids []string, limit int) (wanted []store.ID, nobodys []string, err error) {
	if len(ids) == 0 {
		return nil, nil, fault.InvalidAs(fault.Missing, op, "", "no identity is named: 1 to %d are allowed", limit)
	}
	if len(ids) > limit {
		return nil, nil, fault.InvalidAs(fault.TooMany, op, "", "%d identities are named: 1 to %d are allowed", len(ids), limit)
	}
	for _, text := range ids {
		id, known := store.IDOf(text)
		switch {
		case !known:
			nobodys = append(nobodys, text)
		case !slices.Contains(wanted, id):
			wanted = append(wanted, id)
		}
	}
	return wanted, nobodys, nil
}

// missingNamedMax is how many identities that do not exist an error names.
const missingNamedMax = 10

// NoIdentities says which of the identities that were named do not exist, nil when all do.
func NoIdentities(op string, missing []string) error {
	switch len(missing) {
	case 0:
		return nil
	case 1:
		return fault.NoIdentity(op, missing[0])
	}
	named := strings.Join(missing[:min(len(missing), missingNamedMax)], ", ")
	if more := len(missing) - missingNamedMax; more > 0 {
		named += fmt.Sprintf(" and %d more", more)
	}
	return &fault.Error{Kind: fault.NotFound, Op: op, Subject: named, Err: errors.New("there are no identities with these IDs")}
}

func Plural(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}
