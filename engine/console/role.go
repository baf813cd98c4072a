package console

import (
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/muster-engine/muster/engine"
	"github.com/muster-engine/muster/engine/criteria"
)

// roleFilters are the quick filters of the roles.
var roleFilters = []quickFilter{
	{text("All"), ""},
	{text("Enabled"), `enabled eq true`},
	{text("Not enabled"), `enabled eq false`},
	{text("With a criterion"), `membership.type eq "STANDARD"`},
	{text("With a list of members"), `membership.type eq "IDENTITY_LIST"`},
	{text("Requestable"), `requestable eq true`},
}

var roleColumns = []column{
	{Field: "name", Title: text("Role")},
	{Field: "enabled", Title: text("State")},
	{Title: text("Who has it")},
	{Title: text("What it grants")},
	{Field: "modified", Title: text("Modified")},
}

// shownRole is a role as a page shows it.
type shownRole struct {
	ID, Name, Description, Owner string
	Enabled                      bool
	Membership                   string // who has it, as a sentence
	Listed                       bool   // its members are a list
	Grants                       []string
	Modified                     *moment
}

// roleDocument is what a page reads of a role.
type roleDocument struct {
	engine.Role

	Description *string           `json:"description"`
	Owner       *engine.Reference `json:"owner"`
}

type roleListView struct {
	listing

	Roles []shownRole
}

func (v *visit) roleList() error {
	ctx, cancel := v.reading()
	defer cancel()
	view := &roleListView{listing: v.listing(roleFilters, "name")}
	view.Example = `name sw "Sales" and enabled eq true`
	view.NothingText = v.T("There is no role yet: apply a configuration with roles.")
	view.columnsOf(roleColumns)
	page, err := v.h.eng.ListConfiguration(ctx, engine.TypeRole, view.page())
	if view.mistaken(err) {
		return v.render("roles", view)
	}
	if err != nil {
		return err
	}
	if view.Roles, err = v.shownRoles(ctx, page.Items); err != nil {
		return err
	}
	view.paged(len(view.Roles), page.Next)
	v.rows = 0 // they are no people
	return v.render("roles", view)
}

// shownRoles says in words what roles are. It reads the names of the sources that their criteria name.
func (v *visit) shownRoles(ctx context.Context, objects []engine.ConfigurationObject) ([]shownRole, error) {
	documents := make([]roleDocument, len(objects))
	conditions := make([]*condition, len(objects))
	var sources []string
	for i := range objects {
		d := &documents[i]
		if err := json.Unmarshal(objects[i].Object, d); err != nil {
			return nil, err
		}
		if d.Membership != nil && len(d.Membership.Criteria) > 0 && string(d.Membership.Criteria) != "null" {
			conditions[i] = &condition{}
			if err := json.Unmarshal(d.Membership.Criteria, conditions[i]); err != nil {
				return nil, err
			}
			sources = conditions[i].sources(sources)
		}
	}
	names, err := v.sourceNames(ctx, sources)
	if err != nil {
		return nil, err
	}
	roles := make([]shownRole, len(objects))
	for i := range objects {
		d := &documents[i]
		r := shownRole{ID: objects[i].ID, Name: objects[i].Name, Enabled: d.Enabled, Description: textOf(d.Description),
			Modified: v.MomentOf(objects[i].Modified)}
		if d.Owner != nil {
			r.Owner = d.Owner.Name
		}
		switch {
		case conditions[i] != nil:
			r.Membership = v.sentence(conditions[i], names, false)
		case d.Membership != nil && d.Membership.Type == "IDENTITY_LIST":
			r.Listed = true
			r.Membership = v.N("%d identity by a list", "%d identities by a list", len(d.Membership.Identities))
		default:
			r.Membership = v.T("only whom it is assigned to")
		}
		for _, p := range d.AccessProfiles {
			r.Grants = append(r.Grants, p.Name)
		}
		for k := range d.Entitlements {
			r.Grants = append(r.Grants, entitlementText(&d.Entitlements[k]))
		}
		roles[i] = r
	}
	return roles, nil
}

// entitlementText names an entitlement that a document refers to.
func entitlementText(e *engine.EntitlementReference) string {
	switch {
	case e.Attribute != "":
		return e.Attribute + ": " + e.Value
	case e.Value != "":
		return e.Value
	case e.Name != "":
		return e.Name
	}
	return e.ID
}

// sourceNames returns the names of sources by their IDs.
func (v *visit) sourceNames(ctx context.Context, ids []string) (map[string]string, error) {
	names := map[string]string{}
	slices.Sort(ids)
	if ids = slices.Compact(ids); len(ids) == 0 {
		return names, nil
	}
	quotedIDs := make([]string, len(ids))
	for i, id := range ids {
		quotedIDs[i] = quoted(id)
	}
	page, err := v.h.eng.ListConfiguration(ctx, engine.TypeSource, engine.PageParams{
		Filters: "id in (" + strings.Join(quotedIDs, ",") + ")"})
	for i := range page.Items {
		names[page.Items[i].ID] = page.Items[i].Name
	}
	return names, err
}

