package configuration

import (
	"crypto/sha256"
	"fmt"

	"github.com/muster-engine/muster/engine/attribute"
	"github.com/muster-engine/muster/engine/connector"
	"github.com/muster-engine/muster/engine/refresh"
	"github.com/muster-engine/muster/engine/transform"
	"github.com/muster-engine/muster/store"
)

// NativeIdentityLengthMax and EntitlementLengthMax are how many bytes a native identity and the value of an entitlement
// may have, since both are found by an index.
const (
	NativeIdentityLengthMax = store.KeyLengthMax
	EntitlementLengthMax    = store.KeyLengthMax
)

// Stage makes the row of an object, in the memory of the row before.
func (s *CompiledSource) Stage(a *store.StagedAccount, object *connector.Object) {
	a.Line, a.NativeIdentity, a.Name = int64(object.Line), object.NativeIdentity, object.NativeIdentity
	if object.Name != "" {
		a.Name = object.Name
	}
	a.StableIdentity = object.StableIdentity
	a.Attributes = object.Attributes.AppendJSON(a.Attributes[:0])
	a.CorrelationKeys = s.CorrelationKeys(object.NativeIdentity, &object.Attributes)
	a.Fingerprint = fingerprint(a)
}

// fingerprint returns a digest of everything that is stored of an account, so that one comparison tells whether it
// changed.
func fingerprint(a *store.StagedAccount) store.ID {
	digest := sha256.New()
	digest.Write(a.Attributes)
	for _, text := range append([]string{a.Name}, a.CorrelationKeys...) {
		digest.Write([]byte{0})
		digest.Write([]byte(text))
	}
	if a.StableIdentity != "" { // behind two NUL characters, since no key is empty
		digest.Write([]byte{0, 0})
		digest.Write([]byte(a.StableIdentity))
	}
	var sum [sha256.Size]byte
	digest.Sum(sum[:0])
	return store.ID(sum[:16])
}

// Account returns an account as a calculation sees it, and decodes its attributes into a set.
func (c *Configuration) Account(row *store.Account, attributes *attribute.Set) (refresh.Account, error) {
	if err := attributes.Decode(row.Attributes); err != nil {
		return refresh.Account{}, fmt.Errorf("account %s: %w", row.ID, err)
	}
	account := refresh.Account{RowID: row.ID, SourceID: row.SourceID}
	account.Account = transform.Account{
		ID: row.ID.String(), NativeIdentity: row.NativeIdentity, Name: row.Name, Created: row.Created,
		Attributes: attributes,
	}
	if source := c.Sources[row.SourceID]; source != nil {
		source.account.of(&account.Account)
	}
	return account, nil
}
