package change

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/muster-engine/muster/engine/configuration"
	"github.com/muster-engine/muster/engine/connector"
	"github.com/muster-engine/muster/filterql/jsontext"
)

// NotesOn returns notes about the configuration that the proposal makes, compiled: what may not be meant as it is
// given. connectors are those that the program has.
func (p *Proposal) NotesOn(after *configuration.Configuration, connectors map[string]connector.Factory) []string {
	notes := append(after.Notes(), after.Unresolved()...)
	names := slices.Sorted(maps.Keys(connectors))
	for _, object := range p.Objects {
		if object.Type != configuration.TypeSource || object.Action == configuration.Unchanged {
			continue
		}
		if source := after.SourceByName(object.ID); source != nil {
			if note := source.ConnectorNote(names); note != "" {
				notes = append(notes, note)
			}
		}
	}
	for i := range notes {
		notes[i] = p.spelled(notes[i])
	}
	return notes
}

// removedMembers returns a note if a document lacks members that the one before it has: an object is replaced whole.
func removedMembers(kind configuration.ObjectType, name string, before, after []byte) []string {
	var was, is any
	if json.Unmarshal(before, &was) != nil || json.Unmarshal(after, &is) != nil {
		return nil // what is no JSON does not get here
	}
	var removed []string
	collectRemoved(&removed, "", was, is)
	if len(removed) == 0 {
		return nil
	}
	return []string{fmt.Sprintf("%s %q: %s removed: the document does not have what was there", words(kind), name,
		strings.Join(removed, ", "))}
}

func words(kind configuration.ObjectType) string {
	return strings.ToLower(strings.ReplaceAll(string(kind), "_", " "))
}

// removedMax is how many removed members a note lists.
const removedMax = 20

// collectRemoved collects the members of objects that are gone.
func collectRemoved(removed *[]string, path string, was, is any) {
	before, isObject := was.(map[string]any)
	if !isObject {
		return
	}
	after, _ := is.(map[string]any)
	for _, name := range slices.Sorted(maps.Keys(before)) {
		at := strings.TrimPrefix(path+"."+name, ".")
		value, there := after[name]
		switch {
		case before[name] == nil || len(*removed) >= removedMax:
		case !there || value == nil:
			if at != "id" && at != "created" && at != "modified" && !isEmpty(before[name]) {
				*removed = append(*removed, jsontext.Printable(at))
			}
		default:
			collectRemoved(removed, at, before[name], value)
		}
	}
}

// isEmpty reports whether a value says nothing.
func isEmpty(value any) bool {
	text, err := json.Marshal(value)
	return err == nil && slices.ContainsFunc([]string{`""`, "[]", "{}", "false"}, func(empty string) bool {
		return bytes.Equal(text, []byte(empty))
	})
}
