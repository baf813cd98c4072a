package engine_test

import (
	"strings"
	"testing"

	"github.com/muster-engine/muster/engine"
	"github.com/muster-engine/muster/engine/enginetest"
)

// accountOf returns the ID of the account that an identity has on a source.
func (f *fixture) accountOf(source, identity string) string {
	f.t.Helper()
	page, err := f.ListAccounts(f.t.Context(), engine.AccountParams{Source: source, Identity: identity})
	if err != nil || len(page.Items) != 1 {
		f.t.Fatalf("on %s are %+v, %v, want one account", source, page.Items, err)
	}
	return page.Items[0].ID
}

// owner returns the alias of the identity that has the account of the Directory with a name, and whether it was
// correlated by hand.
func (f *fixture) owner(native string) string {
	f.t.Helper()
	return f.text(`SELECT coalesce(i.alias, 'nobody') || CASE WHEN a.manually_correlated THEN ' by hand' ELSE '' END
		FROM muster.accounts a JOIN muster.sources s ON s.id = a.source_id
		LEFT JOIN muster.identities i ON i.id = a.identity_id
		WHERE s.name = 'Directory' AND a.native_identity = $1`, native)
}

// An account that is correlated by hand stays whatever correlation finds, until it is released.
func TestCorrelateAndReleaseAccount(t *testing.T) {
	t.Parallel()
	f := company(t)
	const rows = enginetest.DirectoryHeader + "stray,,,g,true\nannb,,ann,g,true\n"
	f.AggregateText("Directory", rows, engine.AggregateOptions{})
	f.Process()
	ctx := engine.WithActor(t.Context(), engine.Actor{ID: "1", Name: "Ms Admin", Via: "test"})
	account := func(native string) string {
		return f.text(`SELECT id::text FROM muster.accounts WHERE native_identity = $1 AND source_id =
			(SELECT id FROM muster.sources WHERE name = 'Directory')`, native)
	}
	stray, annb, bob := account("stray"), account("annb"), f.ID("bob")
	for _, step := range []struct {
		name string
		do   func() error
		// stray and annb are whose the accounts are afterwards, and processed how many were processed.
		stray, annb string
		processed   int
	}{
		{"nobody's account", func() error { return f.CorrelateAccount(ctx, stray, bob) }, "bob by hand", "ann", 1},
		{"again", func() error { return f.CorrelateAccount(ctx, stray, bob) }, "bob by hand", "ann", 0},
		{"somebody's account", func() error { return f.CorrelateAccount(ctx, annb, bob) }, "bob by hand", "bob by hand", 2},
		{"read again", func() error {
			f.AggregateText("Directory", strings.ReplaceAll(rows, ",g,", ",h,"), engine.AggregateOptions{})
			return nil
		}, "bob by hand", "bob by hand", 1},
		{"its keys find another", func() error { return f.ReleaseAccount(ctx, annb) }, "bob by hand", "ann", 2},
		{"its keys find nobody", func() error { return f.ReleaseAccount(ctx, stray) }, "nobody", "ann", 1},
		{"it is hers", func() error { return f.CorrelateAccount(ctx, annb, f.ID("ann")) }, "nobody", "ann by hand", 1},
		{"and by its keys", func() error { return f.ReleaseAccount(ctx, annb) }, "nobody", "ann", 1},
	} {
		if err := step.do(); err != nil {
			t.Fatalf("%s: %v", step.name, err)
		}
		if got := f.number(`SELECT count(DISTINCT identity_id) FROM muster.refresh_requests`); got != step.processed {
			t.Errorf("%s: the processing of %d is requested, want %d", step.name, got, step.processed)
		}
		f.Process()
		if got := f.owner("stray"); got != step.stray {
			t.Errorf("%s: stray is %s's, want %s", step.name, got, step.stray)
		}
		if got := f.owner("annb"); got != step.annb {
			t.Errorf("%s: annb is %s's, want %s", step.name, got, step.annb)
		}
		d := f.doctor(engine.DoctorOptions{})
		for _, finding := range notOK(&d) {
			if strings.Contains(finding, "account") || strings.Contains(finding, "correlat") || strings.Contains(finding, "grant") {
				t.Errorf("%s: the doctor says %q", step.name, finding)
			}
		}
	}
	events, err := f.EventLog(t.Context(), engine.EventQuery{Types: []string{engine.EventAccountsChanged}, Limit: 100})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for i := range events {
		d, text := events[i].Detail.Accounts, ""
		for _, list := range []struct {
			sign     string
			accounts []engine.EventAccount
		}{{"+", d.Gained}, {"-", d.Lost}, {"=", d.Kept}} {
			for _, a := range list.accounts {
				name := map[string]string{strings.ReplaceAll(stray, "-", ""): "stray", strings.ReplaceAll(annb, "-", ""): "annb"}[a.ID]
				text += list.sign + name
			}
		}
		who := map[string]string{bob: "bob", f.ID("ann"): "ann"}[events[i].IdentityID]
		if events[i].Actor.Name != "Ms Admin" || events[i].TaskID == "" {
			t.Errorf("%s %s is by %+v in the task %q", who, text, events[i].Actor, events[i].TaskID)
		}
		got = append([]string{who + " " + text}, got...)
	}
	for _, want := range []string{"bob +stray", "bob +annb", "ann -annb", "bob -annb", "ann +annb", "bob -stray", "ann =annb"} {
		if !strings.Contains(strings.Join(got, "|"), want) {
			t.Errorf("got %q, want %s in them", got, want)
		}
	}
	if len(got) != 8 {
		t.Errorf("got %q, want 8", got)
	}
	demandKind(t, f.ReleaseAccount(ctx, stray), engine.Conflict, "no identity has the account")
	demandKind(t, f.ReleaseAccount(ctx, "nobody"), engine.NotFound, "no account")
	demandKind(t, f.CorrelateAccount(ctx, bob, bob), engine.NotFound, "no account")
	demandKind(t, f.CorrelateAccount(ctx, stray, "nobody"), engine.NotFound, "")
}
