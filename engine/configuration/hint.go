package configuration

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/muster-engine/muster/engine/connector/delimited"
	"github.com/muster-engine/muster/engine/criteria"
	"github.com/muster-engine/muster/filterql/suggest"
	"github.com/muster-engine/muster/store"
)

// nameNotes are about names that are taken as they are given, and look like misspellings of others: what they name may
// be there all the same, at the source or in what is applied next.
func (c *Configuration) nameNotes() []string {
	var notes []string
	for _, source := range c.sortedSources() {
		notes = append(notes, source.nameNotes()...)
	}
	states := c.allStates()
	if len(states) == 0 {
		return notes
	}
	for _, role := range c.Roles {
		if role.Criterion != nil {
			notes = append(notes, stateNotesOf(role.Criterion, role.Name, states)...)
		}
	}
	for i := range c.Profiles {
		p := &c.Profiles[i]
		for _, m := range p.AttributeConfig.Transforms {
			if m.IdentityAttributeName != lifecycleAttribute {
				continue
			}
			for _, text := range literalsOf(m.TransformDefinition) {
				if !p.hasState(text) {
					notes = append(notes, fmt.Sprintf("identity profile %q: attribute %s: the profile has no "+
						"lifecycle state %q%s", p.Name, lifecycleAttribute, text, DidYouMean(text, p.StateNames())))
				}
			}
		}
	}
	return notes
}

// nameNotes are about the names of columns, schemas and attributes in the settings and the schemas of a source.
func (s *CompiledSource) nameNotes() []string {
	var notes []string
	note := func(member, kind, name string, known []string) {
		if name == "" || slices.Contains(known, name) {
			return
		}
		if nearest := suggest.Nearest(name, known); nearest != "" {
			notes = append(notes, fmt.Sprintf("source %q: %s: the source has no %s %q; did you mean %q?", s.Name,
				member, kind, name, nearest))
		}
	}
	var others []string
	for i := range s.Schemas {
		if schema := &s.Schemas[i]; schema != s.AccountSchema() {
			others = append(others, schema.Name)
		}
	}
	schema := s.AccountSchema()
	if schema == nil {
		return nil
	}
	columns := make([]string, len(schema.Attributes))
	for i := range schema.Attributes {
		a := &schema.Attributes[i]
		columns[i] = a.Name
		if a.Schema != nil {
			note(fmt.Sprintf("schemas: attribute %q", a.Name), "schema", a.Schema.Name, others)
		}
	}
	if len(columns) == 0 || isNone(s.ConnectorAttributes) {
		return notes
	}
	var settings struct {
		AccountStatus *AccountStatus             `json:"accountStatus"`
		Groups        map[string]json.RawMessage `json:"groups"`
		Memberships   []struct {
			Attribute string `json:"attribute"`
		} `json:"memberships"`
	}
	if json.Unmarshal(s.ConnectorAttributes, &settings) != nil {
		return notes // the connector says what it expects
	}
	const place = "connectorAttributes."
	const attribute = "account attribute"
	if settings.AccountStatus != nil {
		note(place+"accountStatus.attribute", attribute, settings.AccountStatus.Attribute, columns)
	}
	for _, name := range slices.Sorted(maps.Keys(settings.Groups)) {
		note(place+"groups", "schema", name, others)
	}
	for i, m := range settings.Memberships {
		note(fmt.Sprintf("%smemberships[%d].attribute", place, i), attribute, m.Attribute, columns)
	}
	if shape := settingsShape(s.Connector); shape == delimitedShape || shape == folderShape {
		file, err := delimited.ParseSettings(s.ConnectorAttributes)
		if err != nil {
			return notes // such a source is not applied
		}
		note(place+"stableIdentityColumn", attribute, file.StableIdentityColumn, columns)
		for _, list := range []struct {
			member string
			names  []string
		}{
			{"columnNames", file.ColumnNames}, {"mergeColumns", file.MergeColumns}, {"indexColumns", file.IndexColumns},
		} {
			for _, name := range list.names {
				note(place+list.member, attribute, name, columns)
			}
		}
	}
	return notes
}

// allStates returns the technical names of the lifecycle states of all profiles, sorted.
func (c *Configuration) allStates() []string {
	var names []string
	for i := range c.Profiles {
		names = append(names, c.Profiles[i].StateNames()...)
		names = slices.AppendSeq(names, maps.Keys(c.Profiles[i].states))
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// stateNotesOf are about lifecycle states that a criterion compares with and that no profile has.
func stateNotesOf(criterion *criteria.Criterion, role string, states []string) []string {
	var notes []string
	for _, child := range criterion.Children {
		notes = append(notes, stateNotesOf(child, role, states)...)
	}
	if criterion.Operation != criteria.Equals && criterion.Operation != criteria.NotEquals ||
		criterion.Key.Type != criteria.Identity || criterion.Key.Attribute != lifecycleAttribute ||
		slices.ContainsFunc(states, func(s string) bool { return store.Fold(s) == criterion.Folded() }) {
		return notes
	}
	return append(notes, fmt.Sprintf("role %q: membership.criteria: no identity profile has the lifecycle state %q%s",
		role, criterion.Value, DidYouMean(criterion.Value, states)))
}

// literalsOf returns the constant texts that a transform of a simple kind may give.
func literalsOf(definition []byte) []string {
	var t struct {
		Type       string                     `json:"type"`
		Attributes map[string]json.RawMessage `json:"attributes"`
	}
	if json.Unmarshal(definition, &t) != nil {
		return nil
	}
	var texts []string
	add := func(value json.RawMessage) {
		var text string
		if json.Unmarshal(value, &text) == nil && text != "" && !strings.ContainsAny(text, `$#`) {
			texts = append(texts, text)
		}
	}
	switch t.Type {
	case "static":
		add(t.Attributes["value"])
	case "conditional":
		add(t.Attributes["positiveCondition"])
		add(t.Attributes["negativeCondition"])
	case "lookup":
		var table map[string]json.RawMessage
		if json.Unmarshal(t.Attributes["table"], &table) != nil {
			return nil
		}
		for _, key := range slices.Sorted(maps.Keys(table)) {
			add(table[key])
		}
	}
	return texts
}
