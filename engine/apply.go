package engine

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/muster-engine/muster/engine/attribute"
	"github.com/muster-engine/muster/store"
)

// Action says what applying did to an object.
type Action string

// What applying does to an object.
const (
	Created   Action = "created"
	Updated   Action = "updated"
	Unchanged Action = "unchanged"
)

// AppliedObject says what applying did to one object.
type AppliedObject struct {
	Type   ObjectType `json:"type"`
	ID     string     `json:"id,omitempty"` // identity attributes have none
	Name   string     `json:"name"`
	Action Action     `json:"action"`
}

// ApplyResult says what applying did.
type ApplyResult struct {
	Objects []AppliedObject `json:"objects"`
	// Marked is how many identities wait for a refresh because of it, by the task of this ID.
	Marked int    `json:"marked"`
	Task   string `json:"task,omitempty"`
	// Notes say what was applied as it is given, but may not be what was meant.
	Notes []string `json:"notes"`
	// Version is the version of the configuration after it.
	Version int64 `json:"version"`
}

// Apply brings the configuration up to documents: an object is found by its ID, or else by its name, and created
// when it is not there. Objects that are not mentioned stay as they are. Everything is applied or nothing; the
// identities that it concerns are marked for a refresh in the same transaction. Applying the same twice changes
// nothing the second time.
func (e *Engine) Apply(ctx context.Context, documents []Document) (ApplyResult, error) {
	var result ApplyResult
	err := e.inTx(ctx, func(tx pgx.Tx) (err error) {
		result, err = e.apply(ctx, tx, documents)
		return err
	})
	return result, wrap("apply", "", err)
}

// ApplyTx is [Engine.Apply] in the caller's transaction. It keeps other changes and runs waiting until that ends.
func (e *Engine) ApplyTx(ctx context.Context, tx pgx.Tx, documents []Document) (ApplyResult, error) {
	result, err := e.apply(ctx, tx, documents)
	return result, wrap("apply", "", err)
}

// application is one call of apply: the rows as they become, and what changed on the way.
type application struct {
	e      *Engine
	ctx    context.Context
	tx     pgx.Tx
	cause  store.Cause
	rows   store.Configuration
	before *configuration
	result ApplyResult
	// profiles are the profiles whose identities are to be calculated again.
	profiles   map[store.ID]bool
	transforms []string   // the names of the saved transforms that changed
	roles      []store.ID // that changed
	document   string     // the place of the one that is looked at
	writes     []pendingWrite
}

type pendingWrite struct {
	document string
	do       func() error
}

// write keeps a write until all documents are known to be right: a preview never comes to it.
func (a *application) write(do func() error) {
	a.writes = append(a.writes, pendingWrite{a.document, do})
}

func (e *Engine) apply(ctx context.Context, tx pgx.Tx, documents []Document) (ApplyResult, error) {
	if _, err := e.store.LockConfiguration(ctx, tx); err != nil {
		return ApplyResult{}, err
	}
	rows, err := e.store.LoadConfiguration(ctx, tx)
	if err != nil {
		return ApplyResult{}, err
	}
	before, err := e.compile(rows)
	if err != nil {
		return ApplyResult{}, err
	}
	a := newApplication(e, rows, before)
	a.ctx, a.tx = ctx, tx
	if err := a.putAll(documents); err != nil {
		return ApplyResult{}, err
	}
	for _, write := range a.writes {
		if err := write.do(); err != nil {
			return ApplyResult{}, fault(write.document, err)
		}
	}
	return a.finish(documents)
}

func newApplication(e *Engine, rows store.Configuration, before *configuration) *application {
	a := &application{e: e, rows: rows, before: before, profiles: map[store.ID]bool{},
		cause: store.Cause{Task: store.NewID(), At: e.now()}}
	a.result.Version, a.result.Notes = rows.Version, []string{}
	return a
}

// putAll brings the rows up to the documents, in the order in which objects refer to each other.
func (a *application) putAll(documents []Document) error {
	for _, group := range groups {
		for _, document := range documents {
			if document.Type != group.kind {
				continue
			}
			a.document = document.Place
			if err := a.put(document); err != nil {
				return fault(document.Place, err)
			}
		}
	}
	return nil
}

// fault says where in the documents an error belongs.
func fault(place string, err error) error {
	var known *Error
	if errors.As(err, &known) {
		return err
	}
	var inner inputError
	if errors.As(err, &inner) {
		return &Error{Kind: Invalid, Op: "apply", Subject: place, Err: err}
	}
	return wrap("apply", place, err)
}

