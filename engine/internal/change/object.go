package change

import (
	"context"
	"fmt"
	"slices"

	"github.com/jackc/pgx/v5"

	"github.com/muster-engine/muster/engine/configuration"
	"github.com/muster-engine/muster/engine/transform"
	"github.com/muster-engine/muster/store"
)

// putIdentityAttribute brings the rows up to the definition of an identity attribute.
func (p *Proposal) putIdentityAttribute(d configuration.Document) error {
	var shape configuration.IdentityAttribute
	if err := configuration.DecodeObject(d.Object, &shape); err != nil {
		return inputError{err}
	}
	switch {
	case !configuration.ValidAttributeName(shape.Name):
		return wrong("name: %q is no name of an identity attribute: letters, digits, underscores and hyphens are "+
			"allowed", shape.Name)
	case configuration.IsSystemAttribute(shape.Name):
		return wrong("name: %q is written by the system and cannot be defined", shape.Name)
	}
	return p.defineAttribute(shape, d.Object)
}

// defineAttribute brings the rows up to a definition that is known to be right.
func (p *Proposal) defineAttribute(shape configuration.IdentityAttribute, document []byte) error {
	row := store.IdentityAttribute{
		Name: shape.Name, Searchable: shape.Searchable, Document: document, Created: p.now, Modified: p.now,
	}
	at := slices.IndexFunc(p.Rows.IdentityAttributes,
		func(r store.IdentityAttribute) bool { return r.Name == shape.Name })
	action := configuration.Created
	if at >= 0 {
		old := p.Rows.IdentityAttributes[at]
		if SameJSON(old.Document, document) {
			p.record(configuration.TypeIdentityAttribute, store.ID{}, shape.Name, configuration.Unchanged)
			return nil
		}
		row.Created, action = old.Created, configuration.Updated
		p.replaces(configuration.TypeIdentityAttribute, shape.Name, old.Document, document)
	}
	p.Rows.IdentityAttributes = replaced(p.Rows.IdentityAttributes, at, row)
	p.record(configuration.TypeIdentityAttribute, store.ID{}, shape.Name, action)
	p.addWrite(func(ctx context.Context, s *store.Store, tx pgx.Tx) error {
		return s.PutIdentityAttribute(ctx, tx, row)
	})
	return nil
}

// putTransform brings the rows up to a saved transform. That it compiles is checked when all rows are compiled.
func (p *Proposal) putTransform(d configuration.Document) error {
	var shape struct {
		ID   string `json:"id"`
		Name string `json:"name"`
	}
	if err := configuration.DecodeObject(d.Object, &shape); err != nil {
		return inputError{err}
	}
	if err := configuration.ValidateName(shape.Name); err != nil {
		return inputError{err}
	}
	row, at, action, err := p.place(p.Rows.Transforms, shape.ID, shape.Name, d.Object)
	if err != nil {
		return err
	}
	p.record(configuration.TypeTransform, row.ID, row.Name, action)
	if action == configuration.Unchanged {
		return nil
	}
	if action == configuration.Created && transform.BuiltIn(row.Name) {
		p.Notes = append(p.Notes, fmt.Sprintf("transform %q: it counts in place of the built-in one of this name",
			row.Name))
	}
	p.Rows.Transforms = replaced(p.Rows.Transforms, at, row)
	p.transforms = append(p.transforms, row.Name)
	p.addWrite(func(ctx context.Context, s *store.Store, tx pgx.Tx) error { return s.PutTransform(ctx, tx, row) })
	return nil
}

