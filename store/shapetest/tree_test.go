package shapetest

import (
	"slices"
	"strings"

	pg "github.com/pganalyze/pg_query_go/v6"
	parser "github.com/wasilibs/go-pgquery"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// statement is what one call sends.
type statement struct {
	text string
	tree *pg.ParseResult
}

func parse(text string) (*statement, error) {
	tree, err := parser.Parse(text)
	return &statement{text: text, tree: tree}, err
}

// path is a node and those above it, the outermost first. The envelopes of the parser's nodes are left out.
type path []proto.Message

func (p path) node() proto.Message { return p[len(p)-1] }

// parent returns the node above, or nil.
func (p path) parent() proto.Message {
	if len(p) < 2 {
		return nil
	}
	return p[len(p)-2]
}

// walk calls visit for the node and each one below it.
func walk(m proto.Message, visit func(path)) { walkBelow(nil, m.ProtoReflect(), visit) }

func walkBelow(above path, m protoreflect.Message, visit func(path)) {
	p := above
	if _, envelope := m.Interface().(*pg.Node); !envelope {
		p = append(slices.Clip(above), m.Interface())
		visit(p)
	}
	m.Range(func(field protoreflect.FieldDescriptor, value protoreflect.Value) bool {
		switch {
		case field.Kind() != protoreflect.MessageKind:
		case field.IsList():
			for i := range value.List().Len() {
				walkBelow(p, value.List().Get(i).Message(), visit)
			}
		default:
			walkBelow(p, value.Message(), visit)
		}
		return true
	})
}

// all returns the nodes of a type.
func all[T proto.Message](m proto.Message) []T {
	var list []T
	walk(m, func(p path) {
		if node, is := p.node().(T); is {
			list = append(list, node)
		}
	})
	return list
}

// writes reports whether the statement has an INSERT, UPDATE, DELETE or MERGE.
func (s *statement) writes() bool {
	found := false
	walk(s.tree, func(p path) { found = found || isDML(p.node()) })
	return found
}

func isDML(m proto.Message) bool {
	switch m.(type) {
	case *pg.InsertStmt, *pg.UpdateStmt, *pg.DeleteStmt, *pg.MergeStmt:
		return true
	}
	return false
}

// function returns the name of a function that is called, without its schema.
func function(call *pg.FuncCall) string {
	return call.Funcname[len(call.Funcname)-1].GetString_().GetSval()
}

// functions returns the names of all functions that are called.
func functions(m proto.Message) []string {
	var names []string
	for _, call := range all[*pg.FuncCall](m) {
		names = append(names, function(call))
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// insertsSelection reports whether an INSERT takes its rows from a query.
func insertsSelection(insert *pg.InsertStmt) bool {
	query := insert.SelectStmt.GetSelectStmt()
	return query != nil && len(query.ValuesLists) == 0
}

// names of the tables, functions and queries that a FROM within m gives to its columns.
func aliases(m proto.Message) []string {
	var names []string
	walk(m, func(p path) {
		switch n := p.node().(type) {
		case *pg.RangeVar:
			if n.Alias == nil {
				names = append(names, n.Relname)
			}
		case *pg.Alias:
			names = append(names, n.Aliasname)
		}
	})
	return names
}

// outer returns the columns that a query takes from around it.
func outer(m proto.Message) []string {
	known := aliases(m)
	var columns []string
	for _, column := range all[*pg.ColumnRef](m) {
		if len(column.Fields) < 2 {
			continue
		}
		var parts []string
		for _, field := range column.Fields {
			parts = append(parts, field.GetString_().GetSval())
		}
		if !slices.Contains(known, parts[len(parts)-2]) {
			columns = append(columns, strings.Join(parts, "."))
		}
	}
	return columns
}
