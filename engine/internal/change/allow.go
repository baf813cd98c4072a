package change

import (
	"errors"
	"fmt"
	"slices"

	"github.com/muster-engine/muster/engine/configuration"
	"github.com/muster-engine/muster/engine/fault"
	"github.com/muster-engine/muster/store"
)

// allowed returns an error of the kind Forbidden if a source of a proposal names what the operator does not allow: a
// secret, a folder or a host. rows are the configuration before. Where the operator allows everything, that counts for
// the operator's own documents: others may name nothing. What a source names already, in settings that stay as they
// are, was allowed, and is asked for again when the source is opened.
func (a *Applier) allowed(rows *store.Configuration, p *Proposal, untrusted bool) error {
	allow := a.Allow
	if allow == nil {
		if !untrusted {
			return nil
		}
		allow = &configuration.Allow{}
	}
	var faults []error
	for _, object := range p.Objects {
		if object.Type != configuration.TypeSource || object.Action == configuration.Unchanged {
			continue
		}
		source, err := sourceIn(p.Rows.Sources, object.ID)
		if err != nil {
			return err
		}
		before, err := sourceIn(rows.Sources, object.ID)
		if err != nil {
			return err
		}
		if before != nil && before.Connector == source.Connector &&
			SameJSON(before.ConnectorAttributes, source.ConnectorAttributes) {
			continue
		}
		if err := allow.CheckSource(source, a.Connectors[source.Connector] != nil); err != nil {
			faults = append(faults, fmt.Errorf("source %q: %w", object.Name, err))
		}
	}
	if len(faults) == 0 {
		return nil
	}
	return &fault.Error{Kind: fault.Forbidden, Op: "apply", Err: errors.Join(faults...)}
}

// sourceIn returns the source of an ID, or nil if there is none.
func sourceIn(rows []store.Object, id string) (*configuration.Source, error) {
	at := slices.IndexFunc(rows, func(r store.Object) bool { return r.ID.String() == id })
	if at < 0 {
		return nil, nil
	}
	var source configuration.Source
	err := configuration.DecodeObject(rows[at].Document, &source)
	return &source, err
}
