package engine

import (
	"context"
	"errors"
	"strings"

	"github.com/muster-engine/muster/engine/fault"
	"github.com/muster-engine/muster/filterql"
	"github.com/muster-engine/muster/store"
)

// PageParams say which part of a collection to list, and in which order. The zero PageParams are the first 250 by ID.
type PageParams struct {
	// After is the cursor of a page, from [Page].Next: the list goes on after it, whatever has changed before it in the
	// meantime. It needs the same sorters as the page that it came from, and excludes an offset.
	After string
	// AnyField lets the filter and the sorters name any property of what is listed, with every operator, and not only
	// those that the API publishes.
	AnyField bool
	// Count asks for the number of all results.
	Count bool
	// Filters is a filter in the V3 syntax; empty for none.
	Filters string
	// Limit is the most results to return, 0 to [filterql.LimitMax]. Nil is [filterql.LimitDefault].
	Limit *int
	// Offset is how many results to leave out first.
	Offset int
	// Sorters is a list of sorters in the V3 syntax; empty for the order of the IDs.
	Sorters string
}

// Page is a page of a collection.
type Page[T any] struct {
	Items []T // never nil
	// Total is the number of all results, where it was asked for.
	Total *int
	// Next is the cursor of the next page; empty when this one is not full.
	Next string
}

// query checks params and makes a query of them. The order of rows that nothing sorts is first.
func (p *PageParams) query(op string, schema *filterql.Schema, first string) (store.ListQuery, error) {
	return p.queryBy(op, schema, first, "id")
}

// queryBy is query for a collection whose rows are identified by another field than the ID.
func (p *PageParams) queryBy(op string, schema *filterql.Schema, first, tieBreak string) (store.ListQuery, error) {
	query := store.ListQuery{Limit: filterql.LimitDefault, Offset: p.Offset}
	if p.Limit != nil {
		query.Limit = *p.Limit
	}
	switch {
	case query.Limit < 0 || query.Limit > filterql.LimitMax:
		return query, fault.Invalidf(op, "limit", "%d is given where 0 to %d is allowed", query.Limit,
			filterql.LimitMax)
	case query.Offset < 0:
		return query, fault.Invalidf(op, "offset", "%d is given where 0 or more is allowed", query.Offset)
	case p.After != "" && p.Offset > 0:
		return query, fault.Invalidf(op, "after", "a cursor and an offset exclude each other")
	}
	var err error
	if strings.TrimSpace(p.Filters) != "" {
		if query.Filter, err = filterql.ParseFilter(p.Filters, schema); err != nil {
			return query, fault.Wrap(op, "filters", err)
		}
	}
	sorters := p.Sorters
	if strings.TrimSpace(sorters) == "" {
		sorters = first
	}
	if query.Order, err = filterql.ParseOrdering(sorters, schema, tieBreak); err != nil {
		return query, fault.Wrap(op, "sorters", err)
	}
	if p.After != "" {
		if query.After, err = query.Order.ParseCursor(p.After); err != nil {
			return query, fault.Invalidf(op, "after", "%w", err)
		}
	}
	return query, nil
}

// The orders of collections that nothing sorts: the earliest first, or the latest.
const (
	byID   = ""
	newest = "-id"
	// newestTask is by the index of the tasks.
	newestTask = "-created"
)

// listing reads a page of a collection. R is a row, and T what it becomes.
type listing[R, T any] struct {
	op     string
	params PageParams
	query  store.ListQuery
	// list is the list of the store.
	list func(ctx context.Context, q store.Querier, count bool, each func(*R) error) ([]any, int, error)
	// item makes what is listed of a row, which is overwritten afterwards.
	item func(row *R) (T, error)
}

func (l *listing[R, T]) page(ctx context.Context, e *Engine) (Page[T], error) {
	page := Page[T]{Items: []T{}}
	last, total, err := l.list(ctx, e.tenant.Pool, l.params.Count, func(row *R) error {
		item, err := l.item(row)
		page.Items = append(page.Items, item)
		return err
	})
	if err != nil {
		return Page[T]{}, fault.Wrap(l.op, "", err)
	}
	page.Total, page.Next, err = pageEnd(l.op, l.params.Count, &l.query, total, last)
	return page, err
}

// pageEnd returns the total of a page, where it was asked for, and the cursor behind its last row, whose values are
// nil where it is not full.
func pageEnd(op string, count bool, query *store.ListQuery, total int, last []any) (*int, string, error) {
	var counted *int
	if count {
		counted = &total
	}
	if last == nil {
		return counted, "", nil
	}
	next, err := query.Order.Cursor(last)
	if errors.Is(err, filterql.ErrCursorTooLong) {
		return nil, "", fault.Invalidf(op, "sorters", "%w: sort by another field", err)
	}
	return counted, next, fault.Wrap(op, "", err)
}
