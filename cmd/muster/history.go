package main

import (
	"cmp"
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/muster-engine/muster/engine"
)

func (a *app) historyCommand() *cobra.Command {
	query := engine.EventQuery{Limit: 50}
	var output, since, until string
	cmd := &cobra.Command{
		Use:   "history [ID|ALIAS]",
		Short: "Show what happened to an identity, or to all of them",
		Long: `History shows what happened, who asked for it and which task did it, the latest first. With an ID or
an alias it is the history of one identity, which outlives it; without one it is that of all identities, which can be
narrowed down by --type, --actor, --task, --since and --until.

A time is a date (2026-01-31), a date with a time (2026-01-31T08:00:00Z), or how long ago it was (90m,
12h). A time without a zone is one of the tenant's time zone, in which tables show times.`,
		Example: `  muster history walter.white
  muster history --type IDENTITY_DELETED,IDENTITY_RESET --since 24h
  muster history --actor ayse -o json`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) > 1 {
				return usage("at most one ID or ALIAS is expected")
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			if err := demandListOutput(output); err != nil {
				return err
			}
			if _, _, err = period(since, until, time.UTC); err != nil { // before anything is read
				return err
			}
			narrowed := len(query.Types) > 0 || query.Actor+query.Task+since+until != ""
			if len(args) == 1 && narrowed {
				return usage("--type, --actor, --task, --since and --until are for the history of all identities")
			}
			return a.withEngine(cmd.Context(), func(eng *engine.Engine) error {
				var zone *time.Location
				var err error
				query.Since, query.Until, zone, err = tenantPeriod(cmd.Context(), eng, since, until)
				if err != nil {
					return err
				}
				var events []engine.Event
				if len(args) == 1 {
					events, err = eng.History(cmd.Context(), args[0], query.Before, query.Limit)
				} else {
					events, err = eng.EventLog(cmd.Context(), query)
				}
				if err != nil {
					return err
				}
				if err := a.printHistory(output, events, len(args) == 0, zone); err != nil {
					return err
				}
				if len(events) == query.Limit && len(events) > 0 {
					fmt.Fprintf(a.stderr, "there may be more: --before %s\n", events[len(events)-1].ID)
				}
				return nil
			})
		},
	}
	flags := cmd.Flags()
	flags.StringSliceVar(&query.Types, "type", nil, "only events with one of these types")
	flags.StringVar(&query.Actor, "actor", "", "only what this actor asked for: the ID")
	flags.StringVar(&query.Task, "task", "", "only what belongs to this task")
	flags.StringVar(&since, "since", "", "only events at or after this time")
	flags.StringVar(&until, "until", "", "only events before this time")
	flags.IntVar(&query.Limit, "limit", query.Limit, "most events to show, 1 to 1000")
	flags.StringVar(&query.Before, "before", "", "only events before the one with this ID")
	listOutput(cmd, &output)
	return cmd
}

// tenantPeriod is period in the tenant's time zone, which it also returns.
func tenantPeriod(ctx context.Context, eng *engine.Engine, since, until string) (from, to time.Time,
	zone *time.Location, err error,
) {
	settings, err := eng.Settings(ctx)
	if err != nil {
		return from, to, nil, err
	}
	from, to, err = period(since, until, settings.Location)
	return from, to, settings.Location, err
}

// period reads the times of --since and --until.
func period(since, until string, zone *time.Location) (from, to time.Time, err error) {
	if from, err = momentOf("--since", since, zone); err == nil {
		to, err = momentOf("--until", until, zone)
	}
	return from, to, err
}

// momentOf reads a time as a person writes it, in a zone where it names none. The empty text is the zero time. Nothing
// is older than 1970: an older time is its beginning, so that no time that is given looks like none.
func momentOf(flag, text string, zone *time.Location) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	if ago, err := time.ParseDuration(text); err == nil && ago >= 0 {
		return notBefore1970(time.Now().Add(-ago)), nil
	}
	for _, layout := range []string{time.RFC3339, "2006-01-02T15:04:05", "2006-01-02T15:04", time.DateOnly} {
		if t, err := time.ParseInLocation(layout, text, zone); err == nil {
			return notBefore1970(t), nil
		}
	}
	return time.Time{}, usage("%s: %q is no time: 2026-01-31, 2026-01-31T08:00:00Z or 12h is expected", flag, text)
}

