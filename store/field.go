package store

import (
	"strings"

	"github.com/muster-engine/muster/filterql"
	"github.com/muster-engine/muster/store/id"
)

// The operators that published collections allow together.
var (
	opsEqual   = filterql.OpsOf(filterql.Eq)
	opsListed  = filterql.OpsOf(filterql.Eq, filterql.In)
	opsPrefix  = filterql.OpsOf(filterql.Eq, filterql.In, filterql.Sw)
	opsBegin   = filterql.OpsOf(filterql.Eq, filterql.Sw)
	opsOrdered = filterql.OpsOf(filterql.Gt, filterql.Lt, filterql.Ge, filterql.Le)
)

// idField is a column of IDs.
func idField(name, column string, ops filterql.OpSet) filterql.Field {
	return filterql.Field{Name: name, Type: filterql.ID, Ops: ops, Column: column, Sortable: true, Convert: convertID,
		Prefix: prefixedIDs}
}

// keyField is a column that holds the [FoldKey] of a text.
func keyField(name, column string, ops filterql.OpSet) filterql.Field {
	return filterql.Field{Name: name, Type: filterql.String, Ops: ops, Column: column, Sortable: true, Fold: FoldKey}
}

// textField is a text, compared without distinction of case, that is stored as it was written.
func textField(name, expression string, ops filterql.OpSet) filterql.Field {
	return filterql.Field{Name: name, Type: filterql.String, Ops: ops, Column: foldSQL(expression), Sortable: true,
		Fold: Fold}
}

// stateField is a column of upper-case words.
func stateField(name, column string, ops filterql.OpSet, values ...string) filterql.Field {
	return filterql.Field{Name: name, Type: filterql.String, Ops: ops, Column: column, Sortable: true,
		Fold: strings.ToUpper, Values: values}
}

// timeField is a column of instants.
func timeField(name, column string, ops filterql.OpSet) filterql.Field {
	return filterql.Field{Name: name, Type: filterql.Time, Ops: ops, Column: column, Sortable: true}
}

// flagField is a boolean that is never null.
func flagField(name, expression string, ops filterql.OpSet) filterql.Field {
	return filterql.Field{Name: name, Type: filterql.Boolean, Ops: ops, Column: expression, Sortable: true,
		NotNull: true}
}

// notNull says that the values of a field are never null.
func notNull(f filterql.Field) filterql.Field {
	f.NotNull = true
	return f
}

// unsorted says that nothing sorts by a field.
func unsorted(f filterql.Field) filterql.Field {
	f.Sortable = false
	return f
}

// within is a field of the rows of a subquery; see [filterql.Field].
func within(f filterql.Field, subquery string) filterql.Field {
	f.Within, f.Sortable = subquery, false
	return f
}

// anyOps gives fields every operator that makes sense on them, and makes those sortable that have an order.
func anyOps(fields []filterql.Field) []filterql.Field {
	for i := range fields {
		fields[i].Ops = filterql.AllOps(fields[i])
		fields[i].Sortable = !fields[i].Multi && fields[i].Within == ""
	}
	return fields
}

// convertID reads an ID of a filter. The zero ID stands for null, so that nothing equals it.
func convertID(text string) (any, bool) {
	parsed, err := ParseID(text)
	return parsed, err == nil && !parsed.IsZero()
}

// writtenIDField is a text that holds an ID as [ID.String] writes it.
func writtenIDField(name, expression string, ops filterql.OpSet) filterql.Field {
	return filterql.Field{Name: name, Type: filterql.ID, Ops: ops, Column: expression, Sortable: true,
		Convert: func(text string) (any, bool) {
			parsed, err := ParseID(text)
			return parsed.String(), err == nil && !parsed.IsZero()
		}}
}

// prefixedIDs returns the IDs that begin with hexadecimal digits, in either spelling.
func prefixedIDs(text string) (filterql.IDRange, bool) {
	digits := strings.ToLower(strings.ReplaceAll(text, "-", ""))
	if len(digits) > 2*len(ID{}) || strings.Trim(digits, "0123456789abcdef") != "" {
		return filterql.IDRange{}, false
	}
	rest := 2*len(ID{}) - len(digits)
	first, err := id.Parse(digits + strings.Repeat("0", rest))
	if err != nil {
		return filterql.IDRange{}, false
	}
	last, err := id.Parse(digits + strings.Repeat("f", rest))
	if err != nil {
		return filterql.IDRange{}, false
	}
	// The zero ID as an argument is null, so that the bounds are UUIDs of another type.
	return filterql.IDRange{First: [len(ID{})]byte(first), Last: [len(ID{})]byte(last), Has: func(found any) bool {
		return strings.HasPrefix(found.(ID).String(), digits)
	}}, true
}
