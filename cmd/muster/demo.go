package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/muster-engine/muster/cmd/muster/company"
	"github.com/muster-engine/muster/engine"
)

// The size of the demo's company.
const (
	peopleDefault = 5000
	peopleMax     = 5_000_000
)

func (a *app) demoCommand() *cobra.Command {
	people := peopleDefault
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "Show the engine at work on a sample company",
		Long: `Demo starts a private PostgreSQL, applies the configuration of a sample company, aggregates its HR
system, its directory and its code host, processes the identities, provisions access to a file, and shows the result.
The company is the same every time. With --data DIR the database stays, and the demo prints how to query it.`,
		Args: exactArgs(0, "no argument"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if people < 1 || people > peopleMax {
				return usage("--people: %d is given where 1 to %d is allowed", people, peopleMax)
			}
			return a.demo(cmd.Context(), people)
		},
	}
	cmd.Flags().IntVar(&people, "people", people, "number of people in the company")
	return cmd
}

// demonstration is one run of the demo.
type demonstration struct {
	*app
	ctx     context.Context
	eng     *engine.Engine
	company *company.Company
	people  int
	sources string // the folder of the sources' files; "" for a temporary one
}

func (a *app) demo(ctx context.Context, people int) (err error) {
	// Without --data the database is removed when the demo ends.
	dir := ""
	if a.dataDir != "" {
		if dir, err = a.dataFolder(); err != nil {
			return err
		}
	}
	started := time.Now()
	db, err := a.connect(ctx, dir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.close(ctx)) }()
	var version string
	if err := db.pool.QueryRow(ctx, "SHOW server_version").Scan(&version); err != nil {
		return err
	}
	eng, err := a.engine(ctx, db)
	if err != nil {
		return err
	}
	d := &demonstration{app: a, ctx: ctx, eng: eng, company: company.New(people, 1), people: people}
	if dir != "" {
		d.sources = filepath.Clean(dir) + "-sources" // the folder itself belongs to the server
	}
	if err := d.demandOwnDatabase(); err != nil {
		return err
	}
	kind := "the named database"
	if db.server != nil {
		kind = "a private server, started and migrated in " + seconds(started)
	}
	d.heading("PostgreSQL %s: %s", version, kind)
	count := func() error { return eng.CountStatistics(ctx) }
	for _, step := range []func() error{d.apply, d.aggregate, d.processAll, d.summary, d.explain, d.preview,
		d.access, d.queries, d.statement, count} {
		if err := step(); err != nil {
			return err
		}
	}
	switch {
	case db.server == nil:
	case dir == "":
		fmt.Fprint(a.stdout, "\nThe database is removed now. To keep it, and to open the console by the link that "+
			"serve prints:\n  muster demo --data ./company && muster serve --data ./company\n")
	default:
		fmt.Fprintf(a.stdout, "\nThe database stays in %s, and the file of the %s in %s-sources. To query it:\n"+
			"  muster identities list --data %s --filters 'department eq \"Engineering\" and location sw \"B\"' "+
			"--sorters name\nTo open the console, by the link that this prints:\n  muster serve --data %s\n",
			dir, company.Portal, filepath.Clean(dir), quoteShell(dir), quoteShell(dir))
	}
	return nil
}

// demandOwnDatabase refuses a database with sources that are not the sample company's.
func (d *demonstration) demandOwnDatabase() error {
	statistics, err := d.eng.Statistics(d.ctx)
	if err != nil {
		return err
	}
	for _, s := range statistics.Sources {
		if !slices.Contains(d.company.Sources(), s.Name) && s.Name != company.Portal {
			return fmt.Errorf("the database has a source %q that does not belong to the sample company: "+
				"name another database with --data or --schema", s.Name)
		}
	}
	if len(statistics.Sources) > 0 {
		where := "the schema " + d.schemas.WithDefaults().Schema
		if d.databaseURL == "" {
			where = d.dataDir
		}
		return fmt.Errorf("there is a company in %s already: remove it, or name another folder or --schema", where)
	}
	return nil
}

