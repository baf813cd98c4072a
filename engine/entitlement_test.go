package engine_test

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/muster-engine/muster/engine"
	"github.com/muster-engine/muster/engine/configuration"
	"github.com/muster-engine/muster/engine/connector"
	"github.com/muster-engine/muster/engine/enginetest"
)

// held returns the rows of account_entitlements, each as "account attribute=value".
func (f *fixture) held() string {
	f.t.Helper()
	return f.text(`
		SELECT coalesce(string_agg(a.native_identity || ' ' || e.attribute || '=' || e.value, ', '
		                           ORDER BY a.native_identity COLLATE "C", e.attribute, e.value), '')
		FROM muster.account_entitlements k
		JOIN muster.accounts a ON a.id = k.account_id
		JOIN muster.entitlements e ON e.id = k.entitlement_id AND e.source_id = a.source_id`)
}

func (f *fixture) demandHeld(want string) {
	f.t.Helper()
	if got := f.held(); got != want {
		f.t.Errorf("held are %q, want %q", got, want)
	}
	if d := f.doctor(engine.DoctorOptions{}); strings.Contains(strings.Join(notOK(&d), "; "), "account-entitlements") {
		f.t.Errorf("the doctor says %q", notOK(&d))
	}
}

// What accounts hold is what an aggregation read last, value by value and case by case.
func TestAggregationWritesEntitlements(t *testing.T) {
	t.Parallel()
	f := company(t)
	all := engine.DeletionLimit{Percent: 100, IsPercent: true}
	for _, step := range []struct{ text, want string }{
		{"ann,,1,g;h,true\nbob,,2,,true\ncy,,3,g;G;g,true\n", "ann groups=g, ann groups=h, cy groups=G, cy groups=g"},
		{"ann,,1,g;h,true\nbob,,2,,true\ncy,,3,g;G;g,true\n", "ann groups=g, ann groups=h, cy groups=G, cy groups=g"},
		{"ann,,1,h;i,true\nbob,,2,g,false\ncy,,3,G;g,true\n", "ann groups=h, ann groups=i, bob groups=g, cy groups=G, cy groups=g"},
		{"bob,,2,,true\ncy,,3,g,true\ndee,,4,i,true\n", "cy groups=g, dee groups=i"},
		{"dee,,4,i,true\n", "dee groups=i"},
	} {
		f.AggregateText("Directory", enginetest.DirectoryHeader+step.text, engine.AggregateOptions{MaxDeletions: &all})
		f.demandHeld(step.want)
	}
	f.AggregateText("Directory", enginetest.DirectoryHeader+"dee,,4,j,true\nfay,,5,i,true\n", engine.AggregateOptions{Delta: true})
	f.demandHeld("dee groups=j, fay groups=i")
	if n := f.number(`SELECT count(*) FROM muster.account_entitlements k JOIN muster.accounts a ON a.id = k.account_id
		JOIN muster.sources s ON s.id = a.source_id WHERE s.name = 'HR'`); n != 0 {
		t.Errorf("%d rows of a source without entitlements, want 0", n)
	}
}

// The rows follow what the schema marks, without another aggregation.
func TestApplyMarksEntitlements(t *testing.T) {
	t.Parallel()
	f := company(t)
	rows := "ann,a@example.com,1,g;h,true\nbob,,2,,false\n"
	f.AggregateText("Directory", enginetest.DirectoryHeader+rows, engine.AggregateOptions{})
	const groups, active, mail = "{name: groups, isMulti: true, isEntitlement: true}", "{name: active, type: BOOLEAN}", "{name: sam}, {name: mail}"
	for _, step := range []struct{ old, becomes, want string }{
		{groups, groups, "ann groups=g, ann groups=h"},
		{groups, "{name: groups, isMulti: true}", ""},
		{active, "{name: active, type: BOOLEAN, isEntitlement: true}", "ann active=true, ann groups=g, ann groups=h, bob active=false"},
		{groups, "{name: groups, isMulti: true}, {name: teams, isMulti: true, isEntitlement: true}", ""}, // no account has it yet
		{mail, "{name: sam}, {name: mail, isEntitlement: true}", "ann groups=g, ann groups=h, ann mail=a@example.com"},
		{groups, groups, "ann groups=g, ann groups=h"},
	} {
		f.ApplyText(strings.Replace(enginetest.Documents, step.old, step.becomes, 1))
		f.demandHeld(step.want)
		// An aggregation that finds the same adds nothing to it.
		if step.becomes == groups {
			f.AggregateText("Directory", enginetest.DirectoryHeader+rows, engine.AggregateOptions{})
			f.demandHeld(step.want)
		}
	}
}

