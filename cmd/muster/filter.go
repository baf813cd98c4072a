package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	sq "github.com/Masterminds/squirrel"
	"github.com/spf13/cobra"

	"github.com/muster-engine/muster/filterql"
	"github.com/muster-engine/muster/store"
)

func (a *app) filterCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "filter",
		Short: "Try the filter language",
		Long: `Filter shows how Muster reads a filter or sorters, without a database.
The language is that of the V3 standard collection parameters: see docs/filters.md.`,
	}
	return group(cmd, a.filterExplainCommand(), a.filterParseCommand(), a.filterSortersCommand())
}

func (a *app) filterParseCommand() *cobra.Command {
	var file string
	cmd := &cobra.Command{
		Use:   "parse EXPRESSION",
		Short: "Print a filter in its canonical form",
		Long: `Parse prints the canonical form of a filter. If the filter is wrong, it shows the mistake on stderr and
exits with 2:
  muster filter parse 'name sw "Jo" and (not correlated eq true)'
With --file it reads one filter per line. For each it prints OK or ERR, a tab, and the canonical form or the error.`,
		Args: func(cmd *cobra.Command, args []string) error {
			if file != "" {
				return exactArgs(0, "no argument beside --file")(cmd, args)
			}
			return exactArgs(1, "one EXPRESSION")(cmd, args)
		},
		RunE: func(_ *cobra.Command, args []string) error {
			if file != "" {
				return a.parseFile(file)
			}
			e, err := filterql.Parse(args[0])
			if err != nil {
				return err
			}
			_, err = fmt.Fprintln(a.stdout, filterql.Print(e))
			return err
		},
	}
	cmd.Flags().StringVar(&file, "file", "", "file with one filter per line, or - for standard input")
	return cmd
}

func (a *app) parseFile(name string) error {
	in := a.stdin
	if name != "-" {
		file, err := os.Open(name)
		if err != nil {
			return usageError{err}
		}
		defer file.Close() // only read
		in = file
	}
	out := bufio.NewWriter(a.stdout)
	if err := parseLines(bufio.NewReader(in), out); err != nil {
		return errors.Join(err, out.Flush())
	}
	return out.Flush()
}

// parseLines reads a filter from each line, and writes one line of result for it.
func parseLines(in *bufio.Reader, out *bufio.Writer) error {
	for {
		line, length, err := readLine(in)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("read filters: %w", err)
		}
		result := parseLine(line, length)
		if _, err := fmt.Fprintln(out, result); err != nil {
			return fmt.Errorf("write results: %w", err)
		}
	}
}

func parseLine(line string, length int) string {
	if length > len(line) {
		return fmt.Sprintf("ERR\tthe filter has %d bytes, %d are allowed", length, filterql.TextMax)
	}
	e, err := filterql.Parse(line)
	if err != nil {
		return "ERR\t" + err.Error()
	}
	return "OK\t" + filterql.Print(e)
}

// readLine returns the next line without its end, and its length. If the line is too long for a filter, it returns only
// the beginning, so that memory is limited.
func readLine(in *bufio.Reader) (line string, length int, err error) {
	var b strings.Builder
	for {
		part, more, err := in.ReadLine()
		if err != nil {
			// ReadLine returns an error without data. At the end of the input, the data read before is a line.
			if err == io.EOF && length > 0 {
				return b.String(), length, nil
			}
			return "", 0, err
		}
		length += len(part)
		if b.Len() <= filterql.TextMax {
			b.Write(part)
		}
		if !more {
			return b.String(), length, nil
		}
	}
}

func (a *app) filterSortersCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "sorters TEXT",
		Short: "Print sorters in their canonical form",
		Args:  exactArgs(1, "one TEXT"),
		RunE: func(_ *cobra.Command, args []string) error {
			sorters, err := filterql.ParseSorters(args[0])
			if err != nil {
				return err
			}
			_, err = fmt.Fprintln(a.stdout, sorters)
			return err
		},
	}
}

