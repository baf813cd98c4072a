package console

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/muster-engine/muster/engine"
	"github.com/muster-engine/muster/engine/criteria"
)

// subject is the identity that a page is about, with what all its pages show.
type subject struct {
	*visit

	Identity  engine.Identity
	Tab       string // the page: "" for the overview
	Protected bool
	Tabs      []tab
}

// tab is a page of an identity.
type tab struct {
	Title, Path string
	Current     bool
	right       right // that the page needs; "" for that of all pages of identities
}

// tabs are the pages of an identity in their order.
var tabs = []tab{
	{Title: text("Overview")},
	{Title: text("Attributes"), Path: "attributes"},
	{Title: text("Accounts"), Path: "accounts", right: readAccounts},
	{Title: text("Access"), Path: "access"},
	{Title: text("Operations"), Path: "operations"},
	{Title: text("History"), Path: "history"},
	{Title: text("Ownership"), Path: "ownership"},
	{Title: text("Preview"), Path: "preview"},
}

// Up returns the reference of the identity's own folder.
func (s *subject) Up() string { return s.base + "identities/" + s.Identity.ID + "/" }

// subject reads the identity that the path names. Of one that is gone the error tells whether it has a history.
func (v *visit) subject(ctx context.Context) (*subject, error) {
	id := v.values["id"]
	identity, err := v.h.eng.GetIdentity(ctx, id)
	if err != nil {
		if engine.KindOf(err) != engine.NotFound {
			return nil, err
		}
		gone := &pageError{status: http.StatusNotFound, key: "There is no identity with this ID."}
		if events, err := v.h.eng.History(ctx, id, "", 1); err == nil && len(events) > 0 {
			gone.key, gone.history = "This identity was deleted. Its history is still there.", events[0].IdentityID
		}
		return nil, gone
	}
	s := &subject{visit: v, Identity: identity}
	protected := 1
	page, err := v.h.eng.ListIdentities(ctx, engine.ListParams{DefaultFilter: engine.NoDefault, Limit: &protected,
		Filters: "id eq " + quoted(identity.ID) + " and protected eq true"})
	if err != nil {
		return nil, err
	}
	s.Protected = len(page.Identities) == 1
	_, s.Tab, _ = strings.Cut(strings.TrimPrefix(v.route.pattern, "identities/"), "/")
	for _, t := range tabs {
		if t.right == "" || v.may(t.right) {
			s.Tabs = append(s.Tabs, tab{Title: v.T(t.Title), Path: t.Path, Current: t.Path == s.Tab})
		}
	}
	v.rows = 1
	return s, nil
}

// reportsMax is how many direct reports the overview names.
const reportsMax = 8

// eventsShort is how many events the overview shows.
const eventsShort = 5

type overviewView struct {
	*subject

	Why     engine.Explanation
	Reports []engine.Identity
	More    bool // there are more reports
	Events  []shownEvent
	Pinned  []pinned
}

// pinned is an attribute that the overview shows.
type pinned struct{ Name, Value string }

// pinnedNames are the attributes that the overview shows where they have a value.
var pinnedNames = []string{"jobTitle", "title", "department", "location", "country", "phone", "startDate", "endDate"}

func (v *visit) overview() error {
	ctx, cancel := v.reading()
	defer cancel()
	s, err := v.subject(ctx)
	if err != nil {
		return err
	}
	view := &overviewView{subject: s}
	if view.Why, err = v.h.eng.Explain(ctx, engine.ExplainParams{Identity: s.Identity.ID}); err != nil {
		return err
	}
	if s.Identity.IsManager {
		limit := reportsMax + 1
		page, err := v.h.eng.ListIdentities(ctx, engine.ListParams{AnyField: true, DefaultFilter: engine.NoDefault,
			Filters: "manager.id eq " + quoted(s.Identity.ID), Sorters: "name", Limit: &limit})
		if err != nil {
			return err
		}
		view.Reports = page.Identities
		if view.More = len(view.Reports) > reportsMax; view.More {
			view.Reports = view.Reports[:reportsMax]
		}
	}
	for _, name := range pinnedNames {
		if value := strings.Join(s.Identity.Attributes.Get(name).Strings(), ", "); value != "" {
			view.Pinned = append(view.Pinned, pinned{name, value})
		}
	}
	events, err := v.h.eng.History(ctx, s.Identity.ID, "", eventsShort)
	if err != nil {
		return err
	}
	if view.Events, err = v.shownEvents(ctx, events, false); err != nil {
		return err
	}
	return v.render("overview", view)
}

