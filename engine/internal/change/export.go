package change

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/muster-engine/muster/engine/configuration"
	"github.com/muster-engine/muster/store"
)

// Object is one object of a configuration, as an export has it.
type Object struct {
	Type     configuration.ObjectType
	ID       string // "" for identity attributes and settings
	Name     string
	Document json.RawMessage
	Created  time.Time // zero for settings
	Modified time.Time
}

// Export returns all objects of a configuration, in the order in which they can be applied: each with its ID, and with
// what its row says beside its document. Lifecycle states are objects of their own, and not parts of their profiles.
func Export(rows *store.Configuration) ([]Object, error) {
	var list []Object
	all := objectRows(rows)
	slices.SortFunc(all, func(a, b objectRow) int {
		return bytes.Compare([]byte(a.name+"\x00"+a.id.String()), []byte(b.name+"\x00"+b.id.String()))
	})
	settings, err := configuration.CompileSettings(rows.Settings)
	if err != nil {
		return nil, err
	}
	for _, group := range configuration.Groups() {
		if said := settings.Said(); group.Kind == configuration.TypeSettings && said != nil {
			list = append(list, Object{Type: group.Kind, Name: settingsName, Document: said})
		}
		for i := range all {
			if all[i].kind != group.Kind {
				continue
			}
			object, err := exported(rows, &all[i])
			if err != nil {
				return nil, fmt.Errorf("%s %q: %w", words(group.Kind), all[i].name, err)
			}
			list = append(list, object)
		}
	}
	return list, nil
}

// exported returns a row as an export has it.
func exported(rows *store.Configuration, row *objectRow) (Object, error) {
	object := Object{Type: row.kind, Name: row.name, Document: row.document, Created: row.created,
		Modified: row.modified}
	if row.id.IsZero() {
		return object, nil
	}
	object.ID = row.id.String()
	members, err := decodeMembers(row.document)
	if err != nil {
		return object, err
	}
	members["id"] = object.ID
	switch row.kind {
	case configuration.TypeIdentityProfile:
		members["priority"] = row.priority
		members["authoritativeSource"] = reference(configuration.TypeSource, row.source, rows.Sources)
		delete(members, "lifecycleStates")
	case configuration.TypeLifecycleState:
		at := slices.IndexFunc(rows.LifecycleStates, func(l store.LifecycleState) bool { return l.ID == row.id })
		profiles := make([]store.Object, len(rows.Profiles))
		for i := range rows.Profiles {
			profiles[i] = rows.Profiles[i].Object
		}
		members["identityProfile"] = reference(configuration.TypeIdentityProfile,
			rows.LifecycleStates[at].ProfileID, profiles)
		if members["enabled"] == nil { // an export that omits it means false
			members["enabled"] = true
		}
	}
	object.Document, err = encodeMembers(members)
	return object, err
}

// decodeMembers returns the members of an object. Numbers keep their digits.
func decodeMembers(text []byte) (members map[string]any, err error) {
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	err = decoder.Decode(&members)
	return members, err
}

// encodeMembers is the inverse of decodeMembers.
func encodeMembers(members map[string]any) (json.RawMessage, error) {
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false)
	err := encoder.Encode(members)
	return bytes.TrimSpace(text.Bytes()), err
}

// reference returns a reference to an object.
func reference(kind configuration.ObjectType, id store.ID, objects []store.Object) configuration.Reference {
	r := configuration.Reference{Type: string(kind), ID: id.String()}
	for i := range objects {
		if objects[i].ID == id {
			r.Name = objects[i].Name
		}
	}
	return r
}