// putSource brings the rows up to a source.
func (p *Proposal) putSource(d configuration.Document) error {
	var shape configuration.Source
	if err := configuration.DecodeObject(d.Object, &shape); err != nil {
		return inputError{err}
	}
	if err := configuration.ValidateName(shape.Name); err != nil {
		return inputError{err}
	}
	p.fault(configuration.ValidateSource(&shape))
	if c := shape.AccountCorrelationConfig; c != nil && len(c.Assignments) == 0 {
		p.Notes = append(p.Notes,
			fmt.Sprintf("source %q: accountCorrelationConfig has no attributeAssignments, "+
				"as a reference to one has none: its accounts find no identity", shape.Name))
	}
	p.Notes = append(p.Notes, shape.PasswordNotes()...)
	row, at, action, err := p.place(p.Rows.Sources, shape.ID, shape.Name, d.Object)
	if err != nil {
		return err
	}
	p.record(configuration.TypeSource, row.ID, row.Name, action)
	if action == configuration.Unchanged {
		return nil
	}
	p.Rows.Sources = replaced(p.Rows.Sources, at, row)
	// The source's name and its manager correlation are part of what its profile's identities are calculated from.
	for _, profile := range p.Rows.Profiles {
		p.profiles[profile.ID] = true
	}
	p.addWrite(func(ctx context.Context, s *store.Store, tx pgx.Tx) error { return s.PutSource(ctx, tx, row) })
	return nil
}

// findSource returns the source that a reference names. It may be one of the same documents.
func (p *Proposal) findSource(r configuration.Reference) (store.ID, error) {
	id, _, err := p.targetsOf(configuration.TypeSource).find(configuration.TypeSource, r)
	if err == nil && id.IsZero() {
		err = p.noTarget(configuration.TypeSource, r)
	}
	return id, err
}

// putAccessProfile brings the rows up to an access profile, whose source must be there.
func (p *Proposal) putAccessProfile(d configuration.Document) error {
	var shape configuration.AccessProfile
	if err := configuration.DecodeObject(d.Object, &shape); err != nil {
		return inputError{err}
	}
	if err := configuration.ValidateName(shape.Name); err != nil {
		return inputError{err}
	}
	if _, err := p.findSource(shape.Source); err != nil {
		return fmt.Errorf("source: %w", err)
	}
	row, at, action, err := p.place(p.Rows.AccessProfiles, shape.ID, shape.Name, d.Object)
	if err != nil {
		return err
	}
	p.record(configuration.TypeAccessProfile, row.ID, row.Name, action)
	if action == configuration.Unchanged {
		return nil
	}
	p.Rows.AccessProfiles = replaced(p.Rows.AccessProfiles, at, row)
	p.addWrite(func(ctx context.Context, s *store.Store, tx pgx.Tx) error { return s.PutAccessProfile(ctx, tx, row) })
	return nil
}

// putRole brings the rows up to a role.
func (p *Proposal) putRole(d configuration.Document) error {
	var shape configuration.Role
	if err := configuration.DecodeObject(d.Object, &shape); err != nil {
		return inputError{err}
	}
	if err := configuration.ValidateName(shape.Name); err != nil {
		return inputError{err}
	}
	objects := make([]store.Object, len(p.Rows.Roles))
	for i, r := range p.Rows.Roles {
		objects[i] = store.Object{
			ID: r.ID, Name: r.Name, Document: r.Document, Created: r.Created, Modified: r.Modified,
		}
	}
	object, at, action, err := p.place(objects, shape.ID, shape.Name, d.Object)
	if err != nil {
		return err
	}
	p.record(configuration.TypeRole, object.ID, object.Name, action)
	if action == configuration.Unchanged {
		return nil
	}
	row := store.Role{ID: object.ID, Name: object.Name, Enabled: shape.Enabled, Document: object.Document,
		Created: object.Created, Modified: object.Modified}
	p.Rows.Roles = replaced(p.Rows.Roles, at, row)
	p.Roles = append(p.Roles, row.ID)
	if m := shape.Membership; m != nil && m.Type != "" && !shape.Enabled {
		p.Notes = append(p.Notes, fmt.Sprintf("role %q is not enabled: it has no members by itself "+
			"until enabled is true", shape.Name))
	}
	p.addWrite(func(ctx context.Context, s *store.Store, tx pgx.Tx) error { return s.PutRole(ctx, tx, row) })
	return nil
}