type attributesView struct {
	*subject

	Why  engine.Explanation
	Rows []attributeRow
}

// attributeRow is an attribute, and where its value comes from.
type attributeRow struct {
	engine.ExplainedAttribute

	Stored, Calculated string
	Differs            bool // processing would change it
	Steps              []shownStep
}

// shownStep is a step of a calculation.
type shownStep struct {
	engine.ExplainedStep

	Text string
	Null bool
}

func (v *visit) attributes() error {
	ctx, cancel := v.reading()
	defer cancel()
	s, err := v.subject(ctx)
	if err != nil {
		return err
	}
	view := &attributesView{subject: s}
	if view.Why, err = v.h.eng.Explain(ctx, engine.ExplainParams{Identity: s.Identity.ID}); err != nil {
		return err
	}
	view.Rows = attributeRows(view.Why.Attributes)
	return v.render("attributes", view)
}

// attributeRows returns attributes with their steps.
func attributeRows(attributes []engine.ExplainedAttribute) []attributeRow {
	var rows []attributeRow
	for _, a := range attributes {
		row := attributeRow{ExplainedAttribute: a, Stored: strings.Join(a.Stored.Strings(), ", "),
			Calculated: strings.Join(a.Value.Strings(), ", "), Differs: !a.Stored.Equal(a.Value)}
		for _, step := range a.Steps {
			row.Steps = append(row.Steps, shownStep{step, strings.Join(step.Value.Strings(), ", "),
				step.Value.IsNull()})
		}
		rows = append(rows, row)
	}
	return rows
}

type accessView struct {
	*subject

	Why   engine.Explanation
	Roles []roleRow
	// Asked is the role of which was asked why the identity has it or has it not, among Others.
	Asked  *roleRow
	Others []engine.ExplainedRole // roles that the identity does not have
}

// roleRow is a role of an identity, and why it has it.
type roleRow struct {
	engine.ExplainedRole

	Assignments []engine.RoleAssignment
	Lines       []criterionLine
}

// criterionLine is a line of a criterion, as deep as it is nested.
type criterionLine struct {
	Depth int
	Holds bool
	Text  string // of a comparison: what is compared, and how; of a group: its operation
	Group bool
	Has   string // the values that the identity has
}

// rolesFew is how many roles show at once why the identity has them.
const rolesFew = 6

// Few reports whether the page shows at once why the identity has its roles.
func (a *accessView) Few() bool { return len(a.Roles) <= rolesFew }

// IsAsked reports whether a role is the one of which was asked.
func (a *accessView) IsAsked(id string) bool { return a.Asked != nil && a.Asked.ID == id }

func (v *visit) access() error {
	ctx, cancel := v.reading()
	defer cancel()
	s, err := v.subject(ctx)
	if err != nil {
		return err
	}
	view := &accessView{subject: s}
	if view.Why, err = v.h.eng.Explain(ctx, engine.ExplainParams{Identity: s.Identity.ID}); err != nil {
		return err
	}
	assignments, err := v.h.eng.RoleAssignments(ctx, s.Identity.ID, engine.RoleAssignmentQuery{})
	if err != nil {
		return err
	}
	asked := v.r.URL.Query().Get("role")
	for i := range view.Why.Roles {
		row := v.roleRow(&view.Why.Roles[i], assignments)
		if row.has() {
			view.Roles = append(view.Roles, row)
			continue
		}
		view.Others = append(view.Others, row.ExplainedRole)
		if asked == row.ID {
			view.Asked = &row
		}
	}
	return v.render("access", view)
}

// roleRow returns a role with its assignments and why the identity has it or has it not.
func (v *visit) roleRow(role *engine.ExplainedRole, assignments []engine.RoleAssignment) roleRow {
	row := roleRow{ExplainedRole: *role}
	for i := range assignments {
		if assignments[i].Role.ID == row.ID {
			row.Assignments = append(row.Assignments, assignments[i])
		}
	}
	if row.Criterion != nil {
		row.Lines = v.criterionLines(nil, row.Criterion, 0)
	}
	return row
}

// has reports whether the identity has the role, or has it with the next processing.
func (r *roleRow) has() bool { return len(r.Assignments) > 0 || r.Assigned || r.Member }

