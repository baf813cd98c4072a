package searchql

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/muster-engine/muster/filterql"
	"github.com/muster-engine/muster/filterql/folding"
	"github.com/muster-engine/muster/filterql/suggest"
)

// Field is a property that documents are searched by.
type Field struct {
	// Name is the path of the value in the document, with dots between the members. It is case-sensitive.
	Name string
	Type filterql.Type
	// Column is the SQL expression of the value: a text, a number, a boolean, a timestamptz, or for an ID what Convert
	// returns. It goes into statements as it is. A question mark is written twice, as squirrel wants it.
	Column string
	// Key is the SQL expression of the folded text, for a String; its collation must be "C".
	Key string
	// Fold makes of a text what Key holds. Defaults to [folding.Text].
	Fold func(string) string
	// Indexed says that an index serves equality and ranges of Column, of a String those of Key.
	Indexed bool
	// From is set where the values are in other rows: what stands between FROM and the end of a WHERE clause that finds
	// them. Column and Key are then of these rows. A document has as many values as there are such rows.
	From string
	// Bare says that the field is among those in which a word without a field is looked for.
	Bare bool
	// Sort is the SQL expression that documents are sorted by; empty where they cannot be. It must have the collation
	// "C" where it is a text. Of a String it is the folded text.
	Sort string
	// NotNull says that the value is never null.
	NotNull bool
	// Words is the SQL expression of the index over words that has those of the field, a tsvector of [Lexemes]; empty
	// where there is none. It is null of a row whose words the index does not have.
	Words string
	// Elsewhere says that Words is in the rows of From, and not in that of the document.
	Elsewhere bool
	// Tag is that of the field in Words. A field without it has the rest: all words that are there are in it and in the
	// other fields of Words that are bare.
	Tag string
	// Beginnings says that Words has the words of the field by their beginnings.
	Beginnings bool
	// OneOf, if there are any, are all values that the field can have.
	OneOf []string
	// All is From without the document: what stands between FROM and the end of a WHERE clause that finds the rows of
	// all documents, where these are few or have an index over words. Where none of them passes a test, no document
	// does, and none is looked at.
	All string
	// Convert turns a text into an SQL argument for the column of an ID. It returns false for a text that is none.
	Convert func(text string) (argument any, ok bool)
	// Text is the SQL expression of the text of an ID, for wildcards and sorting.
	Text string
}

func (f *Field) fold(text string) string {
	if f.Fold == nil {
		return folding.Text(text)
	}
	return f.Fold(text)
}

func (f *Field) validate() error {
	switch {
	case !isName(f.Name):
		return errors.New("the name is wrong")
	case f.Column == "":
		return errors.New("the column is missing")
	case f.Type == filterql.String && f.Key == "":
		return errors.New("a text needs a key")
	case f.Type == filterql.ID && (f.Convert == nil || f.Text == ""):
		return errors.New("an id needs Convert and Text")
	}
	return nil
}

// List is a nested list of a document, whose elements are searched by @name(...).
type List struct {
	Name string
	// From are the rows of the elements of one document: what stands between FROM and the end of a WHERE clause.
	From string
	// ID is the SQL expression that tells elements of a document apart.
	ID string
	// Indexed says that an index finds the documents of an element.
	Indexed bool
	// Schema has the fields of an element, by names without that of the list.
	Schema *Schema
}

// Schema is what documents of one kind are searched by. It is immutable, and many goroutines may use it.
type Schema struct {
	fields  []Field
	byName  map[string]*Field
	lists   map[string]*List
	resolve func(name string) (Field, bool)
}

// NewSchema returns a schema. It refuses a field that contradicts itself and a name that occurs twice.
func NewSchema(fields []Field, lists ...List) (*Schema, error) {
	s := &Schema{fields: slices.Clone(fields), byName: map[string]*Field{}, lists: map[string]*List{}}
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
	for _, list := range lists {
		if s.lists[list.Name] != nil {
			return nil, fmt.Errorf("list %q is given twice", list.Name)
		}
		s.lists[list.Name] = &list
	}
	return s, nil
}

// WithResolver returns a schema that asks resolve for the fields that it does not list. The name is the user's text, so
// resolve must check it before it uses it in SQL.
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

// List returns the nested list of that name, or nil.
func (s *Schema) List(name string) *List { return s.lists[name] }

// Lists returns the names of the nested lists, sorted.
func (s *Schema) Lists() []string {
	var names []string
	for name := range s.lists {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// Fields returns the listed fields, in the order of [NewSchema].
func (s *Schema) Fields() []Field { return slices.Clone(s.fields) }

func (s *Schema) field(name string) *Field {
	if f := s.byName[name]; f != nil {
		return f
	}
	if s.resolve != nil && isName(name) {
		if f, ok := s.resolve(name); ok && f.validate() == nil {
			return &f
		}
	}
	return nil
}

// members returns the fields of an object: those whose names begin with its name and a dot.
func (s *Schema) members(object string) []*Field {
	var fields []*Field
	for i := range s.fields {
		if strings.HasPrefix(s.fields[i].Name, object+".") {
			fields = append(fields, &s.fields[i])
		}
	}
	return fields
}

// bare returns the fields in which a word without a field is looked for.
func (s *Schema) bare() []*Field {
	var fields []*Field
	for i := range s.fields {
		if s.fields[i].Bare {
			fields = append(fields, &s.fields[i])
		}
	}
	return fields
}

// unknown returns the note of a name that no field has.
func (s *Schema) unknown(name string) string {
	list, rest, _ := strings.Cut(name, ".")
	if s.lists[list] != nil {
		if rest == "" {
			rest = "..."
		}
		return fmt.Sprintf("%s is part of a nested list, which is searched by @%s(%s:...): it finds nothing here",
			filterql.Quoted(name), list, rest)
	}
	note := fmt.Sprintf("there is no field %s: it finds nothing", filterql.Quoted(name))
	if s.field("attributes."+name) != nil {
		return note + fmt.Sprintf(" (did you mean attributes.%s?)", name)
	}
	var names []string
	for i := range s.fields {
		names = append(names, s.fields[i].Name)
	}
	if meant := suggest.Nearest(name, names); meant != "" {
		note += fmt.Sprintf(" (did you mean %s?)", meant)
	}
	return note
}
