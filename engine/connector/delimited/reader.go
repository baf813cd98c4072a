package delimited

import (
	"bufio"
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"
)

// The limits of a text.
const (
	RecordSizeMax = 16 << 20 // bytes of one row
	ColumnsMax    = 1600     // the limit of a PostgreSQL table
)

// Options describe the notation of a text. The zero Options mean a comma and a header row.
type Options struct {
	// Delimiter separates the columns. Defaults to a comma.
	Delimiter rune
	// Columns are the names of the columns of a text without a header row. If it is empty, the first row is the header.
	Columns []string
	// Comment begins a line that is no row. 0 for no such lines.
	Comment rune
	// SkipEmpty leaves out rows whose values are all empty.
	SkipEmpty bool
}

// ErrTruncated says that a text ends within a row: it was cut off, or is still being written. What was read of it is
// not all, so nothing can be said about what it does not have.
var ErrTruncated = errors.New("the text ends within this row: it may be cut off, so nothing of it was used")

// Row is one row of the text. Values has an element for each column, and is valid until the next row is read.
type Row struct {
	Line   int
	Values []string
}

// RowError says why a row is unreadable. Row.Values has its readable part, if any. Reading can go on.
type RowError struct {
	Line int
	Msg  string
	Row  Row
}

func (e *RowError) Error() string { return fmt.Sprintf("line %d: %s", e.Line, e.Msg) }

// Reader reads rows. Only one goroutine may use it.
type Reader struct {
	csv       *csv.Reader
	budget    *budgetReader
	buffered  *bufio.Reader
	columns   []string
	known     map[string]bool // names of columns that do not come from the text
	skipEmpty bool
	line      int // first line of the last row
}

// NewReader reads the header of a text and returns a reader of its rows.
func NewReader(r io.Reader, options Options) (*Reader, error) {
	budget := &budgetReader{r: r, left: RecordSizeMax}
	buffered := bufio.NewReaderSize(budget, 64<<10)
	if err := skipByteOrderMark(buffered); err != nil {
		return nil, err
	}
	reader := &Reader{csv: csv.NewReader(buffered), budget: budget, buffered: buffered, columns: options.Columns,
		known: map[string]bool{}, skipEmpty: options.SkipEmpty}
	for _, name := range options.Columns {
		reader.known[name] = true
	}
	reader.csv.ReuseRecord, reader.csv.Comment = true, options.Comment
	if options.Delimiter != 0 {
		reader.csv.Comma = options.Delimiter
	}
	if len(reader.columns) > 0 {
		reader.csv.FieldsPerRecord = len(reader.columns)
		return reader, nil
	}
	return reader, reader.readHeader()
}

// skipByteOrderMark skips the mark of UTF-8 and refuses the marks of other encodings.
func skipByteOrderMark(r *bufio.Reader) error {
	start, err := r.Peek(3)
	if err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	switch {
	case bytes.HasPrefix(start, []byte("\xEF\xBB\xBF")):
		_, err := r.Discard(3)
		return err
	case bytes.HasPrefix(start, []byte("\xFF\xFE")), bytes.HasPrefix(start, []byte("\xFE\xFF")):
		return errors.New("the text is in UTF-16: save it as UTF-8")
	}
	return nil
}

func (r *Reader) readHeader() error {
	header, err := r.csv.Read()
	if errors.Is(err, io.EOF) {
		return errors.New("the text is empty: a header row that names the columns is expected")
	}
	if err != nil {
		return fmt.Errorf("the header row: %w", plain(err))
	}
	if len(header) > ColumnsMax {
		return fmt.Errorf("the header row names %d columns: %d are the most", len(header), ColumnsMax)
	}
	seen := map[string]int{}
	for i, name := range header {
		name = strings.TrimSpace(name)
		switch first, twice := seen[name]; {
		case name == "":
			return fmt.Errorf("the header row leaves column %d without a name", i+1)
		case !utf8.ValidString(name) || strings.ContainsRune(name, 0):
			return fmt.Errorf("the name of column %d is not UTF-8 text", i+1)
		case twice:
			return fmt.Errorf("the header row names the columns %d and %d alike", first, i+1)
		}
		seen[name] = i + 1
		r.columns = append(r.columns, strings.Clone(name))
	}
	return nil
}

