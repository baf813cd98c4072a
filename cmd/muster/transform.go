package main

import (
	"bytes"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/muster-engine/muster/engine"
	"github.com/muster-engine/muster/engine/attribute"
	"github.com/muster-engine/muster/engine/transform"
	"github.com/muster-engine/muster/engine/transform/transformcases"
	"github.com/muster-engine/muster/store"
)

func (a *app) transformCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "transform",
		Short: "Check and try transforms",
		Long: `Transform checks transforms, and calculates values with them, without a database. docs/transforms.md
describes the operations. A transform may be alone, inside a mapping of an identity profile (transformDefinition), or
inside a field of an account policy (transform). Dates are in the time zone of --time-zone, of MUSTER_TIME_ZONE, or in
UTC.`,
	}
	return group(cmd, a.transformCheckCommand(), a.transformEvalCommand(), a.transformTestCommand())
}

// evaluation are the flags of "muster transform eval".
type evaluation struct {
	transform, library        string
	input, identity, accounts string
	now                       string
	taken                     []string
	trace                     bool
}

func (a *app) transformEvalCommand() *cobra.Command {
	var flags evaluation
	cmd := &cobra.Command{
		Use:   "eval --transform FILE",
		Short: "Calculate a value",
		Long: `Eval prints the value of a transform as JSON:
  echo '{"type": "upper"}' | muster transform eval --transform - --input ann
An identity is an object of its attributes. Accounts are an object with an object of attributes for each source, or a
list of such objects for a source with several accounts, the oldest first:
  muster transform eval --transform t.json --identity '{"uid": "ann"}' --accounts '{"HR": {"grade": "7"}}'
Both may be in files: --identity @ann.json. If the transform fails, eval exits with 2.`,
		Args: exactArgs(0, "its transform with --transform"),
		RunE: func(cmd *cobra.Command, _ []string) error { return a.evaluate(flags, cmd.Flags().Changed("input")) },
	}
	f := cmd.Flags()
	f.StringVarP(&flags.transform, "transform", "t", "", "file with the transform, - for standard input")
	f.StringVar(&flags.library, "library", "", "YAML or JSON file with the saved transforms that it refers to")
	f.StringVarP(&flags.input, "input", "i", "", "input of the transform (default: null)")
	f.StringVar(&flags.identity, "identity", "", "attributes of the identity, as JSON or @FILE")
	f.StringVar(&flags.accounts, "accounts", "", "accounts by source, as JSON or @FILE")
	f.StringVar(&flags.now, "now", "", "time of the evaluation, in RFC 3339 (default: the present time)")
	f.StringSliceVar(&flags.taken, "taken", nil, "names that usernameGenerator finds in use")
	f.BoolVar(&flags.trace, "trace", false, "show the steps of the calculation on stderr")
	return cmd
}

func (a *app) evaluate(flags evaluation, hasInput bool) error {
	if flags.transform == "" {
		return usage("nothing to evaluate: name a transform with --transform FILE, - for standard input")
	}
	document, err := a.readFile(flags.transform)
	if err != nil {
		return err
	}
	var library transform.Library
	if flags.library != "" {
		if library, err = a.readLibrary(flags.library); err != nil {
			return err
		}
	}
	compiled, err := transformcases.Compile(document, library)
	if err != nil {
		return a.printFaults(flags.transform, "", err)
	}
	in, err := flags.inputOf(a)
	if err != nil {
		return err
	}
	if hasInput {
		in.Value = attribute.String(flags.input)
	}
	var value attribute.Value
	if flags.trace {
		var steps []transform.Step
		value, steps, err = compiled.Trace(in)
		if err := a.printSteps(steps); err != nil {
			return err
		}
	} else {
		value, err = compiled.Evaluate(in)
	}
	if err != nil {
		return usageError{err}
	}
	_, err = fmt.Fprintf(a.stdout, "%s\n", value.AppendJSON(nil))
	return err
}

