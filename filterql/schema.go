package filterql

import (
	"errors"
	"fmt"
	"slices"
)

// Type is the type of a field's values.
type Type uint8

// The types.
const (
	String  Type = iota
	Number       // compared exactly, at any size
	Boolean      // true or false
	Time         // an instant, to the microsecond
	ID           // a string that is compared exactly; its order means nothing
)

// String returns the type's name in the V3 standard collection parameters.
func (t Type) String() string {
	switch t {
	case String:
		return "string"
	case Number:
		return "number"
	case Boolean:
		return "boolean"
	case Time:
		return "date-time"
	case ID:
		return "id"
	default:
		return "unknown"
	}
}

// Field is a property to filter and sort a collection by.
type Field struct {
	// Name is the name in the API: letters, digits, underscores and hyphens, with dots between the parts. It cannot be
	// one of the keywords and, or, not, pr.
	Name string
	Type Type
	// Multi says that the field holds a collection of strings: text[] in SQL, []string in memory. An empty collection
	// counts as null.
	Multi bool
	// Ops are the operators that the field allows.
	Ops OpSet
	// Sortable says whether sorters may name the field.
	Sortable bool
	// Column is the SQL expression of the value; if the field has Fold, of the folded value. It goes into statements as
	// it is, so it must not come from outside. Put it into parentheses if it is more than a name or a call, and write a
	// question mark twice, as squirrel wants it. Its SQL type is text, numeric or any integer or float, boolean,
	// timestamptz or, with Convert, the type of the argument.
	Column string
	// SortColumn is the SQL expression that rows are sorted by. Defaults to Column with Collate.
	SortColumn string
	// Collate is a collation for the column of strings where order counts: in gt, ge, lt, le, sw and sorting. Strings
	// are ordered by code points, so set it to "C", with the quotes, unless the column has that collation already.
	Collate string
	// NotNull says that the value is never null. The SQL becomes simpler.
	NotNull bool
	// Fold returns the form of a string for comparisons; [Fold] is one. If it is nil, strings are compared as they are.
	Fold func(string) string
	// Convert turns an ID's text into an SQL argument if the column is not a text, but a UUID for example. It returns
	// false for a text that cannot be an ID; such a text equals nothing. Its results must be comparable by ==.
	Convert func(text string) (argument any, ok bool)
	// Prefix returns the IDs that begin with a text, for sw on an ID with Convert. It returns false for a text with
	// which none begins. If it is nil, the field does not allow sw.
	Prefix func(text string) (IDRange, bool)
	// Within says that a row has any number of values: those that Column has in the rows of a subquery. It is what
	// stands before the condition on such a row, and a closing parenthesis follows the condition:
	//
	//	u.id IN (SELECT m.user_id FROM members m WHERE
	//
	// A comparison holds where it does for one of the values, ne is exactly not eq, and isnull says that there is no
	// value. In memory the values are a []string or a []any. Column must not be null, and nothing sorts by the field.
	Within string
	// Values are the values of an enumeration, for documentation. Filters may use others, which equal nothing.
	Values []string
}

// IDRange are the IDs from First to Last, both included, in the order of the column.
type IDRange struct {
	First, Last any // arguments of SQL
	// Has reports whether an ID, as Convert returns it, is one of them.
	Has func(id any) bool
}

// AllOps returns all operators that make sense on a field like f. A collection contains (co) a string that is one of
// its elements.
func AllOps(f Field) OpSet {
	switch {
	case f.Multi:
		return OpsOf(Ca, Co, Pr, IsNull)
	case f.Type == String:
		return OpsOf(Eq, Ne, Gt, Ge, Lt, Le, Co, Sw, In, Pr, IsNull)
	case f.Type == Number, f.Type == Time:
		return OpsOf(Eq, Ne, Gt, Ge, Lt, Le, In, Pr, IsNull)
	case f.Type == ID && f.Prefix != nil:
		return OpsOf(Eq, Ne, Sw, In, Pr, IsNull)
	default:
		return OpsOf(Eq, Ne, In, Pr, IsNull)
	}
}

