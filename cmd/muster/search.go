package main

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/muster-engine/muster/engine"
)

func (a *app) searchCommand() *cobra.Command {
	var request engine.SearchRequest
	var output, columns, zone string
	var fields []string
	limit := engine.SearchLimitDefault
	cmd := &cobra.Command{
		Use:   "search QUERY",
		Short: "Search identities, roles, access profiles, entitlements, activities and events",
		Long: `Search shows the documents that a query finds, such as
  muster search 'attributes.city:London AND @accounts(source.name:"Active Directory" AND disabled:false)'
  muster search --index roles 'name:sales* AND NOT requestable:true'
  muster search --sort -created,id -o json 'created:[now-7d/d TO now]'
A word without a field is looked for in all texts. docs/search.md has the language. What of a query can find nothing,
such as a field that does not exist, is said on stderr.`,
		Args: exactArgs(1, "one QUERY"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := demandListOutput(output); err != nil {
				return err
			}
			request.Query = &engine.SearchText{Query: args[0], TimeZone: zone, Fields: fields}
			request.Limit = &limit
			return a.withEngine(cmd.Context(), func(eng *engine.Engine) error {
				page, err := eng.Search(cmd.Context(), request)
				if err != nil {
					return err
				}
				for _, note := range page.Notes {
					fmt.Fprintf(a.stderr, "note: %s\n", note)
				}
				if page.Scanned {
					fmt.Fprintln(a.stderr, "note: no index serves the query: all documents of the index were read")
				}
				if err := a.showRows(output, page.Documents, hitRows(output, columns, page.Documents)); err != nil {
					return err
				}
				if page.Total != nil {
					fmt.Fprintf(a.stderr, "total: %d\n", *page.Total)
				}
				return nil
			})
		},
	}
	flags := cmd.Flags()
	flags.StringSliceVar(&request.Indices, "index", []string{"identities"},
		"kinds of documents: identities, roles, accessprofiles, entitlements, accountactivities, events, or * for all")
	flags.StringSliceVar(&fields, "fields", nil, "fields in which a word without a field is looked for")
	flags.StringSliceVar(&request.Sort, "sort", nil, "fields to sort by, with - before a field for descending")
	flags.IntVar(&limit, "limit", limit, "most documents to show, 0 to 10000")
	flags.IntVar(&request.Offset, "offset", 0, "documents to skip; with the limit at most 10000")
	flags.BoolVar(&request.Count, "count", false, "count all that are found, on stderr")
	flags.StringVar(&zone, "time-zone", "", "time zone of dates, such as Europe/London (default UTC)")
	flags.DurationVar(&request.TimeLimit, "time-limit", engine.SearchTimeDefault, "how long a statement may take")
	listOutput(cmd, &output)
	flags.StringVar(&columns, "columns", "id,_type,name,displayName", "members to show in a table or CSV")
	return cmd
}

// hitRows returns documents as the rows of a table or of CSV.
func hitRows(output, columns string, hits []engine.SearchHit) [][]string {
	names := strings.Split(columns, ",")
	for i := range names {
		names[i] = strings.TrimSpace(names[i])
	}
	rows := [][]string{names}
	if output != outputCSV {
		rows[0] = headingsOf(names)
	}
	for _, hit := range hits {
		row := make([]string, len(names))
		for i, name := range names {
			row[i] = hitMember(hit, name)
		}
		rows = append(rows, row)
	}
	return rows
}

// hitMember returns a member of a document as a cell of a table, by a name with dots.
func hitMember(document map[string]any, path string) string {
	name, rest, more := strings.Cut(path, ".")
	value := document[name]
	if inner, ok := value.(map[string]any); ok && more {
		return hitMember(inner, rest)
	}
	switch v := value.(type) {
	case nil:
		return ""
	case string:
		return v
	case map[string]any, []any:
		text, err := json.Marshal(v)
		if err != nil {
			return ""
		}
		return string(text)
	default:
		return fmt.Sprint(v)
	}
}