// condition is a criterion of a role as its document has it.
type condition struct {
	Operation criteria.Operation `json:"operation"`
	Key       *struct {
		Property string `json:"property"`
		SourceID string `json:"sourceId"`
	} `json:"key"`
	StringValue *string     `json:"stringValue"`
	Children    []condition `json:"children"`
}

// sources appends the sources whose accounts the condition compares.
func (c *condition) sources(ids []string) []string {
	if c.Key != nil && c.Key.SourceID != "" {
		ids = append(ids, plainID(c.Key.SourceID))
	}
	for i := range c.Children {
		ids = c.Children[i].sources(ids)
	}
	return ids
}

// plainID returns an ID as the engine shows it.
func plainID(id string) string { return strings.ToLower(strings.ReplaceAll(id, "-", "")) }

// comparisons say in words what an operation compares.
var comparisons = map[criteria.Operation]string{
	criteria.Equals:            text("%s is “%s”"),
	criteria.NotEquals:         text("%s is not “%s”"),
	criteria.Contains:          text("%s contains “%s”"),
	criteria.DoesNotContain:    text("%s does not contain “%s”"),
	criteria.StartsWith:        text("%s begins with “%s”"),
	criteria.EndsWith:          text("%s ends with “%s”"),
	criteria.GreaterThan:       text("%s is more than “%s”"),
	criteria.LessThan:          text("%s is less than “%s”"),
	criteria.GreaterThanEquals: text("%s is at least “%s”"),
	criteria.LessThanEquals:    text("%s is at most “%s”"),
}

// sentence says a condition in words. inner puts a group in brackets.
func (v *visit) sentence(c *condition, sources map[string]string, inner bool) string {
	if c.Operation.IsGroup() {
		parts := make([]string, len(c.Children))
		for i := range c.Children {
			parts[i] = v.sentence(&c.Children[i], sources, true)
		}
		word := v.T("and")
		if c.Operation == criteria.Or {
			word = v.T("or")
		}
		group := strings.Join(parts, " "+word+" ")
		if inner && len(parts) > 1 {
			return "(" + group + ")"
		}
		return group
	}
	name := ""
	if c.Key != nil {
		name = strings.TrimPrefix(c.Key.Property, "attribute.")
		if id := c.Key.SourceID; id != "" {
			if source, known := sources[plainID(id)]; known {
				id = source
			}
			name = id + "." + name
		}
	}
	words, known := comparisons[c.Operation]
	if !known {
		return name + " " + string(c.Operation) + " " + textOf(c.StringValue)
	}
	return v.T(words, name, textOf(c.StringValue))
}

// memberColumns are those of the members of a role.
var memberColumns = []column{
	{Field: "name", Title: text("Name")},
	{Field: "aliasName", Title: text("Account")},
	{Field: "email", Title: text("E-mail")},
	{Title: text("How")},
	{Title: text("Assigned")},
	{Title: text("Ends")},
}

// memberFilters are the quick filters of the members of a role.
var memberFilters = []quickFilter{
	{text("All"), ""},
	{text("Inactive"), `identityState in ("INACTIVE_SHORT_TERM","INACTIVE_LONG_TERM")`},
	{text("Errors"), `processingState eq "ERROR"`},
	{text("Without manager"), `manager.id isnull`},
}

type roleMembersView struct {
	listing

	Role    shownRole
	Members []shownMember
	Typed   assignForm
	Plot    *plotted // of their number; nil where nobody has counted it
}

// shownMember is a member of a role, and how each assignment came about.
type shownMember struct {
	engine.RoleMember

	Ways []memberWay
}

type memberWay struct {
	engine.MemberAssignment

	How      string
	Assigned *moment
	Begins   *moment
	Ends     *moment
	Revoke   bool // it was asked for, and can be revoked
}

// assignForm is what was typed to assign a role.
type assignForm struct {
	Identity, Comments, Start, End string
	Problem                        string
}

func (v *visit) roleMembers() error { return v.showMembers(assignForm{}) }

// showMembers shows the members of a role, with what was typed to assign it.
func (v *visit) showMembers(typed assignForm) error {
	ctx, cancel := v.reading()
	defer cancel()
	view := &roleMembersView{listing: v.listing(memberFilters, "name"), Typed: typed}
	role, err := v.roleOf(ctx)
	if err != nil {
		return err
	}
	view.Role = role
	view.Example = `department eq "Sales" and lastname sw "M"`
	view.NothingText = v.T("Nobody has the role.")
	view.columnsOf(memberColumns)
	if view.Plot, err = v.objectPlot(ctx, engine.MeasureMembers, role.ID, v.T("Members")); err != nil {
		return err
	}
	page, err := v.h.eng.ListRoleMembers(ctx, role.ID, view.page())
	if view.mistaken(err) {
		return v.render("members", view)
	}
	if err != nil {
		return err
	}
	for i := range page.Items {
		view.Members = append(view.Members, v.shownMember(&page.Items[i], role.Listed))
	}
	view.paged(len(view.Members), page.Next)
	return v.render("members", view)
}

