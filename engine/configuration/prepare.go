package configuration

import (
	"fmt"
	"slices"
	"strings"

	"github.com/muster-engine/muster/engine/fault"
	"github.com/muster-engine/muster/filterql/jsontext"
	"github.com/muster-engine/muster/filterql/suggest"
)

// Prepared are documents as they are applied.
type Prepared struct {
	Documents []Document // those of the types that can be applied
	// Notes say what has no effect and what is skipped: each member and each type once.
	Notes []string
	// Losses are the refused members that were left out, each with its place and what is lost.
	Losses []string
	// Synchronizations are parts of sources that stood in objects of their own.
	Synchronizations []Synchronization
	// Spellings are the members that documents spell otherwise than they are stored.
	Spellings []Spelling
}

// Spelling says that an object spells a member as exports do.
type Spelling struct {
	Place            string // of the document
	object           string // such as: source "HR"
	published, given string
}

// In returns what is said about an object by a text of its own, or by one about all objects, with the spelling that the
// object's document uses.
func (s *Spelling) In(text string, own bool) string {
	if own {
		rest, begins := strings.CutPrefix(text, s.published)
		if begins && (rest == "" || strings.ContainsAny(rest[:1], ".:[ ")) {
			return s.given + rest
		}
		return text
	}
	for _, end := range []string{".", ":", " "} {
		text = strings.ReplaceAll(text, s.object+": "+s.published+end, s.object+": "+s.given+end)
	}
	return text
}

// Prepare inspects documents by the tables of members: one that no table lists is a fault, and so is a value of another
// type than its member's, and a refused member, unless accept says to leave those out. The error lists all of them; its
// kind is Invalid. Prepared is complete all the same: what is a fault is repaired where it is clear what is meant, and
// else left out, so that the caller can find what else is wrong. The documents that it returns have the published
// spellings. The ones it is given stay as they are. It is for package engine.
func Prepare(documents []Document, accept bool) (Prepared, error) {
	var p Prepared
	var f findings
	skipped := map[ObjectType][]skippedObject{}
	documents, faults := p.parts(documents)
	p.Documents = make([]Document, 0, len(documents)) // findings point into it
	for _, d := range documents {
		if !slices.ContainsFunc(groups, func(g Group) bool { return g.Kind == d.Type }) {
			skipped[d.Type] = append(skipped[d.Type], skip(&d))
			continue
		}
		p.Documents = append(p.Documents, d)
		if CheckJSON(d.Object) == nil { // any other is refused when it is applied
			f.inspect(&p.Documents[len(p.Documents)-1])
		}
	}
	for i := range p.Synchronizations {
		s := &p.Synchronizations[i]
		inspector := inspector{findings: &f, document: &Document{Type: TypeSource, Place: s.Place},
			object: fmt.Sprintf("synchronization of the source %q", clipped(s.Source.label()))}
		inspector.walk(syncObjectShape, s.object, nil)
		if attributes := s.object["attributes"]; inspector.changed && attributes != nil {
			s.Config = marshal(map[string]any{"attributes": attributes})
		}
	}
	for i := range f.refused {
		r := &f.refused[i]
		p.Losses = append(p.Losses, fmt.Sprintf("%s: %s: %s", r.object, r.path, r.text))
	}
	p.Notes = append(append(p.Notes, keptNotes(f.kept)...), f.notes...)
	p.Notes = append(p.Notes, skippedNotes(skipped)...)
	p.Spellings = f.spellings
	return p, f.fault(faults, accept)
}

// fault returns an error that lists the findings that are faults, behind others.
func (f *findings) fault(others []string, accept bool) error {
	faults := slices.Clone(others)
	if n := len(f.unknown); n > 0 {
		faults = append(faults, fmt.Sprintf("%s in no published shape:\n%s", counted(n, "member is", "members are"),
			lines(f.unknown)))
	}
	if n := len(f.wrong); n > 0 {
		faults = append(faults, fmt.Sprintf("%s a value that does not fit:\n%s", counted(n, "member has",
			"members have"), lines(f.wrong)))
	}
	if n := len(f.refused); n > 0 && !accept {
		faults = append(faults, fmt.Sprintf("%s what the engine does not do, and would change a value, access or a "+
			"person; remove them, or accept the losses (--accept-losses) to leave them out:\n%s",
			counted(n, "member asks for", "members ask for"), lines(f.refused)))
	}
	if len(faults) == 0 {
		return nil
	}
	return fault.Invalidf("apply", "", "%s", strings.Join(faults, "\n"))
}

// parts returns documents without the objects of exports that are parts of others: definitions of identity attributes
// become documents, and synchronizations are kept apart, since they belong to their sources. Faults are those of
// objects that are left out.
func (p *Prepared) parts(documents []Document) (list []Document, faults []string) {
	list = make([]Document, 0, len(documents))
	var system []string
	for i := range documents {
		d := &documents[i]
		if name, is := isSystemDefinition(d); is {
			system = append(system, name)
			continue
		}
		switch {
		case d.Type == typeAttributeSync && CheckJSON(d.Object) == nil:
			s, err := synchronization(d)
			if err != nil {
				faults = append(faults, fmt.Sprintf("%s: %v", d.Place, err))
				continue
			}
			p.Synchronizations = append(p.Synchronizations, s)
			continue
		case d.Type == typeIdentityObject && CheckJSON(d.Object) == nil:
			definitions, others, found := identityAttributes(d)
			if found {
				list, system = append(list, definitions...), append(system, others...)
				continue
			}
		}
		list = append(list, *d)
	}
	if len(system) > 0 {
		p.Notes = append(p.Notes, fmt.Sprintf("identity attributes that the engine itself defines and writes are left "+
			"out: %s", someOf(system)))
	}
	return list, faults
}

