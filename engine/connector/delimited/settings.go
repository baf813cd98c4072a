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
	return s, nil
}

// options returns the options for the text of a schema.
func (s *Settings) options(schema *connector.Schema) (Options, error) {
	delimiter, err := ParseDelimiter(s.Delimiter)
	options := Options{Delimiter: delimiter}
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
