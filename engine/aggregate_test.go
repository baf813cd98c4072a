package engine_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/jackc/pgx/v5"

	"github.com/muster-engine/muster/engine"
	"github.com/muster-engine/muster/engine/enginetest"
	"github.com/muster-engine/muster/store/storetest"
)

func TestAggregateCreatesIdentities(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.ApplyText(enginetest.Documents)
	result := f.AggregateText("hr", enginetest.People, engine.AggregateOptions{}) // a source's name ignores case
	want := engine.AggregateResult{Source: "HR", Rows: 5, Added: 5, Identities: 5, Task: result.Task}
	if diff := cmp.Diff(want, result, cmpopts.EquateEmpty()); diff != "" {
		t.Error(diff)
	}
	if task, err := f.Task(t.Context(), result.Task); err != nil || task.Remaining != 5 {
		t.Errorf("the task is %+v, %v", task, err)
	}
	f.Process()
	ayse := f.Identity("ayse")
	if ayse.Name != "Ünal, Ayşe" || ayse.ManagerRef == nil || ayse.ManagerRef.Name != "Ann Boss" || !ayse.IsManager {
		t.Errorf("%+v, manager %+v", ayse, ayse.ManagerRef)
	}
	if boss := f.Identity("ann"); boss.ManagerRef != nil || !boss.IsManager || boss.LifecycleState != nil {
		t.Errorf("got %+v, want no ManagerRef, IsManager true and no LifecycleState", boss)
	}
	if self := f.Identity("cy"); self.ManagerRef != nil || self.IsManager {
		t.Errorf("somebody is their own manager: %+v", self.ManagerRef)
	}
	bob := f.Identity("bob")
	if bob.LifecycleState == nil || bob.LifecycleState.StateName != "leave" || bob.Attributes.Get("identityState").Text() != "INACTIVE_LONG_TERM" {
		t.Errorf("got %+v %v, want bob.LifecycleState != nil && bob.LifecycleState.StateName == \"leave\" && bob.Attributes.Get(\"identityState\").Text() == \"INACTIVE_LONG_TERM\"", bob.LifecycleState, bob.Attributes.Get("identityState"))
	}
	if n := f.requests(); n != 0 {
		t.Errorf("%d requests are left, want 0", n)
	}
}

// The second time nothing is different: no account and no identity is written.
func TestAggregateUnchanged(t *testing.T) {
	t.Parallel()
	f := company(t)
	before := f.number(`SELECT sum(xmin::text::bigint) FROM (SELECT xmin FROM muster.accounts UNION ALL SELECT xmin FROM muster.identities) x`)
	result := f.AggregateText("HR", enginetest.People, engine.AggregateOptions{})
	if result.Unchanged != 5 || result.Added+result.Changed+result.Removed+result.Identities != 0 {
		t.Errorf("got %+v, want result.Unchanged == 5 && result.Added + result.Changed + result.Removed + result.Identities == 0", result)
	}
	if processed := f.Process(); processed.Identities != 0 {
		t.Errorf("%d identities were processed for nothing", processed.Identities)
	}
	after := f.number(`SELECT sum(xmin::text::bigint) FROM (SELECT xmin FROM muster.accounts UNION ALL SELECT xmin FROM muster.identities) x`)
	if before != after {
		t.Error("rows were written for nothing")
	}
}

