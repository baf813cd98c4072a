package change

import (
	"encoding/json"
	"fmt"
	"slices"

	"github.com/muster-engine/muster/engine/configuration"
	"github.com/muster-engine/muster/store"
)

// synchronize puts the synchronizations that exports have as objects of their own into their sources: those of the same
// documents, or else those that there are. Faults are kept, as in putAll.
func (p *Proposal) synchronize(prepared *configuration.Prepared) error {
	for i := range prepared.Synchronizations {
		s := &prepared.Synchronizations[i]
		at, err := documentOf(prepared.Documents, &s.Source)
		if err == nil && at < 0 {
			at = len(prepared.Documents)
			var d configuration.Document
			if d, err = p.sourceDocument(s); err == nil {
				prepared.Documents = append(prepared.Documents, d)
			}
		}
		if err == nil {
			err = putSynchronization(&prepared.Documents[at], s)
		}
		if err := p.faults.add(s.Place, err); err != nil {
			return err
		}
	}
	return nil
}

// documentOf returns the place of the source's document that a reference names, or -1.
func documentOf(documents []configuration.Document, r *configuration.Reference) (int, error) {
	for i := range documents {
		if documents[i].Type != configuration.TypeSource {
			continue
		}
		var named struct {
			ID   string `json:"id"`
			Name string `json:"name"`
		}
		if err := configuration.DecodeObject(documents[i].Object, &named); err != nil {
			return -1, inputError{err}
		}
		id, err := store.ParseID(r.ID)
		own, ownErr := store.ParseID(named.ID)
		if err == nil && ownErr == nil && id == own ||
			r.Name != "" && store.Fold(r.Name) == store.Fold(named.Name) {
			return i, nil
		}
	}
	return -1, nil
}

// sourceDocument returns the document of a source that there is.
func (p *Proposal) sourceDocument(s *configuration.Synchronization) (configuration.Document, error) {
	id, err := p.findSource(s.Source)
	if err != nil {
		return configuration.Document{}, fmt.Errorf("source: %w", err)
	}
	at := slices.IndexFunc(p.Rows.Sources, func(r store.Object) bool { return r.ID == id })
	var members map[string]json.RawMessage
	if err := json.Unmarshal(p.Rows.Sources[at].Document, &members); err != nil {
		return configuration.Document{}, err
	}
	if members["id"], err = json.Marshal(id.String()); err != nil {
		return configuration.Document{}, err
	}
	object, err := json.Marshal(members)
	return configuration.Document{Type: configuration.TypeSource, Object: object, Place: s.Place}, err
}

// putSynchronization puts a synchronization into the document of its source.
func putSynchronization(d *configuration.Document, s *configuration.Synchronization) error {
	var members map[string]json.RawMessage
	if err := json.Unmarshal(d.Object, &members); err != nil {
		return inputError{err}
	}
	if given := members["attributeSyncConfig"]; d.Place != s.Place && len(given) > 0 && string(given) != "null" {
		var present, other configuration.AttributeSyncConfig
		if err := configuration.DecodeObject(given, &present); err != nil {
			return inputError{fmt.Errorf("attributeSyncConfig: %w", err)}
		}
		if err := configuration.DecodeObject(s.Config, &other); err != nil {
			return inputError{err}
		}
		if len(present.Attributes) > 0 && !slices.Equal(present.Attributes, other.Attributes) {
			return wrong("%s has an attributeSyncConfig that says something else: give one of them", d.Place)
		}
	}
	members["attributeSyncConfig"] = s.Config
	object, err := json.Marshal(members)
	d.Object = object
	return err
}