func (a *app) filterExplainCommand() *cobra.Command {
	var anyField bool
	var collection string
	cmd := &cobra.Command{
		Use:   "explain EXPRESSION",
		Short: "Show the tree, the SQL and the arguments of a filter of a collection",
		Args:  exactArgs(1, "one EXPRESSION"),
		RunE: func(_ *cobra.Command, args []string) error {
			schema, err := schemaOf(collection, anyField)
			if err != nil {
				return err
			}
			filter, err := filterql.ParseFilter(args[0], schema)
			if err != nil {
				return err
			}
			text, err := explain(filter, schema)
			if err != nil {
				return err
			}
			_, err = io.WriteString(a.stdout, text)
			return err
		},
	}
	cmd.Flags().BoolVar(&anyField, "any-field", false, "allow every property and attribute, with every operator")
	cmd.Flags().StringVar(&collection, "collection", "identities", "what is filtered: identities, accounts, "+
		"entitlements, role-members, role-assignments, owned, operations or tasks")
	return cmd
}

// schemaOf returns the fields of a collection.
func schemaOf(collection string, anyField bool) (*filterql.Schema, error) {
	switch collection {
	case "identities":
		return store.IdentitySchema(anyField), nil
	case "accounts":
		return store.AccountSchema(anyField), nil
	case "entitlements":
		return store.EntitlementSchema(anyField), nil
	case "role-members":
		return store.RoleMemberSchema(anyField), nil
	case "role-assignments":
		return store.RoleAssignmentSchema(), nil
	case "operations":
		return store.OperationSchema(anyField), nil
	case "owned":
		return store.OwnedSchema(), nil
	case "tasks":
		return store.TaskSchema(anyField, false), nil
	}
	return nil, usage("--collection: %q is unknown: identities, accounts, entitlements, role-members, "+
		"role-assignments, owned, operations or tasks is expected", collection)
}

func explain(filter *filterql.Filter, schema *filterql.Schema) (string, error) {
	condition, arguments, err := filter.Where().ToSql()
	if err != nil {
		return "", err
	}
	if condition, err = sq.Dollar.ReplacePlaceholders(condition); err != nil {
		return "", err
	}
	var b strings.Builder
	b.WriteString("Tree\n")
	explainTree(&b, filter.Expr(), schema, 1)
	fmt.Fprintf(&b, "SQL\n  %s\n", condition)
	if len(arguments) > 0 {
		b.WriteString("Arguments\n")
	}
	for i, argument := range arguments {
		fmt.Fprintf(&b, "  $%d  %s\n", i+1, explainArgument(argument))
	}
	return b.String(), nil
}

func explainTree(b *strings.Builder, e filterql.Expr, schema *filterql.Schema, depth int) {
	b.WriteString(strings.Repeat("  ", depth))
	switch e := e.(type) {
	case *filterql.And:
		b.WriteString("and\n")
		explainTerms(b, e.Terms, schema, depth+1)
	case *filterql.Or:
		b.WriteString("or\n")
		explainTerms(b, e.Terms, schema, depth+1)
	case *filterql.Not:
		b.WriteString("not\n")
		explainTree(b, e.X, schema, depth+1)
	case *filterql.Comparison:
		field, _ := schema.Field(e.Field.Text) // the filter was checked
		fmt.Fprintf(b, "%s   (%s)\n", filterql.Print(e), describeType(field))
	}
}

func explainTerms(b *strings.Builder, terms []filterql.Expr, schema *filterql.Schema, depth int) {
	for _, term := range terms {
		explainTree(b, term, schema, depth)
	}
}

func describeType(f filterql.Field) string {
	text := f.Type.String()
	if f.Multi {
		text = "list of " + text + "s"
	}
	if f.Fold != nil {
		text += ", case ignored"
	}
	return text
}

// explainArgument returns an argument with its Go type.
func explainArgument(argument any) string {
	switch v := argument.(type) {
	case string, []string:
		return fmt.Sprintf("%T %q", v, v)
	case time.Time:
		return fmt.Sprintf("%T %s", v, v.Format(time.RFC3339Nano))
	default:
		return fmt.Sprintf("%T %v", v, v)
	}
}
