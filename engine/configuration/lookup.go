package configuration

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/muster-engine/muster/engine/criteria"
	"github.com/muster-engine/muster/engine/fault"
	"github.com/muster-engine/muster/store"
)

func ListOrNone(names []string) string {
	if len(names) == 0 {
		return "none yet"
	}
	return strings.Join(names, ", ")
}

func (c *Configuration) RoleByName(text string) *CompiledRole {
	if id, err := store.ParseID(text); err == nil && c.Roles[id] != nil {
		return c.Roles[id]
	}
	folded := store.Fold(text)
	for _, role := range c.Roles {
		if store.Fold(role.Name) == folded {
			return role
		}
	}
	return nil
}

func (c *Configuration) ProfileByID(id store.ID) *CompiledProfile {
	for i := range c.Profiles {
		if c.Profiles[i].RowID == id {
			return &c.Profiles[i]
		}
	}
	return nil
}

// StateByName returns the technical name of the state that an ID, a technical name or a name stands for, "" for none.
func (p *CompiledProfile) StateByName(text string) string {
	if p.hasState(text) {
		return text
	}
	id, err := store.ParseID(text)
	folded := store.Fold(text)
	for technical, state := range p.states {
		if err == nil && state.RowID == id || store.Fold(state.Name) == folded {
			return technical
		}
	}
	return ""
}

func (p *CompiledProfile) hasState(technical string) bool {
	_, configured := p.states[technical]
	_, builtIn := builtInStates[technical]
	return configured || builtIn
}

func (p *CompiledProfile) StateNames() []string {
	var names []string
	for name := range p.states {
		names = append(names, name)
	}
	for name := range builtInStates {
		names = append(names, name)
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// RefersTo reports whether a mapping refers to one of the saved transforms.
func (p *CompiledProfile) RefersTo(transforms []string) bool {
	return slices.ContainsFunc(transforms, func(name string) bool { return slices.Contains(p.transforms, name) })
}

// SourceByName returns the source that an ID or a name, ignoring case, stands for; nil when none does.
func (c *Configuration) SourceByName(text string) *CompiledSource {
	if id, err := store.ParseID(text); err == nil && c.Sources[id] != nil {
		return c.Sources[id]
	}
	folded := store.Fold(text)
	for _, source := range c.Sources {
		if store.Fold(source.Name) == folded {
			return source
		}
	}
	return nil
}

// NameSources puts the names of the sources into an explanation.
func (c *Configuration) NameSources(e *criteria.Explanation) {
	if e.Key != nil && e.Key.Type != criteria.Identity {
		e.Source = c.sourceName(e.Key.SourceID)
	}
	for i := range e.Children {
		c.NameSources(&e.Children[i])
	}
}

// Mapping returns the definition of the mapping of an attribute, null for none.
func (p *CompiledProfile) Mapping(name string) []byte {
	for _, m := range p.AttributeConfig.Transforms {
		if m.IdentityAttributeName == name {
			return m.TransformDefinition
		}
	}
	return []byte("null")
}

func (c *Configuration) ProfileName(id store.ID) string {
	for i := range c.Profiles {
		if c.Profiles[i].RowID == id {
			return c.Profiles[i].Name
		}
	}
	return ""
}

// ProfileByName returns the profile that an ID or a name, ignoring case, stands for; nil when none does.
func (c *Configuration) ProfileByName(text string) *CompiledProfile {
	id, err := store.ParseID(text)
	folded := store.Fold(text)
	for i := range c.Profiles {
		if err == nil && c.Profiles[i].RowID == id || store.Fold(c.Profiles[i].Name) == folded {
			return &c.Profiles[i]
		}
	}
	return nil
}

func (c *Configuration) sourceName(id criteria.ID) string {
	if source := c.Sources[id]; source != nil {
		return source.Name
	}
	return id.String()
}

// Shorten returns at most limit characters of a text.
func Shorten(s string, limit int) string {
	for i := range s {
		if limit == 0 {
			return s[:i] + "…"
		}
		limit--
	}
	return s
}

func (c *Configuration) NoSource(op, name string) error {
	return &fault.Error{Kind: fault.NotFound, Op: op, Subject: name,
		Err: fmt.Errorf("there is no such source: the sources are %s", ListOrNone(c.sourceNames()))}
}

func (c *Configuration) sourceNames() []string {
	var names []string
	for _, s := range c.Sources {
		names = append(names, strconv.Quote(s.Name))
	}
	slices.Sort(names)
	return names
}
