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

// LockIdentity locks the configuration FOR SHARE and then an identity FOR NO KEY UPDATE, both until the transaction
// ends: the locks of a write to one identity, in their order. It returns the configuration and the ID of the identity,
// which must exist.
func (t *Tenant) LockIdentity(ctx context.Context, tx pgx.Tx, op, id string) (
	*configuration.Configuration, store.ID, error,
) {
	parsed, err := parseIdentityID(op, id)
	if err != nil {
		return nil, parsed, err
	}
	c, err := t.LockConfigurationShared(ctx, tx)
	if err != nil {
		return nil, parsed, err
	}
	locked, err := t.Store.LockIdentities(ctx, tx, []store.ID{parsed})
	return c, parsed, demandOne(op, id, locked, err)
}

// LockIdentityShared locks an identity FOR KEY SHARE until the transaction ends, so that nobody deletes it, and returns
// its ID. It fails where there is no such identity.
func (t *Tenant) LockIdentityShared(ctx context.Context, tx pgx.Tx, op, id string) (store.ID, error) {
	parsed, err := parseIdentityID(op, id)
	if err != nil {
		return parsed, err
	}
	locked, err := t.Store.LockIdentitiesShared(ctx, tx, []store.ID{parsed})
	return parsed, demandOne(op, id, locked, err)
}

// LockIdentitiesShared locks identities that are named by ID, 1 to limit of them, FOR KEY SHARE until the transaction
// ends, so that nobody deletes them. It returns each once, and fails unless all of them exist.
func (t *Tenant) LockIdentitiesShared(ctx context.Context, tx pgx.Tx, op string, ids []string, limit int) (
	[]store.ID, error,
) {
	wanted, unknown, err := ParseIDs(op, ids, limit)
	if err != nil {
		return nil, err
	}
	locked, err := t.Store.LockIdentitiesShared(ctx, tx, wanted)
	if err != nil {
		return nil, err
	}
	return wanted, DemandAll(op, wanted, locked, unknown)
}

// FindIdentityID returns the ID of an identity that exists now. It locks nothing, so the identity may be deleted at any
// time after.
func (t *Tenant) FindIdentityID(ctx context.Context, op, id string) (store.ID, error) {
	parsed, err := parseIdentityID(op, id)
	if err != nil {
		return parsed, err
	}
	_, err = t.Store.IdentityByID(ctx, t.Pool, parsed)
	if errors.Is(err, store.ErrNotFound) {
		err = fault.NoIdentity(op, id)
	}
	return parsed, fault.Wrap(op, id, err)
}

// parseIdentityID reads the ID of an identity. There is no identity where the text is no ID.
func parseIdentityID(op, id string) (store.ID, error) {
	parsed, ok := store.IDOf(id)
	if !ok {
		return parsed, fault.NoIdentity(op, id)
	}
	return parsed, nil
}

// demandOne returns the error of a look-up of one identity, or that there is no such identity where it found none.
func demandOne(op, id string, found []store.ID, err error) error {
	if err == nil && len(found) == 0 {
		return fault.NoIdentity(op, id)
	}
	return err
}

// DemandAll returns an error that names the identities that were wanted and not found, and the texts that are no IDs.
// It is nil where there are none.
func DemandAll(op string, wanted, found []store.ID, unknown []string) error {
	for _, id := range wanted {
		if !slices.Contains(found, id) {
			unknown = append(unknown, id.String())
		}
	}
	return NoIdentities(op, unknown)
}

// ParseIDs reads 1 to limit IDs and returns each once. It returns the texts that are no IDs as unknown: there are no
// such identities.
func ParseIDs(op string, ids []string, limit int) (wanted []store.ID, unknown []string, err error) {
	if len(ids) == 0 {
		return nil, nil, fault.InvalidAs(fault.Missing, op, "", "no identity is named: 1 to %d are allowed", limit)
	}
	if len(ids) > limit {
		return nil, nil, fault.InvalidAs(fault.TooMany, op, "", "%d identities are named: 1 to %d are allowed",
			len(ids), limit)
	}
	for _, text := range ids {
		id, ok := store.IDOf(text)
		switch {
		case !ok:
			unknown = append(unknown, text)
		case !slices.Contains(wanted, id):
			wanted = append(wanted, id)
		}
	}
	return wanted, unknown, nil
}

// missingNamedMax is how many identities that do not exist an error names.
const missingNamedMax = 10

// NoIdentities returns an error that names the identities that do not exist, at most 10 of them. It is nil where none
// is missing.
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
	return &fault.Error{Kind: fault.NotFound, Op: op, Subject: named,
		Err: errors.New("there are no identities with these IDs")}
}

// Plural returns a number with the word for one or the word for many.
func Plural(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}
