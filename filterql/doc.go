// Package filterql is the filter and sorter language of the V3 standard collection parameters. It parses a text into a
// tree and checks the tree against the fields that a collection allows. The result selects and sorts rows in
// PostgreSQL, through squirrel, or in memory.
//
// First list the fields. Then parse what the caller sent:
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
// Select in PostgreSQL, or one row in memory:
//
//	query := sq.Select("u.id", "u.name").From("users u").
//		Where(filter.Where()).OrderBy(order.OrderBy()...).Limit(uint64(page.Limit))
//
//	keep := filter.Eval(func(field string) any { return user[field] })
//
// An [Ordering] also makes cursors, for lists where an offset is too slow or rows come and go: select
// [Ordering.Columns] as well, give their values in the last row to [Ordering.Cursor], and add [Ordering.After] of the
// parsed cursor to the next statement.
//
// Logic is two-valued: a comparison with null is false, ne is exactly not eq, and not is true if its operand is false.
// Values reach SQL only as arguments, and names of columns come only from the schema.
//
// A mistake in a text is an [*Error] with its position; [Error.Render] shows it with a caret. The limits are [TextMax],
// [DepthMax], [ListMax], [ComparisonsMax] and [SortersMax]. [Parse] and [Print] need no schema.
//
// The grammar and the rules are in docs/filters.md.
package filterql
