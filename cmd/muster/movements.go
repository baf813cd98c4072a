package main

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/muster-engine/muster/engine"
)

func movementWords() []string {
	var list []string
	for _, kind := range engine.MovementKinds() {
		list = append(list, strings.ToLower(string(kind)))
	}
	return list
}

func (a *app) movementsCommand() *cobra.Command {
	query := engine.MovementQuery{Limit: 50}
	var output, until string
	since := "168h"
	cmd := &cobra.Command{
		Use: "movements [KIND...]", Short: "Show who joined, moved and left",
		Long: `Movements shows from the history who joined, moved and left, the latest first: all three, or the kinds
that are named. Somebody moves who gets another lifecycle state, manager or identity profile, or another value of one of
the --attributes. Somebody leaves who becomes inactive, is in the authoritative source no more, or is deleted. What is
coming is a list of its own: muster roles assignments --filters 'removeDate gt 2026-01-31T00:00:00Z'. Somebody who is
deleted after leaving is shown twice, the second time as deleted.

A time is a date (2026-01-31), a date with a time (2026-01-31T08:00:00Z), or how long ago it was (90m,
168h). A time without a zone is one of the tenant's time zone, in which tables show times.`,
		Example: `  muster movements
  muster movements left --since 2026-01-01 -o csv
  muster movements moved --attributes department,location`,
		Args: cobra.ArbitraryArgs, ValidArgsFunction: words(movementWords()...),
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			if err := demandListOutput(output); err != nil {
				return err
			}
			for _, arg := range args {
				if !slices.Contains(movementWords(), strings.ToLower(arg)) {
					return usage("%q is unknown: %s is expected", arg, orList(movementWords()))
				}
				query.Kinds = append(query.Kinds, engine.MovementKind(strings.ToUpper(arg)))
			}
			if query.Limit < 1 || query.Limit > engine.MovementsMax {
				return usage("--limit: %d is given where 1 to %d is allowed", query.Limit, engine.MovementsMax)
			}
			if _, _, err = period(since, until, time.UTC); err != nil { // before anything is read
				return err
			}
			return a.withEngine(cmd.Context(), func(eng *engine.Engine) error {
				var zone *time.Location
				var err error
				query.Since, query.Until, zone, err = tenantPeriod(cmd.Context(), eng, since, until)
				if err != nil {
					return err
				}
				page, err := eng.Movements(cmd.Context(), query)
				if err != nil {
					return err
				}
				return a.printMovements(output, &page, zone)
			})
		},
	}
	flags := cmd.Flags()
	flags.StringSliceVar(&query.Attributes, "attributes", nil, "attributes of which another value is a movement "+
		"(default: department)")
	flags.StringVar(&since, "since", since, "only movements at or after this time")
	flags.StringVar(&until, "until", "", "only movements before this time")
	flags.IntVar(&query.Limit, "limit", query.Limit, "most movements to show, 1 to 250")
	flags.StringVar(&query.After, "after", "", "go on behind this one")
	listOutput(cmd, &output)
	return cmd
}

// printMovements writes a line for each movement.
func (a *app) printMovements(output string, page *engine.MovementPage, zone *time.Location) error {
	rows := [][]string{{timeHeading(output, zone), "KIND", "IDENTITY", "NAME", "WHAT"}}
	for i := range page.Items {
		m := &page.Items[i]
		var changes []string
		if m.Deleted {
			changes = append(changes, "deleted")
		}
		for _, c := range m.Changes {
			changes = append(changes, c.Field+": "+arrow(c.From, c.To))
		}
		rows = append(rows, []string{timeText(output, m.At, zone), strings.ToLower(string(m.Kind)), m.IdentityID,
			m.Name, strings.Join(changes, "; ")})
	}
	if err := a.showRows(output, page, rows); err != nil || page.Next == "" || structured(output) {
		return err
	}
	_, err := fmt.Fprintf(a.stderr, "there may be more: --after %s\n", page.Next)
	return err
}
