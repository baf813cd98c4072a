package filterql_test

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgtype"
	"pgregory.net/rapid"

	"github.com/muster-engine/muster/filterql"
)

// Random filters, over values that are few, so that comparisons hold often, and odd, so that what is wrong shows.

var (
	oddStrings = []string{
		"", "a", "A", "ab", "aB", "abc", "b", "B", "ß", "ẞ", "ss", "SS", "Σ", "σ", "ς", "ας", "ΑΣ", "İ", "i", "I", "ı", "ﬀ",
		"%", "_", `\`, `a%`, `a_`, `a\`, `"`, `'`, "?", "??", "$1", "a?b", "é", "e\u0301", "日本", "🙂", "\uD7FF", "\uE000",
		"\U0010FFFF", "a\U0010FFFF", "true", "7", "null", "a b", "a\tb", "\n", "~", "\u00a0",
	}
	oddNumbers = []string{
		"0", "-0", "1", "+1", "-1", "7", "1.5", "0.1", "-0.1", "0.10", "1e2", "100", "9007199254740993", "9007199254740992",
		"9223372036854775807", "9223372036854775808", "1e20", "1e-20", "1.7976931348623157e308", "-2147483649",
	}
	// PostgreSQL reads no such exponents, so no row has them.
	oddZeros = []string{"0e9999999", "-0.0e-9999999"}
	oddTimes = []string{
		"2018", "2018-12-18", "2019-01-01", "2018-12-18T23:05:55Z", "2018-12-19T04:35:55+05:30",
		"2018-12-18T23:05:55.000001Z",
		"2018-12-18T23:05:55.0000019Z", "2017-12-31T23:59:59.999999Z", "2019-01-01T00:00:00Z", "2018-12-18T00:00:00Z",
		"2018-12-19T00:00:00Z", "0001-01-01T00:00:00Z", "0000", "0000-12-31", "9999", "9999-12-31T23:59:59.999999Z",
	}
	oddIDs = []string{
		"0190a1b2c3d47e8f90a1b2c3d4e5f601", "0190A1B2-C3D4-7E8F-90A1-B2C3D4E5F601", "0190a1b2c3d47e8f90a1b2c3d4e5f602",
		"00000000000000000000000000000000", "", "nobody",
	}
)

func parseUUID(text string) (any, bool) {
	var id pgtype.UUID
	err := id.Scan(text)
	return id, err == nil && id.Valid
}

// uuidPrefix returns the UUIDs that begin with a text. The dashes of the text do not count.
func uuidPrefix(text string) (filterql.IDRange, bool) {
	digits := strings.ToLower(strings.ReplaceAll(text, "-", ""))
	if len(digits) > 32 || strings.Trim(digits, "0123456789abcdef") != "" {
		return filterql.IDRange{}, false
	}
	first, _ := parseUUID(digits + strings.Repeat("0", 32-len(digits)))
	last, _ := parseUUID(digits + strings.Repeat("f", 32-len(digits)))
	return filterql.IDRange{First: first, Last: last, Has: func(id any) bool {
		return strings.HasPrefix(strings.ReplaceAll(id.(pgtype.UUID).String(), "-", ""), digits)
	}}, true
}

// column is a column of a table and the field that it is for.
type column struct {
	sqlType string
	field   filterql.Field
	// key says that the column holds the folded value.
	key bool
}