// inputError marks an error that the documents are to blame for.
type inputError struct{ error }

func (e inputError) Unwrap() error { return e.error }

func wrong(format string, arguments ...any) error {
	return inputError{fmt.Errorf(format, arguments...)}
}

func (a *application) put(d Document) error {
	if err := checkJSON(d.Object); err != nil {
		return inputError{err}
	}
	switch d.Type {
	case TypeIdentityAttribute:
		return a.putIdentityAttribute(d)
	case TypeTransform:
		return a.putTransform(d)
	case TypeSource:
		return a.putSource(d)
	case TypeIdentityProfile:
		return a.putProfile(d)
	case TypeLifecycleState:
		return a.putLifecycleState(d.Object, store.ID{})
	case TypeRole:
		return a.putRole(d)
	case TypeAccessProfile:
		return a.putAccessProfile(d)
	}
	return wrong("objects of type %q cannot be applied: those of %s can", d.Type, knownTypes())
}

// note records what was done to an object.
func (a *application) note(kind ObjectType, id store.ID, name string, action Action) {
	a.result.Objects = append(a.result.Objects, AppliedObject{kind, id.String(), name, action})
}

func (a *application) putIdentityAttribute(d Document) error {
	var shape IdentityAttribute
	if err := decodeObject(d.Object, &shape); err != nil {
		return inputError{err}
	}
	switch {
	case !validAttributeName(shape.Name):
		return wrong("name: %q is no name of an identity attribute: letters, digits, underscores and hyphens are "+
			"allowed", shape.Name)
	case systemAttributes[shape.Name]:
		return wrong("name: %q is written by the system and cannot be defined", shape.Name)
	}
	return a.defineAttribute(shape, d.Object)
}

func (a *application) defineAttribute(shape IdentityAttribute, document []byte) error {
	row := store.IdentityAttribute{
		Name: shape.Name, Searchable: shape.Searchable, Document: document, Created: a.cause.At, Modified: a.cause.At,
	}
	at := slices.IndexFunc(a.rows.IdentityAttributes,
		func(r store.IdentityAttribute) bool { return r.Name == shape.Name })
	action := Created
	if at >= 0 {
		old := a.rows.IdentityAttributes[at]
		if sameJSON(old.Document, document) {
			a.note(TypeIdentityAttribute, store.ID{}, shape.Name, Unchanged)
			return nil
		}
		row.Created, action = old.Created, Updated
		a.rows.IdentityAttributes[at] = row
	} else {
		a.rows.IdentityAttributes = append(a.rows.IdentityAttributes, row)
	}
	a.note(TypeIdentityAttribute, store.ID{}, shape.Name, action)
	a.write(func() error { return a.e.store.PutIdentityAttribute(a.ctx, a.tx, row) })
	return nil
}

// place finds the row that a document is about, by ID, then by name, and says what is to be done: the row to write,
// where it stands (-1 for a new one), and the action.
func (a *application) place(rows []store.Object, id, name string, document []byte) (store.Object, int, Action, error) {
	row := store.Object{Name: name, Document: document, Created: a.cause.At, Modified: a.cause.At}
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
		return row, -1, Created, nil
	}
	old := rows[at]
	row.ID, row.Created = old.ID, old.Created
	if old.Name == name && sameJSON(old.Document, document) {
		return row, at, Unchanged, nil
	}
	return row, at, Updated, nil
}

func (a *application) putTransform(d Document) error {
	var shape struct {
		ID   string `json:"id"`
		Name string `json:"name"`
	}
	if err := decodeObject(d.Object, &shape); err != nil {
		return inputError{err}
	}
	if err := validateName(shape.Name); err != nil {
		return inputError{err}
	}
	row, at, action, err := a.place(a.rows.Transforms, shape.ID, shape.Name, d.Object)
	if err != nil {
		return err
	}
	a.note(TypeTransform, row.ID, row.Name, action)
	if action == Unchanged {
		return nil
	}
	if at >= 0 {
		a.rows.Transforms[at] = row
	} else {
		a.rows.Transforms = append(a.rows.Transforms, row)
	}
	a.transforms = append(a.transforms, row.Name)
	a.write(func() error { return a.e.store.PutTransform(a.ctx, a.tx, row) })
	return nil
}

