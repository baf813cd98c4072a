package change

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/muster-engine/muster/engine/configuration"
	"github.com/muster-engine/muster/store"
)

// Proposal is the configuration that documents would make of the present one, and how the two differ. Making it reads
// and writes nothing. A preview goes no further.
type Proposal struct {
	Rows    store.Configuration // as they would be
	Objects []configuration.AppliedObject
	Notes   []string   // what can be applied as it is given, but may not be meant so
	Losses  []string   // the members that were left out, because the engine does not do what they ask for
	Lacking []string   // the members that decide access, and that replaced objects lose without a word
	Roles   []store.ID // the roles that differ
	Removed Removed    // the objects that go

	before     *configuration.Configuration
	now        time.Time
	settings   string            // the place of the document with the settings, "" for none
	profiles   map[store.ID]bool // the profiles whose identities must be processed
	transforms []string          // the names of the saved transforms that differ
	document   string            // the place of the current document
	kind       configuration.ObjectType
	writes     []write
	touched    map[configuration.Key]bool // the objects that documents have, or ask for
	faults     faults                     // of the documents
	// failed are the new objects with faults, which are not there.
	failed    map[configuration.ObjectType][]configuration.Reference
	spellings []configuration.Spelling
	targets   map[configuration.ObjectType]*targets // what references name; made where it is needed
	catalogue *catalogue                            // the same for entitlements
}

// Request is what changes a configuration.
type Request struct {
	Documents []configuration.Document
	// Accept leaves out members that ask for what the engine does not do; without it they are a fault.
	Accept bool
	// Remove are objects that go, and Prune are the types of which those go that no document has.
	Remove []configuration.Key
	Prune  []configuration.ObjectType
	// Compile compiles rows. It is called where objects go, and where there are faults, to find what else is wrong.
	Compile func(store.Configuration) (*configuration.Configuration, error)
}

// write is one of the writes that apply a proposal.
type write struct {
	document string // the place of the document behind it
	do       func(context.Context, *store.Store, pgx.Tx) error
}

// Propose makes a proposal at a time. rows are the present configuration, and before is the same compiled. Neither is
// changed. An error of the kind Invalid lists everything that is wrong with the documents; the proposal is there then
// too, without what is wrong.
func Propose(rows store.Configuration, before *configuration.Configuration, request *Request, now time.Time) (
	*Proposal, error,
) {
	prepared, err := configuration.Prepare(request.Documents, request.Accept)
	p := &Proposal{Rows: copyOf(rows), Notes: []string{}, Losses: prepared.Losses, before: before, now: now,
		profiles: map[store.ID]bool{}, touched: map[configuration.Key]bool{}, spellings: prepared.Spellings,
		failed: map[configuration.ObjectType][]configuration.Reference{}}
	p.faults.members = err
	p.Notes = append(p.Notes, prepared.Notes...)
	if err := p.synchronize(&prepared); err != nil {
		return nil, err
	}
	if err := p.putAll(prepared.Documents); err != nil {
		return nil, err
	}
	for i := range p.Notes {
		p.Notes[i] = p.spelled(p.Notes[i])
	}
	if !p.faults.any() {
		return p, p.removeAll(request)
	}
	p.faults.parts = p.fit(request)
	return p, p.faults.err()
}

// copyOf returns rows with lists of their own, apart from that of the entitlements, which no document changes.
func copyOf(rows store.Configuration) store.Configuration {
	rows.AccessProfiles = slices.Clone(rows.AccessProfiles)
	rows.IdentityAttributes = slices.Clone(rows.IdentityAttributes)
	rows.LifecycleStates = slices.Clone(rows.LifecycleStates)
	rows.Profiles = slices.Clone(rows.Profiles)
	rows.Roles = slices.Clone(rows.Roles)
	rows.Sources = slices.Clone(rows.Sources)
	rows.Transforms = slices.Clone(rows.Transforms)
	return rows
}

// addWrite adds a write, to be carried out when all documents are known to be right.
func (p *Proposal) addWrite(do func(context.Context, *store.Store, pgx.Tx) error) {
	p.writes = append(p.writes, write{p.document, do})
}

// Changed reports whether anything differs.
func (p *Proposal) Changed() bool {
	return slices.ContainsFunc(p.Objects, func(o configuration.AppliedObject) bool {
		return o.Action != configuration.Unchanged
	})
}

// putAll brings the rows up to the documents, in the order in which objects refer to each other. Faults of documents
// are kept; an error is none of theirs.
func (p *Proposal) putAll(documents []configuration.Document) error {
	for _, group := range configuration.Groups() {
		places := map[string]string{}
		p.targets = nil
		for _, document := range documents {
			if document.Type != group.Kind {
				continue
			}
			p.document, p.kind = document.Place, document.Type
			recorded := len(p.Objects)
			err := p.put(document)
			if err == nil {
				err = demandOnce(places, document, p.Objects[recorded:])
			} else {
				p.missing(&document)
			}
			if err := p.faults.add(document.Place, p.spelledIn(document.Place, err)); err != nil {
				return err
			}
		}
	}
	return nil
}

