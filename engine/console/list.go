package console

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/muster-engine/muster/engine"
	"github.com/muster-engine/muster/filterql"
)

// quickFilter is a filter that is one click away. It is text in the language of filters, which the visitor sees and may
// edit.
type quickFilter struct{ Name, Filters string }

// quickFilters are those of the Identity List.
var quickFilters = []quickFilter{
	{text("All"), ""},
	{text("Errors"), `processingState eq "ERROR"`},
	{text("Incomplete"), `uid isnull or email isnull or firstname isnull or lastname isnull`},
	{text("Uncorrelated"), `correlated eq false`},
	{text("Invited, not registered"), `cloudStatus eq "PENDING"`},
	{text("Inactive"), `identityState in ("INACTIVE_SHORT_TERM","INACTIVE_LONG_TERM")`},
	{text("Left by their source"), `orphaned eq true`},
	{text("Protected"), `protected eq true`},
	{text("Without manager"), `manager.id isnull`},
}

// column is a column of the Identity List: a field that is sorted by, and its title.
type column struct {
	Field, Title string
	Attribute    bool // of the identity, in the words of the configuration
}

// columns are the usual ones; any attribute can be another one.
var columns = []column{
	{Field: "name", Title: text("Name")},
	{Field: "alias", Title: text("Account")},
	{Field: "email", Title: text("E-mail")},
	{Field: "lifecycleState", Title: text("Lifecycle state")},
	{Field: "cloudStatus", Title: text("Status")},
	{Field: "manager.name", Title: text("Manager")},
	{Field: "lastRefresh", Title: text("Last refresh")},
	{Field: "created", Title: text("Created")},
	{Field: "modified", Title: text("Modified")},
	{Field: "identityState", Title: text("Identity state")},
}

// columnsUsual are the columns of a list that names none, and columnsMax the most that it may name.
const (
	columnsUsual = 7
	columnsMax   = 30
)

// listView is the Identity List.
type listView struct {
	listing

	People []person
}

// person is a row of the list. It has what the row shows: a template that asks for it takes several times as long.
type person struct {
	ID, Select, Actions string // the last two are names of its controls
	Failed              bool
	Cells               []cell
}

// cell is a value. Person is the ID of the person that it names, whose page it leads to; Heads says that it is that of
// the row.
type cell struct {
	Text, Person      string
	Heads, Time, Chip bool
	At                *moment
}

func (v *visit) identityList() error {
	view := &listView{listing: v.listing(quickFilters, "name")}
	ctx, cancel := v.reading()
	defer cancel()
	if err := view.chooseColumns(ctx, v.r.URL.Query()["columns"]); err != nil {
		return err
	}
	params := engine.ListParams{AnyField: true, DefaultFilter: engine.NoDefault, Filters: view.Filters,
		Sorters: view.sortersOrUsual(), Limit: &view.Limit, After: view.after}
	page, err := v.h.eng.ListIdentities(ctx, params)
	if view.mistaken(err) {
		return v.render("identities", view)
	}
	if err != nil {
		return err
	}
	for i := range page.Identities {
		view.People = append(view.People, view.person(&page.Identities[i]))
	}
	view.paged(len(view.People), page.Next)
	return v.render("identities", view)
}

// mistakeOf returns the mistake in a filter or in sorters that an error wraps; nil for any other error.
func mistakeOf(err error) *filterql.Error {
	var mistake *filterql.Error
	if errors.As(err, &mistake) {
		return mistake
	}
	return nil
}

// chooseColumns reads the names of the columns, which come as a list or one by one.
func (l *listView) chooseColumns(ctx context.Context, given []string) error {
	attributes, err := l.h.eng.IdentityAttributes(ctx)
	if err != nil {
		return err
	}
	known := slices.Clone(columns)
	for i := range known {
		known[i].Title = l.T(known[i].Title)
	}
	for _, name := range attributes {
		if !slices.ContainsFunc(columns, func(c column) bool { return c.Field == name }) {
			known = append(known, column{Field: "attributes." + name, Title: name, Attribute: true})
		}
	}
	var names []string
	for _, list := range given {
		for name := range strings.SplitSeq(list, ",") {
			if name = strings.TrimSpace(name); name != "" && !slices.Contains(names, name) {
				names = append(names, name)
			}
		}
	}
	if len(names) == 0 {
		for _, c := range known[:columnsUsual] {
			names = append(names, c.Field)
		}
	}
	for _, name := range names {
		at := slices.IndexFunc(known, func(c column) bool { return c.Field == name || c.Attribute && c.Title == name })
		if at >= 0 && len(l.Columns) < columnsMax {
			l.Columns = append(l.Columns, l.columnOf(known[at]))
		}
	}
	for _, c := range known {
		l.Choices = append(l.Choices, choiceView{c, slices.ContainsFunc(l.Columns, func(o columnView) bool {
			return o.Field == c.Field
		})})
	}
	return nil
}