func (a *application) putSource(d Document) error {
	var shape Source
	if err := decodeObject(d.Object, &shape); err != nil {
		return inputError{err}
	}
	if err := shape.validate(); err != nil {
		return inputError{err}
	}
	if c := shape.AccountCorrelationConfig; c != nil && len(c.Assignments) == 0 {
		a.result.Notes = append(a.result.Notes,
			fmt.Sprintf("source %q: accountCorrelationConfig has no attributeAssignments, "+
				"as a reference to one has none: its accounts find no identity", shape.Name))
	}
	row, at, action, err := a.place(a.rows.Sources, shape.ID, shape.Name, d.Object)
	if err != nil {
		return err
	}
	a.note(TypeSource, row.ID, row.Name, action)
	if action == Unchanged {
		return nil
	}
	if at >= 0 {
		a.rows.Sources[at] = row
	} else {
		a.rows.Sources = append(a.rows.Sources, row)
	}
	// The source's name and its manager correlation are part of what its profile's identities are calculated from.
	for _, p := range a.rows.Profiles {
		a.profiles[p.ID] = true
	}
	a.write(func() error { return a.e.store.PutSource(a.ctx, a.tx, row) })
	return nil
}

func (a *application) putProfile(d Document) error {
	var shape IdentityProfile
	if err := decodeObject(d.Object, &shape); err != nil {
		return inputError{err}
	}
	if err := validateName(shape.Name); err != nil {
		return inputError{err}
	}
	if o := shape.InvitationOptions; o != nil && o.Address != "" && o.Address != "WORK" && o.Address != "PERSONAL" {
		return wrong("invitationOptions.address: %q is unknown: WORK and PERSONAL are known", o.Address)
	}
	source, err := a.findSource(shape.AuthoritativeSource)
	if err != nil {
		return fmt.Errorf("authoritativeSource: %w", err)
	}
	if err := a.validateMappings(&shape); err != nil {
		return err
	}
	objects := make([]store.Object, len(a.rows.Profiles))
	for i, p := range a.rows.Profiles {
		objects[i] = p.Object
	}
	object, at, action, err := a.place(objects, shape.ID, shape.Name, d.Object)
	if err != nil {
		return err
	}
	row := store.Profile{Object: object, AuthoritativeSourceID: source}
	switch {
	case shape.Priority != nil:
		row.Priority = *shape.Priority
	case at >= 0:
		row.Priority = a.rows.Profiles[at].Priority
	default: // the order of creation is the order of priority
		for _, p := range a.rows.Profiles {
			row.Priority = max(row.Priority, p.Priority+10)
		}
	}
	if at >= 0 && (a.rows.Profiles[at].AuthoritativeSourceID != source ||
		a.rows.Profiles[at].Priority != row.Priority) {
		action = Updated
	}
	a.note(TypeIdentityProfile, row.ID, row.Name, action)
	if action != Unchanged {
		if at >= 0 {
			a.rows.Profiles[at] = row
		} else {
			a.rows.Profiles = append(a.rows.Profiles, row)
		}
		a.profiles[row.ID] = true
		a.write(func() error { return a.e.store.PutProfile(a.ctx, a.tx, row) })
	}
	for i, state := range shape.LifecycleStates {
		if err := a.putLifecycleState(state, row.ID); err != nil {
			return fmt.Errorf("lifecycleStates[%d]: %w", i, err)
		}
	}
	return nil
}

// findSource returns the source that a reference names, which may stand in the same documents.
func (a *application) findSource(r Reference) (store.ID, error) {
	id, err := store.ParseID(r.ID)
	known := err == nil
	folded := store.Fold(r.Name)
	for _, s := range a.rows.Sources {
		if known && s.ID == id || r.Name != "" && store.Fold(s.Name) == folded {
			return s.ID, nil
		}
	}
	if r.ID == "" && r.Name == "" {
		return store.ID{}, wrong("it is missing: the id or the name of a source is expected")
	}
	var names []string
	for _, s := range a.rows.Sources {
		names = append(names, fmt.Sprintf("%q", s.Name))
	}
	return store.ID{}, wrong("there is no source %q with the id %q: the sources are %s", r.Name, r.ID,
		listOrNone(names))
}

func listOrNone(names []string) string {
	if len(names) == 0 {
		return "none yet"
	}
	return strings.Join(names, ", ")
}