// drawColumn draws a column that the field called name has.
func drawColumn(t *rapid.T, name string) column {
	kinds := []string{
		"text", "folded", "text", "folded", "bigint", "integer", "numeric", "float8", "boolean", "time", "id", "uuid",
		"multi", "prefixed", "some",
	}
	c := column{field: filterql.Field{Name: name, Column: "r." + name, Sortable: true}}
	f := &c.field
	f.NotNull = rapid.Bool().Draw(t, "not null")
	switch rapid.SampledFrom(kinds).Draw(t, "kind") {
	case "text":
		c.sqlType = `text COLLATE "C"`
		if rapid.Bool().Draw(t, "collate") {
			c.sqlType, f.Collate = "text", `"C"`
		}
	case "folded":
		c.sqlType, c.key, f.Fold = `text COLLATE "C"`, true, filterql.Fold
	case "bigint":
		c.sqlType, f.Type = "bigint", filterql.Number
	case "integer":
		c.sqlType, f.Type = "integer", filterql.Number
	case "numeric":
		c.sqlType, f.Type = "numeric", filterql.Number
	case "float8":
		c.sqlType, f.Type = "float8", filterql.Number
	case "boolean":
		c.sqlType, f.Type = "boolean", filterql.Boolean
	case "time":
		c.sqlType, f.Type = "timestamptz", filterql.Time
	case "id":
		c.sqlType, f.Type = `text COLLATE "C"`, filterql.ID
	case "uuid":
		c.sqlType, f.Type, f.Convert = "uuid", filterql.ID, parseUUID
	case "prefixed":
		c.sqlType, f.Type, f.Convert, f.Prefix = "uuid", filterql.ID, parseUUID, uuidPrefix
	case "some":
		c.sqlType, c.key, f.Fold, f.Sortable = `text[] COLLATE "C"`, true, filterql.Fold, false
		f.Within, f.Column = "r.id IN (SELECT s.id FROM r s, unnest(s."+name+") v (value) WHERE", "v.value"
	case "multi":
		c.sqlType, c.key, f.Fold, f.Multi, f.Sortable = `text[] COLLATE "C"`, true, filterql.Fold, true, false
	}
	f.Ops = filterql.AllOps(*f)
	return c
}

// drawValue draws a value as a host has it, and as the table has it.
func (c column) drawValue(t *rapid.T) (host, stored any) {
	f := c.field
	if !f.NotNull && rapid.IntRange(0, 4).Draw(t, "null") == 0 {
		return nil, nil
	}
	switch {
	case f.Multi, f.Within != "":
		list := rapid.SliceOfN(rapid.SampledFrom(oddStrings), 0, 4).Draw(t, "list")
		keys := make([]string, len(list))
		for i := range list {
			keys[i] = filterql.Fold(list[i])
		}
		return list, keys
	case f.Type == filterql.Number:
		return c.drawNumber(t)
	case f.Type == filterql.Boolean:
		b := rapid.Bool().Draw(t, "boolean")
		return b, b
	case f.Type == filterql.Time:
		at := drawInstant(t)
		return at, at
	case f.Convert != nil:
		text := rapid.SampledFrom(oddIDs[:4]).Draw(t, "uuid")
		return text, text
	case f.Type == filterql.ID:
		text := rapid.SampledFrom(oddIDs).Draw(t, "id")
		return text, text
	}
	s := rapid.SampledFrom(oddStrings).Draw(t, "string")
	if c.key {
		return s, filterql.Fold(s)
	}
	return s, s
}

func (c column) drawNumber(t *rapid.T) (host, stored any) {
	switch c.sqlType {
	case "integer":
		n := rapid.SampledFrom([]int32{0, 1, -1, 7, 100, math.MaxInt32, math.MinInt32}).Draw(t, "integer")
		return int64(n), n
	case "bigint":
		n := rapid.SampledFrom([]int64{0, 1, -1, 7, 100, 9007199254740993, math.MaxInt64, math.MinInt64}).Draw(t, "bigint")
		return n, n
	case "float8":
		odd := []float64{
			0, math.Copysign(0, -1), 1, 1.5, 0.1, 9007199254740992, 1e20, math.NaN(), math.Inf(1), math.Inf(-1), math.MaxFloat64,
			5e-324,
		}
		n := rapid.SampledFrom(odd).Draw(t, "float")
		return n, n
	default:
		text := rapid.SampledFrom(oddNumbers).Draw(t, "numeric")
		return json.Number(text), text
	}
}

func drawInstant(t *rapid.T) time.Time {
	text := rapid.SampledFrom(oddTimes).Draw(t, "time")
	for _, layout := range []string{time.RFC3339Nano, time.DateOnly, "2006"} {
		if at, err := time.Parse(layout, text); err == nil {
			return at.Truncate(time.Microsecond)
		}
	}
	panic(text)
}

