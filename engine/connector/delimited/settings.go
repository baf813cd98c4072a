package delimited

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/muster-engine/muster/engine/connector"
)

// Settings are the connectorAttributes of a source with delimited text.
type Settings struct {
	// Delimiter separates the columns: one character, "tab", or "\t". Defaults to a comma.
	Delimiter string `json:"delimiter"`
	// HasHeader says whether the first row has the names of the columns. Defaults to true.
	HasHeader *Flag `json:"hasHeader"`
	// ColumnNames are the names of the columns if there is no header row. Defaults to the attributes of the schema.
	ColumnNames []string `json:"columnNames"`
	// MultiValueSeparator separates the values of a multi-valued attribute. Defaults to a semicolon.
	MultiValueSeparator string `json:"multiValueSeparator"`
	// MergeRows says that an account may have several rows, such as one for each entitlement. They may stand anywhere
	// in the text. IndexColumns identify the account; the default is the column of the native identity. The account has
	// all values of the MergeColumns, which are multi-valued attributes; the default is all of those. Other columns
	// must have one value in all rows of an account, or none in some of them.
	MergeRows    Flag  `json:"mergeRows"`
	IndexColumns Names `json:"indexColumns"`
	MergeColumns Names `json:"mergeColumns"`
	// CommentCharacter begins a line that is no row: one character. "" for no such lines.
	CommentCharacter string `json:"commentCharacter"`
	// FilterEmptyRecords leaves out rows whose values are all empty.
	FilterEmptyRecords Flag `json:"filterEmptyRecords"`
	// StableIdentityColumn is the column of the accounts with what identifies an account whatever its native identity
	// is. "" if there is none.
	StableIdentityColumn string `json:"stableIdentityColumn"`
	// Folder is the folder of the files. File has the accounts, and Groups maps each other schema to its file.
	Folder string            `json:"folder"`
	File   string            `json:"file"`   // defaults to accounts.csv
	Groups map[string]string `json:"groups"` // by the schema's name; defaults to the name and ".csv"
}

// Flag is a boolean that may also be a text, as in exports.
type Flag bool

// UnmarshalJSON reads true, false, "true" and "false".
func (f *Flag) UnmarshalJSON(text []byte) error {
	switch strings.ToLower(string(bytes.Trim(text, `"`))) {
	case "true":
		*f = true
	case "false", "null", "":
		*f = false
	default:
		return fmt.Errorf("%s is no boolean: true or false is expected", text)
	}
	return nil
}

// Names are names of columns: a list, or as in some exports a text with commas or line breaks between them.
type Names []string

// UnmarshalJSON reads a list or a text.
func (n *Names) UnmarshalJSON(text []byte) error {
	var joined string
	if json.Unmarshal(text, &joined) != nil {
		return json.Unmarshal(text, (*[]string)(n))
	}
	*n = nil
	for _, name := range strings.FieldsFunc(joined, func(r rune) bool { return r == ',' || r == '\n' || r == '\r' }) {
		if name = strings.TrimSpace(name); name != "" {
			*n = append(*n, name)
		}
	}
	return nil
}

// ParseSettings reads the settings of a source. It ignores members of other connectors.
func ParseSettings(attributes json.RawMessage) (Settings, error) {
	var s Settings
	if len(attributes) == 0 || string(attributes) == "null" {
		return s, nil
	}
	err := json.Unmarshal(attributes, &s)
	var mismatch *json.UnmarshalTypeError
	if errors.As(err, &mismatch) {
		return s, fmt.Errorf("%s: a %s is given where a %s is expected", mismatch.Field, mismatch.Value,
			mismatch.Type.Kind())
	}
	if err != nil {
		return s, err
	}
	if _, err := ParseDelimiter(s.Delimiter); err != nil {
		return s, fmt.Errorf("delimiter: %w", err)
	}
	if _, err := s.comment(); err != nil {
		return s, err
	}
	return s, nil
}

// comment returns the character that begins a comment, or 0 for none.
func (s *Settings) comment() (rune, error) {
	if s.CommentCharacter == "" {
		return 0, nil
	}
	delimiter, err := ParseDelimiter(s.Delimiter)
	if err != nil {
		return 0, err
	}
	runes := []rune(s.CommentCharacter)
	if len(runes) != 1 || strings.ContainsRune("\"\r\n\uFFFD\x00", runes[0]) || runes[0] == delimiter {
		return 0, fmt.Errorf("commentCharacter: %q is none: one character is expected that is no quote, no line break "+
			"and not the delimiter", s.CommentCharacter)
	}
	return runes[0], nil
}

// options returns the options for the text of a schema.
func (s *Settings) options(schema *connector.Schema) (Options, error) {
	delimiter, err := ParseDelimiter(s.Delimiter)
	options := Options{Delimiter: delimiter, SkipEmpty: bool(s.FilterEmptyRecords)}
	if err == nil {
		options.Comment, err = s.comment()
	}
	if err != nil || s.hasHeader() {
		return options, err
	}
	options.Columns = s.ColumnNames
	if len(options.Columns) == 0 && schema != nil {
		for _, a := range schema.Attributes {
			options.Columns = append(options.Columns, a.Name)
		}
	}
	if len(options.Columns) == 0 {
		return options, errors.New("the source's data has no header row, and neither connectorAttributes.columnNames " +
			"nor an account schema names its columns")
	}
	return options, nil
}

func (s *Settings) hasHeader() bool { return s.HasHeader == nil || bool(*s.HasHeader) }

func (s *Settings) separator() string {
	if s.MultiValueSeparator == "" {
		return ";"
	}
	return s.MultiValueSeparator
}

// ParseDelimiter reads the delimiter of columns: one character, or "tab". The empty text means a comma.
func ParseDelimiter(text string) (rune, error) {
	switch strings.ToLower(text) {
	case "":
		return ',', nil
	case "tab", `\t`:
		return '\t', nil
	case "comma":
		return ',', nil
	case "semicolon":
		return ';', nil
	case "pipe":
		return '|', nil
	}
	runes := []rune(text)
	if len(runes) != 1 || runes[0] == '"' || runes[0] == '\r' || runes[0] == '\n' || runes[0] == '\uFFFD' ||
		runes[0] == 0 {
		return 0, fmt.Errorf("%q is no delimiter: one character other than a quote or a line break, or \"tab\", is "+
			"expected", text)
	}
	return runes[0], nil
}
