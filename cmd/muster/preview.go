package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/rivo/uniseg"
	"github.com/spf13/cobra"

	"github.com/muster-engine/muster/engine"
	"github.com/muster-engine/muster/engine/attribute"
)

func (a *app) previewCommand() *cobra.Command {
	var files []string
	var prune pruneFlags
	var params engine.PreviewParams
	var output string
	limit := 20
	cmd := &cobra.Command{
		Use:   "preview [-f FILE] [ID|ALIAS...] [--filters FILTER]",
		Short: "Show what processing would change, also under a proposed configuration",
		Long: `Preview calculates what would change if the documents were applied and the identities processed. It
writes nothing. It calculates the named identities, those that a filter selects, or all. Without -f it shows what
processing would change now; with --task, what a held task would do after a confirmation. --trace shows how each value
is calculated, and why each role is gained or lost.`,
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := demandOutput(output, outputTable, outputJSON); err != nil {
				return err
			}
			if err := demandFilter(cmd); err != nil {
				return err
			}
			if params.Task != "" && (len(files) > 0 || len(args) > 0 || params.Filters != "") {
				return usage("--task excludes documents, identities and --filters")
			}
			if len(args) > 0 && params.Filters != "" {
				return usage("identities and --filters exclude each other")
			}
			options, err := prune.options()
			if err != nil {
				return err
			}
			params.Options = options
			if len(files) > 0 {
				documents, err := a.readDocuments(files)
				if err != nil {
					return err
				}
				params.Documents = documents
			}
			ctx := cmd.Context()
			return a.withEngine(ctx, func(eng *engine.Engine) error {
				var err error
				if params.IDs, err = identityIDs(ctx, eng, args); err != nil {
					return err
				}
				return a.showPreview(ctx, eng, params, output, limit)
			})
		},
	}
	flags := cmd.Flags()
	flags.StringArrayVarP(&files, "file", "f", nil, "document to preview, - for standard input; may be repeated")
	prune.add(cmd)
	flags.StringVar(&params.Filters, "filters", "", `only the identities of a filter, such as 'department eq "Sales"'`)
	flags.StringVar(&params.Task, "task", "", "ID of a held task: show what it would do")
	flags.BoolVar(&params.Everybody, "everybody", false,
		"also calculate identities that a change of only roles cannot concern")
	flags.BoolVar(&params.Trace, "trace", false,
		"show how each value is calculated, and why each role is gained or lost")
	flags.IntVar(&limit, "limit", limit, "most identities to show in a table, 0 for all; the totals count all")
	flags.StringVarP(&output, "output", "o", outputTable, "table or json")
	return cmd
}

type previewRun func(each func(*engine.PreviewChange) error) (engine.PreviewTotals, error)

// previewJSON writes one object: the changes in the order of their calculation, then the totals.
func (a *app) previewJSON(run previewRun) error {
	separator := "{\"changes\": [\n"
	encoder := json.NewEncoder(a.stdout)
	encoder.SetEscapeHTML(false)
	totals, err := run(func(c *engine.PreviewChange) error {
		if _, err := io.WriteString(a.stdout, separator); err != nil {
			return err
		}
		separator = ", "
		return encoder.Encode(c)
	})
	if err != nil {
		return err
	}
	if separator == ", " {
		separator = ""
	}
	if _, err := io.WriteString(a.stdout, separator+"], \"totals\": "); err != nil {
		return err
	}
	if err := encoder.Encode(totals); err != nil {
		return err
	}
	_, err = io.WriteString(a.stdout, "}\n")
	return err
}

func (a *app) previewTable(ctx context.Context, eng *engine.Engine, run previewRun, limit int) error {
	started := time.Now()
	names := managerNames{ctx: ctx, eng: eng, names: map[string]string{}}
	shown := 0
	totals, err := run(func(c *engine.PreviewChange) error {
		if shown++; limit > 0 && shown > limit {
			return nil
		}
		return a.printPreviewChange(c, &names)
	})
	if err != nil {
		return err
	}
	if left := shown - limit; limit > 0 && left > 0 {
		fmt.Fprintf(a.stdout, "  … and %d identities more (--limit 0 shows all)\n", left)
	}
	a.printPreviewTotals(&totals, time.Since(started))
	return nil
}

