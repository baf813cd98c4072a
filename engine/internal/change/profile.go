package change

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/muster-engine/muster/engine/configuration"
	"github.com/muster-engine/muster/store"
)

// putProfile brings the rows up to an identity profile and the lifecycle states in it.
func (p *Proposal) putProfile(d configuration.Document) error {
	var shape configuration.IdentityProfile
	if err := configuration.DecodeObject(d.Object, &shape); err != nil {
		return inputError{err}
	}
	if err := configuration.ValidateName(shape.Name); err != nil {
		return inputError{err}
	}
	if o := shape.InvitationOptions; o != nil && o.Address != "" && o.Address != "WORK" && o.Address != "PERSONAL" {
		p.fault(wrong("invitationOptions.address: %q is unknown: WORK and PERSONAL are known%s", o.Address,
			configuration.DidYouMean(o.Address, []string{"WORK", "PERSONAL"})))
	}
	if err := p.validateMappings(&shape); err != nil {
		return err
	}
	source, err := p.findSource(shape.AuthoritativeSource)
	if err != nil {
		return fmt.Errorf("authoritativeSource: %w", err)
	}
	objects := make([]store.Object, len(p.Rows.Profiles))
	for i, other := range p.Rows.Profiles {
		objects[i] = other.Object
	}
	object, at, action, err := p.place(objects, shape.ID, shape.Name, d.Object)
	if err != nil {
		return err
	}
	row := store.Profile{Object: object, AuthoritativeSourceID: source, Priority: p.priority(&shape, at)}
	if at >= 0 && (p.Rows.Profiles[at].AuthoritativeSourceID != source ||
		p.Rows.Profiles[at].Priority != row.Priority) {
		action = configuration.Updated
	}
	p.record(configuration.TypeIdentityProfile, row.ID, row.Name, action)
	if action != configuration.Unchanged {
		p.Rows.Profiles = replaced(p.Rows.Profiles, at, row)
		p.profiles[row.ID] = true
		p.addWrite(func(ctx context.Context, s *store.Store, tx pgx.Tx) error { return s.PutProfile(ctx, tx, row) })
	}
	for i, state := range shape.LifecycleStates {
		if err := p.putLifecycleState(state, row.ID); err != nil {
			p.fault(fmt.Errorf("lifecycleStates[%d]: %w", i, err))
		}
	}
	return nil
}

// priority returns the priority of a profile at a place of the rows: the given one, or that which it has, or for a new
// one a lower priority than all others have.
func (p *Proposal) priority(shape *configuration.IdentityProfile, at int) int64 {
	if shape.Priority != nil {
		return *shape.Priority
	}
	if at >= 0 {
		return p.Rows.Profiles[at].Priority
	}
	var last int64
	for _, other := range p.Rows.Profiles {
		last = max(last, other.Priority+10)
	}
	return last
}

// validateMappings checks which attributes a profile maps, and defines those as texts that are not defined yet. Faults
// are kept. That the transforms compile is checked when all rows are compiled.
func (p *Proposal) validateMappings(profile *configuration.IdentityProfile) error {
	seen := map[string]bool{}
	for i, m := range profile.AttributeConfig.Transforms {
		place := fmt.Sprintf("identityAttributeConfig.attributeTransforms[%d].identityAttributeName", i)
		name := m.IdentityAttributeName
		switch {
		case !configuration.ValidAttributeName(name):
			p.fault(wrong("%s: %q is no name of an identity attribute: letters, digits, underscores and hyphens are "+
				"allowed", place, name))
			continue
		case configuration.IsSystemAttribute(name):
			p.fault(wrong("%s: %q is written by the system and cannot be mapped", place, name))
			continue
		case seen[name]:
			p.fault(wrong("%s: %q is mapped twice", place, name))
			continue
		}
		seen[name] = true
		standard := configuration.IsStandardAttribute(name)
		defined := slices.ContainsFunc(p.Rows.IdentityAttributes,
			func(r store.IdentityAttribute) bool { return r.Name == name })
		if standard || defined {
			p.touched[configuration.Key{Type: configuration.TypeIdentityAttribute, Name: name}] = true
			continue
		}
		if meant := p.attributeMeant(name); meant != "" {
			p.Notes = append(p.Notes, fmt.Sprintf("identity profile %q: it maps the identity attribute %q, which is a "+
				"new one%s", profile.Name, name, meant))
		}
		document := fmt.Appendf(nil, `{"name":%q,"displayName":%q,"type":"string","multi":false,"searchable":false}`,
			name, name)
		if err := p.defineAttribute(configuration.IdentityAttribute{Name: name}, document); err != nil {
			return err
		}
	}
	return nil
}

