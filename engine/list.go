package engine

import (
	"cmp"
	"context"
	"fmt"

	"github.com/muster-engine/muster/engine/fault"
	"github.com/muster-engine/muster/filterql"
	"github.com/muster-engine/muster/store"
)

// DefaultFilter is what the list operation adds to the filter it is given.
type DefaultFilter string

// The default filters.
const (
	CorrelatedOnly DefaultFilter = "CORRELATED_ONLY" // identities with an account on an authoritative source
	NoDefault      DefaultFilter = "NONE"
)

// QuickFilter is a filter that is asked for by name.
type QuickFilter string

// Orphaned selects the identities of a profile whose authoritative source has no account of them, such as people whom
// the company left. It is the same as the filter orphaned eq true, and includes those that are not correlated.
const Orphaned QuickFilter = "orphaned"

// ListParams say which identities to list. The zero ListParams are the first 250 correlated ones by ID.
type ListParams struct {
	// After is the cursor of a page, from [IdentityPage].Next: the list goes on after it, whatever has changed before
	// it in the meantime. It needs the same sorters as the page that it came from, and excludes an offset.
	After string
	// AnyField lets the filter and the sorters name any property and attribute of an identity, with every operator,
	// and not only those that the Identities API publishes.
	AnyField bool
	// Count asks for the number of all results.
	Count bool
	// DefaultFilter defaults to [CorrelatedOnly].
	DefaultFilter DefaultFilter
	// Filters is a filter in the V3 syntax; empty for none.
	Filters string
	// Limit is the most results to return, 0 to [filterql.LimitMax]. Nil is [filterql.LimitDefault].
	Limit *int
	// Quick narrows the list beside Filters; empty for nothing. With it DefaultFilter defaults to [NoDefault].
	Quick QuickFilter
	// Offset is how many results to leave out first.
	Offset int
	// Sorters is a list of sorters in the V3 syntax; empty for the order of the IDs.
	Sorters string
}

// IdentityPage is a page of a list.
type IdentityPage struct {
	Identities []Identity
	// Total is the number of all results, where it was asked for.
	Total *int
	// Next is the cursor of the next page; empty when this one is not full.
	Next string
}

// ListIdentities returns a page of the identities that params select. Params that are wrong are an Invalid error, which
// wraps a [*filterql.Error] for the filter and the sorters.
func (e *Engine) ListIdentities(ctx context.Context, params ListParams) (IdentityPage, error) {
	const op = "list identities"
	query, err := e.identityQuery(ctx, params)
	if err != nil {
		return IdentityPage{}, fault.Wrap(op, "", err)
	}
	page := IdentityPage{Identities: []Identity{}}
	add := func(row *store.Identity) error {
		identity, err := identityOf(row)
		page.Identities = append(page.Identities, identity)
		return err
	}
	last, total, err := e.tenant.Store.ListIdentities(ctx, e.tenant.Pool, query, params.Count, add)
	if err != nil {
		return IdentityPage{}, fault.Wrap(op, "", err)
	}
	page.Total, page.Next, err = pageEnd(op, params.Count, &store.ListQuery{Order: query.Order}, total, last)
	return page, err
}

// identityQuery checks params and makes a query of them.
func (e *Engine) identityQuery(ctx context.Context, params ListParams) (store.IdentityQuery, error) {
	const op = "list identities"
	var query store.IdentityQuery
	switch params.Quick {
	case "":
	case Orphaned:
		query.OrphanedOnly = true
		params.DefaultFilter = cmp.Or(params.DefaultFilter, NoDefault)
	default:
		return query, fault.Invalidf(op, "quick", "%q is given where %s is allowed", params.Quick, Orphaned)
	}
	switch params.DefaultFilter {
	case "", CorrelatedOnly:
		query.CorrelatedOnly = true
	case NoDefault:
	default:
		return query, fault.Invalidf(op, "defaultFilter", "%q is given where %s or %s is allowed",
			params.DefaultFilter, CorrelatedOnly, NoDefault)
	}
	schema, err := e.identitySchema(ctx, params.AnyField)
	if err != nil {
		return query, err
	}
	page := PageParams{After: params.After, Filters: params.Filters, Limit: params.Limit, Offset: params.Offset,
		Sorters: params.Sorters}
	list, err := page.query(op, schema, byID)
	query.Filter, query.Order, query.After, query.Limit, query.Offset = list.Filter, list.Order, list.After, list.Limit,
		list.Offset
	return query, err
}

// identitySchema returns the fields that a filter and sorters may name. With anyField these are also the defined
// attributes, each with its kind.
func (e *Engine) identitySchema(ctx context.Context, anyField bool) (*filterql.Schema, error) {
	if !anyField {
		return store.IdentitySchema(false), nil
	}
	attributes, err := e.attributeFields(ctx)
	if err != nil {
		return nil, err
	}
	return store.IdentitySchema(true, attributes...), nil
}

// attributeFields returns the defined identity attributes as the filter language has them.
func (e *Engine) attributeFields(ctx context.Context) ([]store.AttributeField, error) {
	c, err := e.tenant.CurrentConfiguration(ctx)
	if err != nil {
		return nil, err
	}
	var attributes []store.AttributeField
	for _, name := range c.AttributeNames() {
		attributes = append(attributes, store.AttributeField{Name: name, Multi: c.Attributes[name].Multi})
	}
	return attributes, nil
}

// IdentityAttributes returns the names of all identity attributes, sorted: those that the tenant defines, and those
// that every tenant has.
func (e *Engine) IdentityAttributes(ctx context.Context) ([]string, error) {
	c, err := e.tenant.CurrentConfiguration(ctx)
	if err != nil {
		return nil, fault.Wrap("list the identity attributes", "", err)
	}
	return c.AttributeNames(), nil
}

// ListStatement returns the SQL that [Engine.ListIdentities] would run for a page, with its arguments, shortened to the
// columns id and name. It shows what a filter becomes.
func (e *Engine) ListStatement(ctx context.Context, params ListParams) (string, []any, error) {
	const op = "explain the list"
	query, err := e.identityQuery(ctx, params)
	if err != nil {
		return "", nil, fault.Wrap(op, "", err)
	}
	text, arguments, err := e.tenant.Store.ListStatement(query)
	if err != nil {
		return "", nil, fault.Wrap(op, "", fmt.Errorf("compile: %w", err))
	}
	return text, arguments, nil
}