func (d *demonstration) heading(format string, arguments ...any) {
	fmt.Fprintf(d.stdout, "\n"+format+"\n", arguments...)
}

func seconds(since time.Time) string { return fmt.Sprintf("%.1f s", time.Since(since).Seconds()) }

// quoteShell quotes a word for a shell if it needs quotes.
func quoteShell(word string) string {
	special := strings.ContainsFunc(word, func(r rune) bool {
		alphanumeric := r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9'
		return !alphanumeric && !strings.ContainsRune("/._-+:@%", r)
	})
	if !special {
		return word
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}

func (d *demonstration) apply() error {
	documents, err := engine.ReadDocuments("company.yaml", strings.NewReader(string(d.company.Config())))
	if err != nil {
		return err
	}
	result, err := d.eng.Apply(d.ctx, documents)
	if err != nil {
		return err
	}
	counts := map[engine.ObjectType]int{}
	for _, o := range result.Objects {
		counts[o.Type]++
	}
	d.heading("Configuration: %d sources, %d identity profile, %d lifecycle states, %d transforms, %d identity "+
		"attributes, %d roles", counts[engine.TypeSource], counts[engine.TypeIdentityProfile],
		counts[engine.TypeLifecycleState], counts[engine.TypeTransform], counts[engine.TypeIdentityAttribute],
		counts[engine.TypeRole])
	return nil
}

// aggregate reads the sources one after the other, like files, and processes after each.
func (d *demonstration) aggregate() error {
	d.heading("Aggregation")
	for _, source := range d.company.Sources() {
		started := time.Now()
		r, w := io.Pipe()
		go func() { w.CloseWithError(d.company.WriteCSV(source, w)) }()
		result, err := d.eng.Aggregate(d.ctx, source, r, engine.AggregateOptions{})
		r.CloseWithError(io.ErrClosedPipe) // so that a writer that is not at its end does not wait forever
		if err != nil {
			return err
		}
		read := seconds(started)
		started = time.Now()
		processed, err := d.processPending(d.ctx, d.eng)
		if err != nil {
			return err
		}
		fmt.Fprintf(d.stdout, "  %-20s %6d accounts in %s: %d correlated, %d identities created, %d left "+
			"uncorrelated; %d identities processed in %s\n",
			source, result.Rows, read, result.Correlated, result.Identities,
			result.Added-result.Correlated-result.Identities,
			processed.Identities, seconds(started))
		d.printMessagesOf(&processed)
		for _, fault := range result.RowErrors {
			return fmt.Errorf("the sample company has a faulty row: source %s, line %d: %s", source, fault.Line,
				fault.Msg)
		}
	}
	return nil
}

// processAll processes all identities again, although nothing has changed, and shows the task.
func (d *demonstration) processAll() error {
	task, err := d.eng.ProcessAll(d.ctx)
	if err == nil {
		task, err = d.processTask(d.ctx, d.eng, task.ID)
	}
	if err != nil {
		return err
	}
	d.heading("Processing all identities again: nothing has changed, so nothing is written")
	return d.indented(func(a *app) error { return a.printTask(&task, outputTable) })
}

// explain shows where the values of an identity come from. It takes the last person who joined engineering.
func (d *demonstration) explain() error {
	limit := 1
	page, err := d.eng.ListIdentities(d.ctx, engine.ListParams{
		Filters: `department eq "Engineering"`, Sorters: "-startDate,id", Limit: &limit, AnyField: true,
	})
	if err != nil || len(page.Identities) == 0 {
		return err // a company of one person has no engineering
	}
	alias := page.Identities[0].Alias
	for _, params := range []engine.ExplainParams{
		{Identity: alias, Attribute: "cloudLifecycleState"}, {Identity: alias, Role: "Engineering"},
	} {
		x, err := d.eng.Explain(d.ctx, params)
		if err != nil {
			return err
		}
		d.heading("Why: muster explain %s %s", alias, map[bool]string{true: "--role " + params.Role,
			false: "--attribute " + params.Attribute}[params.Role != ""])
		if err := d.indented(func(a *app) error { return printExplanation(a.stdout, &x) }); err != nil {
			return err
		}
	}
	return nil
}

// proposal is a change of the configuration that only looks harmless.
const proposal = `
roles:
  - name: Engineering
    enabled: true
    membership:
      type: STANDARD
      criteria: {operation: CONTAINS, key: {type: IDENTITY, property: attribute.jobTitle}, stringValue: data engineer}
`

func (d *demonstration) preview() error {
	documents, err := engine.ReadDocuments("proposal.yaml", strings.NewReader(proposal))
	if err != nil {
		return err
	}
	d.heading("What if the role Engineering depended on job titles: muster preview -f proposal.yaml")
	return d.indented(func(a *app) error {
		return a.previewTable(d.ctx, d.eng, func(each func(*engine.PreviewChange) error) (engine.PreviewTotals, error) {
			return d.eng.Preview(d.ctx, engine.PreviewParams{Documents: documents}, each)
		}, 4)
	})
}

// indented indents the output of show.
func (d *demonstration) indented(show func(*app) error) error {
	var text strings.Builder
	a := *d.app
	a.stdout = &text
	err := show(&a)
	for line := range strings.Lines(text.String()) {
		fmt.Fprint(d.stdout, "  "+line)
	}
	return err
}

func (d *demonstration) summary() error {
	statistics, err := d.eng.Statistics(d.ctx)
	if err != nil {
		return err
	}
	d.heading("What there is now")
	fmt.Fprintf(d.stdout, "  %d identities, %d of them correlated, %d managers, %d with a manager, %d in error\n",
		statistics.Identities, statistics.Correlated, statistics.Managers, statistics.Managed, statistics.Errors)
	for _, s := range statistics.Sources {
		fmt.Fprintf(d.stdout, "  %-20s %6d accounts, %d uncorrelated\n", s.Name, s.Accounts, s.Uncorrelated)
	}
	return nil
}

// demoQueries are the filters that the demo shows, each of a different kind.
var demoQueries = []struct{ about, filters, sorters, columns string }{
	{
		"names in any script and letter case, by a prefix",
		`lastname sw "straß" or lastname sw "Ό" or firstname sw "ИВ"`, "name",
		"name,alias,emailAddress,attributes.department,managerRef.name",
	},
	{
		"any attribute, with the whole language",
		`department eq "engineering" and not (location in ("London","Berlin")) and pr codeHostUser`,
		"-startDate,name", "name,attributes.jobTitle,attributes.location,attributes.startDate,attributes.codeHostUser",
	},
	{
		"people without a manager", `manager.id isnull`, "name", "name,alias,attributes.jobTitle,isManager",
	},
}

func (d *demonstration) queries() error {
	for _, q := range demoQueries {
		limit := 5
		page, err := d.eng.ListIdentities(d.ctx, engine.ListParams{
			Filters: q.filters, Sorters: q.sorters, Limit: &limit, Count: true, AnyField: true,
		})
		if err != nil {
			return err
		}
		d.heading("Filter: %s\n  %s   sorted by %s   %d found", q.about, q.filters, q.sorters, *page.Total)
		var table strings.Builder
		if err := writeItems(&table, outputTable, q.columns, page.Identities); err != nil {
			return err
		}
		for line := range strings.Lines(table.String()) {
			fmt.Fprint(d.stdout, "    "+line)
		}
	}
	return nil
}

// statement shows the SQL of the first filter.
func (d *demonstration) statement() error {
	text, arguments, err := d.eng.ListStatement(d.ctx, engine.ListParams{Filters: demoQueries[0].filters,
		Sorters: demoQueries[0].sorters})
	if err != nil {
		return err
	}
	d.heading("The SQL of the first filter: values are arguments, and a prefix is a range of an index")
	for line := range strings.Lines(text) {
		fmt.Fprintf(d.stdout, "    %s\n", strings.TrimSpace(line))
	}
	for i, argument := range arguments {
		fmt.Fprintf(d.stdout, "    $%d = %q\n", i+1, argument)
	}
	return nil
}