// validateMappings checks what a profile maps, and defines the attributes that nobody defined, as texts. That the
// transforms compile is checked when everything is in place.
func (a *application) validateMappings(p *IdentityProfile) error {
	seen := map[string]bool{}
	for i, m := range p.AttributeConfig.Transforms {
		place := fmt.Sprintf("identityAttributeConfig.attributeTransforms[%d].identityAttributeName", i)
		name := m.IdentityAttributeName
		switch {
		case !validAttributeName(name):
			return wrong("%s: %q is no name of an identity attribute: letters, digits, underscores and hyphens are "+
				"allowed", place, name)
		case systemAttributes[name]:
			return wrong("%s: %q is written by the system and cannot be mapped", place, name)
		case seen[name]:
			return wrong("%s: %q is mapped twice", place, name)
		}
		seen[name] = true
		_, standard := standardAttributes[name]
		defined := slices.ContainsFunc(a.rows.IdentityAttributes,
			func(r store.IdentityAttribute) bool { return r.Name == name })
		if standard || defined {
			continue
		}
		document := fmt.Appendf(nil, `{"name":%q,"displayName":%q,"type":"string","multi":false,"searchable":false}`,
			name, name)
		if err := a.defineAttribute(IdentityAttribute{Name: name}, document); err != nil {
			return err
		}
	}
	return nil
}

func (a *application) putLifecycleState(document json.RawMessage, profile store.ID) error {
	var shape LifecycleState
	if err := decodeObject(document, &shape); err != nil {
		return inputError{err}
	}
	if shape.TechnicalName == "" {
		return wrong("technicalName is missing: the value of cloudLifecycleState that means the state")
	}
	if s := shape.IdentityState; s != nil && *s != "" && !slices.Contains(store.IdentityStates, *s) {
		return wrong("identityState: %q is unknown: %s are known", *s, strings.Join(store.IdentityStates, ", "))
	}
	if profile.IsZero() {
		found, err := a.findProfile(shape.IdentityProfile)
		if err != nil {
			return fmt.Errorf("identityProfile: %w", err)
		}
		profile = found
	}
	row := store.LifecycleState{
		ID: store.NewID(), ProfileID: profile, TechnicalName: shape.TechnicalName, Document: document,
		Created: a.cause.At, Modified: a.cause.At,
	}
	if id, err := store.ParseID(shape.ID); err == nil {
		row.ID = id
	}
	at := slices.IndexFunc(a.rows.LifecycleStates, func(r store.LifecycleState) bool {
		return r.ProfileID == profile && r.TechnicalName == shape.TechnicalName
	})
	action := Created
	if at >= 0 {
		old := a.rows.LifecycleStates[at]
		row.ID, row.Created, action = old.ID, old.Created, Updated
		if sameJSON(old.Document, document) {
			action = Unchanged
		}
		a.rows.LifecycleStates[at] = row
	} else {
		a.rows.LifecycleStates = append(a.rows.LifecycleStates, row)
	}
	a.note(TypeLifecycleState, row.ID, row.TechnicalName, action)
	if action == Unchanged {
		return nil
	}
	a.profiles[profile] = true
	a.write(func() error { return a.e.store.PutLifecycleState(a.ctx, a.tx, row) })
	return nil
}

func (a *application) findProfile(r Reference) (store.ID, error) {
	id, err := store.ParseID(r.ID)
	known := err == nil
	folded := store.Fold(r.Name)
	for _, p := range a.rows.Profiles {
		if known && p.ID == id || r.Name != "" && store.Fold(p.Name) == folded {
			return p.ID, nil
		}
	}
	return store.ID{}, wrong("there is no identity profile %q with the id %q", r.Name, r.ID)
}

// finish compiles what the configuration has become, which checks the objects against each other, and marks whom it
// concerns.
func (a *application) finish(documents []Document) (ApplyResult, error) {
	changed := slices.ContainsFunc(a.result.Objects, func(o AppliedObject) bool { return o.Action != Unchanged })
	if !changed {
		return a.result, nil
	}
	version, err := a.e.store.AdvanceConfiguration(a.ctx, a.tx)
	if err != nil {
		return a.result, err
	}
	rows, err := a.e.store.LoadConfiguration(a.ctx, a.tx)
	if err != nil {
		return a.result, err
	}
	after, err := a.e.compile(rows)
	if err != nil {
		return a.result, &Error{Kind: Invalid, Op: "apply", Subject: placesOf(documents), Err: err}
	}
	a.result.Version = version
	a.result.Notes = append(a.result.Notes, after.unmapped()...)
	if err := a.rekeyIdentities(after); err != nil {
		return a.result, err
	}
	for _, p := range after.profiles {
		if p.refersTo(a.transforms) || !reflect.DeepEqual(a.before.stateAccess(p.id), after.stateAccess(p.id)) {
			a.profiles[p.id] = true
		}
	}
	for profile := range a.profiles {
		if _, err := a.e.store.RequestProfileRefresh(a.ctx, a.tx, profile, "configuration changed",
			a.cause); err != nil {
			return a.result, err
		}
	}
	if err := a.markMembers(after); err != nil {
		return a.result, err
	}
	if err := a.markAccess(after); err != nil {
		return a.result, err
	}
	for _, source := range after.sources {
		if err := a.recorrelate(source); err != nil {
			return a.result, err
		}
	}
	a.result.Task, a.result.Marked, err = a.e.launchMarked(a.ctx, a.tx, a.cause, "Process after a change of "+
		"the configuration", nil)
	return a.result, err
}