// A value that is too long for an entitlement does not fail the change that marks its attribute, which says so.
func TestApplyMarksOverlongValues(t *testing.T) {
	t.Parallel()
	f := company(t)
	f.AggregateText("Directory", enginetest.DirectoryHeader+"ann,"+strings.Repeat("x", 2001)+",1,g,true\nbob,b,2,,true\n", engine.AggregateOptions{})
	documents := f.documents(strings.Replace(enginetest.Documents, "{name: sam}, {name: mail}", "{name: sam}, {name: mail, isEntitlement: true}", 1))
	result, err := f.Apply(t.Context(), documents)
	if err != nil || !strings.Contains(strings.Join(result.Notes, "; "), `source "Directory": accounts have values of the attribute "mail" that are longer than 2000 bytes`) {
		t.Errorf("got the notes %q and %v, want one about mail", result.Notes, err)
	}
	f.demandHeld("ann groups=g, bob mail=b")
}

// A number is the entitlement that the database gives back.
func TestNumbersAsEntitlements(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	for _, text := range []string{"0", "7", "-7", "1.50", "1e5", "1.50E+1", "1.5e-3", "-0", "-0.00", "-0.5", "0e7", "1E-2", "12e-1", "-1.2e1"} {
		if got, want := configuration.StoredNumber(text), f.text(`SELECT $1::jsonb #>> '{}'`, text); got != want {
			t.Errorf("%s is %q, want %q", text, got, want)
		}
	}
}

// What an operation gives and takes is held and no longer held, whether the source has told the value or not, also where
// the configuration changed while the connector worked.
func TestOperationsWriteEntitlements(t *testing.T) {
	t.Parallel()
	f := newTarget(t, "")
	f.ApplyText(strings.ReplaceAll(fmt.Sprintf(targetConfig, f.folder), "value: sales}", "attribute: groups, value: sales}"))
	f.AggregateText("HR", enginetest.People, engine.AggregateOptions{})
	f.settle()
	given := "ayse groups=crm, ayse groups=sales, bob groups=crm, bob groups=sales, dee groups=crm, dee groups=sales"
	f.demandHeld(given)
	if _, err := f.AggregateSource(t.Context(), "Files", engine.AggregateOptions{}); err != nil {
		t.Fatal(err)
	}
	f.demandHeld(given)
	f.AggregateText("HR", strings.Replace(enginetest.People, "Sales,ann", "Board,ann", 1), engine.AggregateOptions{})
	f.Process()
	config := f.text(`SELECT document::text FROM muster.sources WHERE name = 'Files'`)
	marked := strings.Replace(config, `"name": "dept"`, `"name": "dept", "isEntitlement": true`, 1)
	f.during = func() error {
		f.during = nil
		f.ApplyText(`{"sources": [` + marked + `]}`)
		return nil
	}
	f.settle()
	f.demandHeld("ayse dept=Sales, bob dept=Sales, bob groups=crm, bob groups=sales, dee dept=Sales, dee groups=crm, dee groups=sales")
}

