package delimited

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/muster-engine/muster/engine/attribute"
	"github.com/muster-engine/muster/engine/connector"
)

// Objects reads the rows of a text as objects of a schema. Only one goroutine may use it.
type Objects struct {
	rows       *Reader
	columns    []column // in the order of an attribute set
	identityAt int
	nameAt     int // -1: the native identity is the name
	stableAt   int // -1: there is no stable identity
	separator  string
	notes      []string
	object     connector.Object
}

// column is one column of the text with its attribute.
type column struct {
	name  string
	at    int
	typ   string
	multi bool
}

// NewObjects returns a reader of a text's objects. Without a schema every column is an attribute, and the first one has
// the native identity.
func NewObjects(r io.Reader, settings Settings, schema *connector.Schema) (*Objects, error) {
	options, err := settings.options(schema)
	if err != nil {
		return nil, err
	}
	o := &Objects{nameAt: -1, stableAt: -1, separator: settings.separator()}
	if o.rows, err = NewReader(r, options); err != nil {
		return nil, err
	}
	if err := o.findStable(settings.StableIdentityColumn); err != nil {
		return nil, err
	}
	return o, o.arrange(schema)
}

// findStable finds the column of the stable identity.
func (o *Objects) findStable(column string) error {
	if column == "" {
		return nil
	}
	names := o.rows.Columns()
	if o.stableAt = slices.Index(names, column); o.stableAt < 0 {
		return fmt.Errorf("the data has no column %q, which connectorAttributes.stableIdentityColumn names: its "+
			"columns are %q", column, names)
	}
	return nil
}

// Notes returns the differences between the text and the schema that are not errors.
func (o *Objects) Notes() []string { return o.notes }

// Attributes returns the names of the attributes that the text has columns for.
func (o *Objects) Attributes() []string {
	names := make([]string, len(o.columns))
	for i := range o.columns {
		names[i] = o.columns[i].name
	}
	return names
}

// arrange matches the columns with the schema's attributes.
func (o *Objects) arrange(schema *connector.Schema) error {
	names := o.rows.Columns()
	position := map[string]int{}
	for i, name := range names {
		position[name] = i
	}
	if schema == nil || len(schema.Attributes) == 0 {
		for i, name := range names {
			o.columns = append(o.columns, column{name: name, at: i, typ: "STRING"})
		}
	} else {
		var absent []string
		for _, a := range schema.Attributes {
			at, found := position[a.Name]
			if !found {
				absent = append(absent, strconv.Quote(a.Name))
				continue
			}
			delete(position, a.Name)
			o.columns = append(o.columns, column{a.Name, at, strings.ToUpper(a.Type), a.IsMulti})
		}
		if o.stableAt >= 0 {
			delete(position, names[o.stableAt])
		}
		o.noteColumns(absent, position)
	}
	slices.SortFunc(o.columns, func(a, b column) int {
		if len(a.name) != len(b.name) {
			return len(a.name) - len(b.name)
		}
		return strings.Compare(a.name, b.name)
	})
	return o.findIdentity(schema, names)
}

func (o *Objects) noteColumns(absent []string, ignored map[string]int) {
	if len(absent) > 0 {
		o.notes = append(o.notes,
			"the data has no column for these attributes of the schema: "+strings.Join(absent, ", "))
	}
	if len(ignored) > 0 {
		var names []string
		for name := range ignored {
			names = append(names, strconv.Quote(name))
		}
		slices.Sort(names)
		o.notes = append(o.notes,
			"the schema has no attribute for these columns, which were not read: "+strings.Join(names, ", "))
	}
}

// findIdentity finds the columns of the native identity and of the name.
func (o *Objects) findIdentity(schema *connector.Schema, names []string) error {
	identity := names[0]
	if schema != nil && schema.IdentityAttribute != "" {
		identity = schema.IdentityAttribute
	} else {
		o.notes = append(o.notes, fmt.Sprintf(
			"the schema has no identityAttribute: the first column, %q, holds the native identity", identity))
	}
	o.identityAt = slices.Index(names, identity)
	if o.identityAt < 0 {
		return fmt.Errorf("the data has no column %q, which holds the native identity: its columns are %q", identity,
			names)
	}
	if schema != nil && schema.DisplayAttribute != "" {
		o.nameAt = slices.Index(names, schema.DisplayAttribute)
	}
	return nil
}

// Next returns the next object. For an unreadable row it returns an object with a Fault, and after the last one
// [io.EOF]. The object is valid until the next call.
func (o *Objects) Next() (*connector.Object, error) {
	row, err := o.rows.Next()
	object := &o.object
	*object = connector.Object{Attributes: object.Attributes, Line: row.Line}
	var faulty *RowError
	switch {
	case errors.As(err, &faulty):
		object.Line, object.Fault = faulty.Line, faulty.Msg
		object.NativeIdentity = o.identity(faulty.Row, o.identityAt)
		if o.stableAt >= 0 {
			object.StableIdentity = o.identity(faulty.Row, o.stableAt)
		}
		return object, nil
	case err != nil:
		return nil, err
	}
	o.read(row)
	return object, nil
}

// identity returns what a column of an unreadable row says of whose it is, or "" if it is unknown.
func (o *Objects) identity(row Row, at int) string {
	if len(row.Values) <= at || checkText(Row{Values: row.Values[at : at+1]}, o.rows.Columns()[at:]) != nil {
		return ""
	}
	return row.Values[at]
}

func (o *Objects) read(row Row) {
	object := &o.object
	object.Attributes.Reset()
	object.NativeIdentity = row.Values[o.identityAt]
	if object.NativeIdentity == "" {
		object.Fault = fmt.Sprintf("column %q, which holds the native identity, is empty",
			o.rows.Columns()[o.identityAt])
		return
	}
	if o.nameAt >= 0 {
		object.Name = row.Values[o.nameAt]
	}
	if o.stableAt >= 0 {
		object.StableIdentity = row.Values[o.stableAt]
	}
	for i := range o.columns {
		c := &o.columns[i]
		value, err := o.value(c, row.Values[c.at])
		if err != nil {
			object.Fault = fmt.Sprintf("column %q: %v", c.name, err)
			return
		}
		if !value.IsNull() {
			object.Attributes.Put(c.name, value)
		}
	}
}

func (o *Objects) value(c *column, text string) (attribute.Value, error) {
	if !c.multi || text == "" {
		return connector.ParseValue(c.typ, text)
	}
	var list []string
	for _, element := range strings.Split(text, o.separator) {
		if element = strings.TrimSpace(element); element != "" {
			list = append(list, element)
		}
	}
	if list == nil {
		return attribute.Null, nil
	}
	return attribute.List(list), nil
}
