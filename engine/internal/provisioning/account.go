package provisioning

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/muster-engine/muster/engine/attribute"
	"github.com/muster-engine/muster/engine/connector"
	"github.com/muster-engine/muster/store"
)

// putAccount brings the account that is known up to what an operation did; one that it created is the owner's. conflict
// says why that cannot be.
func (p *Provisioner) putAccount(ctx context.Context, tx pgx.Tx, t *target, row *store.Operation, owner store.ID,
	o *connector.Operation, result *connector.Result, native string,
) (id store.ID, conflict string, err error) {
	old, err := p.knownAccount(ctx, tx, row, native)
	missing := errors.Is(err, store.ErrNotFound)
	if err != nil && !missing {
		return id, "", err
	}
	if o.Kind == connector.Delete {
		if missing {
			return id, "", nil
		}
		return old.ID, "", p.Store.DeleteAccount(ctx, tx, old.ID)
	}
	if missing && o.Kind != connector.Create {
		return id, "", nil // an aggregation took it away since, and brings it back
	}
	if !old.IdentityID.IsZero() && old.IdentityID != row.IdentityID && o.Kind == connector.Create {
		return id, "the source has this account already, and it belongs to another identity", nil
	}
	var before attribute.Set
	if !missing {
		if err := before.Decode(old.Attributes); err != nil {
			return id, "", fmt.Errorf("account %s: %w", old.ID, err)
		}
	}
	schema := t.source.AccountSchema()
	after := connector.Applied(&before, o, schema)
	for name, value := range result.Attributes.All() {
		after.Put(name, value)
	}
	object := &connector.Object{NativeIdentity: native, Attributes: after}
	if schema != nil && schema.IdentityAttribute != "" && schema.Attribute(schema.IdentityAttribute) != nil {
		object.Attributes.Put(schema.IdentityAttribute, attribute.String(native))
	}
	if schema != nil && schema.DisplayAttribute != "" {
		object.Name = after.Get(schema.DisplayAttribute).Text()
	}
	var staged store.StagedAccount
	t.source.Stage(&staged, object)
	written := &store.ProvisionedAccount{ID: old.ID, SourceID: t.source.RowID, NativeIdentity: native, Name: staged.Name,
		Attributes: staged.Attributes, Fingerprint: staged.Fingerprint, CorrelationKeys: staged.CorrelationKeys}
	if missing {
		written.ID, written.IdentityID = store.NewID(), owner
		return written.ID, "", p.Store.AddProvisionedAccount(ctx, tx, written, p.Now())
	}
	if o.Kind == connector.Create {
		written.IdentityID = owner // it was aggregated before this was noted
	}
	return written.ID, "", p.Store.UpdateAccount(ctx, tx, written, p.Now())
}

func (p *Provisioner) knownAccount(ctx context.Context, tx pgx.Tx, row *store.Operation, native string) (store.Account,
	error,
) {
	if row.AccountID.IsZero() {
		return p.Store.LockAccountNamed(ctx, tx, row.SourceID, native)
	}
	return p.Store.LockAccount(ctx, tx, row.AccountID)
}
