package delimited

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/muster-engine/muster/engine/attribute"
	"github.com/muster-engine/muster/engine/connector"
)

// MergeSizeMax is the most bytes of values of a text whose rows are merged, because merging holds them in memory: rows
// of one account may stand anywhere.
const MergeSizeMax = 256 << 20

// merge makes one account of all rows with the same values of the index columns. The result does not depend on the
// order of the rows: the values of an attribute are sorted, and where one column has several values that may have only
// one, none of them counts and the account is faulty.
type merge struct {
	index   []int           // columns that identify an account
	columns map[int]*column // columns whose values are collected
	single  []int           // columns that have one value
	size    int             // bytes of all values

	accounts []*mergedAccount // in the order of their first rows; nil before these are read
	at       int              // of the next one
}

// mergedAccount is an account of which some rows were read.
type mergedAccount struct {
	line   int // of its first row
	lines  []int
	values []string         // of all columns, "" for those that are collected
	lists  map[int][]string // by column
	fault  string
	nobody bool // its rows have several native identities, so it cannot be told whose it is
	at     int  // the line of the fault
}

// newMerge returns how the rows of a text are merged.
func (o *Objects) newMerge(settings *Settings, schema *connector.Schema) (*merge, error) {
	m := &merge{columns: map[int]*column{}}
	names := o.rows.Columns()
	for _, name := range settings.IndexColumns {
		at := slices.Index(names, name)
		if at < 0 {
			return nil, o.noColumn(name, "which connectorAttributes.indexColumns names")
		}
		m.index = append(m.index, at)
	}
	if len(m.index) == 0 {
		m.index = []int{o.identityAt}
	}
	for _, name := range settings.MergeColumns {
		at := slices.IndexFunc(o.columns, func(c column) bool { return c.name == name })
		if at < 0 { // the settings of a tenant often name more than a file has
			o.notes = append(o.notes, fmt.Sprintf("connectorAttributes.mergeColumns: %q is no attribute of the schema "+
				"that the data has a column for: nothing of it is merged", name))
			continue
		}
		c := &o.columns[at]
		if schema == nil || len(schema.Attributes) == 0 {
			c.multi = true
		}
		if !c.multi || slices.Contains(m.index, c.at) || c.at == o.identityAt {
			return nil, fmt.Errorf("connectorAttributes.mergeColumns: the attribute %q has one value only: isMulti in "+
				"the schema says that it has several, and a column that identifies the account cannot", name)
		}
		m.columns[c.at] = c
	}
	if len(settings.MergeColumns) == 0 {
		for i := range o.columns {
			if c := &o.columns[i]; c.multi && !slices.Contains(m.index, c.at) && c.at != o.identityAt {
				m.columns[c.at] = c
			}
		}
	}
	if len(m.columns) == 0 {
		return nil, errors.New("connectorAttributes.mergeRows: the schema has no multi-valued attribute with a " +
			"column, whose values could be merged")
	}
	m.single = append(m.single, o.identityAt)
	for _, at := range []int{o.nameAt, o.stableAt} {
		if at >= 0 {
			m.single = append(m.single, at)
		}
	}
	for i := range o.columns {
		if at := o.columns[i].at; m.columns[at] == nil {
			m.single = append(m.single, at)
		}
	}
	slices.Sort(m.single)
	m.single = slices.Compact(m.single)
	return m, nil
}

// next returns the next account, or [io.EOF].
func (m *merge) next(o *Objects) (*connector.Object, error) {
	if m.accounts == nil {
		if err := m.read(o); err != nil {
			return nil, err
		}
	}
	if m.at == len(m.accounts) {
		return nil, io.EOF
	}
	account := m.accounts[m.at]
	m.accounts[m.at] = nil // its memory is not needed any more
	m.at++
	object := &o.object
	*object = connector.Object{Attributes: object.Attributes, Line: account.line}
	o.read(Row{Line: account.line, Values: account.values})
	for at, list := range account.lists {
		slices.Sort(list)
		object.Attributes.Put(m.columns[at].name, attribute.List(slices.Compact(list)))
	}
	if account.fault != "" {
		object.Line, object.Fault = account.at, account.fault
		if account.nobody {
			object.NativeIdentity = ""
		}
	}
	return object, nil
}

// read reads all rows. It fails at a row that cannot be read where it is not known whose it is: any account might lack
// its values.
func (m *merge) read(o *Objects) error {
	byKey := map[string]*mergedAccount{}
	m.accounts = []*mergedAccount{}
	for {
		row, err := o.rows.Next()
		if err == io.EOF { //nolint:errorlint // an error around it is a text that could not be read to its end
			return nil
		}
		var faulty *RowError
		if errors.As(err, &faulty) {
			row = faulty.Row
		} else if err != nil {
			return err
		}
		key, known := m.key(row)
		if !known && faulty == nil {
			faulty = &RowError{Line: row.Line, Msg: fmt.Sprintf("%s, which says whose it is, is empty",
				o.rows.label(m.index[0]))}
		}
		if !known {
			return fmt.Errorf("%w; with mergeRows any account might lack its values, so nothing of the text was used",
				faulty)
		}
		account := byKey[key]
		if account == nil {
			account = &mergedAccount{line: row.Line, values: make([]string, len(o.rows.Columns())),
				lines: make([]int, len(o.rows.Columns())), lists: map[int][]string{}}
			byKey[key] = account
			m.accounts = append(m.accounts, account)
		}
		if faulty != nil && account.fault == "" {
			account.fault, account.at = faulty.Msg, faulty.Line
		}
		if err := m.add(o, account, row); err != nil {
			return err
		}
	}
}

// key returns what identifies the account of a row, and whether the row has it.
func (m *merge) key(row Row) (string, bool) {
	var key strings.Builder
	some := false
	for _, at := range m.index {
		if at >= len(row.Values) || noText(row.Values[at]) != "" {
			return "", false
		}
		some = some || row.Values[at] != ""
		key.WriteString(row.Values[at])
		key.WriteByte(0)
	}
	return key.String(), some
}

// add adds the values of a row to its account.
func (m *merge) add(o *Objects, account *mergedAccount, row Row) error {
	for at := range m.columns {
		for _, element := range o.elements(row.Values[at]) {
			if noText(element) == "" {
				account.lists[at] = append(account.lists[at], strings.Clone(element))
				m.size += len(element)
			}
		}
	}
	for _, at := range m.single {
		switch value := row.Values[at]; {
		case value == "" || value == account.values[at] || noText(value) != "":
		case account.values[at] == "":
			account.values[at], account.lines[at] = strings.Clone(value), row.Line
			m.size += len(value)
		case at == o.identityAt && !account.nobody:
			account.nobody, account.at = true, row.Line
			account.fault = fmt.Sprintf("the native identity is another one than on line %d, though the values of "+
				"indexColumns are the same", account.lines[at])
		case account.fault == "":
			account.at = row.Line
			account.fault = fmt.Sprintf("the value of %s is another one than on line %d, and an account has one: name "+
				"the column in mergeColumns if it may have several", o.rows.label(at), account.lines[at])
		}
	}
	if m.size > MergeSizeMax {
		return fmt.Errorf("line %d: the values of the rows that are merged have more than %d MiB: split the source, "+
			"or give it one row for each account", row.Line, MergeSizeMax>>20)
	}
	return nil
}
