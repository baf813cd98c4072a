package engine

import (
	"context"
	"encoding/json"
	"errors"

	"github.com/muster-engine/muster/engine/attribute"
	"github.com/muster-engine/muster/engine/fault"
	"github.com/muster-engine/muster/store"
)

// AttributePreview is what the mapped attributes of one identity are, and what they would be.
type AttributePreview struct {
	Identity   Reference
	Attributes []PreviewedAttribute // in the order of the mapping
	// Error is why the identity could not be calculated; "" when it could. Then no attribute has a new value.
	Error string
}

// PreviewedAttribute is what an attribute is and what it would be.
type PreviewedAttribute struct {
	Name     string
	Previous attribute.Value
	Value    attribute.Value
}

// PreviewAttributes calculates the attributes of one identity with another mapping of its profile, in the published
// shape of an identityAttributeConfig, or with that of its profile where config is nil or null. It stores nothing. An
// identity without a profile has no mapping, which is Invalid.
func (e *Engine) PreviewAttributes(ctx context.Context, identity string, config json.RawMessage) (AttributePreview,
	error,
) {
	const op = "preview the attributes"
	id, known := store.IDOf(identity)
	if !known {
		return AttributePreview{}, noIdentity(op, identity)
	}
	row, err := e.tenant.Store.IdentityByID(ctx, e.tenant.Pool, id)
	if errors.Is(err, store.ErrNotFound) {
		return AttributePreview{}, noIdentity(op, identity)
	}
	if err != nil {
		return AttributePreview{}, fault.Wrap(op, identity, err)
	}
	if row.ProfileID.IsZero() {
		return AttributePreview{}, fault.Invalidf(op, identity,
			"the identity has no identity profile, and so no mapping")
	}
	names, params, err := e.previewedMapping(ctx, op, row.ProfileID, config)
	if err != nil {
		return AttributePreview{}, err
	}
	params.IDs = []string{id.String()}
	var current attribute.Set
	if err := current.Decode(row.Attributes); err != nil {
		return AttributePreview{}, fault.Wrap(op, identity, err)
	}
	preview := AttributePreview{Identity: Reference{Type: "IDENTITY", ID: id.String(), Name: row.Name}}
	values := map[string]attribute.Value{}
	_, err = e.Preview(ctx, params, func(change *PreviewChange) error {
		preview.Error = change.Error
		for _, a := range change.Attributes {
			values[a.Name] = a.To
		}
		return nil
	})
	if err != nil {
		return AttributePreview{}, err
	}
	for _, name := range names {
		a := PreviewedAttribute{Name: name, Previous: current.Get(name), Value: current.Get(name)}
		if value, changed := values[name]; changed {
			a.Value = value
		}
		if preview.Error != "" {
			a.Value = attribute.Value{}
		}
		preview.Attributes = append(preview.Attributes, a)
	}
	return preview, nil
}

func noIdentity(op, identity string) error {
	return &Error{Kind: NotFound, Op: op, Subject: identity, Err: errors.New("there is no identity with this ID")}
}

// previewedMapping returns the names of the attributes that a profile maps, and what previews another mapping.
func (e *Engine) previewedMapping(ctx context.Context, op string, profile store.ID, config json.RawMessage) ([]string,
	PreviewParams, error,
) {
	object, err := e.ConfigurationObject(ctx, TypeIdentityProfile, profile.String())
	if err != nil {
		return nil, PreviewParams{}, err
	}
	document := object.Object
	var params PreviewParams
	if len(config) > 0 && string(config) != "null" {
		if document, err = withMember(document, "identityAttributeConfig", config); err != nil {
			return nil, params, fault.Wrap(op, "", err)
		}
		params.Documents = []Document{{Type: TypeIdentityProfile, Object: document}}
	}
	var mapped IdentityProfile
	if err := json.Unmarshal(document, &mapped); err != nil {
		return nil, params, fault.Invalidf(op, "identityAttributeConfig", "a mapping of attributes is expected")
	}
	var names []string
	for _, mapping := range mapped.AttributeConfig.Transforms {
		names = append(names, mapping.IdentityAttributeName)
	}
	return names, params, nil
}