// inputOf returns the data for the evaluation of a transform, except its own input.
func (e *evaluation) inputOf(a *app) (*transform.Input, error) {
	now, err := parseNow(e.now)
	if err != nil {
		return nil, err
	}
	location, err := a.location()
	if err != nil {
		return nil, err
	}
	in := &transform.Input{
		Now: now, Location: location, Random: rand.Reader,
		Taken: func(c transform.Candidate) (bool, error) { // the engine minds no letter case, either
			return slices.ContainsFunc(e.taken, func(taken string) bool {
				return store.Fold(taken) == store.Fold(c.Name)
			}), nil
		},
	}
	if in.Identity, err = e.identityOf(a); err != nil {
		return nil, err
	}
	text, err := a.argument("--accounts", e.accounts)
	if err != nil {
		return nil, err
	}
	var bySource map[string]json.RawMessage
	if err := json.Unmarshal(text, &bySource); err != nil {
		return nil, usage("--accounts: an object of accounts by source is expected: %w", err)
	}
	if in.Accounts, err = transformcases.Accounts(bySource); err != nil {
		return nil, usage("--accounts: %w", err)
	}
	return in, nil
}

// identityOf reads an identity: an object of its attributes, or an identity in the API's shape.
func (e *evaluation) identityOf(a *app) (transform.Identity, error) {
	text, err := a.argument("--identity", e.identity)
	if err != nil {
		return transform.Identity{}, err
	}
	var whole struct {
		ID, Name, Alias string
		Attributes      *attribute.Set
	}
	if err := json.Unmarshal(text, &whole); err == nil && whole.Attributes != nil {
		return transform.Identity{
			ID: whole.ID, Name: whole.Name, Alias: whole.Alias, Attributes: whole.Attributes,
		}, nil
	}
	var set attribute.Set
	if err := json.Unmarshal(text, &set); err != nil {
		return transform.Identity{}, usage("--identity: an object of attributes is expected: %w", err)
	}
	return transform.Identity{
		ID: set.Get("id").Text(), Name: set.Get("displayName").Text(), Alias: set.Get("uid").Text(), Attributes: &set,
	}, nil
}

// argument returns JSON from the argument itself, or from the file that it names after "@".
func (a *app) argument(flag, text string) ([]byte, error) {
	if text == "" {
		return []byte("{}"), nil
	}
	name, isFile := strings.CutPrefix(text, "@")
	if !isFile {
		return []byte(text), nil
	}
	content, err := a.readFile(name)
	if err != nil {
		return nil, usage("%s: %w", flag, err)
	}
	return content, nil
}

func parseNow(text string) (time.Time, error) {
	if text == "" {
		return time.Now(), nil
	}
	now, err := transformcases.ParseTime(text)
	if err != nil {
		return now, usage("--now: %w", err)
	}
	return now, nil
}

// readFile reads a file of transforms or their data, or standard input for "-".
func (a *app) readFile(name string) ([]byte, error) {
	r, err := a.openInput(name)
	if err != nil {
		return nil, err
	}
	defer r.Close() // only read
	content, err := io.ReadAll(io.LimitReader(r, engine.ConfigurationSizeMax+1))
	if err != nil {
		return nil, usageError{err}
	}
	if len(content) > engine.ConfigurationSizeMax {
		return nil, usage("%s is longer than %d MiB", name, engine.ConfigurationSizeMax>>20)
	}
	return content, nil
}

// printSteps shows the steps of a value's calculation. Each operation comes before the operations that it needs.
func (a *app) printSteps(steps []transform.Step) error {
	w := tabwriter.NewWriter(a.stderr, 0, 0, 2, ' ', 0)
	for _, s := range steps {
		result := string(s.Value.AppendJSON(nil))
		if s.Err != nil {
			result = "failed: " + s.Err.Error()
		}
		place := s.Path
		if s.Transform != "" {
			place = strings.TrimSpace(fmt.Sprintf("%q %s", s.Transform, s.Path))
		}
		operation := strings.Repeat("  ", s.Depth) + s.Operation
		if s.Variable != "" {
			operation += " $" + s.Variable
		}
		fmt.Fprintf(w, "%s\t%s → %s\t%s\n", operation, s.Input.AppendJSON(nil), result, place)
	}
	return w.Flush()
}

