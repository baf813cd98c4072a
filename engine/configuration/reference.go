package configuration

import (
	_ "embed" // of the introduction
	"fmt"
	"slices"
	"strings"

	"github.com/muster-engine/muster/engine/transform"
)

//go:embed reference.md
var referenceIntroduction string

// ReferencePage returns docs/configuration.md: every type of objects with its members, as the tables of this package
// have them. It is for the generator of that page and for its test.
func ReferencePage() string {
	var b strings.Builder
	b.WriteString(referenceIntroduction)
	b.WriteString("## How many\n\n| object | read | kept | refused |\n| --- | --- | --- | --- |\n")
	for _, t := range Shapes() {
		writeCount(&b, string(t.Type), t.Shape)
	}
	for _, s := range SettingShapes() {
		writeCount(&b, "connectorAttributes of "+s.Name, s)
	}
	b.WriteString("\nMembers of the parts of an object count with it, each part once.\n")
	shared := sharedParts()
	for _, t := range Shapes() {
		fmt.Fprintf(&b, "\n## %s\n\n", t.Type)
		member := ""
		for _, g := range groups {
			if g.Kind == t.Type {
				member = g.Member
			}
		}
		fmt.Fprintf(&b, "%s Under `%s`.\n", t.Shape.About, member)
		for _, part := range parts(t.Shape) {
			if !slices.Contains(shared, part) {
				writeShape(&b, part, part == t.Shape)
			}
		}
	}
	b.WriteString("\n## connectorAttributes\n\nWhat a source's connectorAttributes may have depends on its " +
		"connector. A secret is a reference, `env:NAME` or `file:PATH`: a secret in clear is refused, at any " +
		"depth. Where no table says that a setting is a secret, its name does: it ends with a word such as " +
		"password, secret, token or credential.\n")
	b.WriteString("What a setting may name of the machine, as hosts, folders and secrets, is the operator's to " +
		"allow: see docs/connectors.md.\n")
	for _, s := range SettingShapes() {
		for _, part := range parts(s) {
			if !slices.Contains(shared, part) {
				writeShape(&b, part, false)
			}
		}
	}
	b.WriteString("\n## Parts of several objects\n")
	for _, part := range shared {
		writeShape(&b, part, false)
	}
	b.WriteString("\n## Operations of transforms\n\nUnder `attributes`, an operation reads those below. An attribute " +
		"of another name is a variable of its templates; one that no template reads is noted, or refused " +
		"where it looks like a misspelling. docs/transforms.md says what the operations do.\n\n" +
		"| type | attributes |\n| --- | --- |\n")
	for _, operation := range transform.Operations() {
		fmt.Fprintf(&b, "| `%s` | %s |\n", operation, quotedList(transform.Attributes(operation)))
	}
	b.WriteString("\n## SETTINGS\n\nThe settings of the tenant, one object under `settings`. A name with a dot is a " +
		"member of an object: `guard: {share: 0.1}`. An engine's Config says them too, by the field: see " +
		"docs/operating.md.\n\n| setting | default | field of Config |\n| --- | --- | --- |\n")
	for i := range settings {
		s := &settings[i]
		standard := "none"
		if text := ShownValue(s.standard); text != "none" {
			standard = "`" + text + "`"
		}
		fmt.Fprintf(&b, "| `%s` | %s | `%s` |\n", s.name, standard, s.field)
	}
	return b.String()
}

// parts returns a shape and those of its parts, each once, but not the shape of another type of objects.
func parts(s *Shape) []*Shape {
	list := []*Shape{s}
	for i := 0; i < len(list); i++ {
		for _, m := range list[i].Members {
			inner := m.Shape
			if inner == nil || slices.Contains(list, inner) || slices.ContainsFunc(Shapes(), func(t TypeShape) bool {
				return t.Shape == inner
			}) {
				continue
			}
			list = append(list, inner)
		}
	}
	return list
}

// sharedParts returns the parts that several types of objects, or settings of several connectors, have.
func sharedParts() []*Shape {
	var wholes, all, shared []*Shape
	for _, t := range Shapes() {
		wholes = append(wholes, t.Shape)
	}
	for _, whole := range append(wholes, SettingShapes()...) {
		for _, part := range parts(whole)[1:] {
			if !slices.Contains(all, part) {
				all = append(all, part)
			} else if !slices.Contains(shared, part) {
				shared = append(shared, part)
			}
		}
	}
	return shared
}

func writeCount(b *strings.Builder, name string, s *Shape) {
	counts := map[Use]int{}
	for _, part := range parts(s) {
		if part == referenceShape && s != referenceShape {
			continue
		}
		for _, m := range part.Members {
			counts[m.Use]++
		}
	}
	fmt.Fprintf(b, "| %s | %d | %d | %d |\n", name, counts[Read], counts[Kept], counts[Refused])
}

func writeShape(b *strings.Builder, s *Shape, whole bool) {
	if !whole {
		fmt.Fprintf(b, "\n### %s\n", s.Name)
		if s.About != "" {
			fmt.Fprintf(b, "\n%s\n", s.About)
		}
	}
	if s.Open != "" {
		fmt.Fprintf(b, "\nMembers of other names are %s: they are noted.\n", s.Open)
	}
	if s.Prefixed {
		b.WriteString("\nA name with a schema before it, as `group.hasHeader`, is of the file of that schema, and " +
			"kept: " + whyGroup + ".\n")
	}
	b.WriteString("\n| member | use | type | default | example | what it says |\n" +
		"| --- | --- | --- | --- | --- | --- |\n")
	for i := range s.Members {
		m := &s.Members[i]
		standard, about := "", m.About
		if m.Default != "" {
			standard = "`" + cell(m.Default) + "`"
		}
		if m.Why != "" {
			about += "; " + string(m.Use) + ": " + m.Why
		}
		kind := string(m.Kind)
		if m.Shape != nil {
			kind += " ([" + m.Shape.Name + "](#" + anchor(m.Shape) + "))"
		}
		switch {
		case m.Secret:
			kind = "secret"
		case m.Use == Read && m.names == namesHost:
			kind += " with a host"
		case m.Use == Read && m.names == namesFolder:
			kind += ", a folder"
		case m.Use == Read && m.names == namesFile:
			kind += ", a file"
		}
		use := string(m.Use)
		if m.Decides {
			use += ", decides"
		}
		fmt.Fprintf(b, "| `%s` | %s | %s | %s | `%s` | %s |\n", m.Name, use, kind, standard, cell(m.Example),
			cell(about))
	}
}

// anchor returns the link to the table of a shape, which is that of its type where it has one.
func anchor(s *Shape) string {
	name := s.Name
	for _, t := range Shapes() {
		if t.Shape == s {
			name = string(t.Type)
		}
	}
	return strings.ReplaceAll(strings.ToLower(name), " ", "-")
}

// cell returns a text as it stands in a table.
func cell(text string) string { return strings.ReplaceAll(text, "|", `\|`) }

func quotedList(names []string) string {
	quoted := make([]string, len(names))
	for i, name := range names {
		quoted[i] = "`" + name + "`"
	}
	return strings.Join(quoted, ", ")
}
