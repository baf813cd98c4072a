package console

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"strings"

	"github.com/muster-engine/muster/engine"
)

// profileSubject is the identity profile that a page is about, with what all its pages show.
type profileSubject struct {
	*visit

	ID       string
	Profile  engine.IdentityProfile
	Priority int64
	Tabs     []tab
}

// profileTabs are the pages of an identity profile in their order.
var profileTabs = []tab{
	{Title: text("Mappings")},
	{Title: text("Lifecycle States"), Path: "lifecycle-states"},
	{Title: text("Invitation Options"), Path: "invitation"},
}

// Up returns the reference of the profile's own folder.
func (p *profileSubject) Up() string { return p.base + "identity-profiles/" + p.ID + "/" }

// profileSubject reads the profile that the path names.
func (v *visit) profileSubject(ctx context.Context) (*profileSubject, engine.ConfigurationObject, error) {
	object, err := v.h.eng.ConfigurationObject(ctx, engine.TypeIdentityProfile, v.values["id"])
	if err != nil {
		return nil, object, err
	}
	p := &profileSubject{visit: v, ID: object.ID}
	if err := json.Unmarshal(object.Object, &p.Profile); err != nil {
		return nil, object, err
	}
	if p.Profile.Priority != nil {
		p.Priority = *p.Profile.Priority
	}
	_, at, _ := strings.Cut(strings.TrimPrefix(v.route.pattern, "identity-profiles/"), "/")
	for _, t := range profileTabs {
		p.Tabs = append(p.Tabs, tab{Title: v.T(t.Title), Path: t.Path, Current: t.Path == at})
	}
	return p, object, nil
}

type profilesView struct {
	*visit

	Profiles []shownIdentityProfile
}

// shownIdentityProfile is a row of the identity profiles.
type shownIdentityProfile struct {
	engine.IdentityProfile

	Order    int64
	Disabled bool
	Mappings int
	Address  string
}

func (v *visit) identityProfiles() error {
	ctx, cancel := v.reading()
	defer cancel()
	objects, err := v.h.eng.ConfigurationObjects(ctx, engine.TypeIdentityProfile)
	if err != nil {
		return err
	}
	view := &profilesView{visit: v}
	for i := range objects {
		var p shownIdentityProfile
		if err := json.Unmarshal(objects[i].Object, &p.IdentityProfile); err != nil {
			return err
		}
		p.ID, p.Name, p.Address = objects[i].ID, objects[i].Name, v.addressText(&p.IdentityProfile)
		if p.Priority != nil {
			p.Order = *p.Priority
		}
		p.Disabled = p.AttributeConfig.Enabled != nil && !*p.AttributeConfig.Enabled
		p.Mappings = len(p.AttributeConfig.Transforms)
		view.Profiles = append(view.Profiles, p)
	}
	slices.SortStableFunc(view.Profiles, func(a, b shownIdentityProfile) int { return cmp.Compare(a.Order, b.Order) })
	return v.render("identity-profiles", view)
}

// The addresses to which invitations go.
const (
	addressWork     = "WORK"
	addressPersonal = "PERSONAL"
)

func addressOf(p *engine.IdentityProfile) string {
	if p.InvitationOptions != nil && p.InvitationOptions.Address == addressPersonal {
		return addressPersonal
	}
	return addressWork
}

func (v *visit) addressText(p *engine.IdentityProfile) string {
	if addressOf(p) == addressPersonal {
		return v.T("the personal address")
	}
	return v.T("the work address")
}

// mappingsView is the mappings of a profile, tried on a person where the address asks for one.
type mappingsView struct {
	*profileSubject

	Mappings []mapping
	Person   string // that was asked for
	Tried    *engine.Explanation
	Problem  string
}

// mapping is an identity attribute, and what it is calculated from.
type mapping struct {
	Attribute string
	From      string // in short: an attribute of a source, or the name or the type of a transform
	Document  string // of the transform, as JSON
	// Of the person it was tried on.
	Value, Stored string
	Differs       bool
	Steps         []shownStep
	Error         string
}

func (v *visit) mappings() error {
	ctx, cancel := v.reading()
	defer cancel()
	p, _, err := v.profileSubject(ctx)
	if err != nil {
		return err
	}
	view := &mappingsView{profileSubject: p, Person: strings.TrimSpace(v.r.URL.Query().Get("person"))}
	for _, m := range p.Profile.AttributeConfig.Transforms {
		from, document := transformText(m.TransformDefinition)
		view.Mappings = append(view.Mappings, mapping{Attribute: m.IdentityAttributeName, From: from,
			Document: document})
	}
	slices.SortFunc(view.Mappings, func(a, b mapping) int { return strings.Compare(a.Attribute, b.Attribute) })
	if view.Person != "" {
		if err := view.try(ctx); err != nil {
			return err
		}
	}
	return v.render("mappings", view)
}

