// Package transformcases reads and runs files of transform cases. Each line is a JSON object with a transform, and with
// inputs and the wanted results:
//
//	{"transform": {"type": "lower"}, "cases": [{"input": "ABC", "output": "abc"}]}
//
// A case can have the input, the attributes of the identity, accounts by source (an object of attributes, or a list of
// such objects; IIQDisabled, IIQLocked and entitlements may be true), now, the time zone, and the values of saved
// transforms as references.
//
// It wants one of three results. With output, the value must be equal. With sample_output, it must have the same length
// and kinds of characters. With candidates_in_order, usernameGenerator must try these names; "..." stands for any
// number of names. If a case has output_corrected, it replaces output.
//
// The transform may be inside a field of an account policy or a mapping of an identity profile. A line without cases is
// only compiled.
package transformcases

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/muster-engine/muster/engine/attribute"
	"github.com/muster-engine/muster/engine/transform"
)

// lineMax is the most bytes of a line.
const lineMax = 1 << 20

// Line is one line of a file.
type Line struct {
	Number    int             `json:"-"`
	Source    string          `json:"source"`
	Section   string          `json:"section"`
	Kind      string          `json:"kind"`
	Transform json.RawMessage `json:"transform"`
	Cases     []Case          `json:"cases"`
	Note      string          `json:"note"`
}

// Case is an input of a transform and the wanted result.
type Case struct {
	Input           json.RawMessage            `json:"input"`
	Identity        attribute.Set              `json:"identity"`
	Accounts        map[string]json.RawMessage `json:"accounts"`
	Now             string                     `json:"now"`
	Instant         string                     `json:"instant"`
	Zone            string                     `json:"zone"`
	References      map[string]json.RawMessage `json:"references"`
	Output          json.RawMessage            `json:"output"`
	OutputCorrected json.RawMessage            `json:"output_corrected"`
	SampleOutput    json.RawMessage            `json:"sample_output"`
	Candidates      []string                   `json:"candidates_in_order"`
}

// Settings are the inputs of a run besides the file, such as a clock and a random source.
type Settings struct {
	Now      time.Time      // for cases without one
	Location *time.Location // for cases without a zone; nil means UTC
	Random   io.Reader
}

// Result is the outcome of one case, or of compiling the transform of a line without cases.
type Result struct {
	Line *Line
	Case int   // from 0; -1 if the line has no cases
	Err  error // nil if it passed
}

// Run runs all cases of a file and reports each. It returns an error only if it cannot read the file.
func Run(file io.Reader, s Settings, report func(Result)) error {
	lines := bufio.NewScanner(file)
	lines.Buffer(nil, lineMax)
	for number := 1; lines.Scan(); number++ {
		text := bytes.TrimSpace(lines.Bytes())
		if len(text) == 0 {
			continue
		}
		line := &Line{Number: number}
		if err := json.Unmarshal(text, line); err != nil {
			return fmt.Errorf("line %d: a JSON object with transform and cases is expected: %w", number, err)
		}
		if len(line.Transform) == 0 {
			return fmt.Errorf("line %d: it has no transform", number)
		}
		if len(line.Cases) == 0 {
			_, err := Compile(line.Transform, nil)
			report(Result{line, -1, err})
		}
		for i := range line.Cases {
			report(Result{line, i, line.run(&line.Cases[i], s)})
		}
	}
	if errors.Is(lines.Err(), bufio.ErrTooLong) {
		return fmt.Errorf("a line has more than %d bytes", lineMax)
	}
	return lines.Err()
}

// Compile compiles a transform, also one in a field of an account policy or in a mapping of an identity profile.
func Compile(document []byte, library transform.Library) (*transform.Transform, error) {
	var around struct {
		Transform  json.RawMessage `json:"transform"`
		Definition json.RawMessage `json:"transformDefinition"`
	}
	// A text that is not an object fails below, with a better message.
	if err := json.Unmarshal(document, &around); err != nil {
		return transform.Compile(document, library)
	}
	switch {
	case around.Transform != nil:
		field, err := transform.CompileField(document, library)
		if err != nil {
			return nil, err
		}
		if field.Transform == nil {
			return nil, errors.New("the field has no transform")
		}
		return field.Transform, nil
	case around.Definition != nil:
		compiled, err := transform.Compile(around.Definition, library)
		var broken *transform.CompileError
		if errors.As(err, &broken) {
			for i := range broken.Faults {
				fault := &broken.Faults[i]
				fault.Path = strings.TrimSuffix("transformDefinition."+fault.Path, ".")
			}
		}
		return compiled, err
	}
	return transform.Compile(document, library)
}

// library has the saved transforms of a case. Each returns a fixed value.
type library map[string]json.RawMessage

// Transform implements [transform.Library].
func (l library) Transform(name string) ([]byte, bool) {
	value, ok := l[name]
	if !ok {
		return nil, false
	}
	return []byte(`{"type": "firstValid", "attributes": {"values": [` + string(value) + `]}}`), true
}

// Rule implements [transform.Library].
func (library) Rule(string) (transform.Rule, bool) { return nil, false }

func (l *Line) run(c *Case, s Settings) error {
	var lib transform.Library
	if c.References != nil {
		lib = library(c.References)
	}
	compiled, err := Compile(l.Transform, lib)
	if err != nil {
		return err
	}
	in, err := c.input(s)
	if err != nil {
		return err
	}
	if c.Candidates != nil {
		return c.candidates(compiled, in)
	}
	got, err := compiled.Evaluate(in)
	if err != nil {
		return err
	}
	return c.check(got)
}