func counted(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}

// linesMax is how many findings an error lists.
const linesMax = 200

func lines(list []finding) string {
	var b strings.Builder
	for i := range list {
		if i == linesMax {
			fmt.Fprintf(&b, "  and %d more\n", len(list)-linesMax)
			break
		}
		b.WriteString("  " + list[i].line() + "\n")
	}
	return strings.TrimSuffix(b.String(), "\n")
}

// keptNotes returns a note for each type and reason: which members have no effect, and of which objects.
func keptNotes(list []finding) []string {
	type key struct {
		kind ObjectType
		why  string
	}
	type group struct {
		key
		members, objects []string
	}
	var noted []*group
	type word struct {
		key
		text     string
		isObject bool
	}
	groups, seen := map[key]*group{}, map[word]bool{}
	add := func(to *[]string, w word) {
		if !seen[w] {
			seen[w] = true
			*to = append(*to, w.text)
		}
	}
	for i := range list {
		f := &list[i]
		k := key{f.document.Type, f.text}
		g := groups[k]
		if g == nil {
			g = &group{key: k}
			groups[k], noted = g, append(noted, g)
		}
		add(&g.members, word{k, f.generic, false})
		add(&g.objects, word{k, f.object, true})
	}
	var notes []string
	for _, g := range noted {
		slices.Sort(g.members)
		have := "have"
		if len(g.members) == 1 {
			have = "has"
		}
		notes = append(notes, fmt.Sprintf("%s: %s %s no effect: %s", someOf(g.objects),
			manyOf(g.members), have, g.why))
	}
	return notes
}

// membersMax is how many members a note lists.
const membersMax = 60

// manyOf lists members, some of them where they are very many.
func manyOf(members []string) string {
	if len(members) <= membersMax {
		return strings.Join(members, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(members[:membersMax], ", "), len(members)-membersMax)
}

// skippedObject is an object of a type that cannot be applied.
type skippedObject struct{ name, kind string }

func skip(d *Document) skippedObject {
	var s skippedObject
	tree, _ := decodeTree(d.Object) // made by ReadDocuments, or a host's: what has no name has none
	if object, isObject := tree.(map[string]any); isObject {
		s.name = nameIn(object)
		kind, _ := object["type"].(string)
		s.kind = jsontext.Printable(clipped(kind))
	}
	return s
}

// skippedNotes returns a note for each type of objects that was skipped.
func skippedNotes(skipped map[ObjectType][]skippedObject) []string {
	var notes []string
	for kind, objects := range skipped {
		var names []string
		for _, o := range objects {
			name := fmt.Sprintf("%q", o.name)
			if o.kind != "" && isRule(kind) {
				name += " (" + o.kind + ")"
			}
			names = append(names, name)
		}
		word := jsontext.Printable(clipped(string(kind)))
		note := fmt.Sprintf("%s skipped: %s: ", counted(len(objects), word+" is", word+"s are"),
			someOf(names))
		if isRule(kind) {
			note += whyRule + ": " + replacement(objects)
		} else {
			note += "the engine has no such objects"
		}
		notes = append(notes, note)
	}
	slices.Sort(notes)
	return notes
}

func isRule(kind ObjectType) bool {
	return kind == "RULE" || kind == "CONNECTOR_RULE" || kind == "CLOUD_RULE"
}

// replacements say what takes the place of rules, by a part of their type.
var replacements = []struct{ part, instead string }{
	{"provision", "a host changes operations in a connector that it registers (engine.Config.Connectors)"},
	{"correlation", "accountCorrelationConfig and managerCorrelationMapping find identities and managers"},
	{"identityattribute", "a host registers a rule of the same name (engine.Config.Rules), which a transform of the " +
		"type rule calls"},
	{"attributegenerator", "a host registers a rule of the same name (engine.Config.Rules), which the transform of a " +
		"policy's field calls"},
	{"", "a host does the same in a connector that it registers (engine.Config.Connectors), or before it hands the " +
		"text to Engine.Aggregate"},
}

// replacement says what takes the place of rules.
func replacement(objects []skippedObject) string {
	var instead []string
	for _, o := range objects {
		for _, r := range replacements {
			if !strings.Contains(strings.ToLower(o.kind), r.part) {
				continue
			}
			if !slices.Contains(instead, r.instead) {
				instead = append(instead, r.instead)
			}
			break
		}
	}
	return strings.Join(instead, "; ")
}

// misspelt returns the type of objects that may be meant by one that an export has, or "": most types of an export are
// none that can be applied.
func misspelt(kind ObjectType) string {
	if slices.Contains(exportTypes, kind) {
		return ""
	}
	var known []string
	for _, group := range groups {
		known = append(known, string(group.Kind))
	}
	return suggest.Nearest(string(kind), known)
}

// exportTypes are the published types of exports that cannot be applied.
var exportTypes = []ObjectType{
	"ACCESS_REQUEST_CONFIG", "ATTR_SYNC_SOURCE_CONFIG", "AUTH_ORG", "CAMPAIGN_FILTER", "CLOUD_RULE", "CONNECTOR_RULE",
	"FORM_DEFINITION", "GOVERNANCE_GROUP", "IDENTITY_OBJECT_CONFIG", "NOTIFICATION_TEMPLATE", "PASSWORD_POLICY",
	"PASSWORD_SYNC_GROUP", "PUBLIC_IDENTITIES_CONFIG", "RULE", "SEGMENT", "SERVICE_DESK_INTEGRATION", "SOD_POLICY",
	"TAG", "TRIGGER_SUBSCRIPTION", "WORKFLOW",
}