func TestAggregateChangedAndVanished(t *testing.T) {
	t.Parallel()
	f := company(t)
	text := strings.Replace(enginetest.People, "Sales,ayse,41", "Legal,ann,41", 1)
	text = strings.Replace(text, "cy,Cy Self,Cy,Self,cy@example.com,Legal,cy,20,unknown\n", "", 1)
	all := engine.DeletionLimit{Percent: 100, IsPercent: true}
	result := f.AggregateText("HR", text, engine.AggregateOptions{MaxDeletions: &all})
	if result.Changed != 1 || result.Removed != 1 || result.Unchanged != 3 {
		t.Errorf("got %+v, want Changed 1, Removed 1 and Unchanged 3", result)
	}
	if processed := f.Process(); processed.Identities != 2 || processed.Changed != 2 {
		t.Errorf("got %+v, want Identities 2 and Changed 2", processed)
	}
	bob := f.Identity("bob")
	if bob.Attributes.Get("department").Text() != "Legal" || bob.ManagerRef.Name != "Ann Boss" {
		t.Errorf("got %+v, want bob.Attributes.Get(\"department\").Text() == \"Legal\" && bob.ManagerRef.Name == \"Ann Boss\"", bob)
	}
	// Who has no authoritative account is hidden, and keeps what was known.
	if names := f.names(engine.ListParams{Filters: `name eq "cy self"`}); names != "" {
		t.Errorf("listed: %s, want %q", names, "")
	}
	if names := f.names(engine.ListParams{Filters: `name eq "cy self"`, DefaultFilter: engine.NoDefault}); names != "Cy Self" {
		t.Errorf("listed: %s, want %q", names, "Cy Self")
	}
	if cy := f.Identity("cy"); cy.Attributes.Get("department").Text() != "Legal" {
		t.Errorf("got %+v, want cy.Attributes.Get(\"department\").Text() == \"Legal\"", cy)
	}
	// Who comes back is who they were.
	id := f.Identity("cy").ID
	if result := f.AggregateText("HR", enginetest.People, engine.AggregateOptions{}); result.Added != 1 || result.Correlated != 1 || result.Identities != 0 {
		t.Errorf("got %+v, want Added 1, Correlated 1 and Identities 0", result)
	}
	f.Process()
	if cy := f.Identity("cy"); cy.ID != id || f.names(engine.ListParams{Filters: `name eq "cy self"`}) != "Cy Self" {
		t.Errorf("got %+v, want cy.ID == id && f.names(engine.ListParams{Filters: `name eq \"cy self\"`}) == \"Cy Self\"", cy)
	}
}

func TestAggregateDeltaRemovesNothing(t *testing.T) {
	t.Parallel()
	f := company(t)
	result := f.AggregateText("HR", enginetest.PeopleHeader+"nia,Nia New,Nia,New,new@example.com,Sales,ann,30,\n", engine.AggregateOptions{Delta: true})
	if result.Added != 1 || result.Removed != 0 {
		t.Errorf("got %+v, want Added 1 and Removed 0", result)
	}
	if n := f.accounts(); n != 6 {
		t.Errorf("%d accounts, want 6", n)
	}
}