func (c *Case) input(s Settings) (*transform.Input, error) {
	in := &transform.Input{
		Now: s.Now, Location: s.Location, Random: s.Random, Identity: transform.Identity{Attributes: &c.Identity},
	}
	for _, text := range []string{c.Now, c.Instant} {
		if text == "" {
			continue
		}
		now, err := ParseTime(text)
		if err != nil {
			return nil, err
		}
		in.Now = now
	}
	if c.Instant != "" {
		in.Value = attribute.String(in.Now.Format("2006-01-02T15:04:05.000Z07:00"))
	}
	if c.Zone != "" {
		location, err := time.LoadLocation(c.Zone)
		if err != nil {
			return nil, fmt.Errorf("zone: %w", err)
		}
		in.Location = location
	}
	if len(c.Input) > 0 {
		if err := json.Unmarshal(c.Input, &in.Value); err != nil {
			return nil, fmt.Errorf("input: %w", err)
		}
	}
	accounts, err := Accounts(c.Accounts)
	in.Accounts = accounts
	return in, err
}

// ParseTime reads a time in RFC 3339, or a date.
func ParseTime(text string) (time.Time, error) {
	t, err := time.Parse(time.RFC3339Nano, text)
	if err != nil {
		t, err = time.Parse(time.DateOnly, text)
	}
	if err != nil {
		return t, errors.New("a time is expected, such as 2026-03-01T08:00:00Z or 2026-03-01")
	}
	return t, nil
}

// Accounts makes accounts from their attributes. The map has an object of attributes, or a list of objects, for each
// source. The first account of a source is the oldest.
func Accounts(bySource map[string]json.RawMessage) ([]transform.Account, error) {
	var accounts []transform.Account
	for source, document := range bySource {
		var several []attribute.Set
		if bytes.HasPrefix(bytes.TrimSpace(document), []byte("[")) {
			if err := json.Unmarshal(document, &several); err != nil {
				return nil, fmt.Errorf("accounts of %s: %w", source, err)
			}
		} else {
			several = make([]attribute.Set, 1)
			if err := json.Unmarshal(document, &several[0]); err != nil {
				return nil, fmt.Errorf("accounts of %s: %w", source, err)
			}
		}
		for i := range several {
			set := &several[i]
			account := transform.Account{
				SourceName: source, SourceID: source, Attributes: set, NativeIdentity: set.Get("nativeIdentity").Text(),
				Name: set.Get("displayName").Text(), Created: time.Unix(int64(i), 0),
				Disabled: set.Get("IIQDisabled").Text() == "true", Locked: set.Get("IIQLocked").Text() == "true",
				Entitlements: set.Get("entitlements").Text() == "true",
			}
			if created := set.Get("created").Text(); created != "" {
				t, err := ParseTime(created)
				if err != nil {
					return nil, fmt.Errorf("accounts of %s: created: %w", source, err)
				}
				account.Created = t
			}
			accounts = append(accounts, account)
		}
	}
	slices.SortStableFunc(accounts, func(a, b transform.Account) int {
		return strings.Compare(a.SourceName, b.SourceName)
	})
	return accounts, nil
}

// check compares a value with the wanted one.
func (c *Case) check(got attribute.Value) error {
	want, sample := c.Output, false
	switch {
	case c.OutputCorrected != nil:
		want = c.OutputCorrected
	case want == nil && c.SampleOutput != nil:
		want, sample = c.SampleOutput, true
	case want == nil:
		return errors.New("the case has no output")
	}
	var value attribute.Value
	if err := json.Unmarshal(want, &value); err != nil {
		return fmt.Errorf("output: %w", err)
	}
	if value.Equal(got) || sample && alike(value.Text(), got.Text()) {
		return nil
	}
	return fmt.Errorf("it gives %s, not %s", got.AppendJSON(nil), value.AppendJSON(nil))
}

// alike reports whether two random texts have the same length and consist of the same kinds of characters.
func alike(a, b string) bool {
	kinds := func(s string) (kinds [4]bool) {
		for _, r := range s {
			switch {
			case unicode.IsDigit(r):
				kinds[0] = true
			case unicode.IsLetter(r):
				kinds[1] = true
			case r == '-':
				kinds[2] = true
			default:
				kinds[3] = true
			}
		}
		return kinds
	}
	return utf8.RuneCountInString(a) == utf8.RuneCountInString(b) && kinds(a) == kinds(b)
}

// candidates checks the names that are tried if all are taken.
func (c *Case) candidates(t *transform.Transform, in *transform.Input) error {
	var tried []string
	in.Taken = func(c transform.Candidate) (bool, error) {
		tried = append(tried, c.Name)
		return true, nil
	}
	if _, err := t.Evaluate(in); err == nil {
		return errors.New("a name is found though all are taken")
	}
	at := 0
	for i, want := range c.Candidates {
		if want == "..." {
			if i+1 < len(c.Candidates) {
				at = max(at, slices.Index(tried, c.Candidates[i+1]))
			}
			continue
		}
		if at >= len(tried) || tried[at] != want {
			return fmt.Errorf("the names that are tried are %q, not %q", tried, c.Candidates)
		}
		at++
	}
	if n := len(c.Candidates); n > 0 && c.Candidates[n-1] != "..." && at != len(tried) {
		return fmt.Errorf("%d names are tried: %q", len(tried), tried)
	}
	return nil
}