// attributeMeant returns which identity attribute may be meant by the name of a new one, or "".
func (p *Proposal) attributeMeant(name string) string {
	names := configuration.StandardAttributes()
	for _, row := range p.Rows.IdentityAttributes {
		names = append(names, row.Name)
	}
	return configuration.DidYouMean(name, names)
}

// putLifecycleState brings the rows up to a lifecycle state of a profile, which is zero where the state names it
// itself.
func (p *Proposal) putLifecycleState(document json.RawMessage, profile store.ID) error {
	var shape configuration.LifecycleState
	if err := configuration.DecodeObject(document, &shape); err != nil {
		return inputError{err}
	}
	if shape.TechnicalName == "" {
		return wrong("technicalName is missing: the value of cloudLifecycleState that means the state")
	}
	var unknown error // told when the state is there, so that the rest of it is judged too
	if s := shape.IdentityState; s != nil && *s != "" && !slices.Contains(store.IdentityStates, *s) {
		unknown = wrong("identityState: %q is unknown: %s are known%s", *s, strings.Join(store.IdentityStates, ", "),
			configuration.DidYouMean(*s, store.IdentityStates))
	}
	if profile.IsZero() {
		found, err := p.findProfile(shape.IdentityProfile)
		if err != nil {
			return fmt.Errorf("identityProfile: %w", err)
		}
		profile = found
	}
	row := store.LifecycleState{
		ID: store.NewID(), ProfileID: profile, TechnicalName: shape.TechnicalName, Document: document,
		Created: p.now, Modified: p.now,
	}
	if id, err := store.ParseID(shape.ID); err == nil {
		row.ID = id
	}
	at := slices.IndexFunc(p.Rows.LifecycleStates, func(r store.LifecycleState) bool {
		return r.ProfileID == profile && r.TechnicalName == shape.TechnicalName
	})
	action := configuration.Created
	if at >= 0 {
		old := p.Rows.LifecycleStates[at]
		row.ID, row.Created, action = old.ID, old.Created, configuration.Updated
		if sameDocument(old.Document, document) {
			row.Document, action = old.Document, configuration.Unchanged
		} else {
			p.replaces(configuration.TypeLifecycleState, shape.TechnicalName, old.Document, document)
		}
	}
	p.Rows.LifecycleStates = replaced(p.Rows.LifecycleStates, at, row)
	p.record(configuration.TypeLifecycleState, row.ID, row.TechnicalName, action)
	if action == configuration.Unchanged {
		return unknown
	}
	p.profiles[profile] = true
	p.addWrite(func(ctx context.Context, s *store.Store, tx pgx.Tx) error { return s.PutLifecycleState(ctx, tx, row) })
	return unknown
}

// findProfile returns the identity profile that a reference names. It may be one of the same documents.
func (p *Proposal) findProfile(r configuration.Reference) (store.ID, error) {
	id, _, err := p.targetsOf(configuration.TypeIdentityProfile).find(configuration.TypeIdentityProfile, r)
	if err == nil && id.IsZero() {
		err = p.noTarget(configuration.TypeIdentityProfile, r)
	}
	return id, err
}