// try calculates the mappings for the person that was asked for.
func (m *mappingsView) try(ctx context.Context) error {
	why, err := m.h.eng.Explain(ctx, engine.ExplainParams{Identity: m.Person})
	switch kind := engine.KindOf(err); {
	case err != nil && (kind == engine.NotFound || kind == engine.Conflict || kind == engine.Invalid):
		m.Problem = m.T("No identity, or not one alone, has this ID or account.")
	case err != nil:
		return err
	case why.Profile == nil || why.Profile.ID != m.ID:
		m.Problem = m.T("Another profile calculates this identity, or none.")
	}
	if m.Problem != "" {
		m.status = http.StatusBadRequest
		return nil
	}
	m.Tried, m.rows = &why, 1
	for i := range m.Mappings {
		at := slices.IndexFunc(why.Attributes, func(a engine.ExplainedAttribute) bool {
			return a.Name == m.Mappings[i].Attribute
		})
		if at < 0 {
			continue
		}
		a, row := &why.Attributes[at], &m.Mappings[i]
		row.Value, row.Stored = strings.Join(a.Value.Strings(), ", "), strings.Join(a.Stored.Strings(), ", ")
		row.Differs, row.Error = !a.Stored.Equal(a.Value), a.Error
		for _, step := range a.Steps {
			row.Steps = append(row.Steps, shownStep{step, strings.Join(step.Value.Strings(), ", "),
				step.Value.IsNull()})
		}
	}
	return nil
}

// transformText says in short what a mapping takes its value from, and returns the whole transform, indented.
func transformText(definition json.RawMessage) (from, document string) {
	var d struct {
		Type       string `json:"type"`
		Attributes struct {
			SourceName    string `json:"sourceName"`
			AttributeName string `json:"attributeName"`
			ID            string `json:"id"`
		} `json:"attributes"`
	}
	// Other transforms have attributes of other shapes: their type, which is read all the same, says enough.
	_ = json.Unmarshal(definition, &d)
	switch {
	case d.Type == "accountAttribute" && d.Attributes.AttributeName != "":
		from = strings.TrimPrefix(d.Attributes.SourceName+"."+d.Attributes.AttributeName, ".")
	case d.Type == "reference" && d.Attributes.ID != "":
		from = d.Attributes.ID
	default:
		from = d.Type
	}
	var b bytes.Buffer
	if err := json.Indent(&b, definition, "", "  "); err != nil {
		return from, string(definition)
	}
	return from, b.String()
}

type statesView struct {
	*profileSubject

	States []shownState
}

// shownState is a lifecycle state of a profile.
type shownState struct {
	engine.LifecycleState

	Disabled bool
	Identity string
	Access   []string // the access profiles that it grants
	Actions  []string // what becomes of accounts
}

func (v *visit) lifecycleStates() error {
	ctx, cancel := v.reading()
	defer cancel()
	p, _, err := v.profileSubject(ctx)
	if err != nil {
		return err
	}
	view := &statesView{profileSubject: p}
	if view.States, err = v.shownStates(ctx, p.ID); err != nil {
		return err
	}
	return v.render("lifecycle-states", view)
}

// shownState says in words what a lifecycle state does. names are those of access profiles and sources, by their IDs.
func (v *visit) shownState(s shownState, names map[string]string) shownState {
	named := func(ids []string) (list []string) {
		for _, id := range ids {
			list = append(list, cmp.Or(names[plainID(id)], id))
		}
		return list
	}
	s.Disabled = s.Enabled != nil && !*s.Enabled
	s.Identity, s.Access = textOf(s.IdentityState), named(s.AccessProfileIDs)
	for i := range s.AccountActions {
		a := &s.AccountActions[i]
		what := map[string]string{"ENABLE": v.T("enable accounts"), "DISABLE": v.T("disable accounts"),
			"DELETE": v.T("delete accounts")}[a.Action]
		where := strings.Join(named(a.SourceIDs), ", ")
		if a.AllSources {
			where = v.T("all sources")
			if except := named(a.ExcludeSourceIDs); len(except) > 0 {
				where = v.T("all sources but %s", strings.Join(except, ", "))
			}
		}
		s.Actions = append(s.Actions, cmp.Or(what, a.Action)+": "+where)
	}
	if s.AccessActions != nil && s.AccessActions.RemoveAllAccessEnabled {
		s.Actions = append(s.Actions, v.T("remove all access"))
	}
	return s
}

type invitationView struct {
	*profileSubject

	Address string
	Seen    string // what the form keeps of the profile
}

func (v *visit) invitationPage() error {
	ctx, cancel := v.reading()
	defer cancel()
	p, object, err := v.profileSubject(ctx)
	if err != nil {
		return err
	}
	return v.render("invitation", &invitationView{profileSubject: p, Address: addressOf(&p.Profile),
		Seen: seenOf(string(object.Object))})
}

// invitation sets the address to which the invitations of a profile go. It changes nothing else of the profile.
func (v *visit) invitation() error {
	address := v.r.PostFormValue("address")
	if address != addressWork && address != addressPersonal {
		return &pageError{status: http.StatusBadRequest, key: "Choose the work address or the personal one."}
	}
	p, object, err := v.profileSubject(v.ctx())
	if err != nil {
		return err
	}
	if err := v.demandSeen(seenOf(string(object.Object))); err != nil {
		return err
	}
	target := "identity-profiles/" + p.ID + "/invitation"
	if addressOf(&p.Profile) == address {
		return v.tell(note{Key: "That is so already: nothing was changed.", Warning: true}, target)
	}
	members := map[string]json.RawMessage{}
	if err := json.Unmarshal(object.Object, &members); err != nil {
		return err
	}
	options, err := json.Marshal(map[string]string{"address": address})
	if err != nil {
		return err
	}
	members["invitationOptions"] = options
	document, err := json.Marshal(members)
	if err != nil {
		return err
	}
	_, err = v.h.eng.Apply(v.ctx(), []engine.Document{{Type: engine.TypeIdentityProfile, Object: document}},
		engine.Untrusted(), engine.Replace(), engine.WithComment("Invitation Options: "+address))
	if err != nil {
		return err
	}
	return v.tell(note{Key: "Invitations go to the address that you chose, from now on."}, target)
}