// placesOf names the texts that documents came from.
func placesOf(documents []Document) string {
	var names []string
	for _, d := range documents {
		name, _, _ := strings.Cut(d.Place, ":")
		if !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return strings.Join(names, ", ")
}

// pageSize is how many rows a change of the configuration reads at once.
const pageSize = 5000

// rekeyIdentities writes the keys of all identities anew when an attribute became one that identities are found by, or
// ceased to be.
func (a *application) rekeyIdentities(after *configuration) error {
	if reflect.DeepEqual(a.before.keyed, after.keyed) {
		return nil
	}
	s := a.e.store
	for last := (store.ID{}); ; {
		page, err := s.IdentityPage(a.ctx, a.tx, last, pageSize)
		if err != nil || len(page) == 0 {
			return err
		}
		var removed, added []store.IdentityKey
		var set attribute.Set
		for _, identity := range page {
			if err := set.Decode(identity.Attributes); err != nil {
				return fmt.Errorf("identity %s: %w", identity.ID, err)
			}
			was, is := a.before.identityKeys(&set), after.identityKeys(&set)
			removed = appendMissing(removed, identity.ID, was, is)
			added = appendMissing(added, identity.ID, is, was)
		}
		if err := s.ChangeIdentityKeys(a.ctx, a.tx, removed, added); err != nil {
			return err
		}
		last = page[len(page)-1].ID
	}
}

// appendMissing appends the keys of an identity that are in one list and not in the other.
func appendMissing(dst []store.IdentityKey, identity store.ID, keys, other []string) []store.IdentityKey {
	for _, key := range keys {
		if !slices.Contains(other, key) {
			dst = append(dst, store.IdentityKey{IdentityID: identity, Key: key})
		}
	}
	return dst
}

// recorrelate examines the uncorrelated accounts of a source anew when its correlation changed, or when it became
// authoritative: then those that find nobody become identities.
func (a *application) recorrelate(source *configuredSource) error {
	old := a.before.sources[source.id]
	if old == nil || old.profile == source.profile && reflect.DeepEqual(old.assignments(), source.assignments()) {
		return nil
	}
	s := a.e.store
	var set attribute.Set
	for last := (store.ID{}); ; {
		page, err := s.UncorrelatedAccounts(a.ctx, a.tx, source.id, last, pageSize)
		if err != nil {
			return err
		}
		if len(page) == 0 {
			break
		}
		ids, keys := make([]store.ID, len(page)), make([]string, len(page))
		for i, account := range page {
			if err := set.Decode(account.Attributes); err != nil {
				return fmt.Errorf("account %s: %w", account.AccountID, err)
			}
			text, err := json.Marshal(source.correlationKeys(account.NativeIdentity, &set))
			if err != nil {
				return err
			}
			ids[i], keys[i] = account.AccountID, string(text)
		}
		if err := s.SetCorrelationKeys(a.ctx, a.tx, ids, keys); err != nil {
			return err
		}
		last = page[len(page)-1].AccountID
	}
	_, err := s.CorrelateSource(a.ctx, a.tx, source.id, a.cause)
	if err != nil {
		return err
	}
	_, err = a.e.adopt(a.ctx, a.tx, source, a.cause)
	return err
}

// sameJSON reports whether two documents hold the same, whatever their spelling.
func sameJSON(a, b []byte) bool {
	if bytes.Equal(a, b) {
		return true
	}
	var x, y any
	return json.Unmarshal(a, &x) == nil && json.Unmarshal(b, &y) == nil && reflect.DeepEqual(x, y)
}