// savedTransforms is a library with the saved transforms of files. It accepts every rule, because only a host knows its
// rules.
type savedTransforms struct {
	definitions map[string][]byte
	// open says that missing transforms may exist elsewhere.
	open bool
}

// Transform implements [transform.Library].
func (s savedTransforms) Transform(name string) ([]byte, bool) {
	definition, found := s.definitions[name]
	if !found && s.open {
		return []byte(`{"type": "static", "attributes": {"value": ""}}`), true
	}
	return definition, found
}

// Rule implements [transform.Library].
func (savedTransforms) Rule(name string) (transform.Rule, bool) {
	return func(*transform.RuleInput) (attribute.Value, error) {
		return attribute.Null, fmt.Errorf("the rule %q is known only to the host that registers it", name)
	}, true
}

func (s savedTransforms) add(definition []byte) {
	var saved struct{ Name string }
	// The compiler reports anything that is not a transform.
	if json.Unmarshal(definition, &saved) == nil && saved.Name != "" {
		s.definitions[saved.Name] = definition
	}
}

func (a *app) readLibrary(file string) (savedTransforms, error) {
	s := savedTransforms{definitions: map[string][]byte{}}
	transforms, _, err := a.readTransforms(file)
	for _, definition := range transforms {
		s.add(definition)
	}
	return s, err
}

// readTransforms reads the transforms of a file. A YAML file is a configuration; any other file has one transform or a
// list of them. It also returns the documents of a configuration.
func (a *app) readTransforms(file string) ([]json.RawMessage, []engine.Document, error) {
	switch filepath.Ext(file) {
	case ".yaml", ".yml":
		documents, err := a.readDocument(file)
		var transforms []json.RawMessage
		for _, d := range documents {
			if d.Type == engine.TypeTransform {
				transforms = append(transforms, d.Object)
			}
		}
		return transforms, documents, err
	}
	content, err := a.readFile(file)
	if err != nil {
		return nil, nil, err
	}
	if !bytes.HasPrefix(bytes.TrimSpace(content), []byte("[")) {
		return []json.RawMessage{content}, nil, nil
	}
	var list []json.RawMessage
	if err := json.Unmarshal(content, &list); err != nil {
		return nil, nil, usage("%s: a transform or a list of them is expected: %w", file, err)
	}
	return list, nil, nil
}

func (a *app) transformCheckCommand() *cobra.Command {
	var library string
	cmd := &cobra.Command{
		Use:   "check FILE...",
		Short: "Find the mistakes in transforms",
		Long: `Check reads transforms. A JSON file has one transform or a list of them; a YAML file is a configuration.
Check prints every fault with its place, and exits with 2 if there is one. It follows references between the files. With
--library, every saved transform that they refer to must be in the library or in the files. Where the files have
identity profiles, they are checked together as the whole configuration of a tenant: mappings too, with the sources,
attributes and transforms that they name.`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return usage("%s takes one or more FILEs, - for standard input", cmd.CommandPath())
			}
			return nil
		},
		RunE: func(_ *cobra.Command, files []string) error { return a.checkTransforms(files, library) },
	}
	cmd.Flags().StringVar(&library, "library", "", "YAML or JSON file with the saved transforms that they refer to")
	return cmd
}

