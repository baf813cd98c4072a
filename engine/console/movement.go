package console

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/muster-engine/muster/engine"
)

// movementsLimit is how many movements a page shows.
const movementsLimit = 50

// The lists of the page of movements, by the word in the address.
const (
	movedAll    = ""
	roleStarts  = "starts"
	roleEnds    = "ends"
	weekPattern = "2026-W09" // what a week looks like
)

// movementLists are the lists of the page. Kind is empty for those of role assignments, and for all movements.
var movementLists = []struct {
	word, title string
	kind        engine.MovementKind
}{
	{movedAll, text("All movements"), ""}, {"joined", text("Joined"), engine.MovementJoined},
	{"moved", text("Moved"), engine.MovementMoved}, {"left", text("Left"), engine.MovementLeft},
	{roleStarts, text("Roles that begin"), ""}, {roleEnds, text("Roles that end"), ""},
}

// movementTitles call the kinds of movements by words that people use.
var movementTitles = map[engine.MovementKind]string{engine.MovementJoined: text("Joined"),
	engine.MovementMoved: text("Moved"), engine.MovementLeft: text("Left")}

// movementFields call the fields of a movement that are no attributes by words that people use.
var movementFields = map[string]string{"lifecycleState": text("Lifecycle state"),
	"identityState": text("Identity state"), "manager": text("Manager"), "identityProfile": text("Identity profile"),
	"correlated": text("Correlated")}

type movementsView struct {
	*visit

	Week, Before, After string // references of weeks
	Lists               []movementList
	List                string
	First, Last         string // the days of the week
	Roles               bool   // it is a list of role assignments
	Movements           []shownMovement
	Dates               []shownRoleDate
	Next                string
	CSV                 string

	since, until time.Time
	kinds        []engine.MovementKind
}

type movementList struct {
	Title, Reference string
	Chosen           bool
}

// shownMovement is a movement as the page shows it.
type shownMovement struct {
	engine.Movement

	At    *moment
	Title string
	Lines []movementLine
}

type movementLine struct{ What, From, To string }

// shownRoleDate is a role assignment that begins or ends.
type shownRoleDate struct {
	engine.ListedRoleAssignment

	At *moment
}

// weekOf reads a week, such as 2026-W09, and returns its Monday in a zone; no text is the week of now.
func weekOf(text string, zone *time.Location, now time.Time) (time.Time, bool) {
	if text == "" {
		text = weekText(now.In(zone))
	}
	var year, week int
	if n, err := fmt.Sscanf(text, "%4d-W%2d", &year, &week); n != 2 || err != nil || year < 1 || week < 1 {
		return time.Time{}, false
	}
	// The fourth of January is in the first week.
	fourth := time.Date(year, 1, 4, 0, 0, 0, 0, zone)
	monday := fourth.AddDate(0, 0, -(int(fourth.Weekday())+6)%7+7*(week-1))
	return monday, weekText(monday) == text
}

// weekText returns the week of a time.
func weekText(at time.Time) string {
	year, week := at.ISOWeek()
	return fmt.Sprintf("%04d-W%02d", year, week)
}

// movementsAsked reads which list of which week is asked for.
func (v *visit) movementsAsked(ctx context.Context) (*movementsView, error) {
	query := v.r.URL.Query()
	zone, err := v.h.tenantZone(ctx)
	if err != nil {
		return nil, err
	}
	view := &movementsView{visit: v, List: query.Get("kind")}
	var read bool
	if view.since, read = weekOf(query.Get("week"), zone, time.Now()); !read {
		return nil, &pageError{status: http.StatusBadRequest, key: "A week is written like %s.",
			arguments: []any{weekPattern}}
	}
	view.until = view.since.AddDate(0, 0, 7)
	view.Week = weekText(view.since)
	known := false
	for _, l := range movementLists {
		if l.word == view.List {
			known, view.Roles = true, l.word == roleStarts || l.word == roleEnds
			if l.kind != "" {
				view.kinds = []engine.MovementKind{l.kind}
			}
		}
	}
	if !known {
		return nil, &pageError{status: http.StatusNotFound, key: "There is no such page."}
	}
	return view, nil
}