func notBefore1970(t time.Time) time.Time {
	if first := time.Unix(0, 0); t.Before(first) {
		return first
	}
	return t
}

// timeHeading is the heading of a column of times: that of a table names their zone.
func timeHeading(output string, zone *time.Location) string {
	if output == outputTable {
		return "TIME (" + zone.String() + ")"
	}
	return "TIME"
}

// timeText writes a time of the tenant: in a table as people read it, in CSV for programs.
func timeText(output string, t time.Time, zone *time.Location) string {
	if output == outputTable {
		return t.In(zone).Format("2006-01-02 15:04:05")
	}
	return t.In(zone).Format(time.RFC3339)
}

// printHistory writes a line for each thing that happened. ofAll says whose it was.
func (a *app) printHistory(output string, events []engine.Event, ofAll bool, zone *time.Location) error {
	header := []string{timeHeading(output, zone), "EVENT", "ACTOR", "WHAT"}
	if ofAll {
		header = []string{header[0], "IDENTITY", "EVENT", "ACTOR", "WHAT"}
	}
	rows := [][]string{header}
	for i := range events {
		e := &events[i]
		lines := historyLines(e)
		for k, line := range lines {
			row := []string{timeText(output, e.At, zone), e.IdentityID, line.kind, actorText(&e.Actor)}
			if k > 0 && output == outputTable {
				row = []string{"", "", "", ""}
				if line.kind != lines[k-1].kind {
					row[2] = line.kind
				}
			}
			if !ofAll {
				row = append(row[:1], row[2:]...)
			}
			rows = append(rows, append(row, line.text))
		}
	}
	return a.showRows(output, events, rows)
}

// historyLine is one thing that happened, and the type that it belongs to.
type historyLine struct{ kind, text string }

// historyLines says in words what an event has.
func historyLines(e *engine.Event) []historyLine {
	var lines []historyLine
	add := func(kind, format string, arguments ...any) {
		lines = append(lines, historyLine{kind, fmt.Sprintf(format, arguments...)})
	}
	d := &e.Detail
	if d.Created != nil {
		add(engine.EventCreated, "of the account %s", d.Created.AccountID)
	}
	for i := range d.Attributes {
		c := &d.Attributes[i]
		add(engine.EventAttributesChanged, "%s: %s → %s", c.Attribute, c.OldValue.AppendJSON(nil),
			c.NewValue.AppendJSON(nil))
	}
	if d.Roles != nil {
		for _, r := range d.Roles.Gained {
			add(engine.EventRolesChanged, "+ %s: %s", r.Name, r.Reason)
		}
		for _, r := range d.Roles.Lost {
			add(engine.EventRolesChanged, "- %s: %s", r.Name, r.Reason)
		}
	}
	for _, c := range stateLines(d.States) {
		add(engine.EventStateChanged, "%s", c)
	}
	if d.LifecycleState != nil {
		if d.LifecycleState.State == nil {
			add(engine.EventLifecycleStateSet, "the lifecycle state is calculated again")
		} else {
			add(engine.EventLifecycleStateSet, "the lifecycle state was set to %s", *d.LifecycleState.State)
		}
	}
	for i := range d.Provisioned {
		p := &d.Provisioned[i]
		linked := map[bool]string{true: ", linked: the account was there already"}[p.Linked]
		add(engine.EventProvisioned, "%s %s on %s%s: %s%s", p.Operation, p.NativeIdentity, p.Source.Name,
			strings.TrimRight(" "+p.Attribute+" "+p.Value, " "), p.Reason, linked)
	}
	for _, list := range []struct {
		kind       string
		operations []engine.EventParking
	}{{engine.EventOperationParked, d.Parked}, {engine.EventOperationReleased, d.Released}} {
		for i := range list.operations {
			o := &list.operations[i]
			add(list.kind, "%s on %s: %s", strings.Join(strings.Fields(o.Operation+" "+o.NativeIdentity), " "),
				strings.TrimRight(o.Source.Name+" "+o.Attribute+" "+o.Value, " "), o.Cause)
		}
	}
	writeActs(d, add)
	if len(lines) == 0 { // of types that are not known here
		add(strings.Join(e.Types, " "), "")
	}
	return lines
}

