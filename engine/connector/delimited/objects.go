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
	merge      *merge // nil where each row is an account
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
	o.knowColumns(&settings, schema)
	if err := o.findStable(settings.StableIdentityColumn); err != nil {
		return nil, err
	}
	if err := o.arrange(schema); err != nil {
		return nil, err
	}
	if settings.MergeRows {
		o.merge, err = o.newMerge(&settings, schema)
	}
	return o, err
}

// knowColumns tells the reader which names of columns come from the configuration.
func (o *Objects) knowColumns(settings *Settings, schema *connector.Schema) {
	known := o.rows.known
	for _, name := range slices.Concat(settings.IndexColumns, settings.MergeColumns,
		Names{settings.StableIdentityColumn}) {
		known[name] = true
	}
	if schema == nil {
		return
	}
	known[schema.IdentityAttribute], known[schema.DisplayAttribute] = true, true
	for _, a := range schema.Attributes {
		known[a.Name] = true
	}
}

// noColumn returns the error that the text has no column of a name. It does not repeat the header row, which may be
// none but hold somebody's values.
func (o *Objects) noColumn(name, whose string) error {
	return fmt.Errorf("the data has no column %q, %s: its first row has %d columns, of which the configuration names "+
		"%d (is it a header row? connectorAttributes.hasHeader says so)", name, whose, len(o.rows.Columns()),
		o.namedColumns())
}

// namedColumns returns how many columns have names that the configuration has too.
func (o *Objects) namedColumns() int {
	count := 0
	for _, name := range o.rows.Columns() {
		if o.rows.known[name] {
			count++
		}
	}
	return count
}

// findStable finds the column of the stable identity.
func (o *Objects) findStable(column string) error {
	if column == "" {
		return nil
	}
	names := o.rows.Columns()
	if o.stableAt = slices.Index(names, column); o.stableAt < 0 {
		return o.noColumn(column, "which connectorAttributes.stableIdentityColumn names")
	}
	return nil
}

// Notes returns the differences between the text and the schema that are not errors, and what was left out.
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
			if connector.HoldsPassword(name) {
				o.notes = append(o.notes, fmt.Sprintf("column %d holds passwords by its name: it was not read", i+1))
				continue
			}
			o.columns = append(o.columns, column{name: name, at: i, typ: "STRING"})
		}
	} else {
		if o.namedColumns() == 0 {
			return o.noColumn(schema.Attributes[0].Name, "nor any other attribute of the schema")
		}
		var absent []string
		for _, a := range schema.Attributes {
			at, found := position[a.Name]
			if !found {
				absent = append(absent, strconv.Quote(a.Name))
				continue
			}
			delete(position, a.Name)
			if connector.HoldsPassword(a.Name) {
				continue
			}
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
		o.notes = append(o.notes, "the schema has no identityAttribute: the first column holds the native identity")
	}
	o.identityAt = slices.Index(names, identity)
	if o.identityAt < 0 {
		return o.noColumn(identity, "which holds the native identity")
	}
	if schema != nil && schema.DisplayAttribute != "" {
		o.nameAt = slices.Index(names, schema.DisplayAttribute)
	}
	return nil
}

// Next returns the next object. For an unreadable row it returns an object with a Fault, and after the last one
// [io.EOF]. The object is valid until the next call. Where rows are merged, the first call reads the whole text.
func (o *Objects) Next() (*connector.Object, error) {
	if o.merge != nil {
		return o.merge.next(o)
	}
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
	if len(row.Values) <= at || noText(row.Values[at]) != "" {
		return ""
	}
	return row.Values[at]
}

func (o *Objects) read(row Row) {
	object := &o.object
	object.Attributes.Reset()
	object.NativeIdentity = row.Values[o.identityAt]
	if object.NativeIdentity == "" {
		object.Fault = o.rows.label(o.identityAt) + ", which holds the native identity, is empty"
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
			object.Fault = fmt.Sprintf("%s: %v", o.rows.label(c.at), err)
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
	list := o.elements(text)
	if list == nil {
		return attribute.Null, nil
	}
	return attribute.List(list), nil
}

// elements returns the values in a column of a multi-valued attribute.
func (o *Objects) elements(text string) []string {
	var list []string
	for _, element := range strings.Split(text, o.separator) {
		if element = strings.TrimSpace(element); element != "" {
			list = append(list, element)
		}
	}
	return list
}
