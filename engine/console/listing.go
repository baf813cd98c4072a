package console

import (
	"context"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/muster-engine/muster/engine"
)

// limits are the sizes of a page that a list offers.
var limits = []int{25, 50, 100, 250}

const limitUsual = 50

// listing is what every list has that is filtered by text: quick filters, the fields of the filter, the mistake in it,
// the columns and the neighbouring pages. Its state is in the address of the page.
type listing struct {
	*visit

	Quick     []quickView
	Filters   string
	Sorters   string
	Example   string // of a filter
	Mistake   string // in the filter or the sorters, with a caret under its place
	OfSorters bool   // the mistake is in the sorters
	Limit     int
	Limits    []int
	Columns   []columnView
	Choices   []choiceView // of columns; none where they are fixed
	Source    string       // the source that the list is narrowed to
	Sources   []string     // to which it can be narrowed; none where it cannot
	Next      string       // the reference of the next page; "" for none
	First     string       // that of the first page; "" on it
	Export    string       // the reference of the whole list as a file; "" for none
	Nothing   bool         // there is nothing at all, rather than nothing that matches
	// NothingText says so, and what to do.
	NothingText string

	usual string // the sorters of a list that names none
	after string // the cursor
}

type quickView struct {
	Title, Reference string
	Current          bool
}

type columnView struct {
	column

	Sorted    string // ascending, descending or "" for neither
	Reference string // of the list sorted by it; "" where nothing sorts by it
}

type choiceView struct {
	column

	Chosen bool
}

// listing reads the state of a list from its address.
func (v *visit) listing(quick []quickFilter, usual string) listing {
	query := v.r.URL.Query()
	l := listing{visit: v, Filters: strings.TrimSpace(query.Get("filters")), Sorters: query.Get("sorters"),
		Limit: limitUsual, Limits: limits, usual: usual, after: query.Get("after"), Source: query.Get("source"),
		Example: `department eq "Sales" and lastname sw "M"`}
	if n, err := strconv.Atoi(query.Get("limit")); err == nil && slices.Contains(limits, n) {
		l.Limit = n
	}
	for _, q := range quick {
		l.Quick = append(l.Quick, quickView{Title: v.T(q.Name), Current: q.Filters == l.Filters,
			Reference: v.with("filters", q.Filters, "after", "")})
	}
	return l
}

// Self returns the reference of the list without its state, for its form.
func (l *listing) Self() string {
	if word := l.path[strings.LastIndexByte(l.path, '/')+1:]; word != "" {
		return word
	}
	return "./"
}

// Usual returns the sorters of a list that names none, as an example.
func (l *listing) Usual() string { return l.usual }

func (l *listing) sortersOrUsual() string {
	if strings.TrimSpace(l.Sorters) == "" {
		return l.usual
	}
	return l.Sorters
}

// page returns the page that is asked for, by any field.
func (l *listing) page() engine.PageParams {
	return engine.PageParams{After: l.after, AnyField: true, Filters: l.Filters, Limit: &l.Limit,
		Sorters: l.sortersOrUsual()}
}

// mistaken reports whether an error is a mistake in the filter or the sorters, and keeps it for the page.
func (l *listing) mistaken(err error) bool {
	mistake := mistakeOf(err)
	if mistake == nil {
		return false
	}
	l.Mistake = mistake.Render()
	l.OfSorters = mistake.Text == l.sortersOrUsual() && mistake.Text != l.Filters
	l.status = http.StatusBadRequest
	return true
}

// paged notes how many rows the page has, and the cursor of the next one.
func (l *listing) paged(shown int, next string) {
	l.rows = shown
	if next != "" {
		l.Next = l.with("after", next)
	}
	if l.after != "" {
		l.First = l.with("after", "")
	}
	if shown > 0 {
		l.exportable()
	}
	l.Nothing = shown == 0 && l.Filters == "" && l.Source == "" && l.after == ""
}

// columnOf says how a column is sorted, and by which reference it is sorted the other way.
func (l *listing) columnOf(c column) columnView {
	shown := columnView{column: c}
	if c.Field == "" {
		return shown
	}
	other := c.Field
	switch first, _, _ := strings.Cut(l.sortersOrUsual(), ","); first {
	case c.Field:
		shown.Sorted, other = "ascending", "-"+c.Field
	case "-" + c.Field:
		shown.Sorted = "descending"
	}
	shown.Reference = l.with("sorters", other, "after", "")
	return shown
}

// columnsOf gives the list fixed columns.
func (l *listing) columnsOf(columns []column) {
	for _, c := range columns {
		c.Title = l.T(c.Title)
		l.Columns = append(l.Columns, l.columnOf(c))
	}
}

// narrowable lets the list be narrowed to a source.
func (l *listing) narrowable(ctx context.Context) error {
	sources, err := l.h.eng.Sources(ctx)
	for i := range sources {
		l.Sources = append(l.Sources, sources[i].Source)
	}
	return err
}