// writeActs says in words what people did.
func writeActs(d *engine.EventDetail, add func(kind, format string, arguments ...any)) {
	if d.Protection != nil {
		add(engine.EventProtectionChanged, "%s", map[bool]string{true: "protected from being deleted",
			false: "not protected any more"}[d.Protection.Protected])
	}
	levels := func(kind string, c *engine.EventUserLevels) {
		if c != nil {
			add(kind, "user levels: %s", arrow(strings.Join(c.OldValue, ", "), strings.Join(c.NewValue, ", ")))
		}
	}
	levels(engine.EventUserLevelsChanged, d.UserLevels)
	if d.Accounts != nil {
		for _, list := range []struct {
			sign     string
			accounts []engine.EventAccount
		}{{"+", d.Accounts.Gained}, {"-", d.Accounts.Lost}, {"=", d.Accounts.Kept}} {
			for i := range list.accounts {
				account := &list.accounts[i]
				how := map[bool]string{true: "correlated", false: "released"}[account.ManuallyCorrelated]
				add(engine.EventAccountsChanged, "%s account %s on %s, %s by hand", list.sign, account.ID,
					account.Source.Name, how)
			}
		}
	}
	for i := range d.Demanded {
		demanded := &d.Demanded[i]
		forced := map[bool]string{true: ", in any case"}[demanded.Forced]
		add(engine.EventAccountDemanded, "%s asked for, account %s on %s%s", demanded.Operation, demanded.Account,
			demanded.Source.Name, forced)
	}
	if d.Ownership != nil {
		owned := func(sign string, list []engine.Reference, count int) {
			for _, o := range list {
				add(engine.EventOwnershipChanged, "%s %s %s", sign, o.Type, cmp.Or(o.Name, o.ID))
			}
			if more := count - len(list); more > 0 {
				add(engine.EventOwnershipChanged, "%s %d more", sign, more)
			}
		}
		owned("+", d.Ownership.Gained, d.Ownership.GainedCount)
		owned("-", d.Ownership.Lost, d.Ownership.LostCount)
	}
	status := func(c *engine.EventTextChange) string {
		if c == nil {
			return ""
		}
		return ", cloudStatus: " + arrow(text(c.OldValue), text(c.NewValue))
	}
	if d.Invited != nil {
		add(engine.EventInvited, "an invitation was asked for")
	}
	if d.Registered != nil {
		add(engine.EventRegistered, "the invitation was redeemed%s", status(d.Registered.CloudStatus))
	}
	if d.Reset != nil {
		add(engine.EventReset, "the registration was ended%s", status(d.Reset.CloudStatus))
		levels(engine.EventReset, d.Reset.UserLevels)
	}
	if d.VerificationRequested != nil {
		add(engine.EventVerificationRequested, "a verification was asked for, by %s", d.VerificationRequested.Via)
	}
	if d.Verified != nil {
		add(engine.EventVerified, "the verification was redeemed")
	}
	if d.Deleted != nil {
		add(engine.EventDeleted, "%s was deleted", cmp.Or(d.Deleted.Identity.Name, d.Deleted.Identity.ID))
	}
}

// stateLines says which states changed.
func stateLines(s *engine.EventStates) (lines []string) {
	if s == nil {
		return nil
	}
	for _, c := range []struct {
		name   string
		change *engine.EventTextChange
	}{{"identityProfile", s.Profile}, {"correlated", s.Correlated}, {"lifecycleState", s.LifecycleState},
		{"identityState", s.IdentityState}, {"manager", s.Manager}, {"processingState", s.ProcessingState},
		{"cloudStatus", s.CloudStatus}} {
		if c.change != nil {
			lines = append(lines, c.name+": "+arrow(text(c.change.OldValue), text(c.change.NewValue)))
		}
	}
	return lines
}

func text(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}