// demandOnce fails where a document changes an object that an earlier one has: one of the two would be lost. Lifecycle
// states and identity attributes are parts of profiles too, and come twice in exports.
func demandOnce(places map[string]string, d configuration.Document, put []configuration.AppliedObject) error {
	if d.Type == configuration.TypeLifecycleState || d.Type == configuration.TypeIdentityAttribute {
		return nil
	}
	for i := range put {
		o := &put[i]
		if o.Type != d.Type {
			continue
		}
		key := cmp.Or(o.ID, o.Name) // of one type, since the types come one after another
		if place, twice := places[key]; twice && o.Action != configuration.Unchanged {
			return wrong("%s %q is given twice, and differs from that of %s: leave one of them out", o.Type, o.Name,
				place)
		}
		places[key] = d.Place
	}
	return nil
}

// put brings the rows up to one document.
func (p *Proposal) put(d configuration.Document) error {
	if err := configuration.CheckJSON(d.Object); err != nil {
		return inputError{err}
	}
	if err := p.settleReferences(&d); err != nil {
		return err
	}
	switch d.Type {
	case configuration.TypeSettings:
		return p.putSettings(d)
	case configuration.TypeIdentityAttribute:
		return p.putIdentityAttribute(d)
	case configuration.TypeTransform:
		return p.putTransform(d)
	case configuration.TypeSource:
		return p.putSource(d)
	case configuration.TypeIdentityProfile:
		return p.putProfile(d)
	case configuration.TypeLifecycleState:
		return p.putLifecycleState(d.Object, store.ID{})
	case configuration.TypeRole:
		return p.putRole(d)
	case configuration.TypeAccessProfile:
		return p.putAccessProfile(d)
	}
	return wrong("objects of type %q cannot be applied: those of %s can", d.Type, configuration.KnownTypes())
}

// record records what the documents do to an object.
func (p *Proposal) record(kind configuration.ObjectType, id store.ID, name string, action configuration.Action) {
	p.Objects = append(p.Objects, configuration.AppliedObject{Type: kind, ID: id.String(), Name: name,
		Action: action})
	p.touched[keyOf(kind, id, name)] = true
}

// replaced returns rows with a row at a place, or at their end for -1.
func replaced[T any](rows []T, at int, row T) []T {
	if at < 0 {
		return append(rows, row)
	}
	rows[at] = row
	return rows
}

// place finds the row of an object by ID, else by name. It returns the row as it should be, its place in rows (-1 for a
// new one), and the action.
func (p *Proposal) place(rows []store.Object, id, name string, document []byte) (store.Object, int,
	configuration.Action, error,
) {
	row := store.Object{Name: name, Document: document, Created: p.now, Modified: p.now}
	if id != "" {
		parsed, err := store.ParseID(id)
		if err != nil {
			return row, -1, "", wrong("id: %v", err)
		}
		row.ID = parsed
	}
	at := -1
	if !row.ID.IsZero() {
		at = slices.IndexFunc(rows, func(r store.Object) bool { return r.ID == row.ID })
	}
	if at < 0 {
		folded := store.Fold(name)
		at = slices.IndexFunc(rows, func(r store.Object) bool { return store.Fold(r.Name) == folded })
	}
	if at < 0 {
		if row.ID.IsZero() {
			row.ID = store.NewID()
		}
		return row, -1, configuration.Created, nil
	}
	old := rows[at]
	row.ID, row.Created = old.ID, old.Created
	if old.Name == name && sameDocument(old.Document, document) {
		row.Document = old.Document
		return row, at, configuration.Unchanged, nil
	}
	p.replaces(p.kind, name, old.Document, document)
	return row, at, configuration.Updated, nil
}

// replaces notes what an object loses by a document that replaces it.
func (p *Proposal) replaces(kind configuration.ObjectType, name string, before, document []byte) {
	p.Notes = append(p.Notes, removedMembers(kind, name, before, document)...)
	if lacking := configuration.Lacking(kind, before, document); len(lacking) > 0 {
		p.Lacking = append(p.Lacking, fmt.Sprintf("%s %q: %s", words(kind), name, strings.Join(lacking, ", ")))
	}
}

// sameDocument reports whether two documents of one object say the same: whether they give its ID does not count.
func sameDocument(a, b []byte) bool {
	if SameJSON(a, b) {
		return true
	}
	var x, y map[string]any
	if json.Unmarshal(a, &x) != nil || json.Unmarshal(b, &y) != nil {
		return false
	}
	delete(x, "id")
	delete(y, "id")
	return reflect.DeepEqual(x, y)
}

// PlacesOf returns the names of the texts that documents came from.
func PlacesOf(documents []configuration.Document) string {
	var names []string
	for _, d := range documents {
		name, _, _ := strings.Cut(d.Place, ":")
		if !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return strings.Join(names, ", ")
}

// SameJSON reports whether two JSON texts have the same content. Spelling and the order of members do not count.
func SameJSON(a, b []byte) bool {
	if bytes.Equal(a, b) {
		return true
	}
	var x, y any
	return json.Unmarshal(a, &x) == nil && json.Unmarshal(b, &y) == nil && reflect.DeepEqual(x, y)
}