// roleOf reads the role that the path names.
func (v *visit) roleOf(ctx context.Context) (shownRole, error) {
	page, err := v.h.eng.ListConfiguration(ctx, engine.TypeRole, engine.PageParams{
		Filters: "id eq " + quoted(v.values["id"])})
	if mistakeOf(err) != nil || err == nil && len(page.Items) == 0 {
		return shownRole{}, &pageError{status: http.StatusNotFound, key: "There is no role with this ID."}
	}
	if err != nil {
		return shownRole{}, err
	}
	roles, err := v.shownRoles(ctx, page.Items)
	if err != nil {
		return shownRole{}, err
	}
	return roles[0], nil
}

func (v *visit) shownMember(m *engine.RoleMember, listed bool) shownMember {
	shown := shownMember{RoleMember: *m}
	for i := range m.Assignments {
		a := &m.Assignments[i]
		way := memberWay{MemberAssignment: *a, Assigned: v.MomentOf(a.AddedDate), Begins: v.Moment(a.StartDate),
			Ends: v.Moment(a.RemoveDate)}
		switch {
		case a.AssignmentSource != membershipSource:
			way.How, way.Revoke = v.T("by request"), true
			if a.AssignmentSource != engine.AssignedByRequest {
				way.How += " (" + a.AssignmentSource + ")"
			}
		case listed:
			way.How = v.T("by the list")
		default:
			way.How = v.T("by the criterion")
		}
		shown.Ways = append(shown.Ways, way)
	}
	return shown
}

// membershipSource is the source of the assignments that a membership makes.
const membershipSource = "ROLE_MEMBERSHIP"

// assignRole gives a role to an identity, which the form names by an ID or an alias.
func (v *visit) assignRole() error {
	typed := assignForm{Identity: strings.TrimSpace(v.r.PostFormValue("identity")),
		Comments: v.r.PostFormValue("comments"), Start: v.r.PostFormValue("start"), End: v.r.PostFormValue("end")}
	refuse := func(problem string) error {
		typed.Problem, v.status = problem, http.StatusBadRequest
		return v.showMembers(typed)
	}
	zone, err := v.h.tenantZone(v.ctx())
	if err != nil {
		return err
	}
	start, startRead := dayOf(typed.Start, zone)
	end, endRead := dayOf(typed.End, zone)
	if !startRead || !endRead {
		return refuse(v.T("A day is written like 2026-01-31."))
	}
	params := engine.AssignRoleParams{Role: v.values["id"], Comments: typed.Comments}
	if typed.Start != "" {
		params.StartDate = &start
	}
	if typed.End != "" {
		end = end.AddDate(0, 0, 1) // the day is in it
		params.RemoveDate = &end
	}
	identity, err := v.personOf(typed.Identity)
	if err != nil {
		return err
	}
	if params.Identity = identity; identity == "" {
		return refuse(v.T("No identity, or not one alone, has this ID or account."))
	}
	if params.Assigner, err = v.ownIdentity(); err != nil {
		return err
	}
	_, err = v.h.eng.AssignRole(v.ctx(), params)
	if engine.KindOf(err) == engine.Invalid {
		return refuse(engine.Reason(err))
	}
	if err != nil {
		return err
	}
	return v.tell(note{Key: "The role was assigned. Revoke takes that back."}, v.backToRole())
}

func (v *visit) backToRole() string {
	return ownReference(v.r.PostFormValue("back"), "roles/"+v.values["id"]+"/members")
}

// personOf returns the ID of the identity that a text names by an ID or an alias; "" where none or several do.
func (v *visit) personOf(text string) (string, error) {
	if text == "" {
		return "", nil
	}
	identity, err := v.h.eng.FindIdentity(v.ctx(), text)
	if err == nil {
		return identity.ID, nil
	}
	switch engine.KindOf(err) {
	case engine.NotFound, engine.Conflict, engine.Invalid:
		return "", nil
	default:
		return "", err
	}
}

// ownIdentity returns the ID of the visitor's identity; "" for one who is none.
func (v *visit) ownIdentity() (string, error) {
	identity, err := v.h.eng.GetIdentity(v.ctx(), v.principal.ID)
	if err != nil && engine.KindOf(err) == engine.NotFound {
		return "", nil
	}
	return identity.ID, err
}

// revokeRole ends an assignment that was asked for.
func (v *visit) revokeRole() error {
	err := v.h.eng.RevokeRole(v.ctx(), v.r.PostFormValue("identity"), v.r.PostFormValue("assignment"))
	if engine.KindOf(err) == engine.NotFound {
		return v.tell(note{Key: "The role is not assigned any more.", Warning: true}, v.backToRole())
	}
	if err != nil {
		return err
	}
	return v.tell(note{Key: "The role was revoked. It can be assigned again."}, v.backToRole())
}

// BeginsLater reports whether the assignment takes effect only later.
func (w *memberWay) BeginsLater() bool { return w.StartDate != nil && w.StartDate.After(time.Now()) }
