package change

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/muster-engine/muster/engine/configuration"
	"github.com/muster-engine/muster/filterql/suggest"
	"github.com/muster-engine/muster/store"
)

// targets are the objects of a type that references may name.
type targets struct {
	names map[store.ID]string
	ids   map[string]store.ID // by the folded name
}

// targetsOf returns the objects of a type.
func (p *Proposal) targetsOf(kind configuration.ObjectType) *targets {
	if known := p.targets[kind]; known != nil {
		return known
	}
	t := &targets{map[store.ID]string{}, map[string]store.ID{}}
	add := func(id store.ID, name string) {
		t.names[id] = name
		if _, twice := t.ids[store.Fold(name)]; !twice {
			t.ids[store.Fold(name)] = id
		}
	}
	switch kind {
	case configuration.TypeSource:
		for i := range p.Rows.Sources {
			add(p.Rows.Sources[i].ID, p.Rows.Sources[i].Name)
		}
	case configuration.TypeAccessProfile:
		for i := range p.Rows.AccessProfiles {
			add(p.Rows.AccessProfiles[i].ID, p.Rows.AccessProfiles[i].Name)
		}
	case configuration.TypeIdentityProfile:
		for i := range p.Rows.Profiles {
			add(p.Rows.Profiles[i].ID, p.Rows.Profiles[i].Name)
		}
	default:
		panic(fmt.Sprintf("change: no reference names an object of the type %s", kind))
	}
	if p.targets == nil {
		p.targets = map[configuration.ObjectType]*targets{}
	}
	p.targets[kind] = t
	return t
}

// find returns the object that a reference names: by its ID, or else by its name. It fails where the two name different
// objects. dead says that the ID names nothing, and the name does.
func (t *targets) find(kind configuration.ObjectType, r configuration.Reference) (id store.ID, dead bool, err error) {
	byID, given := store.IDOf(r.ID)
	name, known := t.names[byID]
	known = known && given
	byName, named := t.ids[store.Fold(r.Name)]
	named = named && r.Name != ""
	switch {
	case known && named && byID != byName:
		return byID, false, wrong("the id %s is that of the %s %q, and the name that of another one, %q: give one of "+
			"them", r.ID, words(kind), name, t.names[byName])
	case known:
		return byID, false, nil
	case named:
		return byName, r.ID != "", nil
	}
	return store.ID{}, false, nil
}

// settler replaces IDs in the references of one document that name nothing by those of the objects which their names
// stand for.
type settler struct {
	*Proposal
	settled  []string // the places of the references
	repaired bool     // a fault was put right, so that the rest of the document is judged too
}

// settleReferences settles the references of a document. Those to people stay: their names are not unique, and people
// may come later.
func (p *Proposal) settleReferences(d *configuration.Document) error {
	switch d.Type {
	case configuration.TypeIdentityProfile, configuration.TypeAccessProfile, configuration.TypeRole,
		configuration.TypeLifecycleState:
	default:
		return nil
	}
	object, err := decodeMembers(d.Object)
	if err != nil {
		return nil //nolint:nilerr // the decoder of the type says what is expected
	}
	s := settler{Proposal: p}
	switch d.Type {
	case configuration.TypeIdentityProfile:
		s.settle(configuration.TypeSource, object["authoritativeSource"], "authoritativeSource")
	case configuration.TypeLifecycleState:
		s.settle(configuration.TypeIdentityProfile, object["identityProfile"], "identityProfile")
	case configuration.TypeAccessProfile:
		s.entitlements(object["entitlements"], s.settle(configuration.TypeSource, object["source"], "source"))
	case configuration.TypeRole:
		list, _ := object["accessProfiles"].([]any)
		for i, element := range list {
			s.settle(configuration.TypeAccessProfile, element, fmt.Sprintf("accessProfiles[%d]", i))
		}
		s.entitlements(object["entitlements"], store.ID{})
	}
	if len(s.settled) > 0 {
		p.noteSettled(d.Type, object, s.settled)
	}
	if len(s.settled) > 0 || s.repaired {
		d.Object, err = encodeMembers(object)
	}
	return err
}

// noteSettled notes which references of an object were settled.
func (p *Proposal) noteSettled(kind configuration.ObjectType, object map[string]any, settled []string) {
	name, _ := object["name"].(string)
	names, objects := "the name stands", "the object's ID is"
	if len(settled) > 1 {
		names, objects = "the names stand", "the objects' IDs are"
	}
	p.Notes = append(p.Notes, fmt.Sprintf("%s %q: no object has the id of %s: what %s for is taken, and %s stored",
		words(kind), name, someOf(settled), names, objects))
}

// someMax is how many places a note lists.
const someMax = 12