// Columns returns the names of the columns. Do not change them.
func (r *Reader) Columns() []string { return r.columns }

// label names a column in a message. A header row may be no header but somebody's values, so it names a column by its
// position, unless the name comes from the configuration.
func (r *Reader) label(i int) string {
	if r.known[r.columns[i]] {
		return fmt.Sprintf("column %q", r.columns[i])
	}
	return fmt.Sprintf("column %d", i+1)
}

// Next returns the next row. The error is [io.EOF] after the last row, and a [*RowError] for an unreadable row; after
// any other error, such as [ErrTruncated], reading cannot go on.
func (r *Reader) Next() (Row, error) {
	for {
		row, err := r.next()
		if err != nil || !r.skipEmpty || strings.Join(row.Values, "") != "" {
			return row, err
		}
	}
}

func (r *Reader) next() (Row, error) {
	r.budget.left = RecordSizeMax
	values, err := r.csv.Read()
	var parse *csv.ParseError
	switch {
	case err == nil:
		r.line, _ = r.csv.FieldPos(0)
		row := Row{Line: r.line, Values: values}
		return row, r.checkText(row)
	case errors.Is(err, csv.ErrFieldCount):
		line, _ := r.csv.FieldPos(0)
		if len(values) < len(r.columns) && r.atEnd() && r.budget.last != '\n' {
			return Row{}, fmt.Errorf("line %d: it has %d values where there are %d columns, and no line break: %w",
				line, len(values), len(r.columns), ErrTruncated)
		}
		return Row{}, &RowError{Line: line, Msg: fmt.Sprintf("it has %d values where there are %d columns",
			len(values), len(r.columns))}
	case errors.Is(err, csv.ErrQuote) && errors.As(err, &parse) && r.atEnd():
		return Row{}, fmt.Errorf("line %d: %w: %w", parse.StartLine, plain(err), ErrTruncated)
	case errors.As(err, &parse):
		return Row{}, &RowError{Line: parse.StartLine, Msg: plain(err).Error()}
	case errors.Is(err, errRecordTooLong):
		return Row{}, fmt.Errorf("after line %d: a row is longer than %d MiB, or a quote is not closed", r.line,
			RecordSizeMax>>20)
	}
	return Row{}, err
}

// atEnd reports whether the whole text was read.
func (r *Reader) atEnd() bool {
	r.budget.left = RecordSizeMax
	_, err := r.buffered.Peek(1)
	return err == io.EOF // an error around it is a text that could not be read to its end
}

// checkText refuses values that PostgreSQL cannot store as text.
func (r *Reader) checkText(row Row) error {
	for i, value := range row.Values {
		if what := noText(value); what != "" {
			return &RowError{Line: row.Line, Msg: fmt.Sprintf("the value of %s %s", r.label(i), what), Row: row}
		}
	}
	return nil
}

// noText says why a value is no text that PostgreSQL can store, "" if it is one.
func noText(value string) string {
	switch {
	case !utf8.ValidString(value):
		return "is not UTF-8 text"
	case strings.IndexByte(value, 0) >= 0:
		return "has a NUL character in it"
	}
	return ""
}

// plain returns an error of encoding/csv in plain words.
func plain(err error) error {
	switch {
	case errors.Is(err, csv.ErrQuote):
		return errors.New("a quoted value is not closed, or goes on behind its closing quote " +
			`(a quote inside one is written "")`)
	case errors.Is(err, csv.ErrBareQuote):
		return errors.New(`a quote stands inside a value that is not quoted`)
	}
	return err
}

var errRecordTooLong = errors.New("row too long")

// budgetReader limits the bytes of one row, so that an unclosed quote does not read the whole text into memory.
type budgetReader struct {
	r    io.Reader
	left int
	last byte // that was read
}

func (b *budgetReader) Read(p []byte) (int, error) {
	if b.left <= 0 {
		return 0, errRecordTooLong
	}
	if len(p) > b.left {
		p = p[:b.left]
	}
	n, err := b.r.Read(p)
	b.left -= n
	if n > 0 {
		b.last = p[n-1]
	}
	return n, err
}
