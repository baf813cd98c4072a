package provisioning

import (
	"context"
	"slices"

	"github.com/jackc/pgx/v5"

	"github.com/muster-engine/muster/engine/attribute"
	"github.com/muster-engine/muster/engine/configuration"
	"github.com/muster-engine/muster/store"
)

// spell writes the entitlements that an operation added to an account as the source writes them, where it has told one
// that is equal: a role may name a group in another letter case, and the next reading would find another spelling.
func (p *Provisioner) spell(ctx context.Context, tx pgx.Tx, source *configuration.CompiledSource,
	before, after *attribute.Set,
) error {
	var known []store.Entitlement
	for _, name := range source.Entitling("") {
		equality, value := source.Equality(name), after.Get(name)
		if equality == attribute.CaseExactMatch || value.Equal(before.Get(name)) {
			continue
		}
		texts, old := slices.Clone(value.Strings()), before.Get(name).Strings()
		for i, text := range texts {
			if slices.Contains(old, text) {
				continue
			}
			written := store.EntitlementValue{Attribute: name, Value: text}
			told, err := p.Store.HasEntitlement(ctx, tx, source.RowID, written)
			if err != nil {
				return err
			}
			if !told && known == nil {
				if known, err = p.Store.Entitlements(ctx, tx, source.RowID); err != nil {
					return err
				}
			}
			for k := range known {
				if !told && known[k].Attribute == name && equality.Same(known[k].Value, text) {
					texts[i] = known[k].Value
					break
				}
			}
		}
		switch {
		case slices.Equal(texts, value.Strings()):
		case value.Kind() == attribute.KindList:
			after.Put(name, attribute.List(texts))
		default:
			after.Put(name, attribute.String(texts[0]))
		}
	}
	return nil
}