func (a *app) checkTransforms(files []string, libraryFile string) error {
	if _, err := a.location(); err != nil {
		return err
	}
	saved := savedTransforms{definitions: map[string][]byte{}, open: true}
	if libraryFile != "" {
		var err error
		if saved, err = a.readLibrary(libraryFile); err != nil {
			return err
		}
	}
	transforms := make([][]json.RawMessage, len(files))
	var documents []engine.Document
	for i, file := range files {
		list, all, err := a.readTransforms(file)
		if err != nil {
			return err
		}
		transforms[i], documents = list, append(documents, all...)
		for _, definition := range transforms[i] {
			saved.add(definition)
		}
	}
	var failed error
	for i, file := range files {
		var broken error
		for n, definition := range transforms[i] {
			place := ""
			if len(transforms[i]) > 1 {
				place = fmt.Sprintf("[%d]", n)
			}
			if _, err := transformcases.Compile(definition, saved); err != nil {
				broken = a.printFaults(file, place, err)
			}
		}
		switch {
		case broken != nil:
			failed = broken
		case len(transforms[i]) == 1:
			fmt.Fprintf(a.stdout, "%s: ok\n", file)
		default:
			fmt.Fprintf(a.stdout, "%s: ok, %d transforms\n", file, len(transforms[i]))
		}
	}
	if failed == nil && slices.ContainsFunc(documents, func(d engine.Document) bool {
		return d.Type == engine.TypeIdentityProfile
	}) {
		return engine.CheckDocuments(documents, nil)
	}
	return failed
}

// printFaults prints the faults of a transform, one per line, and returns the error for the exit code.
func (a *app) printFaults(file, place string, err error) error {
	var broken *transform.CompileError
	if !errors.As(err, &broken) {
		broken = &transform.CompileError{Faults: []transform.Fault{{Msg: err.Error()}}}
	}
	for _, fault := range broken.Faults {
		if place != "" {
			fault.Path = strings.TrimSuffix(place+"."+fault.Path, ".")
		}
		fmt.Fprintf(a.stderr, "%s: %s\n", file, fault)
	}
	return printedError{exitUsage}
}

func (a *app) transformTestCommand() *cobra.Command {
	var now string
	cmd := &cobra.Command{
		Use:   "test FILE.jsonl",
		Short: "Run cases: transforms with inputs and the wanted values",
		Long: `Test runs the cases of a file with one JSON object per line, and prints which fail and why:
  {"transform": {"type": "lower"}, "cases": [{"input": "ABC", "output": "abc"}]}
A case may have input, identity, accounts, now, zone, and the values of saved transforms as references. It wants output,
a sample_output of the same length and kinds of characters, or the candidates_in_order of a name. A transform without
cases is only compiled. Test exits with 1 if a case fails.`,
		Args: exactArgs(1, "one FILE"),
		RunE: func(_ *cobra.Command, args []string) error { return a.testTransforms(args[0], now) },
	}
	cmd.Flags().StringVar(&now, "now", "", "time for cases without one, in RFC 3339 (default: the present time)")
	return cmd
}

func (a *app) testTransforms(name, now string) error {
	settings := transformcases.Settings{Random: rand.Reader}
	var err error
	if settings.Now, err = parseNow(now); err != nil {
		return err
	}
	if settings.Location, err = a.location(); err != nil {
		return err
	}
	file, err := a.openInput(name)
	if err != nil {
		return err
	}
	defer file.Close() // only read
	passed, failed := 0, 0
	err = transformcases.Run(file, settings, func(r transformcases.Result) {
		if r.Err == nil {
			passed++
			return
		}
		failed++
		place := fmt.Sprintf("%s:%d", name, r.Line.Number)
		if r.Case >= 0 {
			place += fmt.Sprintf(": case %d", r.Case+1)
		}
		fmt.Fprintf(a.stdout, "%s: %v\n", place, r.Err)
		if r.Line.Note != "" {
			fmt.Fprintf(a.stdout, "  its note: %s\n", r.Line.Note)
		}
	})
	if err != nil {
		return usage("%s: %w", name, err)
	}
	fmt.Fprintf(a.stdout, "%d passed, %d failed\n", passed, failed)
	if failed > 0 {
		return printedError{exitFailed}
	}
	return nil
}
