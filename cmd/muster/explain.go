package main

import (
	"cmp"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/muster-engine/muster/engine"
	"github.com/muster-engine/muster/engine/criteria"
)

func (a *app) explainCommand() *cobra.Command {
	var params engine.ExplainParams
	var output string
	cmd := &cobra.Command{
		Use:   "explain ID|ALIAS [--attribute NAME | --role ROLE]",
		Short: "Explain where an identity's values come from, and why it has a role or not",
		Long: `Explain shows the operations that calculate the value of each attribute, where the lifecycle state and
the manager come from, and why the identity has each role or does not have it, comparison by comparison.`,
		Args: exactArgs(1, "one ID or ALIAS"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := demandOutput(output, outputTable, outputJSON); err != nil {
				return err
			}
			if params.Attribute != "" && params.Role != "" {
				return usage("--attribute and --role exclude each other")
			}
			params.Identity = args[0]
			return a.withEngine(cmd.Context(), func(eng *engine.Engine) error {
				x, err := eng.Explain(cmd.Context(), params)
				if err != nil {
					return err
				}
				if output == outputJSON {
					return a.printJSON(x)
				}
				return printExplanation(a.stdout, &x)
			})
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&params.Attribute, "attribute", "", "only this identity attribute")
	flags.StringVar(&params.Role, "role", "", "only this role, ID or name")
	flags.StringVarP(&output, "output", "o", outputTable, "table or json")
	return cmd
}

func printExplanation(w io.Writer, x *engine.Explanation) error {
	var b strings.Builder
	fmt.Fprintf(&b, "%s (%s), %s\n", oneLine(x.Name), oneLine(x.Alias), x.ID)
	line := func(what, format string, arguments ...any) {
		fmt.Fprintf(&b, "  %-10s  %s\n", what, oneLine(fmt.Sprintf(format, arguments...)))
	}
	if x.Profile == nil {
		line("profile", "none: the identity has no account on an authoritative source")
	} else {
		line("profile", "%s, by the account %q of %s: %s", x.Profile.Name, x.Profile.Account, x.Profile.Source,
			x.Profile.Reason)
	}
	if x.Lifecycle != nil {
		state := x.Lifecycle.State
		if state == "" {
			state = "none"
		}
		line("lifecycle", "%s (%s): %s", state, x.Lifecycle.IdentityState, x.Lifecycle.Reason)
	}
	if x.Manager != nil {
		name := x.Manager.Name
		if x.Manager.ID == "" {
			name = "nobody"
		}
		line("manager", "%s: %s", name, x.Manager.Reason)
	}
	if len(x.Missing) > 0 {
		line("incomplete", "it has no %s", strings.Join(x.Missing, ", "))
	}
	if x.Due != nil {
		line("due", "%s", x.Due.Format("2006-01-02 15:04:05 MST"))
	}
	if x.Error != "" {
		line("error", "%s", x.Error)
	}
	if len(x.Attributes) > 0 {
		b.WriteString("\nAttributes\n")
	}
	for i := range x.Attributes {
		writeExplainedAttribute(&b, &x.Attributes[i])
	}
	if len(x.Roles) > 0 {
		b.WriteString("\nRoles\n")
	}
	for i := range x.Roles {
		role := &x.Roles[i]
		mark := map[bool]string{true: "has", false: "has not"}[role.Assigned]
		fmt.Fprintf(&b, "  %-7s  %s: %s\n", mark, oneLine(role.Name), oneLine(role.Reason))
		writeCriterion(&b, role.Criterion)
	}
	writeExplainedOperations(&b, x.Operations)
	for _, warning := range x.Warnings {
		fmt.Fprintf(&b, "\nwarning: %s\n", oneLine(warning))
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// writeExplainedOperations writes the operations that an identity waits for.
func writeExplainedOperations(b *strings.Builder, operations []engine.ExplainedOperation) {
	if len(operations) > 0 {
		b.WriteString("\nOperations\n")
	}
	for i := range operations {
		o := &operations[i]
		fmt.Fprintf(b, "  %-7s  %s: %s, for %s", cmp.Or(o.State, "NEXT"), oneLine(o.Source),
			strings.TrimRight(operationName(o.Operation)+" "+oneLine(o.NativeIdentity), " "), oneLine(o.Reason))
		if o.Waits != "" {
			fmt.Fprintf(b, ": %s", oneLine(o.Waits))
		}
		b.WriteByte('\n')
	}
}

func writeExplainedAttribute(b *strings.Builder, attribute *engine.ExplainedAttribute) {
	fmt.Fprintf(b, "  %s = %s", attribute.Name, oneLine(string(attribute.Value.AppendJSON(nil))))
	switch {
	case !attribute.Mapped:
		b.WriteString("   the profile does not map it")
	case attribute.Error != "":
		fmt.Fprintf(b, "   failed: %s", oneLine(attribute.Error))
	}
	if !attribute.Stored.Equal(attribute.Value) {
		fmt.Fprintf(b, "   the old value %s stays", oneLine(string(attribute.Stored.AppendJSON(nil))))
	}
	b.WriteByte('\n')
	writeSteps(b, attribute.Steps)
}

// writeCriterion writes why a criterion is true or false. It may be nil.
func writeCriterion(b *strings.Builder, criterion *criteria.Explanation) {
	if criterion == nil {
		return
	}
	for text := range strings.Lines(criterion.Render()) {
		fmt.Fprintf(b, "             %s\n", oneLine(strings.TrimSuffix(text, "\n")))
	}
}

// writeSteps writes the steps of a value's calculation.
func writeSteps(b *strings.Builder, steps []engine.ExplainedStep) {
	for _, step := range steps {
		result := string(step.Value.AppendJSON(nil))
		if step.Error != "" {
			result = "failed: " + step.Error
		}
		operation := step.Operation
		if step.Transform != "" {
			operation += fmt.Sprintf(" of %q", step.Transform)
		}
		if step.Variable != "" {
			operation += " $" + step.Variable
		}
		fmt.Fprintf(b, "      %s%s: %s\n", strings.Repeat("  ", step.Depth), operation, oneLine(result))
	}
}