// validate refuses a field that contradicts itself.
func (f *Field) validate() error {
	switch {
	case !isField(f.Name):
		return errors.New("the name must be letters, digits, underscores and hyphens, dots between, and no keyword")
	case f.Column == "":
		return errors.New("the column is missing")
	case f.Type > ID:
		return fmt.Errorf("there is no type %d", f.Type)
	case f.Multi && f.Type != String:
		return fmt.Errorf("only strings can be multi-valued, this is a %s", f.Type)
	case f.Multi && f.Sortable:
		return errors.New("a multi-valued field has no order to sort by")
	case f.Fold != nil && f.Type != String:
		return fmt.Errorf("only strings can be folded, this is a %s", f.Type)
	case f.Convert != nil && f.Type != ID:
		return fmt.Errorf("only ids can be converted, this is a %s", f.Type)
	case f.Prefix != nil && f.Convert == nil:
		return errors.New("only ids that are converted have a range of those with a prefix")
	case f.Within != "" && (f.Multi || f.Sortable):
		return errors.New("the values of a subquery are no collection, and have no order to sort by")
	case f.Collate != "" && f.Type != String:
		return fmt.Errorf("only strings have a collation, this is a %s", f.Type)
	case f.Ops&^AllOps(*f) != 0:
		return fmt.Errorf("it cannot be compared by %s", f.Ops&^AllOps(*f))
	}
	return nil
}

// ordered returns the column for comparisons by order.
func (f *Field) ordered() string {
	if f.Collate == "" {
		return f.Column
	}
	return f.Column + " COLLATE " + f.Collate
}

// sortColumn returns the expression that rows are sorted by.
func (f *Field) sortColumn() string {
	if f.SortColumn != "" {
		return f.SortColumn
	}
	return f.ordered()
}

func (f *Field) fold(s string) string {
	if f.Fold == nil {
		return s
	}
	return f.Fold(s)
}

// Schema is the list of fields to filter and sort a collection by. It is immutable, and many goroutines may use it.
type Schema struct {
	fields  []Field
	byName  map[string]*Field
	resolve func(name string) (Field, bool)
}

// NewSchema returns a schema with the fields. It refuses a field that contradicts itself and a name that occurs twice.
func NewSchema(fields ...Field) (*Schema, error) {
	s := &Schema{fields: slices.Clone(fields), byName: make(map[string]*Field, len(fields))}
	for i := range s.fields {
		f := &s.fields[i]
		if err := f.validate(); err != nil {
			return nil, fmt.Errorf("field %q: %w", f.Name, err)
		}
		if s.byName[f.Name] != nil {
			return nil, fmt.Errorf("field %q is given twice", f.Name)
		}
		s.byName[f.Name] = f
	}
	return s, nil
}

// WithResolver returns a schema that asks resolve for the fields that it does not list. Use it if the names are not
// known beforehand. A field that contradicts itself counts as unknown. The name is the user's text, so resolve must
// check it before it uses it in a Column.
func (s *Schema) WithResolver(resolve func(name string) (Field, bool)) *Schema {
	c := *s
	c.resolve = resolve
	return &c
}

// Field returns the field of that name.
func (s *Schema) Field(name string) (Field, bool) {
	f := s.field(name)
	if f == nil {
		return Field{}, false
	}
	return *f, true
}

func (s *Schema) field(name string) *Field {
	if f := s.byName[name]; f != nil {
		return f
	}
	if s.resolve == nil {
		return nil
	}
	f, found := s.resolve(name)
	if !found || f.validate() != nil {
		return nil
	}
	return &f
}

// Fields returns the listed fields, in the order of [NewSchema].
func (s *Schema) Fields() []Field { return slices.Clone(s.fields) }

// names returns the names of the listed fields that keep accepts.
func (s *Schema) names(keep func(*Field) bool) []string {
	var names []string
	for i := range s.fields {
		if keep(&s.fields[i]) {
			names = append(names, s.fields[i].Name)
		}
	}
	return names
}
