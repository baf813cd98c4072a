package main

import (
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"go.yaml.in/yaml/v3"

	"github.com/muster-engine/muster/filterql/suggest"
)

// A flag has the value of the highest layer that says one: the command line, the environment, the configuration file,
// or its default.
type layer int

const (
	layerDefault layer = iota
	layerFile
	// layerShared is a variable that other programs read too, such as DATABASE_URL. Those of Muster alone say more.
	layerShared
	layerEnvironment
	layerFlag
)

// origin is where the value of a flag comes from.
type origin struct {
	layer layer
	name  string // as a person would look for it: --data, MUSTER_DATA, or muster.yaml:3: data
}

// configVariable names the configuration file where --config does not.
const configVariable = "MUSTER_CONFIG"

// otherVariables are further variables of flags, by the flag.
var otherVariables = map[string]struct {
	name  string
	layer layer
}{
	"allow-folder": {"MUSTER_ALLOW_FOLDERS", layerEnvironment},
	"allow-host":   {"MUSTER_ALLOW_HOSTS", layerEnvironment},
	"allow-secret": {"MUSTER_ALLOW_SECRETS", layerEnvironment},
	"database-url": {"DATABASE_URL", layerShared},
}

// blankSeparated are the flags whose values may have commas, so that a variable separates several by blanks.
var blankSeparated = []string{"dev-client"}

// configFileMax is the most bytes of a configuration file.
const configFileMax = 1 << 20

// variableOf returns the variable of a flag.
func variableOf(flag string) string {
	return "MUSTER_" + strings.ToUpper(strings.ReplaceAll(flag, "-", "_"))
}

// layered reports whether a flag has a variable and may be in the file. The others are about one command line alone:
// which file it reads, and whether a person agrees to what it does.
func layered(f *pflag.Flag) bool {
	return !slices.Contains([]string{"config", "confirm", "help", "version", "yes"}, f.Name)
}

// settle gives the flags of a command that the command line does not set their values from the environment and the
// configuration file, and remembers where each value comes from.
func (a *app) settle(cmd *cobra.Command) error {
	file, err := a.readConfigFile(cmd.Root())
	if err != nil {
		return err
	}
	a.origins = map[string]origin{}
	cmd.Flags().VisitAll(func(f *pflag.Flag) {
		if err == nil && layered(f) {
			err = a.settleFlag(cmd, f, file)
		}
	})
	if err != nil {
		return err
	}
	return a.chooseDatabase()
}

// settleFlag gives one flag its value.
func (a *app) settleFlag(cmd *cobra.Command, f *pflag.Flag, file *configFile) error {
	if f.Changed {
		a.origins[f.Name] = origin{layerFlag, "--" + f.Name}
		return nil
	}
	variable := variableOf(f.Name)
	from, text := origin{layerEnvironment, variable}, a.environment(variable)
	if other, has := otherVariables[f.Name]; has && text == "" {
		from, text = origin{other.layer, other.name}, a.environment(other.name)
	}
	values := []string{text}
	if _, several := f.Value.(pflag.SliceValue); several {
		values = splitVariable(f.Name, text)
	}
	if text == "" {
		entry := file.find(cmd, f.Name)
		if entry == nil {
			return nil
		}
		from, values = origin{layerFile, fmt.Sprintf("%s:%d: %s", file.name, entry.line, f.Name)}, entry.values
	}
	if err := setFlag(f, values); err != nil {
		return usage("%s: %w", from.name, err)
	}
	a.origins[f.Name] = from
	return nil
}

// splitVariable splits the value of a variable that stands for several.
func splitVariable(flag, text string) []string {
	if slices.Contains(blankSeparated, flag) {
		return strings.Fields(text)
	}
	var values []string
	for value := range strings.FieldsFuncSeq(text, func(r rune) bool { return r == ',' || r == '\n' }) {
		if value = strings.TrimSpace(value); value != "" {
			values = append(values, value)
		}
	}
	return values
}

func setFlag(f *pflag.Flag, values []string) error {
	f.Changed = true
	if list, several := f.Value.(pflag.SliceValue); several {
		return list.Replace(values)
	}
	if len(values) != 1 {
		return fmt.Errorf("one value is expected, and %d are given", len(values))
	}
	return f.Value.Set(values[0])
}

// chooseDatabase decides between a named database and the private one where both are said: the higher layer counts.
// Within one it is a contradiction.
func (a *app) chooseDatabase() error {
	url, data := a.origins["database-url"], a.origins["data"]
	switch {
	case a.databaseURL == "" || a.dataDir == "":
	case url.layer == data.layer:
		return usage("%s and %s exclude each other: one names a database, the other the folder of a private one",
			url.name, data.name)
	case data.layer > url.layer:
		a.databaseURL = ""
	}
	return nil
}

// nameOf names a flag by where its value comes from, for errors about the value.
func (a *app) nameOf(flag string) string {
	if from, said := a.origins[flag]; said {
		return from.name
	}
	return "--" + flag
}

// configFile is a configuration file: values of flags, for all commands or in the section of a command.
type configFile struct {
	name     string
	values   map[string]*configEntry
	sections map[string]*configFile
}

// configEntry is the value of one flag.
type configEntry struct {
	line   int
	values []string
}