// drawExpr draws an expression over fields, as Parse makes them: chains are flat and have two terms or more.
func drawExpr(t *rapid.T, fields []filterql.Field, depth int) filterql.Expr {
	kind := "comparison"
	if depth > 0 {
		kind = rapid.SampledFrom([]string{"comparison", "comparison", "not", "and", "or"}).Draw(t, "node")
	}
	switch kind {
	case "not":
		return &filterql.Not{X: drawExpr(t, fields, depth-1)}
	case "and", "or":
		var terms []filterql.Expr
		for range rapid.IntRange(2, 4).Draw(t, "terms") {
			term := drawExpr(t, fields, depth-1)
			switch inner := term.(type) {
			case *filterql.And:
				if kind == "and" {
					terms = append(terms, inner.Terms...)
					continue
				}
			case *filterql.Or:
				if kind == "or" {
					terms = append(terms, inner.Terms...)
					continue
				}
			}
			terms = append(terms, term)
		}
		if kind == "and" {
			return &filterql.And{Terms: terms}
		}
		return &filterql.Or{Terms: terms}
	}
	return drawComparison(t, rapid.SampledFrom(fields).Draw(t, "field"))
}

func drawComparison(t *rapid.T, f filterql.Field) filterql.Expr {
	var ops []filterql.Op
	for op := filterql.Eq; op <= filterql.Pr; op++ {
		if f.Ops.Has(op) {
			ops = append(ops, op)
		}
	}
	c := &filterql.Comparison{Field: filterql.Name{Text: f.Name}, Op: rapid.SampledFrom(ops).Draw(t, "op")}
	n := 1
	switch c.Op {
	case filterql.Pr, filterql.IsNull:
		n = 0
	case filterql.In, filterql.Ca:
		n = rapid.IntRange(1, 4).Draw(t, "values")
	}
	for range n {
		c.Values = append(c.Values, drawLiteral(t, f))
	}
	return c
}

func drawLiteral(t *rapid.T, f filterql.Field) filterql.Value {
	quoted := rapid.Bool().Draw(t, "quoted")
	v := filterql.Value{}
	switch f.Type {
	case filterql.Number:
		v.Kind, v.Text = filterql.NumberValue, rapid.SampledFrom(slices.Concat(oddNumbers, oddZeros)).Draw(t, "number")
	case filterql.Boolean:
		v.Kind, v.Text = filterql.BooleanValue, strconv.FormatBool(rapid.Bool().Draw(t, "boolean"))
	case filterql.Time:
		v.Kind, v.Text = filterql.TimeValue, rapid.SampledFrom(oddTimes).Draw(t, "time")
		if len(v.Text) == len("2018") {
			v.Kind = filterql.NumberValue
		}
	case filterql.ID:
		if f.Prefix != nil && rapid.Bool().Draw(t, "prefix") {
			id := rapid.SampledFrom(oddIDs).Draw(t, "id")
			return filterql.Value{Text: id[:min(len(id), rapid.IntRange(0, 36).Draw(t, "length"))]}
		}
		return filterql.Value{Text: rapid.SampledFrom(oddIDs).Draw(t, "id")}
	default:
		return filterql.Value{Text: rapid.SampledFrom(oddStrings).Draw(t, "string")}
	}
	if quoted {
		v.Kind = filterql.StringValue
	}
	return v
}

// drawColumns draws a few columns.
func drawColumns(t *rapid.T) []column {
	columns := make([]column, rapid.IntRange(2, 6).Draw(t, "columns"))
	for i := range columns {
		columns[i] = drawColumn(t, fmt.Sprintf("f%d", i))
	}
	return columns
}

func fieldsOf(columns []column) []filterql.Field {
	fields := make([]filterql.Field, len(columns))
	for i, c := range columns {
		fields[i] = c.field
	}
	return fields
}

func mustSchema(t rapid.TB, fields ...filterql.Field) *filterql.Schema {
	t.Helper()
	schema, err := filterql.NewSchema(fields...)
	if err != nil {
		t.Fatal(err)
	}
	return schema
}
