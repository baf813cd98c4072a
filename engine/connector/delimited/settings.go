package delimited

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
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
	// CommentCharacter begins rows that are left out. "" for none.
	CommentCharacter string `json:"commentCharacter"`
	// NumLinesToSkip is how many rows are left out behind the header, or at the beginning if there is none.
	NumLinesToSkip Count `json:"numLinesToSkip"`
	// FilterEmptyRecords leaves out rows that have no value in any column.
	FilterEmptyRecords *Flag `json:"filterEmptyRecords"`
	// MultiValueSeparator separates the values of a multi-valued attribute. Defaults to a semicolon.
	MultiValueSeparator string `json:"multiValueSeparator"`
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

// Count is a whole number from 0 on that may also be a text, as in exports.
type Count int

// UnmarshalJSON reads 1, 1.0 and "1".
func (c *Count) UnmarshalJSON(text []byte) error {
	number := strings.TrimSuffix(string(bytes.Trim(text, `"`)), ".0")
	if number == "" || number == "null" {
		return nil
	}
	n, err := strconv.ParseUint(number, 10, 31)
	*c = Count(n)
	if err != nil {
		return errors.New("a whole number from 0 on is expected")
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
		return s, fmt.Errorf("commentCharacter: %w", err)
	}
	return s, nil
}

// options returns the options for the text of a schema.
func (s *Settings) options(schema *connector.Schema) (Options, error) {
	delimiter, err := ParseDelimiter(s.Delimiter)
	if err != nil {
		return Options{}, err
	}
	comment, err := s.comment()
	options := Options{Delimiter: delimiter, Comment: comment, Skip: int(s.NumLinesToSkip),
		SkipEmpty: s.FilterEmptyRecords != nil && bool(*s.FilterEmptyRecords)}
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

// comment returns the character that begins rows which are left out, or 0.
func (s *Settings) comment() (rune, error) {
	if s.CommentCharacter == "" {
		return 0, nil
	}
	comment, err := ParseDelimiter(s.CommentCharacter)
	if err != nil || len([]rune(s.CommentCharacter)) != 1 {
		return 0, fmt.Errorf("one character is expected that is no quote and no line break, such as #")
	}
	if delimiter, err := ParseDelimiter(s.Delimiter); err == nil && delimiter == comment {
		return 0, errors.New("it is the delimiter too: give another character")
	}
	return comment, nil
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
	case "tab", `\t`, `\u0009`:
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
