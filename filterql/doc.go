// Package filterql is the filter and sorter language of the V3 standard collection parameters: a text becomes a tree,
// the tree is checked against the fields that a collection allows, and what comes out selects rows, in PostgreSQL
// through squirrel or in memory.
//
//	schema, err := filterql.NewSchema(
//		filterql.Field{
//			Name: "name", Type: filterql.String, Ops: filterql.OpsOf(filterql.Eq, filterql.Sw), Sortable: true,
//			Column: "u.name_key", NotNull: true, Fold: filterql.Fold, // name_key holds Fold(name), COLLATE "C"
//		},
//		filterql.Field{Name: "created", Type: filterql.Time, Ops: filterql.OpsOf(filterql.Gt), Column: "u.created"},
//		filterql.Field{Name: "id", Type: filterql.ID, Column: "u.id", NotNull: true},
//	)
//	filter, err := filterql.ParseFilter(`name sw "Jo" and created gt 2024`, schema)
//	order, err := filterql.ParseOrdering("-name", schema, "id")
//	page, err := filterql.ParsePage("50", "", "true")
//
//	query := sq.Select("u.id", "u.name").From("users u").
//		Where(filter.Where()).OrderBy(order.OrderBy()...).Limit(uint64(page.Limit))
//
//	keep := filter.Eval(func(field string) any { return user[field] })
//
// [Parse] and [Print] need no schema. Where an offset is too slow or rows come and go, the [Ordering] of a list also
// makes cursors: select [Ordering.Columns] too, give the values of the last row to [Ordering.Cursor], and add
// [Ordering.After] of the parsed cursor to the next statement.
//
// Logic is two-valued: a comparison with null is false, ne is exactly not eq, and not holds where its operand does not.
// Values reach SQL as arguments alone, and the names of columns come from the schema alone. What is wrong in a text is
// an [*Error] that knows its place; [Error.Render] shows it with a caret. The limits are [TextMax], [DepthMax],
// [ListMax], [ComparisonsMax] and [SortersMax].
//
// The grammar and the rules are in docs/filters.md.
package filterql
