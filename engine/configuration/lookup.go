package configuration

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/muster-engine/muster/engine/criteria"
	"github.com/muster-engine/muster/engine/fault"
	"github.com/muster-engine/muster/store"
)

// SourceByName returns the source that an ID or a name, ignoring case, stands for, or nil if there is none.
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

// sourceOf returns the source that a reference names, by ID or by name, or nil if there is none.
func (c *Configuration) sourceOf(r *Reference) *CompiledSource {
	if source := c.SourceByName(r.ID); r.ID != "" && source != nil {
		return source
	}
	if r.Name == "" {
		return nil
	}
	return c.SourceByName(r.Name)
}

// label returns the name of a reference, or its ID if it has none, for errors.
func (r *Reference) label() string {
	if r.Name != "" {
		return r.Name
	}
	return r.ID
}

// sourceName returns the name of a source, or its ID if it is gone.
func (c *Configuration) sourceName(id criteria.ID) string {
	if source := c.Sources[id]; source != nil {
		return source.Name
	}
	return id.String()
}

// plainSourceNames returns the names of the sources, sorted.
func (c *Configuration) plainSourceNames() []string {
	var names []string
	for _, s := range c.Sources {
		names = append(names, s.Name)
	}
	slices.Sort(names)
	return names
}

// MissingRole says that there is no role of a name, and which one may be meant. It is for package engine.
func (c *Configuration) MissingRole(name string) error {
	var names []string
	for _, r := range c.Roles {
		names = append(names, r.Name)
	}
	slices.Sort(names)
	return errors.New("there is no role with this ID or name" + DidYouMean(name, names))
}

// sourceNames returns the names of the sources, quoted and sorted.
func (c *Configuration) sourceNames() []string {
	var names []string
	for _, s := range c.Sources {
		names = append(names, strconv.Quote(s.Name))
	}
	slices.Sort(names)
	return names
}

// NoSource returns the error that there is no source of a name. It lists those that there are.
func (c *Configuration) NoSource(op, name string) error {
	return &fault.Error{Kind: fault.NotFound, Op: op, Subject: name,
		Err: fmt.Errorf("there is no such source: the sources are %s%s", ListOrNone(c.sourceNames()),
			DidYouMean(name, c.plainSourceNames()))}
}

// NameSources writes the names of the sources into an explanation.
func (c *Configuration) NameSources(e *criteria.Explanation) {
	if e.Key != nil && e.Key.Type != criteria.Identity {
		e.Source = c.sourceName(e.Key.SourceID)
	}
	for i := range e.Children {
		c.NameSources(&e.Children[i])
	}
}

// RoleByName returns the role that an ID or a name, ignoring case, stands for, or nil if there is none.
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

// ProfileByID returns the profile of an ID, or nil if there is none.
func (c *Configuration) ProfileByID(id store.ID) *CompiledProfile {
	for i := range c.Profiles {
		if c.Profiles[i].RowID == id {
			return &c.Profiles[i]
		}
	}
	return nil
}

// ProfileByName returns the profile that an ID or a name, ignoring case, stands for, or nil if there is none.
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

// ProfileName returns the name of the profile of an ID, or "" if there is none.
func (c *Configuration) ProfileName(id store.ID) string {
	for i := range c.Profiles {
		if c.Profiles[i].RowID == id {
			return c.Profiles[i].Name
		}
	}
	return ""
}

// ListOrNone returns names as an error lists them: "none yet" if there are none. It is for package engine.
func ListOrNone(names []string) string {
	if len(names) == 0 {
		return "none yet"
	}
	return strings.Join(names, ", ")
}

// Shorten returns at most limit characters of a text, with an ellipsis if there are more. It is for package engine.
func Shorten(s string, limit int) string {
	for i := range s {
		if limit == 0 {
			return s[:i] + "…"
		}
		limit--
	}
	return s
}
