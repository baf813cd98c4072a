package filterql

import (
	"encoding"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"math"
	"strconv"
	"strings"
	"time"

	sq "github.com/Masterminds/squirrel"
)

// CursorMax is the most bytes of a cursor.
const CursorMax = 64 << 10

// ErrCursorTooLong says that a row has no cursor because the values that sort it are too long.
var ErrCursorTooLong = fmt.Errorf("a cursor would have more than %d bytes, because the values that are sorted by are "+
	"too long", CursorMax)

// Cursor is the place behind a row in an ordering. It stays valid when rows come, go or change. Make it from the values
// of a row that the previous statement returned.
type Cursor struct {
	bounds []bound // one for each column
}

// bound is a column's value in a cursor.
type bound struct {
	null     bool
	argument any
	cast     string
}

// Columns returns the columns that rows are sorted by. Select them: their values in a row make its cursor.
func (o *Ordering) Columns() []string {
	columns := make([]string, len(o.orders))
	for i, order := range o.orders {
		columns[i] = order.Field.sortColumn()
	}
	return columns
}

// sealed is a cursor on its way, as JSON in base64url. The check sum detects a damaged cursor. It is not a signature: a
// cursor's values are arguments of a comparison, so a forged one selects nothing that a filter could not.
type sealed struct {
	Order  string    `json:"order"`
	Values []*string `json:"values"`
	Sum    uint32    `json:"sum"`
}

func (s sealed) sum() uint32 {
	hash := crc32.NewIEEE()
	write := func(text string) { fmt.Fprintf(hash, "%d:%s", len(text), text) }
	write(s.Order)
	for _, value := range s.Values {
		if value == nil {
			fmt.Fprint(hash, "null")
			continue
		}
		write(*value)
	}
	return hash.Sum32()
}

// Cursor returns the text of the cursor behind a row. The values are those of [Ordering.Columns], as a driver scans
// them into an any. The text does not hide them. If they are too long, the error is [ErrCursorTooLong].
func (o *Ordering) Cursor(values []any) (string, error) {
	if len(values) != len(o.orders) {
		return "", fmt.Errorf("a cursor in the order %s takes %d values, %d are given", o, len(o.orders), len(values))
	}
	s := sealed{Order: o.String(), Values: make([]*string, len(values))}
	for i, value := range values {
		text, err := o.orders[i].Field.cursorText(value)
		if err != nil {
			return "", fmt.Errorf("cursor: field %s: %w", o.orders[i].Field.Name, err)
		}
		s.Values[i] = text
	}
	s.Sum = s.sum()
	encoded, err := json.Marshal(s)
	if err != nil {
		return "", fmt.Errorf("cursor: %w", err)
	}
	text := base64.RawURLEncoding.EncodeToString(encoded)
	if len(text) > CursorMax {
		return "", ErrCursorTooLong
	}
	return text, nil
}

// cursorText returns a scanned value as a text, or nil for null.
func (f *Field) cursorText(value any) (*string, error) {
	text, null, err := scannedText(value)
	if err != nil {
		return nil, err
	}
	if null {
		if f.NotNull {
			return nil, errors.New("it is null, which it must not be")
		}
		return nil, nil
	}
	if _, ok := f.bound(text); !ok {
		return nil, fmt.Errorf("a %T is no %s", value, f.Type)
	}
	return &text, nil
}

// scannedText returns a value as a text.
func scannedText(value any) (text string, null bool, err error) {
	switch v := value.(type) {
	case nil:
		return "", true, nil
	case string:
		return v, false, nil
	case [16]byte: // pgx scans a uuid so
		return fmt.Sprintf("%x-%x-%x-%x-%x", v[:4], v[4:6], v[6:8], v[8:10], v[10:]), false, nil
	case bool:
		return strconv.FormatBool(v), false, nil
	case time.Time:
		return v.UTC().Format(time.RFC3339Nano), false, nil
	case float32:
		return strconv.FormatFloat(float64(v), 'g', -1, 64), false, nil
	case float64:
		return strconv.FormatFloat(v, 'g', -1, 64), false, nil
	case json.Marshaler, encoding.TextMarshaler, json.Number, int, int16, int32, int64:
		return marshaledText(v)
	default:
		return "", false, fmt.Errorf("a %T cannot be sorted by", value)
	}
}

// marshaledText returns a value, such as a driver's numeric, as its text in JSON.
func marshaledText(value any) (text string, null bool, err error) {
	encoded, err := json.Marshal(value)
	if err != nil {
		return "", false, err
	}
	text = string(encoded)
	if encoded[0] == '"' {
		err = json.Unmarshal(encoded, &text)
		return text, false, err
	}
	return text, text == "null", nil
}

// bound reads the text of a value, as cursorText writes it.
func (f *Field) bound(text string) (b bound, ok bool) {
	switch f.Type {
	case Number:
		return numberBound(text)
	case Boolean:
		b.argument, ok = parseBoolean(text)
	case Time:
		at, err := time.Parse(time.RFC3339Nano, text)
		b.argument, ok = at, err == nil
	default:
		b.argument, ok = text, !strings.ContainsRune(text, 0)
	}
	return b, ok
}

