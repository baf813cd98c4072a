package change

import (
	"cmp"
	"context"
	"slices"

	"github.com/jackc/pgx/v5"

	"github.com/muster-engine/muster/engine/configuration"
	"github.com/muster-engine/muster/store"
)

// Record writes the revision of a change that a cause has, for the objects in which the configuration before it differs
// from that after it, whose version the revision has. losses are what was left out of
// the documents. Both must be as the tables have them.
func (a *Applier) Record(ctx context.Context, tx pgx.Tx, before, after *store.Configuration, cause store.Cause,
	comment string, losses []string,
) error {
	return a.Store.AddRevision(ctx, tx, store.Revision{Version: after.Version, At: cause.At, Actor: cause.Actor,
		Comment: comment, Losses: losses}, Differences(before, after))
}

// objectRow is an object of any type. Two that are equal say the same.
type objectRow struct {
	kind     configuration.ObjectType
	id       store.ID // zero for an identity attribute
	name     string
	document []byte
	// priority and source are of an identity profile: what its document says where it says it.
	priority int64
	source   store.ID
}

// objectKey tells objects apart.
type objectKey struct {
	kind configuration.ObjectType
	id   store.ID
	name string // where the object has no ID
}

func (r *objectRow) key() objectKey {
	if r.id.IsZero() {
		return objectKey{kind: r.kind, name: r.name}
	}
	return objectKey{kind: r.kind, id: r.id}
}

func (r *objectRow) equal(other *objectRow) bool {
	return r.name == other.name && SameJSON(r.document, other.document) && r.priority == other.priority &&
		r.source == other.source
}

// Differences returns the objects in which two configurations differ, by type and name.
func Differences(before, after *store.Configuration) []store.RevisionObject {
	var list []store.RevisionObject
	add := func(row *objectRow, before, after []byte) {
		list = append(list, store.RevisionObject{Type: string(row.kind), ID: row.id, Name: row.name, Before: before,
			After: after})
	}
	old := map[objectKey]objectRow{}
	for _, row := range objectRows(before) {
		old[row.key()] = row
	}
	for _, row := range objectRows(after) {
		was, found := old[row.key()]
		delete(old, row.key())
		switch {
		case !found:
			add(&row, nil, row.document)
		case !row.equal(&was):
			add(&row, was.document, row.document)
		}
	}
	for _, row := range old {
		add(&row, row.document, nil)
	}
	slices.SortFunc(list, func(a, b store.RevisionObject) int {
		return cmp.Or(cmp.Compare(a.Type, b.Type), cmp.Compare(a.Name, b.Name), a.ID.Compare(b.ID))
	})
	return list
}

// objectRows returns all objects of a configuration that documents say.
func objectRows(c *store.Configuration) []objectRow {
	var rows []objectRow
	for kind, objects := range map[configuration.ObjectType][]store.Object{
		configuration.TypeAccessProfile: c.AccessProfiles,
		configuration.TypeSource:        c.Sources,
		configuration.TypeTransform:     c.Transforms,
	} {
		for i := range objects {
			rows = append(rows, objectRow{kind: kind, id: objects[i].ID, name: objects[i].Name,
				document: objects[i].Document})
		}
	}
	for i := range c.IdentityAttributes {
		a := &c.IdentityAttributes[i]
		rows = append(rows, objectRow{kind: configuration.TypeIdentityAttribute, name: a.Name, document: a.Document})
	}
	for i := range c.LifecycleStates {
		l := &c.LifecycleStates[i]
		rows = append(rows, objectRow{kind: configuration.TypeLifecycleState, id: l.ID, name: l.TechnicalName,
			document: l.Document})
	}
	for i := range c.Profiles {
		p := &c.Profiles[i]
		rows = append(rows, objectRow{kind: configuration.TypeIdentityProfile, id: p.ID, name: p.Name,
			document: p.Document, priority: p.Priority, source: p.AuthoritativeSourceID})
	}
	for i := range c.Roles {
		r := &c.Roles[i]
		rows = append(rows, objectRow{kind: configuration.TypeRole, id: r.ID, name: r.Name, document: r.Document})
	}
	return rows
}
