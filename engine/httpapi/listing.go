package httpapi

import (
	"cmp"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/muster-engine/muster/engine/fault"
	"github.com/muster-engine/muster/filterql"
)

// asked is what a request asks of a list.
type asked struct {
	query
	page   filterql.Page
	filter *filterql.Filter // nil for everything
	orders []filterql.Order
}

// asked reads what a request asks of a list.
func (c *call) asked() (asked, error) {
	op, list := "list", c.operation.list
	q, err := c.query()
	if err != nil {
		return asked{}, err
	}
	a := asked{query: q}
	if a.page, err = q.page(); err != nil {
		return a, err
	}
	limit, most := list.limits()
	switch {
	case q.text("limit") == "":
		a.page.Limit = limit
	case a.page.Limit > most:
		return a, illegalValue.with(fmt.Sprintf("limit: %d is given where a whole number from 0 to %d is allowed",
			a.page.Limit, most))
	}
	if text := q.text("filters"); strings.TrimSpace(text) != "" {
		if !list.filtered() {
			return a, illegalValue.with("filters: this list takes none")
		}
		if a.filter, err = filterql.ParseFilter(text, list.schema); err != nil {
			return a, fault.Wrap(op, "filters", err)
		}
	}
	if text := q.text("sorters"); strings.TrimSpace(text) != "" {
		if !list.sorted() {
			return a, illegalValue.with("sorters: this list takes none")
		}
		sorters, err := filterql.ParseSorters(text)
		if err != nil {
			return a, fault.Wrap(op, "sorters", err)
		}
		for _, sorter := range sorters {
			// The ID breaks ties, also where clients may not sort by it.
			if f, found := list.schema.Field(sorter.Field.Text); found && !f.Sortable {
				return a, illegalValue.with(fmt.Sprintf("sorters: %q cannot be sorted by", f.Name))
			}
		}
		ordering, err := sorters.Check(list.schema, "id")
		if err != nil {
			return a, fault.Wrap(op, "sorters", err)
		}
		a.orders = ordering.Orders()
	}
	return a, nil
}

// answerList answers with a page of the objects that a request asks for, of all that there are. They are objects of the
// configuration, which are some hundreds. They come in the order that counts where the request asks for none.
func (c *call) answerList(a *asked, objects []object) {
	c.answerShapes(a, objects, func(o object) any { return o })
}

// answerShapes is answerList that answers with another shape of each object.
func (c *call) answerShapes(a *asked, objects []object, shape func(object) any) {
	var list []object
	for _, o := range objects {
		if a.filter == nil || a.filter.Eval(func(name string) any { return fieldOf(c.operation.list, o, name) }) {
			list = append(list, o)
		}
	}
	slices.SortStableFunc(list, func(x, y object) int {
		for _, order := range a.orders {
			n := compareBy(&order, fieldValue(&order.Field, x), fieldValue(&order.Field, y))
			if n != 0 {
				return n
			}
		}
		return 0
	})
	if a.page.Count {
		c.total(len(list))
	}
	list = list[min(a.page.Offset, len(list)):]
	page := []any{}
	for _, o := range list[:min(a.page.Limit, len(list))] {
		page = append(page, shape(o))
	}
	c.respond(http.StatusOK, page)
}

// byName sorts objects by name, without regard to letter case.
func byName(objects []object) {
	slices.SortStableFunc(objects, func(x, y object) int {
		return cmp.Or(cmp.Compare(filterql.Fold(fmt.Sprint(x["name"])), filterql.Fold(fmt.Sprint(y["name"]))),
			cmp.Compare(fmt.Sprint(x["id"]), fmt.Sprint(y["id"])))
	})
}

// fieldOf returns the value of a field of an object, as filters compare it.
func fieldOf(list *listing, o object, name string) any {
	field, found := list.schema.Field(name)
	if !found {
		return nil
	}
	return fieldValue(&field, o)
}

// fieldValue returns the value of a field of an object: of owner.id the ID of the owner.
func fieldValue(field *filterql.Field, o object) any {
	var value any = o
	for part := range strings.SplitSeq(field.Name, ".") {
		members, ok := value.(object)
		if !ok {
			return nil
		}
		value = members[part]
	}
	switch v := value.(type) {
	case timestamp:
		return time.Time(v)
	case *timestamp:
		if v == nil {
			return nil
		}
		return time.Time(*v)
	case *string:
		if v == nil {
			return nil
		}
		return *v
	}
	return value
}

// compareBy compares two values of a field: nulls are last either way.
func compareBy(order *filterql.Order, x, y any) int {
	if x == nil || y == nil {
		return cmp.Compare(truthRank(x == nil), truthRank(y == nil))
	}
	n := compareValues(&order.Field, x, y)
	if order.Descending {
		return -n
	}
	return n
}

func compareValues(field *filterql.Field, x, y any) int {
	switch a := x.(type) {
	case time.Time:
		if b, ok := y.(time.Time); ok {
			return a.Compare(b)
		}
	case bool:
		if b, ok := y.(bool); ok {
			return cmp.Compare(truthRank(a), truthRank(b))
		}
	case string:
		if b, ok := y.(string); ok {
			if field.Fold != nil {
				return cmp.Or(cmp.Compare(field.Fold(a), field.Fold(b)), cmp.Compare(a, b))
			}
			return cmp.Compare(a, b)
		}
	}
	return cmp.Compare(numberOf(x), numberOf(y))
}

func truthRank(truth bool) int {
	if truth {
		return 1
	}
	return 0
}

// numberOf returns a number to sort by.
func numberOf(value any) float64 {
	switch v := value.(type) {
	case json.Number:
		n, err := v.Float64()
		if err != nil {
			return 0
		}
		return n
	case int:
		return float64(v)
	case int64:
		return float64(v)
	case float64:
		return v
	default:
		return 0
	}
}

// The fields that lists of configuration objects have, with the operators that the list publishes.

// listOf returns the schema of a list. It has an ID to break ties, also where clients cannot use it.
func listOf(fields ...filterql.Field) *filterql.Schema {
	if !slices.ContainsFunc(fields, func(f filterql.Field) bool { return f.Name == "id" }) {
		fields = append(fields, idField("id"))
	}
	return fieldsOf(fields...)
}

// idField is a text, as the published lists also compare IDs by order and by their beginning.
func idField(name string, ops ...filterql.Op) filterql.Field {
	return filterql.Field{Name: name, Ops: filterql.OpsOf(ops...), Fold: plainID}
}

// plainID returns an ID in small letters and without dashes.
func plainID(id string) string { return strings.ToLower(strings.ReplaceAll(id, "-", "")) }

func textField(name string, ops ...filterql.Op) filterql.Field {
	return filterql.Field{Name: name, Ops: filterql.OpsOf(ops...), Fold: filterql.Fold}
}

func truthField(name string, ops ...filterql.Op) filterql.Field {
	return filterql.Field{Name: name, Type: filterql.Boolean, Ops: filterql.OpsOf(ops...)}
}

func timeField(name string, ops ...filterql.Op) filterql.Field {
	return filterql.Field{Name: name, Type: filterql.Time, Ops: filterql.OpsOf(ops...)}
}

func numberField(name string, ops ...filterql.Op) filterql.Field {
	return filterql.Field{Name: name, Type: filterql.Number, Ops: filterql.OpsOf(ops...)}
}

// sortable returns a field by which a list can be sorted too.
func sortable(f filterql.Field) filterql.Field {
	f.Sortable = true
	return f
}
