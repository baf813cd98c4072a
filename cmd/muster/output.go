package main

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"unicode"

	"github.com/rivo/uniseg"
	"github.com/spf13/cobra"
	"go.yaml.in/yaml/v3"
)

// The forms of output.
const (
	outputTable = "table"
	outputJSON  = "json"
	outputCSV   = "csv"
	outputYAML  = "yaml"
)

// listOutputs are the forms of every command that lists.
var listOutputs = []string{outputTable, outputJSON, outputCSV, outputYAML}

// listOutput adds the flag for the form to a command that lists.
func listOutput(cmd *cobra.Command, output *string) {
	cmd.Flags().StringVarP(output, "output", "o", outputTable, orList(listOutputs))
	completeFlag(cmd, "output", words(listOutputs...))
}

// demandListOutput refuses a form that is unknown, before anything is read.
func demandListOutput(output string) error { return demandOutput(output, listOutputs...) }

func demandOutput(output string, allowed ...string) error {
	for _, form := range allowed {
		if output == form {
			return nil
		}
	}
	return usage("--output: %q is unknown: %s is expected", output, orList(allowed))
}

func orList(words []string) string {
	text := ""
	for i, word := range words {
		switch {
		case i == 0:
		case i == len(words)-1:
			text += " or "
		default:
			text += ", "
		}
		text += word
	}
	return text
}

// showRows writes a list: the value as JSON or YAML, or else the rows, the first of which has the headings.
func (a *app) showRows(output string, value any, rows [][]string) error {
	switch output {
	case outputJSON, outputYAML:
		return a.printValue(value, output)
	case outputCSV:
		for i, heading := range rows[0] {
			if heading == strings.ToUpper(heading) {
				rows[0][i] = strings.ToLower(heading)
			}
		}
		return writeCSV(a.stdout, rows)
	}
	return writeAligned(a.stdout, rows)
}

// structured reports whether a form has values instead of rows.
func structured(output string) bool { return output == outputJSON || output == outputYAML }

// printValue writes a value as JSON or YAML.
func (a *app) printValue(value any, output string) error { return writeValue(a.stdout, value, output) }

func writeValue(w io.Writer, value any, output string) error {
	if output == outputYAML {
		return writeYAML(w, value)
	}
	return writeJSON(w, value)
}

func (a *app) printJSON(value any) error { return writeJSON(a.stdout, value) }

func writeJSON(w io.Writer, value any) error {
	encoder := json.NewEncoder(w)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	return encoder.Encode(value)
}

// writeYAML writes a value as YAML, with the members and the numbers that its JSON has.
func writeYAML(w io.Writer, value any) error {
	text, err := json.Marshal(value)
	if err != nil {
		return err
	}
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	var decoded any
	if err := decoder.Decode(&decoded); err != nil {
		return err
	}
	encoder := yaml.NewEncoder(w)
	encoder.SetIndent(2)
	if err := encoder.Encode(yamlNode(decoded)); err != nil {
		return err
	}
	return encoder.Close()
}

func writeCSV(w io.Writer, rows [][]string) error {
	out := csv.NewWriter(w)
	if err := out.WriteAll(rows); err != nil {
		return err
	}
	return out.Error()
}

// writeAligned writes rows in aligned columns. It measures text as a terminal does: in some scripts a character takes
// two places, or several characters take one. Characters that cannot be seen are written as escapes.
func writeAligned(w io.Writer, rows [][]string) error {
	widths := make([]int, len(rows[0]))
	shown := make([][]string, len(rows))
	for k, row := range rows {
		shown[k] = make([]string, len(row))
		for i, value := range row {
			shown[k][i] = oneLine(value)
			widths[i] = max(widths[i], uniseg.StringWidth(shown[k][i]))
		}
	}
	var b strings.Builder
	for _, row := range shown {
		for i, value := range row {
			b.WriteString(value)
			if i < len(row)-1 {
				b.WriteString(strings.Repeat(" ", widths[i]-uniseg.StringWidth(value)+2))
			}
		}
		b.WriteByte('\n')
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// oneLine keeps a value from breaking a table. Control characters could steer a terminal, and bidirectional marks could
// make a text read as another one: each is written as an escape that can be seen, such as \n, \x1b or \u202e.
func oneLine(s string) string {
	if !strings.ContainsFunc(s, unseen) {
		return s
	}
	var b strings.Builder
	for _, r := range s {
		switch {
		case !unseen(r):
			b.WriteRune(r)
		case r == '\n':
			b.WriteString(`\n`)
		case r == '\r':
			b.WriteString(`\r`)
		case r == '\t':
			b.WriteString(`\t`)
		case r < 0x100:
			fmt.Fprintf(&b, `\x%02x`, r)
		case r < 0x10000:
			fmt.Fprintf(&b, `\u%04x`, r)
		default:
			fmt.Fprintf(&b, `\U%08x`, r)
		}
	}
	return b.String()
}

// The characters that join others belong to the spelling of some scripts and to emoji.
const zeroWidthNonJoiner, zeroWidthJoiner = '\u200c', '\u200d'

// unseen reports whether a character is a control, a mark that changes the direction or is invisible, or the end of a
// line or paragraph.
func unseen(r rune) bool {
	switch r {
	case zeroWidthJoiner, zeroWidthNonJoiner:
		return false
	}
	return unicode.In(r, unicode.Cc, unicode.Cf, unicode.Zl, unicode.Zp)
}
