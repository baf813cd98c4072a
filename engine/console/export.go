package console

import (
	"context"
	"encoding/csv"
	"errors"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/muster-engine/muster/engine"
	"github.com/muster-engine/muster/filterql"
)

// The limits of exports.
const (
	// ExportsMax is how many exports a visitor may have open at once.
	ExportsMax = 2
	// exportPage is how many rows are read at once.
	exportPage = filterql.LimitMax
	// exportPatience is how long the visitor's side may take for one page of rows.
	exportPatience = time.Minute
)

// delimiters are those of a CSV file, by the word in the address.
var delimiters = map[string]rune{"": ',', ",": ',', ";": ';', "semicolon": ';', "tab": '\t'}

// exported is a page of rows, and the cursor of the next one; "" for none.
type exported struct {
	rows [][]string
	next string
}

// csv answers with all rows of a list as a CSV file, whatever page is shown. It reads page after page by the list's
// cursors, so its memory is that of one page. A failure after the first page breaks the connection, so that half a file
// never looks whole.
func (v *visit) csv(name string, header []string,
	read func(ctx context.Context, after string) (exported, error),
) error {
	query, err := url.ParseQuery(v.r.URL.RawQuery)
	if err != nil { // such as a semicolon that is not written as %3B, with which a part would be left out
		return &pageError{status: http.StatusBadRequest, key: "This cannot be asked for.", detail: err.Error()}
	}
	delimiter, known := delimiters[query.Get("delimiter")]
	if !known {
		return &pageError{status: http.StatusBadRequest,
			key: "The delimiter is a comma, or the word semicolon or tab."}
	}
	if !v.h.beginExport(v.visitorID()) {
		return &pageError{status: http.StatusTooManyRequests,
			key:       "You have %d exports open already: wait for one of them.",
			arguments: []any{ExportsMax}}
	}
	defer v.h.endExport(v.visitorID())
	page := func(after string) (exported, error) {
		ctx, cancel := v.reading()
		defer cancel()
		return read(ctx, after)
	}
	part, err := page("")
	if mistake := mistakeOf(err); mistake != nil {
		return &pageError{status: http.StatusBadRequest, key: "This cannot be asked for.", detail: mistake.Error()}
	}
	if err != nil {
		return err
	}
	head := v.w.Header()
	head.Set("Content-Type", "text/csv; charset=utf-8; header=present")
	head.Set("Content-Disposition", `attachment; filename="`+name+`.csv"`)
	v.w.WriteHeader(http.StatusOK)
	if v.r.Method == http.MethodHead {
		return nil
	}
	if query.Get("bom") == "1" {
		header = append([]string{"\ufeff" + header[0]}, header[1:]...)
	}
	file := csvFile{csv.NewWriter(v.w), query.Get("raw") == "1"}
	file.Comma = delimiter
	err = file.write([][]string{header})
	for err == nil {
		v.rows += len(part.rows)
		if err = file.write(part.rows); err != nil || part.next == "" {
			break
		}
		v.patient()
		part, err = page(part.next)
	}
	if err != nil {
		v.h.config.Logger.LogAttrs(v.r.Context(), slog.LevelError, "console: an export broke off",
			slog.String("error", engine.Reason(err)), slog.String("tracking", v.tracking), slog.Int("rows", v.rows))
		panic(http.ErrAbortHandler)
	}
	return nil
}

// patient gives the connection time for the next page, however long the whole takes.
func (v *visit) patient() {
	err := http.NewResponseController(v.w).SetWriteDeadline(time.Now().Add(exportPatience))
	if err != nil && !errors.Is(err, http.ErrNotSupported) {
		v.h.config.Logger.LogAttrs(v.r.Context(), slog.LevelWarn, "console: the deadline of an export stays",
			slog.String("error", err.Error()), slog.String("tracking", v.tracking))
	}
}

// csvFile writes a CSV file. Unless it is raw, no cell is a formula for a program that opens it.
type csvFile struct {
	*csv.Writer

	raw bool
}

func (f *csvFile) write(rows [][]string) error {
	for _, row := range rows {
		cells := row
		if !f.raw {
			cells = make([]string, len(row))
			for i, cell := range row {
				cells[i] = guarded(cell)
			}
		}
		if err := f.Write(cells); err != nil {
			return err
		}
	}
	f.Flush()
	return f.Error()
}

// guarded puts an apostrophe before a cell that a spreadsheet would take for a formula.
func guarded(cell string) string {
	if cell != "" && strings.ContainsRune("=+-@\t\r", rune(cell[0])) {
		return "'" + cell
	}
	return cell
}

// beginExport counts an export of a visitor. It reports false where there are too many.
func (h *Handler) beginExport(visitor string) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.exports[visitor] >= ExportsMax {
		return false
	}
	h.exports[visitor]++
	return true
}

func (h *Handler) endExport(visitor string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.exports[visitor]--; h.exports[visitor] == 0 {
		delete(h.exports, visitor)
	}
}

// exportable gives the list a link to its CSV file.
func (l *listing) exportable() {
	l.Export = "export.csv" + l.with("after", "", "limit", "")
}

// pageAfter returns the page behind a cursor, as an export reads it.
func (l *listing) pageAfter(after string) engine.PageParams {
	params, most := l.page(), exportPage
	params.After, params.Limit = after, &most
	return params
}

// iso returns a time as files have it; "" for none.
func iso(at *time.Time) string {
	if at == nil {
		return ""
	}
	return at.UTC().Format(time.RFC3339)
}

