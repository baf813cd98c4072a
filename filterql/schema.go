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
	Number       // compared exactly, whatever its size
	Boolean      // true or false
	Time         // an instant, to the microsecond
	ID           // a string that is compared exactly and has no order that means anything
)

// String returns the type's name as the V3 standard collection parameters call it.
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

// Field is a property by which a collection is filtered and sorted.
type Field struct {
	// Name is the name in the API: letters, digits, underscores and hyphens, with dots between the parts. It is none of
	// the keywords and, or, not, pr.
	Name string
	Type Type
	// Multi says that the field holds a collection of strings: text[] in SQL, []string in memory. An empty collection
	// counts as null.
	Multi bool
	// Ops are the operators that are allowed on the field.
	Ops OpSet
	// Sortable says whether sorters may name the field.
	Sortable bool
	// Column is the SQL expression of the value, of a field with Fold that of the folded value. It goes into statements
	// as it is, so it must not come from outside; what is more than a name or a call is put into parentheses, and a
	// question mark in it is written twice, as squirrel wants it. The types are text, numeric or any integer or float,
	// boolean, timestamptz and, with Convert, that of the argument.
	Column string
	// SortColumn is the expression by which rows are sorted. Defaults to Column with Collate.
	SortColumn string
	// Collate is the collation that is put behind the column of strings where order counts, which is in gt, ge, lt, le,
	// sw and sorting. The order is that of the code points: set it to "C", with the quotes, unless the column has that
	// collation already.
	Collate string
	// NotNull says that the value is never null, which makes simpler SQL.
	NotNull bool
	// Fold returns the form in which strings are compared, such as [Fold]. Nil compares them as they are.
	Fold func(string) string
	// Convert returns the SQL argument of an ID's text, where the column is no text: a UUID for instance. It reports
	// false for a text that no ID can have, which then equals nothing. What it returns is comparable by ==.
	Convert func(text string) (argument any, ok bool)
	// Values are the values of an enumeration, for documentation. Others are allowed, and equal nothing.
	Values []string
}

// AllOps returns every operator that makes sense on a field of f's type.
func AllOps(f Field) OpSet {
	switch {
	case f.Multi:
		return OpsOf(Ca, Pr, IsNull)
	case f.Type == String:
		return OpsOf(Eq, Ne, Gt, Ge, Lt, Le, Co, Sw, In, Pr, IsNull)
	case f.Type == Number, f.Type == Time:
		return OpsOf(Eq, Ne, Gt, Ge, Lt, Le, In, Pr, IsNull)
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
	case f.Collate != "" && f.Type != String:
		return fmt.Errorf("only strings have a collation, this is a %s", f.Type)
	case f.Ops&^AllOps(*f) != 0:
		return fmt.Errorf("it cannot be compared by %s", f.Ops&^AllOps(*f))
	}
	return nil
}

// ordered returns the column where order counts.
func (f *Field) ordered() string {
	if f.Collate == "" {
		return f.Column
	}
	return f.Column + " COLLATE " + f.Collate
}

// sortColumn returns the expression by which rows are sorted.
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

// Schema is the list of fields that a collection is filtered and sorted by. It is not changed after it was made, and
// may be used by many goroutines.
type Schema struct {
	fields  []Field
	byName  map[string]*Field
	resolve func(name string) (Field, bool)
}

// NewSchema returns the schema of fields. It refuses a field that contradicts itself and a name that is given twice.
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

// WithResolver returns a schema that asks resolve for the fields that it does not list, for names that are not known
// beforehand. A field that contradicts itself counts as unknown. The name is the user's text: resolve must check it
// before it makes a Column of it.
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

// Fields returns the fields that are listed, in the order in which they were given.
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
