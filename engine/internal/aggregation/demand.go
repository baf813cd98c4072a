package aggregation

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/muster-engine/muster/engine/configuration"
	"github.com/muster-engine/muster/engine/connector"
	"github.com/muster-engine/muster/engine/fault"
	"github.com/muster-engine/muster/store"
)

// demandRows fails where no row could be read though there are some: such data is broken, and says nothing of the
// accounts.
func (m *merge) demandRows(context.Context) error {
	if m.result.Rows > 0 || m.result.Faulty == 0 || len(m.findings.gone) > 0 {
		return nil
	}
	return &fault.Error{Kind: fault.Conflict, Op: "aggregate", Subject: m.source.Name,
		Err: &configuration.FaultyRowsError{Faulty: m.result.Faulty, First: firstErrors(m.result.RowErrors)}}
}

// faultyShown is how many rows the error of an aggregation names.
const faultyShown = 3

func firstErrors(rows []RowError) []string {
	var texts []string
	for _, row := range rows[:min(len(rows), faultyShown)] {
		text := row.Msg
		if row.Line > 0 {
			text = fmt.Sprintf("line %d: %s", row.Line, row.Msg)
		}
		texts = append(texts, text)
	}
	return texts
}

// lostMin is how many accounts must have had values of an attribute before, for it to count as lost where no account
// has one any more: one value less may be right.
const lostMin = 10

// demandAttributes fails where the data lacks an attribute that accounts have values of: a text or a file without the
// column, or a complete reading by a connector in which no account has a value any more.
func (m *merge) demandAttributes(ctx context.Context) error {
	if m.findings.columns != nil {
		hasColumn := func(name string) bool { return slices.Contains(m.findings.columns, name) }
		if err := m.demandEach(ctx, 1, true, hasColumn); err != nil {
			return err
		}
	}
	if !m.findings.connected || m.options.Delta || m.count.Rows == 0 {
		return nil
	}
	return m.demandEach(ctx, lostMin, false, func(name string) bool {
		found := m.findings.attributes[name]
		return found != nil && found.valued
	})
}

// demandEach fails where the data does not have an attribute of which at least so many accounts have a value. columns
// says that it has no such column.
func (m *merge) demandEach(ctx context.Context, least int, columns bool, has func(name string) bool) error {
	lacking, err := m.lacking(ctx, has)
	if err != nil || len(lacking) == 0 {
		return err
	}
	counts, err := m.Store.CountValues(ctx, m.tx, m.source.RowID, lacking)
	if err != nil {
		return err
	}
	counts = slices.DeleteFunc(counts, func(c store.AttributeCount) bool { return c.Accounts < least })
	if len(counts) == 0 {
		return nil
	}
	lost := &configuration.LostAttributesError{Columns: columns}
	for _, c := range counts {
		lost.Attributes, lost.Accounts = append(lost.Attributes, c.Attribute), append(lost.Accounts, c.Accounts)
	}
	return &fault.Error{Kind: fault.Conflict, Op: "aggregate", Subject: m.source.Name, Err: lost}
}

// lacking returns the attributes that the data does not have, without those that may be missing and those that are
// never read. Where the source has no schema, its attributes are those of the accounts that change: an account that
// loses one does.
func (m *merge) lacking(ctx context.Context, has func(name string) bool) ([]string, error) {
	var names []string
	if schema := m.source.AccountSchema(); schema != nil && len(schema.Attributes) > 0 {
		for i := range schema.Attributes {
			names = append(names, schema.Attributes[i].Name)
		}
	} else if m.count.Differing > 0 {
		var err error
		if names, err = m.Store.ChangingAttributes(ctx, m.tx, &m.count); err != nil {
			return nil, err
		}
	}
	return slices.DeleteFunc(names, func(name string) bool {
		return has(name) || slices.Contains(m.options.AcceptMissing, name) || connector.HoldsPassword(name)
	}), nil
}

// checkMissing fails where the options name an attribute that the source does not have.
func (r *run) checkMissing() error {
	schema := r.source.AccountSchema()
	if schema == nil || len(schema.Attributes) == 0 {
		return nil
	}
	for _, name := range r.options.AcceptMissing {
		if schema.Attribute(name) != nil {
			continue
		}
		var names []string
		for i := range schema.Attributes {
			names = append(names, fmt.Sprintf("%q", schema.Attributes[i].Name))
		}
		return fault.Invalidf("aggregate", r.source.Name, "AcceptMissing: the account schema has no attribute %q: "+
			"it has %s", name, strings.Join(names, ", "))
	}
	return nil
}