func flag(is bool) string {
	if is {
		return "true"
	}
	return "false"
}

// identityExport answers with the Identity List as CSV, in the columns that the list has.
func (v *visit) identityExport() error {
	view := &listView{listing: v.listing(nil, "name")}
	ctx, cancel := v.reading()
	defer cancel()
	if err := view.chooseColumns(ctx, v.r.URL.Query()["columns"]); err != nil {
		return err
	}
	header := []string{"id"}
	for i := range view.Columns {
		header = append(header, strings.TrimPrefix(view.Columns[i].Field, "attributes."))
	}
	return v.csv("identities", header, func(ctx context.Context, after string) (exported, error) {
		most := exportPage
		page, err := v.h.eng.ListIdentities(ctx, engine.ListParams{AnyField: true, DefaultFilter: engine.NoDefault,
			Filters: view.Filters, Sorters: view.sortersOrUsual(), Limit: &most, After: after})
		part := exported{next: page.Next}
		for i := range page.Identities {
			row := []string{page.Identities[i].ID}
			for _, c := range view.cells(&page.Identities[i]) {
				if c.At != nil {
					c.Text = c.At.ISO
				}
				row = append(row, c.Text)
			}
			part.rows = append(part.rows, row)
		}
		return part, err
	})
}

func (v *visit) accountExport() error {
	view := v.listing(nil, "id")
	header := []string{"id", "nativeIdentity", "name", "source", "identityId", "identity", "disabled", "locked",
		"manuallyCorrelated", "origin", "created", "modified"}
	return v.csv("accounts", header, func(ctx context.Context, after string) (exported, error) {
		page, err := v.h.eng.ListAccounts(ctx, engine.AccountParams{PageParams: view.pageAfter(after),
			Source: view.Source, Uncorrelated: view.Filters == uncorrelatedFilter})
		part := exported{next: page.Next}
		for i := range page.Items {
			part.rows = append(part.rows, accountRow(&page.Items[i]))
		}
		return part, err
	})
}

func accountRow(a *engine.Account) []string {
	person := ""
	if a.Identity != nil {
		person = a.Identity.Name
	}
	return []string{a.ID, a.NativeIdentity, a.Name, a.SourceName, textOf(a.IdentityID), person, flag(a.Disabled),
		flag(a.Locked), flag(a.ManuallyCorrelated), a.Origin, iso(&a.Created), iso(&a.Modified)}
}

func (v *visit) entitlementExport() error {
	view := v.listing(nil, "id")
	header := []string{"id", "name", "source", "attribute", "value", "description", "privileged", "requestable",
		"owner", "created", "modified"}
	return v.csv("entitlements", header, func(ctx context.Context, after string) (exported, error) {
		page, err := v.h.eng.ListEntitlements(ctx, engine.EntitlementParams{PageParams: view.pageAfter(after)})
		part := exported{next: page.Next}
		for i := range page.Items {
			e, owner := &page.Items[i], ""
			if e.Owner != nil {
				owner = e.Owner.Name
			}
			part.rows = append(part.rows, []string{e.ID, e.Name, e.Source.Name, e.Attribute, e.Value,
				textOf(e.Description), flag(e.Privileged), flag(e.Requestable), owner, iso(&e.Created),
				iso(&e.Modified)})
		}
		return part, err
	})
}

func (v *visit) holderExport() error {
	view := v.listing(nil, "id")
	header := []string{"id", "nativeIdentity", "name", "source", "identityId", "identity", "disabled", "locked",
		"manuallyCorrelated", "origin", "created", "modified", "granted"}
	return v.csv("holders", header, func(ctx context.Context, after string) (exported, error) {
		page, err := v.h.eng.ListEntitlementHolders(ctx, v.values["id"], view.pageAfter(after))
		part := exported{next: page.Next}
		for i := range page.Items {
			part.rows = append(part.rows, append(accountRow(&page.Items[i].Account), iso(page.Items[i].Granted)))
		}
		return part, err
	})
}

func (v *visit) roleExport() error {
	view := v.listing(nil, "name")
	header := []string{"id", "name", "enabled", "description", "owner", "membership", "grants", "modified"}
	return v.csv("roles", header, func(ctx context.Context, after string) (exported, error) {
		page, err := v.h.eng.ListConfiguration(ctx, engine.TypeRole, view.pageAfter(after))
		if err != nil {
			return exported{}, err
		}
		roles, err := v.shownRoles(ctx, page.Items)
		part := exported{next: page.Next}
		for i := range roles {
			r := &roles[i]
			part.rows = append(part.rows, []string{r.ID, r.Name, flag(r.Enabled), r.Description, r.Owner, r.Membership,
				strings.Join(r.Grants, "; "), r.Modified.ISO})
		}
		return part, err
	})
}

func (v *visit) memberExport() error {
	view := v.listing(nil, "name")
	header := []string{"id", "name", "account", "email", "assignmentSource", "assigned", "starts", "ends"}
	return v.csv("members", header, func(ctx context.Context, after string) (exported, error) {
		page, err := v.h.eng.ListRoleMembers(ctx, v.values["id"], view.pageAfter(after))
		part := exported{next: page.Next}
		for i := range page.Items {
			m := &page.Items[i]
			for k := range m.Assignments {
				a := &m.Assignments[k]
				part.rows = append(part.rows, []string{m.ID, m.Name, m.AliasName, textOf(m.Email), a.AssignmentSource,
					iso(&a.AddedDate), iso(a.StartDate), iso(a.RemoveDate)})
			}
		}
		return part, err
	})
}