// valuesShown is how many values of the identity a comparison shows.
const valuesShown = 5

func (v *visit) criterionLines(lines []criterionLine, e *criteria.Explanation, depth int) []criterionLine {
	if e.Operation.IsGroup() {
		text := v.T("all of these")
		if e.Operation != criteria.And {
			text = v.T("one of these")
		}
		lines = append(lines, criterionLine{Depth: depth, Holds: e.Holds, Text: text, Group: true})
		for i := range e.Children {
			lines = v.criterionLines(lines, &e.Children[i], depth+1)
		}
		return lines
	}
	name := e.Attribute
	if e.Source != "" {
		name = e.Source + "." + name
	}
	has := v.T("nothing")
	if len(e.Values) > 0 {
		has = strings.Join(e.Values[:min(len(e.Values), valuesShown)], ", ")
		if more := len(e.Values) - valuesShown; more > 0 {
			has = v.T("%s and %d more", has, more)
		}
	}
	return append(lines, criterionLine{Depth: depth, Holds: e.Holds, Has: has,
		Text: name + " " + string(e.Operation) + " “" + e.Value + "”"})
}

type ownershipView struct {
	*subject

	Associations []engine.Association
}

func (v *visit) ownership() error {
	ctx, cancel := v.reading()
	defer cancel()
	s, err := v.subject(ctx)
	if err != nil {
		return err
	}
	view := &ownershipView{subject: s}
	if view.Associations, err = v.h.eng.Ownership(ctx, s.Identity.ID); err != nil {
		return err
	}
	return v.render("ownership", view)
}

type previewView struct {
	*subject

	Change      *engine.PreviewChange // nil where nothing would change
	Attributes  []changedAttribute
	Synchronize bool
	Operations  []previewedOperation
}

type changedAttribute struct{ Name, From, To string }

type previewedOperation struct {
	engine.PreviewOperation

	Values []pinned
}

// preview shows what processing would change now.
func (v *visit) preview() error {
	ctx, cancel := v.reading()
	defer cancel()
	s, err := v.subject(ctx)
	if err != nil {
		return err
	}
	view := &previewView{subject: s, Synchronize: v.r.URL.Query().Get("synchronize") != ""}
	_, err = v.h.eng.Preview(ctx, engine.PreviewParams{IDs: []string{s.Identity.ID}, Synchronize: view.Synchronize},
		func(c *engine.PreviewChange) error {
			change := *c
			change.Warnings = slices.Clone(c.Warnings)
			change.RolesGained, change.RolesLost = slices.Clone(c.RolesGained), slices.Clone(c.RolesLost)
			view.Change = &change
			for i := range c.Attributes {
				a := &c.Attributes[i]
				view.Attributes = append(view.Attributes, changedAttribute{a.Name,
					strings.Join(a.From.Strings(), ", "), strings.Join(a.To.Strings(), ", ")})
			}
			for i := range c.Operations {
				o := previewedOperation{PreviewOperation: c.Operations[i]}
				for name, value := range o.Attributes.All() {
					o.Values = append(o.Values, pinned{name, strings.Join(value.Strings(), ", ")})
				}
				view.Operations = append(view.Operations, o)
			}
			return nil
		})
	if err != nil {
		return err
	}
	return v.render("preview", view)
}

// back returns where an action leads: to the page that it was asked for on, or else to the identity.
func (v *visit) back() string {
	return ownReference(v.r.PostFormValue("back"), "identities/"+v.values["id"]+"/")
}

func (v *visit) synchronize() error {
	job, err := v.h.eng.SynchronizeAttributes(v.ctx(), v.values["id"])
	var early *engine.Error
	if errors.As(err, &early) && early.Kind == engine.RateLimited {
		wait := early.RetryAfter.Round(time.Second)
		return v.tell(note{Warning: true,
			Key:       "The synchronization was asked for %d seconds ago. It can be asked for again in %d seconds.",
			Arguments: []any{int((engine.SynchronizeInterval - wait).Seconds()), int(wait.Seconds())}}, v.back())
	}
	if err != nil {
		return err
	}
	return v.tell(note{Key: "The synchronization of the attributes was asked for.", Run: job.ID}, v.back())
}

func (v *visit) process() error { return v.processIDs([]string{v.values["id"]}) }

