package change

import (
	"github.com/muster-engine/muster/engine/configuration"
	"github.com/muster-engine/muster/store"
)

// Listed returns an object as an export has it, by its row alone. It is for types that have all of it in their
// document: roles, access profiles and sources.
func Listed(kind configuration.ObjectType, row *store.ListedObject) (Object, error) {
	return exported(nil, &objectRow{kind: kind, id: row.ID, name: row.Name, document: row.Document})
}