func someOf(places []string) string {
	if len(places) <= someMax {
		return strings.Join(places, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(places[:someMax], ", "), len(places)-someMax)
}

// settle settles a reference at a place, and returns what it names; zero where it names nothing.
func (s *settler) settle(kind configuration.ObjectType, value any, place string) store.ID {
	reference, isObject := value.(map[string]any)
	if !isObject {
		return store.ID{}
	}
	var r configuration.Reference
	r.ID, _ = reference["id"].(string)
	r.Name, _ = reference["name"].(string)
	id, dead, err := s.targetsOf(kind).find(kind, r)
	switch {
	case err != nil:
		s.fault(fmt.Errorf("%s: %w", place, err))
		delete(reference, "name")
		s.repaired = true
	case dead:
		reference["id"] = id.String()
		s.settled = append(s.settled, place)
	case id.IsZero() && kind != configuration.TypeAccessProfile && r.Name != "" && !s.hasFaults(kind, r):
		if meant := suggest.Nearest(r.Name, s.targetsOf(kind).list()); meant != "" {
			s.fault(fmt.Errorf("%s: %w", place, s.noTarget(kind, r)))
			delete(reference, "id")
			reference["name"], s.repaired = meant, true
			id = s.targetsOf(kind).ids[store.Fold(meant)]
		}
	}
	return id
}

// list returns the names of the objects, sorted.
func (t *targets) list() []string { return slices.Sorted(maps.Values(t.names)) }

// noTarget says that a reference names nothing, and what may be meant.
func (p *Proposal) noTarget(kind configuration.ObjectType, r configuration.Reference) error {
	names := p.targetsOf(kind).list()
	switch {
	case p.hasFaults(kind, r):
		return errQuiet
	case kind != configuration.TypeSource:
		return wrong("there is no %s %s%s", words(kind), labelled(r), configuration.DidYouMean(r.Name, names))
	case r.ID == "" && r.Name == "":
		return wrong("it is missing: the id or the name of a source is expected")
	}
	quoted := make([]string, len(p.Rows.Sources))
	for i := range p.Rows.Sources {
		quoted[i] = fmt.Sprintf("%q", p.Rows.Sources[i].Name)
	}
	return wrong("there is no source %s: the sources are %s%s", labelled(r), configuration.ListOrNone(quoted),
		configuration.DidYouMean(r.Name, names))
}

// labelled returns what a reference gives, its name, its ID or both.
func labelled(r configuration.Reference) string {
	switch {
	case r.ID == "":
		return strconv.Quote(r.Name)
	case r.Name == "":
		return fmt.Sprintf("with the id %q", r.ID)
	}
	return fmt.Sprintf("%q with the id %q", r.Name, r.ID)
}

// entitlements settles references to entitlements. source is that of the access profile; it is zero for those of a
// role, which name their sources.
func (s *settler) entitlements(value any, source store.ID) {
	list, _ := value.([]any)
	for i, element := range list {
		reference, isObject := element.(map[string]any)
		if !isObject {
			continue
		}
		place, of := fmt.Sprintf("entitlements[%d]", i), source
		if reference["source"] != nil {
			of = s.settle(configuration.TypeSource, reference["source"], place+".source")
		}
		s.entitlement(reference, of, place)
	}
}

// catalogue finds the entitlements of the sources.
type catalogue struct {
	byID    map[store.ID]*store.Entitlement
	byValue map[grouping][]*store.Entitlement
	byName  map[grouping][]*store.Entitlement
}

// grouping is what entitlements of a source have in common: a value, or a folded name.
type grouping struct {
	source store.ID
	text   string
}

// entitlementCatalogue returns the catalogue, which documents do not change.
func (p *Proposal) entitlementCatalogue() *catalogue {
	if p.catalogue == nil {
		c := &catalogue{map[store.ID]*store.Entitlement{}, map[grouping][]*store.Entitlement{},
			map[grouping][]*store.Entitlement{}}
		for i := range p.Rows.Entitlements {
			e := &p.Rows.Entitlements[i]
			c.byID[e.ID] = e
			value, name := grouping{e.SourceID, e.Value}, grouping{e.SourceID, store.Fold(e.Name)}
			c.byValue[value] = append(c.byValue[value], e)
			c.byName[name] = append(c.byName[name], e)
		}
		p.catalogue = c
	}
	return p.catalogue
}

// entitlement settles a reference to an entitlement of a source.
func (s *settler) entitlement(reference map[string]any, source store.ID, place string) {
	text := func(member string) string {
		value, _ := reference[member].(string)
		return value
	}
	if text("id") == "" || source.IsZero() || text("value") == "" && text("name") == "" {
		return
	}
	c := s.entitlementCatalogue()
	what, candidates := "value", c.byValue[grouping{source, text("value")}]
	if text("value") == "" {
		what, candidates = "name", c.byName[grouping{source, store.Fold(text("name"))}]
	}
	named := slices.DeleteFunc(slices.Clone(candidates), func(e *store.Entitlement) bool {
		return text("attribute") != "" && text("attribute") != e.Attribute
	})
	id, _ := store.IDOf(text("id"))
	switch e := c.byID[id]; {
	case e == nil && len(named) == 1:
		reference["id"] = named[0].ID.String()
		s.settled = append(s.settled, place)
	case e == nil || e.SourceID != source || len(named) == 0 || slices.Contains(named, e):
		// one of another source is a fault of its own
	default:
		s.fault(wrong("%s: the id %s is that of the entitlement %s %q, and the %s that of another one, %s %q: give "+
			"one of them", place, text("id"), e.Attribute, e.Value, what, named[0].Attribute, named[0].Value))
	}
}
