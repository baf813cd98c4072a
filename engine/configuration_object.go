package engine

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/muster-engine/muster/engine/configuration"
	"github.com/muster-engine/muster/engine/fault"
	"github.com/muster-engine/muster/engine/internal/change"
	"github.com/muster-engine/muster/engine/internal/tenant"
	"github.com/muster-engine/muster/filterql/suggest"
	"github.com/muster-engine/muster/store"
)

// ConfigurationObject is one object of the tenant's configuration.
type ConfigurationObject struct {
	Type ObjectType `json:"type"`
	ID   string     `json:"id,omitempty"` // identity attributes and settings have none
	Name string     `json:"name"`         // of a lifecycle state its technical name
	// Object is the object in its published shape, as it could be applied.
	Object json.RawMessage `json:"object"`
	// Created and Modified are when it was created and last changed; zero for settings. No export has them.
	Created  time.Time `json:"-"`
	Modified time.Time `json:"-"`
}

// ConfigurationObjects returns the objects of the tenant's configuration of some types, or all without any: first those
// that others refer to, and by name. Applying all of them to a tenant that has no configuration gives it the same one,
// with the same IDs. Secrets are references, as in the documents that were applied.
func (e *Engine) ConfigurationObjects(ctx context.Context, kinds ...ObjectType) ([]ConfigurationObject, error) {
	const op = "list the configuration"
	for _, kind := range kinds {
		if err := knownType(op, kind); err != nil {
			return nil, err
		}
	}
	rows, err := e.configurationRows(ctx)
	if err != nil {
		return nil, fault.Wrap(op, "", err)
	}
	list, err := exportedObjects(&rows, kinds)
	return list, fault.Wrap(op, "", err)
}

// exportedObjects returns the objects of some types, or all without any.
func exportedObjects(rows *store.Configuration, kinds []ObjectType) ([]ConfigurationObject, error) {
	all, err := change.Export(rows)
	if err != nil {
		return nil, err
	}
	list := []ConfigurationObject{}
	for i := range all {
		if len(kinds) == 0 || slices.Contains(kinds, all[i].Type) {
			list = append(list, ConfigurationObject{Type: all[i].Type, ID: all[i].ID, Name: all[i].Name,
				Object: all[i].Document, Created: all[i].Created.UTC(), Modified: all[i].Modified.UTC()})
		}
	}
	return list, nil
}

// ConfigurationObject returns the object of a type that has an ID or a name, ignoring case. Of lifecycle states of
// several profiles with one technical name, an ID names one.
func (e *Engine) ConfigurationObject(ctx context.Context, kind ObjectType, name string) (ConfigurationObject, error) {
	const op = "get the configuration"
	objects, err := e.ConfigurationObjects(ctx, kind)
	if err != nil {
		return ConfigurationObject{}, err
	}
	return pickObject(op, kind, name, objects)
}

// pickObject returns the object of a type that an ID or a name, ignoring case, stands for.
func pickObject(op string, kind ObjectType, name string, objects []ConfigurationObject) (ConfigurationObject, error) {
	id, notID := store.ParseID(name)
	var names []string
	var found []ConfigurationObject
	for _, object := range objects {
		names = append(names, object.Name)
		if notID == nil && object.ID == id.String() {
			return object, nil
		}
		if store.Fold(object.Name) == store.Fold(name) {
			found = append(found, object)
		}
	}
	switch {
	case len(found) == 1:
		return found[0], nil
	case len(found) > 1:
		return ConfigurationObject{}, fault.Invalidf(op, name, "%d objects of the type %s have this name: give the ID",
			len(found), kind)
	}
	hint := ""
	if nearest := suggest.Nearest(name, names); nearest != "" {
		hint = fmt.Sprintf("; did you mean %q?", nearest)
	}
	return ConfigurationObject{}, &Error{Kind: NotFound, Op: op, Subject: name,
		Err: fmt.Errorf("there is no object of the type %s with this ID or name%s", kind, hint)}
}

// knownType returns an error for a type that no object can have.
func knownType(op string, kind ObjectType) error {
	var known []string
	for _, group := range configuration.Groups() {
		if group.Kind == kind {
			return nil
		}
		known = append(known, string(group.Kind))
	}
	hint := "those are " + strings.Join(known, ", ")
	if nearest := suggest.Nearest(string(kind), known); nearest != "" {
		hint = fmt.Sprintf("did you mean %s?", nearest)
	}
	return fault.Invalidf(op, string(kind), "there is no such type of objects: %s", hint)
}

// configurationRows returns the rows of the configuration, all of one version.
func (e *Engine) configurationRows(ctx context.Context) (store.Configuration, error) {
	return tenant.Transact(ctx, e.tenant, func(tx pgx.Tx) (store.Configuration, error) {
		if _, err := e.tenant.Store.LockConfigurationShared(ctx, tx); err != nil {
			return store.Configuration{}, err
		}
		return e.tenant.Store.LoadConfiguration(ctx, tx)
	})
}

// ConfigurationDifference is what applying documents would change in the configuration.
type ConfigurationDifference struct {
	// Objects are those that would be created, updated or removed, with their documents before and after, by type and
	// name.
	Objects []RevisionObject `json:"objects"`
	// Notes and Losses are those that applying the documents would make: see [ApplyResult].
	Notes  []string `json:"notes"`
	Losses []string `json:"losses,omitempty"`
	// Lacking are the members that decide access, that objects have, and that the documents lack: applying them is
	// refused without [Replace].
	Lacking []string `json:"lacking,omitempty"`
}

// DiffConfiguration returns what applying documents would change in the configuration, and changes nothing. It fails
// where applying would fail, but for members that are refused, which are the losses, for members that are lacking, and
// for what the guard holds. Of the options [Prune] counts. [Engine.Preview] says what it means for identities.
func (e *Engine) DiffConfiguration(ctx context.Context, documents []Document, options ...ApplyOption) (
	ConfigurationDifference, error,
) {
	const op = "compare the configuration"
	o, err := changeOptions(op, options)
	if err != nil {
		return ConfigurationDifference{}, err
	}
	rows, err := e.configurationRows(ctx)
	if err != nil {
		return ConfigurationDifference{}, fault.Wrap(op, "", err)
	}
	return e.difference(op, &rows, documents, &o)
}

// difference returns what applying documents would change in a configuration.
func (e *Engine) difference(op string, rows *store.Configuration, documents []Document, o *change.Options) (
	ConfigurationDifference, error,
) {
	before, err := e.tenant.Compile(*rows)
	if err != nil {
		return ConfigurationDifference{}, fault.Wrap(op, "", err)
	}
	proposal, err := change.Propose(*rows, before, &change.Request{Documents: documents, Accept: true,
		Prune: o.PrunedTypes(documents), Compile: e.tenant.Compile}, e.tenant.Now())
	if err != nil {
		return ConfigurationDifference{}, fault.Wrap(op, "", err)
	}
	after, err := e.tenant.Compile(proposal.Rows)
	if err == nil {
		err = after.Check()
	}
	if err != nil {
		return ConfigurationDifference{}, &Error{Kind: Invalid, Op: op, Subject: change.PlacesOf(documents), Err: err}
	}
	objects, err := change.Differences(rows, &proposal.Rows)
	if err != nil {
		return ConfigurationDifference{}, fault.Wrap(op, "", err)
	}
	return ConfigurationDifference{Objects: revisionObjects(objects),
		Notes:  append(proposal.Notes, proposal.NotesOn(after, e.tenant.Connectors)...),
		Losses: proposal.Losses, Lacking: proposal.Lacking}, nil
}