// movements shows who joined, moved and left in a week, or whose roles begin or end.
func (v *visit) movements() error {
	ctx, cancel := v.reading()
	defer cancel()
	view, err := v.movementsAsked(ctx)
	if err != nil {
		return err
	}
	view.First = view.since.Format(time.DateOnly)
	view.Last = view.until.AddDate(0, 0, -1).Format(time.DateOnly)
	view.Before = v.with("week", weekText(view.since.AddDate(0, 0, -7)), "after", "")
	view.After = v.with("week", weekText(view.until), "after", "")
	view.CSV = "export.csv" + v.with("week", view.Week, "after", "")
	for _, l := range movementLists {
		view.Lists = append(view.Lists, movementList{v.T(l.title),
			v.with("kind", l.word, "week", view.Week, "after", ""), l.word == view.List})
	}
	after := v.r.URL.Query().Get("after")
	var next string
	if view.Roles {
		page, err := view.roleDates(ctx, after, movementsLimit)
		if err != nil {
			return err
		}
		for i := range page.Items {
			a := &page.Items[i]
			view.Dates = append(view.Dates, shownRoleDate{*a, v.Moment(view.date(a))})
		}
		next = page.Next
	} else {
		page, err := view.read(ctx, after, movementsLimit)
		if err != nil {
			return err
		}
		for i := range page.Items {
			view.Movements = append(view.Movements, v.shownMovement(&page.Items[i]))
		}
		next = page.Next
	}
	v.rows = len(view.Movements) + len(view.Dates)
	if next != "" {
		view.Next = v.with("week", view.Week, "after", next)
	}
	return v.render("movements", view)
}

// read reads a page of movements of the week.
func (m *movementsView) read(ctx context.Context, after string, limit int) (engine.MovementPage, error) {
	return m.h.eng.Movements(ctx, engine.MovementQuery{Kinds: m.kinds, Since: m.since, Until: m.until, After: after,
		Limit: limit})
}

// roleDates reads a page of the role assignments that begin or end in the week, the earliest first.
func (m *movementsView) roleDates(ctx context.Context, after string, limit int) (
	engine.Page[engine.ListedRoleAssignment], error,
) {
	field := "startDate"
	if m.List == roleEnds {
		field = "removeDate"
	}
	return m.h.eng.ListRoleAssignments(ctx, engine.PageParams{After: after, Limit: &limit, Sorters: field,
		Filters: fmt.Sprintf("%s ge %s and %s lt %s", field, m.since.UTC().Format(time.RFC3339), field,
			m.until.UTC().Format(time.RFC3339))})
}

// date returns when an assignment begins or ends.
func (m *movementsView) date(a *engine.ListedRoleAssignment) *time.Time {
	if m.List == roleEnds {
		return a.RemoveDate
	}
	return a.StartDate
}

func (v *visit) shownMovement(m *engine.Movement) shownMovement {
	shown := shownMovement{Movement: *m, At: v.MomentOf(m.At), Title: v.T(movementTitles[m.Kind])}
	for _, c := range m.Changes {
		what := c.Field
		if title := movementFields[c.Field]; title != "" {
			what = v.T(title)
		}
		shown.Lines = append(shown.Lines, movementLine{what, c.From, c.To})
	}
	return shown
}

// movementExport answers with a list of the page of movements as CSV.
func (v *visit) movementExport() error {
	ctx, cancel := v.reading()
	defer cancel()
	view, err := v.movementsAsked(ctx)
	if err != nil {
		return err
	}
	if view.Roles {
		header := []string{"identityId", "identity", "account", "roleId", "role", "assignmentSource", "starts", "ends"}
		return v.csv("roles-of-week", header, func(ctx context.Context, after string) (exported, error) {
			page, err := view.roleDates(ctx, after, exportPage)
			part := exported{next: page.Next}
			for i := range page.Items {
				a := &page.Items[i]
				part.rows = append(part.rows, []string{a.Identity.ID, a.Identity.Name, a.Alias, a.Role.ID, a.Role.Name,
					a.AssignmentSource, iso(a.StartDate), iso(a.RemoveDate)})
			}
			return part, err
		})
	}
	header := []string{"at", "kind", "identityId", "identity", "changes", "actor", "run"}
	return v.csv("movements", header, func(ctx context.Context, after string) (exported, error) {
		page, err := view.read(ctx, after, engine.MovementsMax)
		part := exported{next: page.Next}
		for i := range page.Items {
			m := &page.Items[i]
			var changes []string
			for _, c := range m.Changes {
				changes = append(changes, fmt.Sprintf("%s: %s → %s", c.Field, c.From, c.To))
			}
			part.rows = append(part.rows, []string{iso(&m.At), strings.ToLower(string(m.Kind)), m.IdentityID, m.Name,
				strings.Join(changes, "; "), cmp.Or(m.Actor.Name, m.Actor.ID), m.TaskID})
		}
		return part, err
	})
}