// managerNames looks the names of managers up, each once.
type managerNames struct {
	ctx   context.Context //nolint:containedctx // it does not outlive the context's command
	eng   *engine.Engine
	names map[string]string
}

func (m *managerNames) name(id string) string {
	if id == "" {
		return "nobody"
	}
	if name, known := m.names[id]; known {
		return name
	}
	name := id
	if identity, err := m.eng.GetIdentity(m.ctx, id); err == nil {
		name = identity.Name
	}
	m.names[id] = name
	return name
}

// The widths of the columns of a preview.
const (
	previewNameWidth  = 26
	previewFieldWidth = 20
	previewValueMax   = 40
)

// printPreviewChange writes the changes of one identity, one per line. The first line also has its name.
func (a *app) printPreviewChange(c *engine.PreviewChange, managers *managerNames) error {
	who := fmt.Sprintf("%s (%s)", c.Name, c.Alias)
	if c.Name == c.Alias {
		who = c.Name
	}
	var b strings.Builder
	line := func(field, text string) {
		fmt.Fprintf(&b, "  %s  %s  %s\n", pad(cut(oneLine(who), previewNameWidth), previewNameWidth),
			pad(cut(field, previewFieldWidth), previewFieldWidth), oneLine(text))
		who = ""
	}
	if c.Error != "" {
		line("error", c.Error)
	}
	if c.Recovers {
		line("error", "ends")
	}
	if c.Profile != nil {
		line("identity profile", arrow(c.Profile.From, c.Profile.To))
	}
	if c.Correlated != nil {
		line("correlated", map[bool]string{true: "becomes so", false: "not any more"}[*c.Correlated])
	}
	for _, change := range c.Attributes {
		line(change.Name, fmt.Sprintf("%s → %s", shownValue(change.From), shownValue(change.To)))
		writeSteps(&b, change.Steps)
	}
	if c.LifecycleState != nil {
		line("lifecycle state", arrow(c.LifecycleState.From, c.LifecycleState.To))
	}
	if c.IdentityState != nil {
		line("identity state", arrow(c.IdentityState.From, c.IdentityState.To))
	}
	if c.Manager != nil {
		line("manager", managers.name(c.Manager.From)+" → "+managers.name(c.Manager.To))
	}
	roles := func(sign string, roles []engine.PreviewRole) {
		for i := range roles {
			line("role", sign+" "+roles[i].Name)
			writeCriterion(&b, roles[i].Criterion)
		}
	}
	roles("+", c.RolesGained)
	roles("-", c.RolesLost)
	for i := range c.Operations {
		line(c.Operations[i].Source.Name, operationText(&c.Operations[i]))
	}
	for i := range c.AccountsGone {
		line(c.AccountsGone[i].Source.Name, "account "+c.AccountsGone[i].NativeIdentity+" goes with the source")
	}
	for _, warning := range c.Warnings {
		line("warning", warning)
	}
	_, err := io.WriteString(a.stdout, b.String())
	return err
}

// operationText describes an operation on a source in one line.
func operationText(o *engine.PreviewOperation) string {
	text := operationName(o.Operation)
	if o.NativeIdentity != "" {
		text += " " + o.NativeIdentity
	}
	for name, value := range o.Attributes.All() {
		text += fmt.Sprintf(" %s=%s", name, shownValue(value))
	}
	if o.Manual {
		text += " (by hand)"
	}
	text += ", for " + o.Reason
	if o.Waits != "" {
		text += ": " + o.Waits
	}
	return text
}

func operationName(kind string) string { return strings.ToLower(strings.ReplaceAll(kind, "_", " ")) }

func arrow(from, to string) string {
	none := func(s string) string {
		if s == "" {
			return "none"
		}
		return s
	}
	return none(from) + " → " + none(to)
}