// More deletions than allowed refuse all of it, the added and changed accounts too.
func TestAggregateDeletionLimit(t *testing.T) {
	t.Parallel()
	f := company(t)
	text := enginetest.PeopleHeader + "ann,Ann Changed,Ann,Boss,ann@example.com,Board,,60,\nnia,New,N,N,n@example.com,Sales,,30,\n"
	for _, options := range []engine.AggregateOptions{
		{}, // 10 % unless the source says otherwise
		{MaxDeletions: &engine.DeletionLimit{Count: 3}},
		{MaxDeletions: &engine.DeletionLimit{Percent: 79, IsPercent: true}},
	} {
		_, err := f.Aggregate(t.Context(), "HR", strings.NewReader(text), options)
		var limit *engine.DeletionLimitError
		if !errors.As(err, &limit) || limit.Vanished != 4 || limit.Accounts != 5 {
			t.Errorf("got %+v: %v, want errors.As(err, &limit) && limit.Vanished == 4 && limit.Accounts == 5", options, err)
		}
		demandKind(t, err, engine.Conflict, "nothing was changed")
	}
	if n := f.CountRows(`muster.accounts WHERE name IN ('Ann Changed', 'New')`); n != 0 {
		t.Error("a refused aggregation left something behind")
	}
	if n := f.requests(); n != 0 {
		t.Error("a refused aggregation left requests behind")
	}
	for _, limit := range []engine.DeletionLimit{{Count: 4}, {Percent: 80, IsPercent: true}} {
		tx, err := f.Pool.Begin(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		result, err := f.AggregateTx(t.Context(), tx, "HR", strings.NewReader(text), engine.AggregateOptions{MaxDeletions: &limit})
		if err != nil || result.Removed != 4 || result.Added != 1 {
			t.Errorf("got %v: %+v, %v, want err == nil && result.Removed == 4 && result.Added == 1", limit, result, err)
		}
		if err := tx.Rollback(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if n := f.accounts(); n != 5 {
		t.Errorf("%d accounts, want 5: the caller's transaction was not all of it", n)
	}
}

func TestAggregateFaultyRows(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.ApplyText(enginetest.Documents)
	text := enginetest.PeopleHeader + "ann,Ann,Ann,Boss,a@example.com,Sales,,x,\n" + // no number
		"bob,Bob\n" + // too few values
		"cy,Cy,Cy,Self,c@example.com,Sales,,1,\n" +
		",Dee,Dee,Strauß,d@example.com,Sales,,1,\n" + // no native identity
		"cy,Cyril,Cyril,Self,e@example.com,Sales,,1,\n" + // a second time
		"fay,Fay\xff,Fay,Fox,f@example.com,Sales,,1,\n" + // not UTF-8
		"gus,\"Gus\nGray\",Gus,Gray,g@example.com,Sales,,1,\n"
	result := f.AggregateText("HR", text, engine.AggregateOptions{})
	want := []engine.RowError{
		{2, `column "age": the value is no whole number`},
		{3, "it has 2 values where there are 9 columns"},
		{5, `column "id", which holds the native identity, is empty`},
		{7, `the value of column "name" is not UTF-8 text`},
		{6, "its account is the same as that of line 4"},
	}
	if diff := cmp.Diff(want, result.RowErrors); diff != "" {
		t.Error(diff)
	}
	if result.Rows != 2 || result.Added != 2 || result.Faulty != 5 {
		t.Errorf("got %+v, want Rows 2, Added 2 and Faulty 5", result)
	}
	f.Process()
	if got, want := f.Identity("gus").Name, "Gus\nGray"; got != want {
		t.Errorf("got the name %q, want %q", got, want)
	}
}

// A row that cannot be read does not make its account vanish: neither the one whose native identity it shows, nor,
// where it shows none, any.
func TestAggregateFaultyRowsSpareAccounts(t *testing.T) {
	t.Parallel()
	f := company(t)
	all := engine.AggregateOptions{MaxDeletions: &engine.DeletionLimit{Percent: 100, IsPercent: true}}
	bob := "bob,Bob Twain,Bob,Twain,bob@example.com,Sales,ayse,41,leave\n"
	known := enginetest.PeopleHeader + "ann,Ann Boss,Ann,Boss,ann@example.com,Board,,old,\n" + bob
	result := f.AggregateText("HR", known, all)
	if result.Removed != 3 || f.CountRows(`muster.accounts WHERE native_identity = 'ann'`) != 1 {
		t.Errorf("got %+v, want result.Removed == 3 && f.CountRows(`muster.accounts WHERE native_identity = 'ann'`) == 1", result)
	}
	result = f.AggregateText("HR", enginetest.PeopleHeader+"ann\n"+bob, all)
	if result.Removed != 0 || len(result.Notes) != 1 || !strings.Contains(result.Notes[0], "1 accounts are not in the data, but were kept") {
		t.Errorf("got %+v, want "+
			"Removed 0, 1 Notes and Notes[0] containing 1 accounts are not in the data, but were kept", result)
	}
}

func TestAggregateCorrelation(t *testing.T) {
	t.Parallel()
	f := company(t)
	text := enginetest.DirectoryHeader +
		"annb,,ann,G1;G2,true\n" + // by the number
		"bobt,BOB@EXAMPLE.COM,,G2; G3 ;,false\n" + // by the mail, in another case
		"ayseu,bob@example.com,ayse,,\n" + // the number comes first
		"svc,,,,\n" +
		"dees,dee@example.com,nobody,,\n" // the number finds nobody, the mail does
	result := f.AggregateText("Directory", text, engine.AggregateOptions{})
	if result.Added != 5 || result.Correlated != 4 || result.Identities != 0 || result.Entitlements != 3 {
		t.Errorf("got %+v, want Added 5, Correlated 4, Identities 0 and Entitlements 3", result)
	}
	f.Process()
	for alias, login := range map[string]string{"ann": "annb", "bob": "bobt", "ayse": "ayseu", "cy": "", "dee": "dees"} {
		if got := f.Identity(alias).Attributes.Get("login").Text(); got != login {
			t.Errorf("%s has the login %q, want %q", alias, got, login)
		}
	}
	if got := f.Identity("bob").Attributes.Get("groups").Strings(); cmp.Diff([]string{"G2", "G3"}, got) != "" {
		t.Errorf("groups %q", got)
	}
	// An account that changes its number moves to the one it names now, and one that names nobody stays.
	text = strings.Replace(text, "annb,,ann,", "annb,,cy,", 1)
	text = strings.Replace(text, "ayseu,bob@example.com,ayse,", "ayseu,nobody@example.com,nobody,", 1)
	result = f.AggregateText("Directory", text, engine.AggregateOptions{})
	if result.Changed != 2 || result.Moved != 1 {
		t.Errorf("got %+v, want Changed 2 and Moved 1", result)
	}
	f.Process()
	for alias, login := range map[string]string{"ann": "", "ayse": "ayseu", "cy": "annb"} {
		if got := f.Identity(alias).Attributes.Get("login").Text(); got != login {
			t.Errorf("%s has the login %q, want %q", alias, got, login)
		}
	}
}

// An account that several identities fit is nobody's: it is not given to one of them at random.
func TestAggregateAmbiguousCorrelation(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.ApplyText(enginetest.Documents)
	f.AggregateText("HR", enginetest.PeopleHeader+"ann,Ann,Ann,Boss,same@example.com,,,,\nbob,Bob,Bob,Twain,SAME@example.com,,,,\n", engine.AggregateOptions{})
	f.Process()
	result := f.AggregateText("Directory", enginetest.DirectoryHeader+"x,same@example.com,,,\n", engine.AggregateOptions{})
	if result.Ambiguous != 1 || result.Correlated != 0 {
		t.Errorf("got %+v, want Ambiguous 1 and Correlated 0", result)
	}
}

// An account that came before its identity finds it when the identity appears.
func TestLateCorrelation(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.ApplyText(enginetest.Documents)
	if result := f.AggregateText("Directory", enginetest.DirectoryHeader+"annb,,ann,,\n", engine.AggregateOptions{}); result.Correlated != 0 {
		t.Fatalf("got %+v, want Correlated 0", result)
	}
	f.AggregateText("HR", enginetest.People, engine.AggregateOptions{})
	if processed := f.Process(); processed.Correlated != 1 {
		t.Errorf("got %+v, want Correlated 1", processed)
	}
	if login := f.Identity("ann").Attributes.Get("login").Text(); login != "annb" {
		t.Errorf("login %q, want %q", login, "annb")
	}
}

func TestAggregateManagerAppears(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.ApplyText(enginetest.Documents)
	f.AggregateText("HR", enginetest.PeopleHeader+"bob,Bob,Bob,Twain,b@example.com,,ann,,\n", engine.AggregateOptions{Delta: true})
	f.Process()
	if b := f.Identity("bob"); b.ManagerRef != nil {
		t.Errorf("got %+v, want b.ManagerRef == nil", b.ManagerRef)
	}
	f.AggregateText("HR", enginetest.PeopleHeader+"ann,Ann,Ann,Boss,a@example.com,,,,\n", engine.AggregateOptions{Delta: true})
	f.Process()
	if b := f.Identity("bob"); b.ManagerRef == nil || b.ManagerRef.Name != "Ann" {
		t.Errorf("got %+v, want b.ManagerRef != nil && b.ManagerRef.Name == \"Ann\"", b.ManagerRef)
	}
}

func TestAggregateText(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.ApplyText(enginetest.Documents)
	f.ApplyText("sources: [{name: Plain, connector: x, connectorAttributes: {hasHeader: \"false\", columnNames: [k, v], delimiter: tab}}]")
	result := f.AggregateText("Plain", "\uFEFFa\t1\nb\t2\n", engine.AggregateOptions{})
	if result.Added != 2 || len(result.Notes) != 1 {
		t.Errorf("got %+v, want Added 2 and 1 Notes", result)
	}
	for text, want := range map[string]string{
		"x;y\n1;2\n": `the data has no column "id", nor any other attribute of the schema: its first row has 2 columns`,
		"":           "the text is empty",
	} {
		_, err := f.Aggregate(t.Context(), "HR", strings.NewReader(text), engine.AggregateOptions{Delimiter: "semicolon"})
		demandKind(t, err, engine.Invalid, want)
	}
	_, err := f.Aggregate(t.Context(), "HR", strings.NewReader(enginetest.People), engine.AggregateOptions{Delimiter: "ab"})
	demandKind(t, err, engine.Invalid, `"ab" is no delimiter`)
	_, err = f.Aggregate(t.Context(), "Payroll", strings.NewReader(enginetest.People), engine.AggregateOptions{})
	demandKind(t, err, engine.NotFound, `the sources are "Directory", "HR", "Plain"`)
}

// Values survive byte for byte, whatever they are made of.
func TestAggregateKeepsText(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.ApplyText("sources: [{name: S, connector: x, schemas: [{name: account, identityAttribute: k, attributes: [{name: k}, {name: v}]}]}]")
	texts := []string{" blank ", "\\ \\u0000 \\n", "\"quoted\"", "\u202eright to left", "👩‍🚀𝕏", "e\u0301 \u00e9", strings.Repeat("x", 1<<20), "\x01\x1f\x7f", "a\tb\nc"}
	var rows strings.Builder
	rows.WriteString("k,v\n")
	for i, text := range texts {
		fmt.Fprintf(&rows, "%d,\"%s\"\n", i, strings.ReplaceAll(text, `"`, `""`))
	}
	if result := f.AggregateText("S", rows.String(), engine.AggregateOptions{}); result.Added != len(texts) {
		t.Fatalf("got %+v, want result.Added == len(texts)", result)
	}
	list := storetest.Texts(t, f.Pool, `SELECT attributes ->> 'v' FROM muster.accounts ORDER BY native_identity`)
	if diff := cmp.Diff(texts, list); diff != "" {
		t.Error(diff)
	}
}

// Values of any length are kept; those that an index finds somebody by are compared by their first part.
func TestAggregateLongValues(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.ApplyText(enginetest.Documents)
	// Random letters, because an index could compress others, and letters that fold to several.
	long := func(n int) string {
		var b strings.Builder
		for i := range n {
			b.WriteRune([]rune("ΐß𝔘Ж山")[(i*i*7+i*13+i/3)%5])
		}
		return b.String()
	}
	name := long(100_000)
	text := enginetest.PeopleHeader + fmt.Sprintf("ann,%s,%s,%s,%s@example.com,%s,,,\n%s,x,,,,,,,\n", name, name, name, name, name, strings.Repeat("n", 2001))
	result := f.AggregateText("HR", text, engine.AggregateOptions{})
	if result.Added != 1 || result.Faulty != 1 || !strings.Contains(result.RowErrors[0].Msg, "is longer than 2000 bytes") {
		t.Errorf("got %+v, want Added 1, Faulty 1 and RowErrors[0].Msg containing is longer than 2000 bytes", result)
	}
	if processed := f.Process(); processed.Changed != 1 || processed.Errors != 0 {
		t.Errorf("got %+v, want Changed 1 and Errors 0", processed)
	}
	if got := f.Identity("ann"); got.Name != name || got.Attributes.Get("department").Text() != name {
		t.Error("a long value is not what it was")
	}
	if names := f.names(engine.ListParams{Filters: fmt.Sprintf("name sw %q", long(20))}); names != name {
		t.Error("a long name is not found")
	}
	result = f.AggregateText("Directory", enginetest.DirectoryHeader+"x,"+name+"@example.com,,"+strings.Repeat("g", 2001)+",\ny,"+name+"@EXAMPLE.com,,,\n",
		engine.AggregateOptions{})
	if result.Correlated != 1 || result.Faulty != 1 || !strings.Contains(result.RowErrors[0].Msg, "an entitlement is longer") {
		t.Errorf("got %d %+v, want result.Correlated == 1 && result.Faulty == 1 && strings.Contains(result.RowErrors[0].Msg, \"an entitlement is longer\")", result.Correlated, result.RowErrors)
	}
}

const plainConfig = "sources: [{name: S, connector: x, schemas: [{name: account, identityAttribute: k, attributes: [{name: k}, {name: v}]}]}]"

// plainRows returns rows of a source that is compared in several blocks.
func plainRows(count int) []string {
	rows := make([]string, count)
	for i := range rows {
		rows[i] = fmt.Sprintf("a%d,1\n", i)
	}
	return rows
}

// Rows that are as they were, changed ones, new ones and missing ones are told apart across blocks, and so is a second
// row of an account, whichever of the two is as it was.
func TestAggregateBlocks(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.ApplyText(plainConfig)
	rows := plainRows(9000)
	if result := f.AggregateText("S", "k,v\n"+strings.Join(rows, ""), engine.AggregateOptions{}); result.Added != 9000 {
		t.Fatalf("got %+v, want Added 9000", result)
	}
	rows[10], rows[8000] = "a10,2\n", "a8000,2\n"
	rows = append(rows[:8999], "new,1\n", "a20,2\n", "a10,1\n", "new,1\n")
	result := f.AggregateText("S", "k,v\n"+strings.Join(rows, ""), engine.AggregateOptions{})
	want := engine.AggregateResult{Source: "S", Rows: 9000, Added: 1, Changed: 2, Unchanged: 8997, Removed: 1, Faulty: 3,
		RowErrors: []engine.RowError{
			{9002, "its account is the same as that of line 22"},
			{9003, "its account is the same as that of line 12"},
			{9004, "its account is the same as that of line 9001"},
		}}
	if diff := cmp.Diff(want, result, cmpopts.EquateEmpty()); diff != "" {
		t.Error(diff)
	}
	if got := f.text(`SELECT string_agg(native_identity, ' ' ORDER BY native_identity) FROM muster.accounts WHERE attributes ->> 'v' = '2'`); got != "a10 a8000" {
		t.Errorf("changed: %s, want %q", got, "a10 a8000")
	}
}

// hookReader runs a function when the text is at its end.
type hookReader struct {
	io.Reader
	atEnd func()
}

func (r *hookReader) Read(p []byte) (int, error) {
	n, err := r.Reader.Read(p)
	if errors.Is(err, io.EOF) && r.atEnd != nil {
		r.atEnd()
		r.atEnd = nil
	}
	return n, err
}

// seekingReader is a hookReader that can be read again.
type seekingReader struct {
	hookReader
	io.Seeker
}

// Accounts that somebody else changes or removes while the data is read are brought up to the data at its end, also
// those that were as the data has them when they were compared: what can be read again is, and what cannot was kept.
func TestAggregateBesideChanges(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("it takes long")
	}
	for _, again := range []bool{false, true} {
		f := newFixture(t)
		f.ApplyText(plainConfig)
		// So many that the first block was compared before the end of the text is read.
		rows := plainRows(26_000)
		f.AggregateText("S", "k,v\n"+strings.Join(rows, ""), engine.AggregateOptions{})
		rows[3] = "a3,2\n"
		text := strings.NewReader("k,v\n" + strings.Join(rows, ""))
		hook := hookReader{text, func() {
			f.executeAll(`DELETE FROM muster.accounts WHERE native_identity = 'a2'`)
			f.AggregateText("S", "k,v\na1,3\na3,3\n", engine.AggregateOptions{Delta: true})
		}}
		var reader io.Reader = &hook
		if again {
			reader = &seekingReader{hook, text}
		}
		result, err := f.Aggregate(t.Context(), "S", reader, engine.AggregateOptions{})
		if err != nil || result.Changed != 2 || result.Added != 1 || result.Removed != 0 {
			t.Errorf("read again: %v: %+v, %v", again, result, err)
		}
		if got := f.text(`SELECT string_agg(native_identity || (attributes ->> 'v'), ' ' ORDER BY native_identity) FROM muster.accounts
			WHERE native_identity IN ('a0', 'a1', 'a2', 'a3')`); got != "a01 a11 a21 a32" {
			t.Errorf("read again: %v: the accounts are %s", again, got)
		}
	}
}

// A host may aggregate several sources in one transaction.
func TestAggregateTxTwice(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.ApplyText(enginetest.Documents)
	err := pgx.BeginFunc(t.Context(), f.Pool, func(tx pgx.Tx) error {
		for source, text := range map[string]string{"HR": enginetest.People, "Directory": enginetest.DirectoryHeader + "annb,,ann,,\n"} {
			if _, err := f.AggregateTx(t.Context(), tx, source, strings.NewReader(text), engine.AggregateOptions{}); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	f.Process()
	if login := f.Identity("ann").Attributes.Get("login").Text(); login != "annb" {
		t.Errorf("got the login %q, want %q", login, "annb")
	}
}

// Two transactions aggregate the same sources in different orders: one of them loses, is told that it may come again,
// and does.
func TestAggregateTxInDifferentOrders(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("it takes long")
	}
	f := newFixture(t)
	f.ApplyText(enginetest.Documents)
	texts := map[string]string{"HR": enginetest.People, "Directory": enginetest.DirectoryHeader + "annb,,ann,,true\n"}
	transaction := func(sources ...string) error {
		return pgx.BeginFunc(t.Context(), f.Pool, func(tx pgx.Tx) error {
			for _, source := range sources {
				if _, err := f.AggregateTx(t.Context(), tx, source, strings.NewReader(texts[source]), engine.AggregateOptions{}); err != nil {
					return err
				}
			}
			return nil
		})
	}
	lost := 0
	persist := func(sources ...string) error {
		for {
			err := transaction(sources...)
			if err == nil {
				return nil
			}
			if demandKind(t, err, engine.Unavailable, "lost against another one"); t.Failed() {
				return err
			}
			lost++
		}
	}
	held, err := f.Pool.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = held.Rollback(context.WithoutCancel(t.Context())) }()
	if _, err := f.AggregateTx(t.Context(), held, "HR", strings.NewReader(enginetest.People), engine.AggregateOptions{}); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- persist("Directory", "HR") }()
	f.awaitLock(ended)
	_, err = f.AggregateTx(t.Context(), held, "Directory", strings.NewReader(texts["Directory"]), engine.AggregateOptions{})
	won := err == nil
	if !won {
		demandKind(t, err, engine.Unavailable, "lost against another one")
		err = held.Rollback(t.Context())
	} else {
		err = held.Commit(t.Context())
	}
	if err := errors.Join(err, <-ended, transaction("HR", "Directory")); err != nil {
		t.Fatal(err)
	}
	if n := f.accounts(); n != 6 {
		t.Errorf("there are %d accounts, want 6", n)
	}
	if won == (lost == 0) {
		t.Errorf("won %t, and the other one lost %d times", won, lost)
	}
}

func TestParseDeletionLimit(t *testing.T) {
	for text, want := range map[string]string{"25": "25", "10%": "10%", " 5 % ": "5%", "0": "0", "-1": "", "101%": "", "x": "", "": ""} {
		limit, err := engine.ParseDeletionLimit(text)
		if (err == nil) != (want != "") || err == nil && limit.String() != want {
			t.Errorf("got %q: %v, %v, want (err == nil) == (want != \"\") && (err != nil || limit.String() == want)", text, limit, err)
		}
	}
}

// Accounts that were there before their source had a profile become identities when it has one.
func TestSourceBecomesAuthoritative(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	sources, _, _ := strings.Cut(enginetest.Documents, "identityProfiles:")
	f.ApplyText(sources)
	if result := f.AggregateText("HR", enginetest.People, engine.AggregateOptions{}); result.Added != 5 || result.Identities != 0 {
		t.Fatalf("got %+v, want Added 5 and Identities 0", result)
	}
	if result := f.ApplyText(enginetest.Documents); result.Marked != 5 {
		t.Errorf("got %+v, want Marked 5", result)
	}
	f.Process()
	if names := f.names(engine.ListParams{Sorters: "name"}); names != "Ann Boss|Bob Twain|Cy Self|Dee Strauß|Ünal, Ayşe" {
		t.Errorf("identities: %s, want %q", names, "Ann Boss|Bob Twain|Cy Self|Dee Strauß|Ünal, Ayşe")
	}
	if result := f.AggregateText("HR", enginetest.People, engine.AggregateOptions{}); result.Identities != 0 || result.Added != 0 {
		t.Errorf("got %+v, want Identities 0 and Added 0", result)
	}
}

// Two aggregations of one transaction, of which the second is refused: what the first wrote can be committed, and the
// stage is left empty.
func TestAggregateRefusedAndCommitted(t *testing.T) {
	t.Parallel()
	f := company(t)
	none := engine.DeletionLimit{}
	err := pgx.BeginFunc(t.Context(), f.Pool, func(tx pgx.Tx) error {
		text := strings.Replace(enginetest.People, "Sales,ayse,41", "Legal,ann,41", 1)
		result, err := f.AggregateTx(t.Context(), tx, "HR", strings.NewReader(text), engine.AggregateOptions{})
		if err != nil || result.Changed != 1 {
			t.Errorf("got %+v, %v, want 1 changed", result, err)
		}
		lines := strings.SplitAfter(enginetest.People, "\n")
		_, err = f.AggregateTx(t.Context(), tx, "HR", strings.NewReader(lines[0]+lines[1]), engine.AggregateOptions{
			MaxDeletions: &none})
		demandKind(t, err, engine.Conflict, "4 of 5")
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if n := f.number(`SELECT (SELECT count(*) FROM muster.aggregation_seen) + (SELECT count(*) FROM muster.aggregation_stage)`); n != 0 {
		t.Errorf("%d rows are left in the stage, want 0", n)
	}
	if n := f.number(`SELECT count(*) FROM muster.accounts`); n != 5 {
		t.Errorf("%d accounts, want 5", n)
	}
}