// processSelected processes the identities that are ticked in a list.
func (v *visit) processSelected() error {
	ids := v.r.PostForm["id"]
	if len(ids) == 0 {
		return v.tell(note{Key: "Nobody was selected.", Warning: true}, v.backToList())
	}
	return v.processIDs(ids)
}

func (v *visit) backToList() string { return ownReference(v.r.PostFormValue("back"), "identities/") }

func (v *visit) processIDs(ids []string) error {
	run, err := v.h.eng.ProcessIdentities(v.ctx(), ids)
	if err != nil {
		return err
	}
	n := note{Key: "The processing of %d identities was asked for.", Arguments: []any{len(ids)}, Run: run.ID}
	target := v.backToList()
	if len(ids) == 1 {
		n.Key, n.Arguments = "The processing was asked for.", nil
		target = ownReference(v.r.PostFormValue("back"), "identities/"+ids[0]+"/")
	}
	return v.tell(n, target)
}

func (v *visit) invite() error { return v.inviteIDs([]string{v.values["id"]}, v.back()) }

// inviteSelected invites the identities that are ticked in a list.
func (v *visit) inviteSelected() error {
	ids := v.r.PostForm["id"]
	if len(ids) == 0 {
		return v.tell(note{Key: "Nobody was selected.", Warning: true}, v.backToList())
	}
	return v.inviteIDs(ids, v.backToList())
}

func (v *visit) inviteIDs(ids []string, target string) error {
	run, err := v.h.eng.InviteIdentities(v.ctx(), engine.InviteParams{IDs: ids})
	if err != nil {
		return err
	}
	return v.tell(note{Key: "The invitation was asked for. The run tells who is not invited, and why.", Run: run.ID},
		target)
}

func (v *visit) protect() error { return v.setProtection(true) }

func (v *visit) unprotect() error { return v.setProtection(false) }

func (v *visit) setProtection(protected bool) error {
	if err := v.h.eng.ProtectIdentity(v.ctx(), v.values["id"], protected); err != nil {
		return err
	}
	if protected {
		return v.tell(note{Key: "The identity is protected from being deleted."}, v.back())
	}
	return v.tell(note{Key: "The identity is not protected any more."}, v.back())
}

// verifyView is the page that asks which verification to send.
type verifyView struct {
	*subject

	Sources []string
	Ways    []way
}

// way is a way by which a verification goes.
type way struct{ Via, Title string }

var ways = []way{
	{engine.ViaEmailWork, text("To the work address, as a token to be typed")},
	{engine.ViaLinkWork, text("To the work address, as a link")},
	{engine.ViaEmailPersonal, text("To the personal address, as a token to be typed")},
	{engine.ViaLinkPersonal, text("To the personal address, as a link")},
}

func (v *visit) verifyPage() error {
	ctx, cancel := v.reading()
	defer cancel()
	s, err := v.subject(ctx)
	if err != nil {
		return err
	}
	view := &verifyView{subject: s}
	sources, err := v.h.eng.Sources(ctx)
	if err != nil {
		return err
	}
	for i := range sources {
		view.Sources = append(view.Sources, sources[i].Source)
	}
	for _, w := range ways {
		view.Ways = append(view.Ways, way{w.Via, v.T(w.Title)})
	}
	return v.render("verify", view)
}

func (v *visit) verify() error {
	err := v.h.eng.SendVerification(v.ctx(), v.values["id"], engine.VerificationParams{
		Source: v.r.PostFormValue("source"), Via: v.r.PostFormValue("via")})
	if err != nil {
		return err
	}
	return v.tell(note{Key: "The verification was asked for."}, "identities/"+v.values["id"]+"/")
}

type resetView struct {
	*subject

	Levels []string
}

func (v *visit) resetPage() error {
	ctx, cancel := v.reading()
	defer cancel()
	s, err := v.subject(ctx)
	if err != nil {
		return err
	}
	view := &resetView{subject: s}
	if view.Levels, err = v.h.eng.UserLevels(ctx, s.Identity.ID); err != nil {
		return err
	}
	return v.render("reset", view)
}

func (v *visit) reset() error {
	if err := v.h.eng.ResetIdentity(v.ctx(), v.values["id"]); err != nil {
		return err
	}
	return v.tell(note{Key: "The registration was reset: the identity can be invited again."},
		"identities/"+v.values["id"]+"/")
}