func shownValue(v attribute.Value) string {
	if v.IsNull() {
		return "none"
	}
	return cut(string(v.AppendJSON(nil)), previewValueMax)
}

// cut shortens a text to a width.
func cut(s string, width int) string {
	if uniseg.StringWidth(s) <= width {
		return s
	}
	var b strings.Builder
	graphemes := uniseg.NewGraphemes(s)
	for used := 0; graphemes.Next(); {
		if used += graphemes.Width(); used > width-1 {
			break
		}
		b.WriteString(graphemes.Str())
	}
	return b.String() + "…"
}

func pad(s string, width int) string {
	return s + strings.Repeat(" ", max(width-uniseg.StringWidth(s), 0))
}

func (a *app) printPreviewTotals(t *engine.PreviewTotals, took time.Duration) {
	out := a.stdout
	if t.Changed > 0 {
		fmt.Fprintln(out)
	}
	fmt.Fprintf(out, "%d of %d identities would change (%d were calculated in %s; nothing was written)\n", t.Changed,
		t.Identities, t.Calculated, took.Round(time.Millisecond))
	line := func(what, format string, arguments ...any) {
		fmt.Fprintf(out, "  %-16s  %s\n", what, oneLine(fmt.Sprintf(format, arguments...)))
	}
	for i, o := range t.Objects {
		kind := strings.ToLower(strings.ReplaceAll(string(o.Type), "_", " "))
		line(first(i, "configuration"), "%s %s %q", o.Action, kind, o.Name)
	}
	for i := range t.Removals {
		r := &t.Removals[i]
		line(first(i, "removal"), "%s %q %s", strings.ToLower(strings.ReplaceAll(string(r.Type), "_", " ")), r.Name,
			removalText(r))
	}
	for i, total := range t.Attributes {
		line(first(i, "attributes"), "%s: %s", total.Name,
			counts(total.Changed, "changed", total.Set, "set", total.Cleared, "cleared"))
	}
	for i, total := range t.Roles {
		line(first(i, "roles"), "%s: %s", total.Name, counts(total.Gained, "gain it", total.Lost, "lose it"))
	}
	for i, total := range t.Lifecycle {
		line(first(i, "lifecycle"), "%s: %d", arrow(total.From, total.To), total.Count)
	}
	for i, total := range t.Operations {
		line(first(i, "operations"), "%s: %s: %d", total.Source, operationName(total.Operation), total.Count)
	}
	if t.Managers > 0 {
		line("managers", "%d get another one, or none", t.Managers)
	}
	if t.Profiles > 0 {
		line("profiles", "%d get another one, or none", t.Profiles)
	}
	if t.Errors+t.Recovered > 0 {
		line("errors", "%d, %d of them new; %d would end", t.Errors, t.NewErrors, t.Recovered)
	}
	if t.Incomplete > 0 {
		line("warnings", "%d identities", t.Incomplete)
	}
	for i := range t.Losses {
		l := &t.Losses[i]
		verdict := fmt.Sprintf("the guard allows %d", l.Limit)
		if l.Held {
			verdict = "HELD: " + verdict
		}
		line(first(i, "losses"), "%d would %s (%s)", l.Identities, l.Text, verdict)
	}
	for i, note := range t.Notes {
		line(first(i, "note"), "%s", note)
	}
	for i, member := range t.LeftOut {
		line(first(i, "LOST"), "%s", member)
	}
	for i, members := range t.Lacking {
		line(first(i, "LACKING"), "%s (--replace removes them)", members)
	}
	if t.Held != "" {
		line("GUARD", "%s", t.Held)
	}
}

// first returns the heading for the first of several lines, and "" for the others.
func first(i int, heading string) string {
	if i == 0 {
		return heading
	}
	return ""
}

// counts joins numbers and what they count, leaving out zeros.
func counts(pairs ...any) string {
	var parts []string
	for i := 0; i < len(pairs); i += 2 {
		if pairs[i] != 0 {
			parts = append(parts, fmt.Sprintf("%d %s", pairs[i], pairs[i+1]))
		}
	}
	return strings.Join(parts, ", ")
}