func numberBound(text string) (bound, bool) {
	if n, err := strconv.ParseInt(text, 10, 64); err == nil {
		return bound{argument: n, cast: "::bigint"}, true
	}
	value, err := strconv.ParseFloat(text, 64)
	if err != nil {
		return bound{}, false
	}
	switch {
	case math.IsNaN(value):
		text = "NaN"
	case math.IsInf(value, 1):
		text = "Infinity"
	case math.IsInf(value, -1):
		text = "-Infinity"
	case !isNumber(text), value == 0 && !isZero(text):
		return bound{}, false
	case value == 0:
		text = "0"
	}
	return bound{argument: text, cast: "::numeric"}, true
}

// ParseCursor reads the text of a cursor. A cursor of another order, or one that was changed on the way, is an
// [*Error].
func (o *Ordering) ParseCursor(text string) (*Cursor, error) {
	if len(text) > CursorMax {
		return nil, fault(Limit, text, CursorMax, len(text), "the cursor has %d bytes, %d are allowed",
			len(text), CursorMax)
	}
	broken := fault(Syntax, text, 0, len(text), "the text is no cursor, or was changed").
		hint("give the cursor as it came with the page before")
	decoded, err := base64.RawURLEncoding.Strict().DecodeString(text)
	if err != nil {
		return nil, broken
	}
	var s sealed
	if json.Unmarshal(decoded, &s) != nil || s.Sum != s.sum() {
		return nil, broken
	}
	if s.Order != o.String() {
		return nil, fault(Illegal, text, 0, len(text), "the cursor belongs to the order %s, and not to %s",
			Quoted(s.Order), Quoted(o.String())).
			hint("give the sorters of the page that it came with, or begin without a cursor")
	}
	if len(s.Values) != len(o.orders) {
		return nil, broken
	}
	c := &Cursor{bounds: make([]bound, len(s.Values))}
	for i, value := range s.Values {
		f := &o.orders[i].Field
		if value == nil {
			if f.NotNull {
				return nil, broken
			}
			c.bounds[i].null = true
			continue
		}
		b, ok := f.bound(*value)
		if !ok {
			return nil, broken
		}
		c.bounds[i] = b
	}
	return c, nil
}

// After returns the condition for the rows behind the cursor, for squirrel. If no column can be null and all have the
// same direction, it is a row comparison, which an index over the columns serves. Otherwise, if the first column cannot
// be null, it also gets a bound of its own, so that an index finds the place.
func (o *Ordering) After(c *Cursor) sq.Sqlizer { return after{o.orders, c.bounds} }

type after struct {
	orders []Order
	bounds []bound
}

// ToSql implements [sq.Sqlizer].
func (a after) ToSql() (string, []any, error) {
	if len(a.orders) != len(a.bounds) {
		return "", nil, errors.New("filterql: the cursor is of another ordering")
	}
	w := &writer{arguments: make([]any, 0, 2*len(a.bounds)+1)}
	if a.uniform() {
		a.appendRow(w)
		return w.text.String(), w.arguments, nil
	}
	if first := a.orders[0]; first.Field.NotNull {
		w.put(first.Field.sortColumn(), first.behind(), "= ")
		a.appendBound(w, 0)
		w.put(" AND ")
	}
	a.appendFrom(w, 0)
	return w.text.String(), w.arguments, nil
}

// uniform reports whether no column can be null and all have the same direction.
func (a after) uniform() bool {
	for _, order := range a.orders {
		if !order.Field.NotNull || order.Descending != a.orders[0].Descending {
			return false
		}
	}
	return true
}

// behind returns the operator that selects the values behind one.
func (o Order) behind() string {
	if o.Descending {
		return " <"
	}
	return " >"
}

func (a after) appendBound(w *writer, i int) { w.argument(a.bounds[i].argument, a.bounds[i].cast) }

func (a after) appendRow(w *writer) {
	w.put("(")
	for i := range a.orders {
		if i > 0 {
			w.put(", ")
		}
		w.put(a.orders[i].Field.sortColumn())
	}
	w.put(")", a.orders[0].behind(), " (")
	for i := range a.bounds {
		if i > 0 {
			w.put(", ")
		}
		a.appendBound(w, i)
	}
	w.put(")")
}

// appendFrom writes the comparison from column i on, for rows that are equal in the columns before it: a row is behind
// the cursor if this column is, or if this column is equal and the next ones are behind. Nulls are last, so no value is
// behind null.
func (a after) appendFrom(w *writer, i int) {
	order := &a.orders[i]
	column := order.Field.sortColumn()
	last := i == len(a.orders)-1
	w.put("(")
	if a.bounds[i].null {
		w.put(column, " IS NULL AND ")
		a.appendFrom(w, i+1) // the last column is never null
		w.put(")")
		return
	}
	w.put(column, order.behind(), " ")
	a.appendBound(w, i)
	if !order.Field.NotNull {
		w.put(" OR ", column, " IS NULL")
	}
	if !last {
		w.put(" OR (", column, " = ")
		a.appendBound(w, i)
		w.put(" AND ")
		a.appendFrom(w, i+1)
		w.put(")")
	}
	w.put(")")
}
