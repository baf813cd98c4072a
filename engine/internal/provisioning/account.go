package provisioning

import (
	"cmp"
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/muster-engine/muster/engine/attribute"
	"github.com/muster-engine/muster/engine/configuration"
	"github.com/muster-engine/muster/engine/connector"
	"github.com/muster-engine/muster/store"
)

// putAccount brings the row of an account up to an operation that was carried out, and returns the row's ID, zero where
// there is none. An account that the operation created becomes the owner's; conflict says why that cannot be.
func (p *Provisioner) putAccount(ctx context.Context, tx pgx.Tx, source *configuration.CompiledSource,
	row *store.Operation, owner store.ID, o *connector.Operation, result *connector.Result, native string,
) (id store.ID, conflict string, err error) {
	old, err := p.lockAccount(ctx, tx, row, native)
	missing := errors.Is(err, store.ErrNotFound)
	if err != nil && !missing {
		return id, "", err
	}
	creates := false
	switch o.Kind.Effect() {
	case connector.Deletes:
		if missing {
			return id, "", nil
		}
		return old.ID, "", p.Store.DeleteAccount(ctx, tx, old.ID)
	case connector.Creates:
		if !old.IdentityID.IsZero() && old.IdentityID != row.IdentityID {
			return id, errOwned.Error(), nil
		}
		creates = true
	case connector.Sets, connector.Adds, connector.Removes, connector.SetsPassword:
		if missing {
			return id, "", nil // an aggregation removed it meanwhile, and brings it back
		}
	default:
		return id, "", fmt.Errorf("the account after an operation of the kind %s is unknown", o.Kind)
	}
	var before attribute.Set
	if !missing {
		if err := before.Decode(old.Attributes); err != nil {
			return id, "", fmt.Errorf("account %s: %w", old.ID, err)
		}
	}
	if !missing && !creates {
		if native, err = p.nameAfter(ctx, tx, &old, o, result); err != nil {
			return id, "", err
		}
	}
	object := objectAfter(source, &before, o, result, native)
	object.StableIdentity = cmp.Or(old.StableIdentity, result.StableIdentity) // whatever it is called now
	if err := p.spell(ctx, tx, source, &before, &object.Attributes); err != nil {
		return id, "", err
	}
	written := accountRow(source, object)
	written.Created = creates
	if written.ID = old.ID; missing {
		written.ID, written.IdentityID = store.NewID(), owner
		return written.ID, "", p.Store.AddProvisionedAccount(ctx, tx, written, p.Now())
	}
	if creates {
		written.IdentityID = owner // an aggregation read it before this was recorded
	}
	return written.ID, "", p.Store.UpdateAccount(ctx, tx, written, p.Now())
}

// nameAfter returns the native identity of an account after an operation. It is the one that the source told, where the
// operation renamed the account or found it under another name; an aggregation may have written a later one meanwhile.
// Where another account has the name here, the row keeps the name that it has: the next aggregation tells who is who.
func (p *Provisioner) nameAfter(ctx context.Context, tx pgx.Tx, old *store.Account, o *connector.Operation,
	result *connector.Result,
) (string, error) {
	told := cmp.Or(result.NativeIdentity, o.NativeIdentity)
	if told == o.NativeIdentity || told == old.NativeIdentity {
		return old.NativeIdentity, nil
	}
	_, err := p.Store.FindAccountNamed(ctx, tx, old.SourceID, told)
	switch {
	case errors.Is(err, store.ErrNotFound):
		return told, nil
	case err != nil:
		return "", err
	}
	return old.NativeIdentity, nil
}

// lockAccount locks the account of an operation and returns it: by its ID, or by its name where the operation creates
// it.
func (p *Provisioner) lockAccount(ctx context.Context, tx pgx.Tx, row *store.Operation, native string) (store.Account,
	error,
) {
	if row.AccountID.IsZero() {
		return p.Store.LockAccountNamed(ctx, tx, row.SourceID, native)
	}
	return p.Store.LockAccount(ctx, tx, row.AccountID)
}

// objectAfter returns an account after an operation, as a reading of the source would find it. before are its
// attributes; the source may have given some of them other values.
func objectAfter(source *configuration.CompiledSource, before *attribute.Set, o *connector.Operation,
	result *connector.Result, native string,
) *connector.Object {
	schema := source.AccountSchema()
	after := connector.Applied(before, o, schema)
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
	return object
}

// accountRow returns the row of an account, without its ID and its owner.
func accountRow(source *configuration.CompiledSource, object *connector.Object) *store.ProvisionedAccount {
	var staged store.StagedAccount
	source.Stage(&staged, object)
	return &store.ProvisionedAccount{SourceID: source.RowID, NativeIdentity: object.NativeIdentity, Name: staged.Name,
		StableIdentity: staged.StableIdentity, Attributes: staged.Attributes, Fingerprint: staged.Fingerprint,
		CorrelationKeys: staged.CorrelationKeys, Entitlements: source.Entitlements(&object.Attributes),
		Marks: source.Marks()}
}