func (l *listView) person(i *engine.Identity) person {
	return person{ID: i.ID, Select: l.T("Select %s", i.Name), Actions: l.T("Actions for %s", i.Name),
		Failed: textOf(i.ProcessingState) == "ERROR", Cells: l.cells(i)}
}

// cells returns the values of an identity in the columns of the list.
func (l *listView) cells(i *engine.Identity) []cell {
	cells := make([]cell, len(l.Columns))
	for n := range l.Columns {
		cells[n] = l.cell(i, &l.Columns[n].column)
	}
	return cells
}

func (l *listView) cell(i *engine.Identity, c *column) cell {
	switch c.Field {
	case "name":
		return cell{Text: i.Name, Person: i.ID, Heads: true}
	case "alias":
		return cell{Text: i.Alias}
	case "email":
		return cell{Text: textOf(i.EmailAddress)}
	case "lifecycleState":
		if i.LifecycleState == nil {
			return cell{}
		}
		return cell{Chip: true, Text: i.LifecycleState.StateName}
	case "cloudStatus":
		return cell{Chip: true, Text: i.IdentityStatus}
	case "manager.name":
		if i.ManagerRef == nil {
			return cell{}
		}
		return cell{Text: i.ManagerRef.Name, Person: i.ManagerRef.ID}
	case "lastRefresh":
		return cell{Time: true, At: l.Moment(i.LastRefresh)}
	case "created":
		return cell{Time: true, At: l.MomentOf(i.Created)}
	case "modified":
		return cell{Time: true, At: l.MomentOf(i.Modified)}
	case "identityState":
		return cell{Chip: true, Text: i.Attributes.Get("identityState").Text()}
	}
	return cell{Text: strings.Join(i.Attributes.Get(c.Title).Strings(), ", ")}
}

func textOf(text *string) string {
	if text == nil {
		return ""
	}
	return *text
}

// quoted returns a text as the value of a filter.
func quoted(text string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(text) + `"`
}

// findMax is how many people the find box shows.
const findMax = 10

// findView is what the find box found.
type findView struct {
	*visit

	Query   string
	People  []engine.Identity
	More    bool
	Filters string // the same as a filter of the Identity List
	Sources []string
}

// prefixFields are the fields by whose beginning people are found.
var prefixFields = []string{"name", "alias", "email", "firstname", "lastname"}

// findPage finds people by an ID or by the beginning of a name, an account or an address, runs by their IDs, and
// sources by the beginning of their names. What is found exactly is shown at once.
func (v *visit) findPage() error {
	view := &findView{visit: v, Query: strings.TrimSpace(v.r.URL.Query().Get("q"))}
	if view.Query == "" {
		return v.render("find", view)
	}
	ctx, cancel := v.reading()
	defer cancel()
	if target, err := v.exact(ctx, view.Query); target != "" || err != nil {
		if err != nil {
			return err
		}
		return v.redirect(target)
	}
	var parts []string
	for _, field := range prefixFields {
		parts = append(parts, field+" sw "+quoted(view.Query))
	}
	view.Filters = strings.Join(parts, " or ")
	limit := findMax + 1
	page, err := v.h.eng.ListIdentities(ctx, engine.ListParams{AnyField: true, DefaultFilter: engine.NoDefault,
		Filters: view.Filters, Sorters: "name", Limit: &limit})
	if mistakeOf(err) != nil { // no text that a name can begin with
		return v.render("find", view)
	}
	if err != nil {
		return err
	}
	view.People = page.Identities
	if view.More = len(view.People) > findMax; view.More {
		view.People = view.People[:findMax]
	}
	v.rows = len(view.People)
	sources, err := v.h.eng.Sources(ctx)
	if err != nil {
		return err
	}
	for i := range sources {
		if strings.HasPrefix(filterql.Fold(sources[i].Source), filterql.Fold(view.Query)) {
			view.Sources = append(view.Sources, sources[i].Source)
		}
	}
	if len(view.People) == 1 && len(view.Sources) == 0 {
		return v.redirect("identities/" + view.People[0].ID + "/")
	}
	return v.render("find", view)
}

// exact returns the page of what has an ID or is the only one with an alias; "" for none.
func (v *visit) exact(ctx context.Context, text string) (target string, err error) {
	identity, err := v.h.eng.FindIdentity(ctx, text)
	if err == nil {
		return "identities/" + identity.ID + "/", nil
	}
	if kind := engine.KindOf(err); kind != engine.NotFound && kind != engine.Conflict && kind != engine.Invalid {
		return "", err
	}
	if !v.may(seeRuns) {
		return "", nil
	}
	run, err := v.h.eng.Task(ctx, text)
	if err == nil {
		return "runs/" + run.ID + "/", nil
	}
	if engine.KindOf(err) != engine.NotFound {
		return "", err
	}
	return "", nil
}
