package change

import (
	"bytes"
	"cmp"
	"context"
	"slices"
	"time"

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
	objects, err := Differences(before, after)
	if err != nil {
		return err
	}
	return a.Store.AddRevision(ctx, tx, store.Revision{Version: after.Version, At: cause.At, Actor: cause.Actor,
		Comment: comment, Losses: losses}, objects)
}

// objectRow is an object of any type.
type objectRow struct {
	kind     configuration.ObjectType
	id       store.ID // zero for an identity attribute
	name     string
	document []byte
	// priority and source are of an identity profile: what its document says where it says it.
	priority          int64
	source            store.ID
	created, modified time.Time
}

func (r *objectRow) key() configuration.Key { return keyOf(r.kind, r.id, r.name) }

// equal reports whether two rows say the same.
func (r *objectRow) equal(other *objectRow) bool {
	return r.name == other.name && SameJSON(r.document, other.document) && r.priority == other.priority &&
		r.source == other.source
}

// Differences returns the objects in which two configurations differ, by type and name, with their documents as an
// export has them, so that they can be applied again. It fails where a document is none.
func Differences(before, after *store.Configuration) ([]store.RevisionObject, error) {
	var list []store.RevisionObject
	add := func(row *objectRow, before, after []byte) {
		list = append(list, store.RevisionObject{Type: string(row.kind), ID: row.id, Name: row.name, Before: before,
			After: after})
	}
	old := map[configuration.Key]objectRow{}
	for _, row := range objectRows(before) {
		old[row.key()] = row
	}
	for _, row := range objectRows(after) {
		was, found := old[row.key()]
		delete(old, row.key())
		if found && row.equal(&was) {
			continue
		}
		is, err := exported(after, &row)
		if err != nil {
			return nil, err
		}
		if !found {
			add(&row, nil, is.Document)
			continue
		}
		other, err := exported(before, &was)
		if err != nil {
			return nil, err
		}
		if !SameJSON(other.Document, is.Document) {
			add(&row, other.Document, is.Document)
		}
	}
	for _, row := range old {
		other, err := exported(before, &row)
		if err != nil {
			return nil, err
		}
		add(&row, other.Document, nil)
	}
	if err := differInSettings(before, after, add); err != nil {
		return nil, err
	}
	slices.SortFunc(list, func(a, b store.RevisionObject) int {
		return cmp.Or(cmp.Compare(a.Type, b.Type), cmp.Compare(a.Name, b.Name), a.ID.Compare(b.ID))
	})
	return list, nil
}

// differInSettings adds the settings, where documents say other ones now.
func differInSettings(before, after *store.Configuration, add func(row *objectRow, before, after []byte)) error {
	was, err := configuration.CompileSettings(before.Settings)
	if err != nil {
		return err
	}
	is, err := configuration.CompileSettings(after.Settings)
	if err != nil {
		return err
	}
	if x, y := was.Said(), is.Said(); !bytes.Equal(x, y) {
		add(&objectRow{kind: configuration.TypeSettings, name: settingsName}, x, y)
	}
	return nil
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
			rows = append(rows, rowOf(kind, &objects[i]))
		}
	}
	for i := range c.IdentityAttributes {
		a := &c.IdentityAttributes[i]
		rows = append(rows, objectRow{kind: configuration.TypeIdentityAttribute, name: a.Name, document: a.Document,
			created: a.Created, modified: a.Modified})
	}
	for i := range c.LifecycleStates {
		l := &c.LifecycleStates[i]
		rows = append(rows, objectRow{kind: configuration.TypeLifecycleState, id: l.ID, name: l.TechnicalName,
			document: l.Document, created: l.Created, modified: l.Modified})
	}
	for i := range c.Profiles {
		p := &c.Profiles[i]
		row := rowOf(configuration.TypeIdentityProfile, &p.Object)
		row.priority, row.source = p.Priority, p.AuthoritativeSourceID
		rows = append(rows, row)
	}
	for i := range c.Roles {
		r := &c.Roles[i]
		rows = append(rows, objectRow{kind: configuration.TypeRole, id: r.ID, name: r.Name, document: r.Document,
			created: r.Created, modified: r.Modified})
	}
	return rows
}

func rowOf(kind configuration.ObjectType, o *store.Object) objectRow {
	return objectRow{kind: kind, id: o.ID, name: o.Name, document: o.Document, created: o.Created,
		modified: o.Modified}
}
