package filterql_test

import (
	"errors"
	"fmt"
	"strings"

	sq "github.com/Masterminds/squirrel"

	"github.com/muster-engine/muster/filterql"
)

func exampleSchema() *filterql.Schema {
	schema, err := filterql.NewSchema(
		filterql.Field{
			Name: "name", Type: filterql.String, Ops: filterql.OpsOf(filterql.Eq, filterql.Sw), Sortable: true,
			Column: "u.name_key", NotNull: true, Fold: filterql.Fold,
		},
		filterql.Field{
			Name: "created", Type: filterql.Time, Ops: filterql.OpsOf(filterql.Gt, filterql.Le), Sortable: true,
			Column: "u.created",
		},
		filterql.Field{Name: "id", Type: filterql.ID, Column: "u.id", NotNull: true},
	)
	if err != nil {
		panic(err)
	}
	return schema
}

func Example() {
	schema := exampleSchema()
	filter, err := filterql.ParseFilter(`name sw "Jo" and not created le 2024`, schema)
	if err != nil {
		fmt.Println(err)
		return
	}
	order, err := filterql.ParseOrdering("-name", schema, "id")
	if err != nil {
		fmt.Println(err)
		return
	}
	page, err := filterql.ParsePage("50", "", "")
	if err != nil {
		fmt.Println(err)
		return
	}
	text, arguments, err := sq.Select("u.id").From("users u").Where(filter.Where()).OrderBy(order.OrderBy()...).
		Limit(uint64(page.Limit)).PlaceholderFormat(sq.Dollar).ToSql()
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(strings.NewReplacer(" WHERE", "\nWHERE", " ORDER", "\nORDER").Replace(text))
	fmt.Println(arguments)
	// Output:
	// SELECT u.id FROM users u
	// WHERE u.name_key >= $1 AND u.name_key < $2 AND (u.created < $3) IS NOT TRUE
	// ORDER BY u.name_key DESC, u.id DESC LIMIT 50
	// [jo jp 2025-01-01 00:00:00 +0000 UTC]
}

func ExampleParse() {
	e, err := filterql.Parse(`(name eq Ada)or((not(pr email))and type in ('a', "b"))`)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(filterql.Print(e))
	// Output:
	// name eq "Ada" or not pr email and type in ("a","b")
}

func ExampleError_Render() {
	_, err := filterql.ParseFilter(`name sw "Jo" and craeted gt 2024`, exampleSchema())
	var e *filterql.Error
	if errors.As(err, &e) {
		fmt.Println(e.Render())
	}
	// Output:
	// position 18: unknown field "craeted"
	//   name sw "Jo" and craeted gt 2024
	//                    ^^^^^^^
	// hint: did you mean "created"? fields are name, created
}

func ExampleFilter_Eval() {
	filter, err := filterql.ParseFilter(`name sw "jo" and created isnull`, mustFields(
		filterql.Field{Name: "name", Ops: filterql.OpsOf(filterql.Sw), Column: "name", Fold: filterql.Fold},
		filterql.Field{Name: "created", Type: filterql.Time, Ops: filterql.OpsOf(filterql.IsNull), Column: "created"},
	))
	if err != nil {
		fmt.Println(err)
		return
	}
	user := map[string]any{"name": "Jordan"}
	fmt.Println(filter.Eval(func(field string) any { return user[field] }))
	// Output:
	// true
}

func mustFields(fields ...filterql.Field) *filterql.Schema {
	schema, err := filterql.NewSchema(fields...)
	if err != nil {
		panic(err)
	}
	return schema
}

func ExampleOrdering_After() {
	order, err := filterql.ParseOrdering("name,-created", exampleSchema(), "id")
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(order.Columns())
	text, err := order.Cursor([]any{"jordan", nil, "7"}) // as the last row of a page had them
	if err != nil {
		fmt.Println(err)
		return
	}
	cursor, err := order.ParseCursor(text)
	if err != nil {
		fmt.Println(err)
		return
	}
	condition, arguments, err := order.After(cursor).ToSql()
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(condition)
	fmt.Println(arguments)
	// Output:
	// [u.name_key u.created u.id]
	// u.name_key >= ? AND (u.name_key > ? OR (u.name_key = ? AND (u.created IS NULL AND (u.id < ?))))
	// [jordan jordan jordan 7]
}