// find returns the value for a flag of a command, from the innermost section that has one; nil for none.
func (c *configFile) find(cmd *cobra.Command, flag string) *configEntry {
	if c == nil {
		return nil
	}
	var path []string
	for at := cmd; at.HasParent(); at = at.Parent() {
		path = append(path, at.Name())
	}
	slices.Reverse(path)
	found := c.values[flag]
	for _, name := range path {
		if c = c.sections[name]; c == nil {
			break
		}
		if entry := c.values[flag]; entry != nil {
			found = entry
		}
	}
	return found
}

// readConfigFile reads the file that --config or $MUSTER_CONFIG names; nil if none does.
func (a *app) readConfigFile(root *cobra.Command) (*configFile, error) {
	name, by := a.configFile, "--config"
	if name == "" {
		name, by = a.environment(configVariable), configVariable
	}
	if name == "" {
		return nil, nil
	}
	info, err := os.Stat(name)
	if err == nil && info.Size() > configFileMax {
		err = fmt.Errorf("%s has %d bytes, at most %d are read", name, info.Size(), configFileMax)
	}
	var text []byte
	if err == nil {
		text, err = os.ReadFile(name)
	}
	if err != nil {
		return nil, usage("%s: %w", by, err)
	}
	var document yaml.Node
	if err := yaml.Unmarshal(text, &document); err != nil {
		return nil, usage("%s: %w", name, err)
	}
	if len(document.Content) == 0 { // it is empty
		return nil, nil
	}
	return readSection(name, document.Content[0], root)
}

// readSection reads the values and the sections of a command.
func readSection(name string, node *yaml.Node, cmd *cobra.Command) (*configFile, error) {
	if node.Kind != yaml.MappingNode {
		return nil, usage("%s:%d: names of flags with their values are expected, such as time-zone: Europe/Berlin",
			name,
			node.Line)
	}
	section := &configFile{name: name, values: map[string]*configEntry{}, sections: map[string]*configFile{}}
	for i := 0; i < len(node.Content); i += 2 {
		key, value := node.Content[i], node.Content[i+1]
		if section.values[key.Value] != nil || section.sections[key.Value] != nil {
			return nil, usage("%s:%d: %s is there twice", name, key.Line, key.Value)
		}
		if child := childOf(cmd, key.Value); child != nil && value.Kind == yaml.MappingNode {
			inner, err := readSection(name, value, child)
			if err != nil {
				return nil, err
			}
			section.sections[child.Name()] = inner
			continue
		}
		known := flagsBelow(cmd)
		if !slices.Contains(known, key.Value) {
			return nil, unknownKey(name, key, cmd, known)
		}
		entry, err := readEntry(value)
		if err != nil {
			return nil, usage("%s:%d: %s: %w", name, value.Line, key.Value, err)
		}
		if entry != nil {
			section.values[key.Value] = entry
		}
	}
	return section, nil
}

// readEntry reads a value, or a list of values; nil for none.
func readEntry(node *yaml.Node) (*configEntry, error) {
	entry := &configEntry{line: node.Line}
	switch {
	case node.Kind == yaml.ScalarNode && node.Tag == "!!null":
		return nil, nil
	case node.Kind == yaml.ScalarNode:
		entry.values = []string{node.Value}
		return entry, nil
	case node.Kind != yaml.SequenceNode:
		return nil, fmt.Errorf("a value or a list of values is expected")
	}
	for _, item := range node.Content {
		if item.Kind != yaml.ScalarNode {
			return nil, fmt.Errorf("a list of plain values is expected")
		}
		entry.values = append(entry.values, item.Value)
	}
	return entry, nil
}

// unknownKey says what a key could have been.
func unknownKey(name string, key *yaml.Node, cmd *cobra.Command, known []string) error {
	words := known
	for _, child := range cmd.Commands() {
		words = append(words, child.Name())
	}
	place := "muster has"
	if cmd.HasParent() {
		place = fmt.Sprintf("%q has", cmd.CommandPath())
	}
	if childOf(cmd, key.Value) != nil {
		return usage("%s:%d: %s a command %q: a section with its flags is expected", name, key.Line, place, key.Value)
	}
	if nearest := suggest.Nearest(key.Value, words); nearest != "" {
		return usage("%s:%d: %s no flag or command %q; did you mean %q?", name, key.Line, place, key.Value, nearest)
	}
	return usage("%s:%d: %s no flag or command %q", name, key.Line, place, key.Value)
}

// childOf returns the subcommand with a name or an alias; nil for none.
func childOf(cmd *cobra.Command, name string) *cobra.Command {
	for _, child := range cmd.Commands() {
		if child.Name() == name || child.HasAlias(name) {
			return child
		}
	}
	return nil
}

// flagsBelow returns the flags of a command and of all below it that may be in the file, sorted.
func flagsBelow(cmd *cobra.Command) []string {
	names := map[string]bool{}
	note := func(f *pflag.Flag) {
		if layered(f) {
			names[f.Name] = true
		}
	}
	var walk func(*cobra.Command)
	walk = func(c *cobra.Command) {
		c.LocalFlags().VisitAll(note)
		c.InheritedFlags().VisitAll(note)
		for _, child := range c.Commands() {
			walk(child)
		}
	}
	walk(cmd)
	sorted := make([]string, 0, len(names))
	for name := range names {
		sorted = append(sorted, name)
	}
	slices.Sort(sorted)
	return sorted
}