// The stable identity of an account is what the source tells, stays through operations, and is nobody's after an erasure.
func TestStableIdentity(t *testing.T) {
	t.Parallel()
	f := newTarget(t, "ayse,\"Ünal, Ayşe\",ayse@example.com,Sales,active,crm;sales\n")
	stable := func(want string) {
		t.Helper()
		if got := f.text(`SELECT coalesce(string_agg(native_identity || ' ' || coalesce(stable_identity, 'null'), ', '
			ORDER BY native_identity COLLATE "C"), '') FROM muster.accounts
			WHERE source_id = (SELECT id FROM muster.sources WHERE name = 'Files')`); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	aggregate := func(changed int) {
		t.Helper()
		result, err := f.AggregateSource(t.Context(), "Files", engine.AggregateOptions{})
		if err != nil || result.Changed != changed || len(result.RowErrors) > 0 {
			t.Errorf("got %+v and %v, want %d changed", result, err, changed)
		}
	}
	f.AggregateText("HR", enginetest.People, engine.AggregateOptions{})
	aggregate(0)
	stable("ayse null")
	config := f.text(`SELECT document::text FROM muster.sources WHERE name = 'Files'`)
	config = strings.Replace(config, `"folder":`, `"stableIdentityColumn": "key", "folder":`, 1)
	f.ApplyText(`{"sources": [` + config + `]}`)
	_, err := f.AggregateSource(t.Context(), "Files", engine.AggregateOptions{})
	demandKind(t, err, engine.KindOf(err), `the data has no column "key", which connectorAttributes.stableIdentityColumn names`)
	header := strings.TrimSpace(targetHeader) + ",key\n"
	f.write(header + "ayse,\"Ünal, Ayşe\",ayse@example.com,Sales,active,crm;sales,zz-77-ayse\n")
	aggregate(1)
	stable("ayse zz-77-ayse")
	schemas, err := f.DiscoverSource(t.Context(), "Files")
	if err != nil || connector.AccountSchema(schemas).StableIdentityAttribute != "key" {
		t.Errorf("discovered %+v, %v", schemas, err)
	}
	f.settle()
	// An operation keeps it; an account that is created has it after the next aggregation.
	f.AggregateText("HR", strings.Replace(enginetest.People, "ayse@example.com", "unal@example.com", 1), engine.AggregateOptions{})
	f.settle()
	stable("ayse zz-77-ayse, bob null, dee null")
	aggregate(0)
	text, err := os.ReadFile(f.path())
	if err != nil || !strings.Contains(string(text), "unal@example.com") {
		t.Fatalf("the file has %s, %v", text, err)
	}
	f.write(strings.Replace(string(text), "zz-77-ayse", "", 1))
	aggregate(1)
	stable("ayse null, bob null, dee null")
	f.write(strings.Replace(string(text), "zz-77-ayse", strings.Repeat("k", 2001), 1))
	result, err := f.AggregateSource(t.Context(), "Files", engine.AggregateOptions{})
	if err != nil || len(result.RowErrors) != 1 || result.RowErrors[0].Msg != "the stable identity is longer than 2000 bytes" {
		t.Errorf("got %+v, %v, want a row error", result, err)
	}
	f.write(string(text))
	aggregate(1)
	// A trace of it is found where an erasure leaves it.
	id := f.Identity("ayse").ID
	f.execute(`UPDATE muster.entitlements SET name = 'of zz-77-ayse' WHERE value = 'crm'`)
	f.AggregateText("HR", strings.ReplaceAll(strings.ReplaceAll(enginetest.People, "ayse,41", "ann,41"), ",ayse,", ",ann,"), engine.AggregateOptions{})
	f.settle()
	erasure, err := f.EraseIdentity(t.Context(), id, engine.EraseOptions{Accounts: true})
	if err != nil || len(erasure.Left) == 0 {
		t.Fatalf("got %+v, %v, want a trace in entitlements", erasure, err)
	}
	found := false
	for _, trace := range erasure.Left {
		found = found || trace.Table == "muster.entitlements" && trace.Column == "name"
	}
	if !found {
		t.Errorf("left are %+v, want muster.entitlements name", erasure.Left)
	}
}
