package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"go.yaml.in/yaml/v3"

	"github.com/muster-engine/muster/engine"
	"github.com/muster-engine/muster/engine/configuration"
)

// objectTypes returns the types that a person named, such as source, identity-profile or ROLE.
func objectTypes(names []string) []engine.ObjectType {
	var kinds []engine.ObjectType
	for _, name := range names {
		kinds = append(kinds, engine.ObjectType(strings.ToUpper(strings.NewReplacer("-", "_", " ", "_").Replace(name))))
	}
	return kinds
}

func (a *app) configListCommand() *cobra.Command {
	var output string
	cmd := &cobra.Command{
		Use: "list [TYPE...]", Short: "List the objects of the configuration",
		Long: "List shows the objects of the configuration, of all types or of some, such as source or " +
			"identity-profile.",
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := demandListOutput(output); err != nil {
				return err
			}
			return a.withEngine(cmd.Context(), func(eng *engine.Engine) error {
				objects, err := eng.ConfigurationObjects(cmd.Context(), objectTypes(args)...)
				if err != nil {
					return err
				}
				rows := [][]string{{"TYPE", "NAME", "ID"}}
				for i := range objects {
					rows = append(rows, []string{string(objects[i].Type), objects[i].Name, objects[i].ID})
				}
				return a.showRows(output, objects, rows)
			})
		},
	}
	listOutput(cmd, &output)
	return cmd
}

func (a *app) configGetCommand() *cobra.Command {
	var output string
	cmd := &cobra.Command{
		Use: "get TYPE NAME|ID", Short: "Show one object of the configuration, as it could be applied",
		Args: exactArgs(2, "a TYPE and a NAME or an ID"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := demandOutput(output, outputYAML, outputJSON); err != nil {
				return err
			}
			return a.withEngine(cmd.Context(), func(eng *engine.Engine) error {
				object, err := eng.ConfigurationObject(cmd.Context(), objectTypes(args[:1])[0], args[1])
				if err != nil {
					return err
				}
				return a.exportObjects([]engine.ConfigurationObject{object}, output)
			})
		},
	}
	cmd.Flags().StringVarP(&output, "output", "o", outputYAML, "yaml, or json in an export's envelope")
	return cmd
}

func (a *app) configExportCommand() *cobra.Command {
	var output string
	var only []string
	cmd := &cobra.Command{
		Use: "export", Short: "Write the configuration, so that it can be applied to another tenant",
		Long: `Export writes all objects of the configuration, or those of some types, as YAML lists or as the JSON of
an export. Applied to a tenant without a configuration, it gives the same one, with the same IDs. Secrets are
references.`,
		Args: exactArgs(0, "no argument"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := demandOutput(output, outputYAML, outputJSON); err != nil {
				return err
			}
			return a.withEngine(cmd.Context(), func(eng *engine.Engine) error {
				objects, err := eng.ConfigurationObjects(cmd.Context(), objectTypes(only)...)
				if err != nil {
					return err
				}
				return a.exportObjects(objects, output)
			})
		},
	}
	flags := cmd.Flags()
	flags.StringVarP(&output, "output", "o", outputYAML, "yaml, or json in an export's envelope")
	flags.StringArrayVar(&only, "only", nil, "only this type, such as source; may be repeated")
	return cmd
}

// exportObjects writes objects as they can be applied.
func (a *app) exportObjects(objects []engine.ConfigurationObject, output string) error {
	if output == outputJSON {
		return a.exportJSON(objects)
	}
	root := &yaml.Node{Kind: yaml.MappingNode}
	for _, group := range configuration.Groups() {
		list := &yaml.Node{Kind: yaml.SequenceNode}
		for i := range objects {
			if objects[i].Type != group.Kind {
				continue
			}
			decoder := json.NewDecoder(bytes.NewReader(objects[i].Object))
			decoder.UseNumber()
			var value any
			if err := decoder.Decode(&value); err != nil {
				return err
			}
			list.Content = append(list.Content, yamlNode(value))
		}
		if len(list.Content) > 0 {
			root.Content = append(root.Content, yamlNode(group.Member), list)
		}
	}
	if len(root.Content) == 0 {
		fmt.Fprintln(a.stderr, "note: there is no object to export")
		return nil
	}
	encoder := yaml.NewEncoder(a.stdout)
	encoder.SetIndent(2)
	if err := encoder.Encode(root); err != nil {
		return err
	}
	return encoder.Close()
}

// exportJSON writes objects in an export's envelopes.
func (a *app) exportJSON(objects []engine.ConfigurationObject) error {
	type self struct {
		Type engine.ObjectType `json:"type"`
		ID   string            `json:"id,omitempty"`
		Name string            `json:"name"`
	}
	type envelope struct {
		Version int             `json:"version"`
		Self    self            `json:"self"`
		Object  json.RawMessage `json:"object"`
	}
	export := struct {
		Version   int        `json:"version"`
		Timestamp time.Time  `json:"timestamp"`
		Objects   []envelope `json:"objects"`
	}{1, time.Now().UTC().Truncate(time.Millisecond), []envelope{}}
	for i := range objects {
		o := &objects[i]
		export.Objects = append(export.Objects, envelope{1, self{o.Type, o.ID, o.Name}, o.Object})
	}
	return a.printJSON(export)
}

func (a *app) diffCommand() *cobra.Command {
	var files []string
	var prune pruneFlags
	var output string
	cmd := &cobra.Command{
		Use: "diff -f FILE", Short: "Show what applying documents would change in the configuration",
		Long: `Diff prints the objects that applying the documents would create, update or remove, with the lines of
their documents, as YAML, that would go (-) and come (+). It changes nothing. "muster preview -f" shows what it means
for identities.`,
		Args: exactArgs(0, "its documents with -f"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := demandOutput(output, outputTable, outputJSON); err != nil {
				return err
			}
			documents, err := a.readDocuments(files)
			if err != nil {
				return err
			}
			options, err := prune.options()
			if err != nil {
				return err
			}
			return a.withEngine(cmd.Context(), func(eng *engine.Engine) error {
				difference, err := eng.DiffConfiguration(cmd.Context(), documents, options...)
				if err != nil {
					return err
				}
				if output == outputJSON {
					return a.printJSON(difference)
				}
				for _, note := range difference.Notes {
					fmt.Fprintf(a.stderr, "note: %s\n", oneLine(note))
				}
				for _, loss := range difference.Losses {
					fmt.Fprintf(a.stderr, "refused, or lost with --accept-losses: %s\n", oneLine(loss))
				}
				for _, member := range difference.Lacking {
					fmt.Fprintf(a.stderr, "refused, or removed with --replace: %s\n", oneLine(member))
				}
				if len(difference.Objects) == 0 {
					fmt.Fprintln(a.stdout, "nothing differs")
					return nil
				}
				return a.printObjects(difference.Objects)
			})
		},
	}
	flags := cmd.Flags()
	prune.add(cmd)
	flags.StringArrayVarP(&files, "file", "f", nil, "document to compare, - for standard input; may be repeated")
	flags.StringVarP(&output, "output", "o", outputTable, "table or json")
	return cmd
}
