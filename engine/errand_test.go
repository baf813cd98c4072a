package engine_test

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/muster-engine/muster/engine"
	"github.com/muster-engine/muster/engine/enginetest"
)

// hrText is the text of the sample company's people with one more, and lines that end as a text says.
func hrText(end string, rows ...string) string {
	return strings.ReplaceAll(enginetest.PeopleHeader+strings.Join(rows, "\n")+"\n", "\n", end)
}

// A text that is handed in is aggregated by a worker, whatever its lines end with, and is kept no longer than that.
func TestStartAggregation(t *testing.T) {
	t.Parallel()
	f := company(t)
	ctx := engine.WithActor(t.Context(), engine.Actor{ID: "op", Name: "Olive", Via: "test"})
	for i, end := range []string{"\n", "\r\n"} {
		row := fmt.Sprintf("zoe%d,Zoe %d,Zoe,Z,zoe@example.com,Sales,ann,41,stay", i, i)
		task, err := f.StartAggregation(ctx, "HR", onlyReader{strings.NewReader(hrText(end, row))},
			engine.AggregateOptions{Delta: true})
		if err != nil {
			t.Fatal(err)
		}
		if task.Launcher != "Olive" || task.Target == nil || task.Target.Name != "HR" || task.Ended() ||
			task.Attributes.AppID != "HR" || task.Attributes.OptimizedAggregation != "enabled" {
			t.Errorf("the task is %+v", task)
		}
		if n := f.CountRows("muster.errand_texts"); n != 1 {
			t.Errorf("the text is kept in %d pieces, want 1", n)
		}
		f.Process()
		if task, err = f.Task(ctx, task.ID); err != nil {
			t.Fatal(err)
		}
		if a := task.Attributes.Aggregation; *task.CompletionStatus != "SUCCESS" || a == nil || a.Added != 1 ||
			a.Identities != 1 || a.Task == "" || task.PercentComplete != 100 {
			t.Errorf("after it the task is %+v, %+v", task, task.Attributes.Aggregation)
		}
		if f.Identity(fmt.Sprintf("zoe%d", i)) == nil || f.CountRows("muster.errand_texts") != 0 {
			t.Error("the person is not there, or the text still is")
		}
	}
	if got := f.text(`SELECT launcher FROM muster.tasks WHERE kind = 'IDENTITY_REFRESH' ORDER BY id DESC LIMIT 1`); got != "Olive" {
		t.Errorf("the processing after it is that of %q, want Olive", got)
	}
}

// A dry run says what an aggregation would do, and leaves everything as it was; so does one that is refused.
func TestAggregateDryRun(t *testing.T) {
	t.Parallel()
	f := company(t)
	ctx := t.Context()
	text := hrText("\n", "zoe,Zoe,Zoe,Z,z@example.com,Sales,ann,41,stay")
	state := func() string {
		return f.text(`SELECT concat_ws(' ', (SELECT count(*) FROM muster.accounts), (SELECT count(*) FROM muster.identities),
			(SELECT count(*) FROM muster.identity_events), (SELECT count(*) FROM muster.aggregation_stage),
			(SELECT count(*) FROM muster.entitlements), (SELECT count(*) FROM muster.tasks WHERE kind = 'IDENTITY_REFRESH'))`)
	}
	before := state()
	result, err := f.Aggregate(ctx, "HR", strings.NewReader(text), engine.AggregateOptions{Delta: true, DryRun: true})
	if err != nil || result.Added != 1 || result.Identities != 1 || result.Task != "" || !result.DryRun {
		t.Errorf("got %+v, %v", result, err)
	}
	task, err := f.StartAggregation(ctx, "HR", strings.NewReader(text), engine.AggregateOptions{Delta: true, DryRun: true})
	if err != nil {
		t.Fatal(err)
	}
	f.Process()
	if task, err = f.Task(ctx, task.ID); err != nil {
		t.Fatal(err)
	}
	if a := task.Attributes.Aggregation; *task.CompletionStatus != "SUCCESS" || a == nil || a.Added != 1 || !a.DryRun {
		t.Errorf("the task is %+v, %+v", task, task.Attributes.Aggregation)
	}
	_, err = f.Aggregate(ctx, "HR", strings.NewReader(text), engine.AggregateOptions{DryRun: true})
	demandKind(t, err, engine.Conflict, "are not in the data any more")
	if got := state(); got != before {
		t.Errorf("there was %s, and is %s", before, got)
	}
	if result, err = f.Aggregate(ctx, "HR", strings.NewReader(text), engine.AggregateOptions{Delta: true}); err != nil ||
		result.Added != 1 || result.DryRun {
		t.Errorf("after it got %+v, %v", result, err)
	}
}

// What an aggregation refuses ends the task, which tells it.
func TestStartAggregationFails(t *testing.T) {
	t.Parallel()
	f := company(t)
	ctx := t.Context()
	started := func(source, text string, options engine.AggregateOptions) engine.TaskStatus {
		t.Helper()
		task, err := f.StartAggregation(ctx, source, strings.NewReader(text), options)
		if err != nil {
			t.Fatal(err)
		}
		f.Process()
		if task, err = f.Task(ctx, task.ID); err != nil {
			t.Fatal(err)
		}
		return task
	}
	none := started("HR", hrText("\n", "zoe,Zoe,Zoe,Z,z@example.com,Sales,ann,41,stay"), engine.AggregateOptions{})
	if *none.CompletionStatus != "ERROR" || len(none.Messages) != 1 ||
		!strings.Contains(none.Messages[0].LocalizedText.Message, "are not in the data any more") {
		t.Errorf("an aggregation beyond the deletion limit ended %+v", none)
	}
	faulty := started("HR", hrText("\n", "zoe,Zoe,Zoe,Z,z@example.com,Sales,ann,41,stay", "short,row"),
		engine.AggregateOptions{Delta: true})
	if *faulty.CompletionStatus != "WARNING" || len(faulty.Messages) != 1 ||
		!strings.Contains(faulty.Messages[0].LocalizedText.Message, "line 3") {
		t.Errorf("an aggregation with a faulty row ended %+v", faulty)
	}
	if n := f.CountRows("muster.errand_texts"); n != 0 {
		t.Errorf("%d pieces are still there", n)
	}
	for text, want := range map[string]string{"": "empty", "id,name\n\xff\n": "not UTF-8", "id\n\x00\n": "NUL"} {
		_, err := f.StartAggregation(ctx, "HR", strings.NewReader(text), engine.AggregateOptions{})
		demandKind(t, err, engine.Invalid, want)
	}
	_, err := f.StartAggregation(ctx, "Nowhere", strings.NewReader("x"), engine.AggregateOptions{})
	demandKind(t, err, engine.NotFound, "Nowhere")
	_, err = f.StartAggregation(ctx, "HR", nil, engine.AggregateOptions{})
	demandKind(t, err, engine.Invalid, "hand in a text")
	_, err = f.StartAggregation(ctx, "HR", strings.NewReader("x"), engine.AggregateOptions{Delimiter: "ab"})
	demandKind(t, err, engine.Invalid, "")
	_, err = f.StartAggregation(ctx, "HR", strings.NewReader("x"), engine.AggregateOptions{MaxObjects: -1})
	demandKind(t, err, engine.Invalid, "MaxObjects")
	broken := errors.New("the line is dead")
	_, err = f.StartAggregation(ctx, "HR", io.MultiReader(strings.NewReader("id\n"), brokenReader{broken}), engine.AggregateOptions{})
	if !errors.Is(err, broken) || f.CountRows("muster.errands") != 2 {
		t.Errorf("got %v, and %d errands", err, f.CountRows("muster.errands"))
	}
}

type brokenReader struct{ err error }

func (r brokenReader) Read([]byte) (int, error) { return 0, r.err }

// A text of many pieces comes out as it went in: lines are whole, and so are characters where a line is longer.
func TestKeptText(t *testing.T) {
	t.Parallel()
	f := company(t)
	long := strings.Repeat("é", 300_000)
	var rows []string
	for i := range 3000 {
		rows = append(rows, fmt.Sprintf("p%d,P %d,%s,Z,,Sales,ann,41,stay", i, i, strings.Repeat("ä", 80)))
	}
	text := hrText("\r\n", append(rows, "odd,Odd,"+long+",Z,,Sales,ann,41,stay")...)
	task, err := f.StartAggregation(t.Context(), "HR", onlyReader{strings.NewReader(text)}, engine.AggregateOptions{Delta: true})
	if err != nil {
		t.Fatal(err)
	}
	if got := f.text(`SELECT string_agg(data, '' ORDER BY piece) FROM muster.errand_texts`); got != text {
		t.Errorf("%d bytes are kept, which differ from the %d that were handed in", len(got), len(text))
	}
	if n := f.CountRows(`muster.errand_texts WHERE data NOT LIKE E'%\n'`); n != 2 {
		t.Errorf("%d pieces end within a line, want those of the line that is longer than a piece", n)
	}
	if got, err := f.ProcessTask(t.Context(), task.ID, engine.ProcessOptions{}); err != nil || got.Attributes.Aggregation == nil ||
		got.Attributes.Aggregation.Rows+got.Attributes.Aggregation.Faulty != 3001 {
		t.Errorf("got %+v, %v", got, err)
	}
}

// Of two tasks for one source the earlier comes first, and a cancelled one is never carried out.
func TestErrandsInOrder(t *testing.T) {
	t.Parallel()
	f := company(t)
	ctx := t.Context()
	start := func(name string) engine.TaskStatus {
		t.Helper()
		task, err := f.StartAggregation(ctx, "HR", strings.NewReader(hrText("\n", "zoe,"+name+",Zoe,Z,,Sales,ann,41,stay")),
			engine.AggregateOptions{Delta: true})
		if err != nil {
			t.Fatal(err)
		}
		return task
	}
	first, second, third := start("First"), start("Second"), start("Third")
	_, err := f.ProcessTask(ctx, second.ID, engine.ProcessOptions{})
	demandKind(t, err, engine.Conflict, "has to end first")
	if third, err = f.CancelTask(ctx, third.ID); err != nil || *third.CompletionStatus != "TERMINATED" {
		t.Fatal(third, err)
	}
	if n := f.CountRows("muster.errand_texts"); n != 2 {
		t.Errorf("%d texts are kept, want 2: that of the cancelled task is not needed", n)
	}
	f.Process()
	for _, id := range []string{first.ID, second.ID} {
		if task, err := f.Task(ctx, id); err != nil || *task.CompletionStatus != "SUCCESS" {
			t.Errorf("%+v, %v", task, err)
		}
	}
	if got := f.Identity("zoe").Name; got != "Second" {
		t.Errorf("she is called %q, want Second", got)
	}
}

// Workers carry errands out, also where the job was lost.
func TestWorkersRunErrands(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("it takes long")
	}
	f := company(t)
	ctx := t.Context()
	task, err := f.StartAggregation(ctx, "HR", strings.NewReader(hrText("\n", "zoe,Zoe,Zoe,Z,,Sales,ann,41,stay")),
		engine.AggregateOptions{Delta: true})
	if err != nil {
		t.Fatal(err)
	}
	f.executeAll("DELETE FROM muster_jobs.river_job", "UPDATE muster.tasks SET modified = now() - interval '1 hour' WHERE completed IS NULL")
	if err := f.Start(ctx); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Stop(ctx) }()
	for range 600 {
		if task, err = f.Task(ctx, task.ID); err != nil || task.Ended() {
			break
		}
		time.Sleep(50 * time.Millisecond)
	}
	if err != nil || !task.Ended() || *task.CompletionStatus != "SUCCESS" {
		t.Errorf("got %+v, %v", task, err)
	}
}

// Without optimization also those are processed in whose accounts nothing changed.
func TestAggregateUnoptimized(t *testing.T) {
	t.Parallel()
	f := company(t)
	before := f.CountRows("muster.identities")
	text := f.text(`SELECT string_agg(native_identity, ',') FROM muster.accounts a JOIN muster.sources s ON s.id = a.source_id WHERE s.name = 'HR'`)
	if before == 0 || text == "" {
		t.Fatal("the company is empty")
	}
	for unchanged, want := range map[bool]int{false: 0, true: before} {
		result := f.AggregateText("HR", enginetest.People, engine.AggregateOptions{Unchanged: unchanged})
		if got := f.requests(); got != want || result.Unchanged != before {
			t.Errorf("unchanged %t: %d are to be processed, want %d; %+v", unchanged, got, want, result)
		}
		f.Process()
	}
}

// Objects are deleted by a task, unless something uses them; the guard holds it.
func TestStartDeletion(t *testing.T) {
	t.Parallel()
	f := company(t)
	ctx := t.Context()
	_, err := f.StartDeletion(ctx, engine.TypeSource, []string{"HR"})
	var used *engine.InUseError
	if !errors.As(err, &used) || engine.KindOf(err) != engine.Conflict {
		t.Errorf("got %v, want that the source is in use", err)
	}
	_, err = f.StartDeletion(ctx, engine.TypeSource, []string{"Nowhere"})
	demandKind(t, err, engine.NotFound, "Nowhere")
	_, err = f.StartDeletion(ctx, engine.TypeSource, nil)
	demandKind(t, err, engine.Invalid, "1 to 1000")
	if f.CountRows("muster.errands") != 0 {
		t.Fatal("a task was launched all the same")
	}
	f.ApplyText(`
roles: [{name: Temporary, enabled: true}, {name: Other, enabled: true}, {name: Kept, enabled: true}]
sources: [{name: Spare, connector: delimited-file}]`)
	f.AggregateText("Spare", "id,name\na,A\nb,B\n", engine.AggregateOptions{})
	f.Process()
	roles, err := f.StartDeletion(ctx, engine.TypeRole, []string{"Temporary", "other", "Temporary"}, engine.WithComment("not needed"))
	if err != nil {
		t.Fatal(err)
	}
	source, err := f.StartDeletion(ctx, engine.TypeSource, []string{"Spare"})
	if err != nil || source.Target == nil || source.Target.Name != "Spare" {
		t.Fatal(source, err)
	}
	if f.CountRows("muster.roles WHERE name IN ('Temporary', 'Other')") != 2 {
		t.Error("they are gone before the task was carried out")
	}
	f.Process()
	for _, id := range []string{roles.ID, source.ID} {
		task, err := f.Task(ctx, id)
		if err != nil || *task.CompletionStatus != "SUCCESS" || task.Attributes.Removal == nil {
			t.Errorf("%+v, %v", task, err)
		}
	}
	if f.CountRows("muster.roles WHERE name IN ('Temporary', 'Other')") != 0 || f.CountRows("muster.sources WHERE name = 'Spare'") != 0 ||
		f.CountRows("muster.roles WHERE name = 'Kept'") != 1 {
		t.Error("not what was to go is gone")
	}
	if got := f.text("SELECT comment FROM muster.configuration_revisions ORDER BY version DESC OFFSET 1 LIMIT 1"); got != "not needed" {
		t.Errorf("the comment is %q", got)
	}
}

// A removal that takes something from too many people waits for somebody who confirms it.
func TestHeldDeletion(t *testing.T) {
	t.Parallel()
	f := companyWith(t, engine.Config{BatchSize: 3, Workers: 1, Guard: engine.Guard{Share: 0.01, Minimum: 1}})
	ctx := t.Context()
	f.ApplyText(`sources: [{name: Spare, connector: delimited-file,
		accountCorrelationConfig: {attributeAssignments: [{property: uid, value: emp}]}}]`)
	f.AggregateText("Spare", "id,emp\na,ann\nb,bob\nc,cy\n", engine.AggregateOptions{})
	f.Process()
	task, err := f.StartDeletion(ctx, engine.TypeSource, []string{"Spare"})
	if err != nil {
		t.Fatal(err)
	}
	if task, err = f.ProcessTask(ctx, task.ID, engine.ProcessOptions{}); err != nil || task.Held == "" || task.Ended() {
		t.Fatalf("got %+v, %v, want that the task is held", task, err)
	}
	if f.CountRows("muster.sources WHERE name = 'Spare'") != 1 {
		t.Error("the source is gone all the same")
	}
	if _, err := f.ConfirmTask(ctx, task.ID); err != nil {
		t.Fatal(err)
	}
	if task, err = f.ProcessTask(ctx, task.ID, engine.ProcessOptions{}); err != nil || !task.Ended() || *task.CompletionStatus != "SUCCESS" {
		t.Fatalf("got %+v, %v", task, err)
	}
	if f.CountRows("muster.sources WHERE name = 'Spare'") != 0 {
		t.Error("the source is still there")
	}
}

// References are shown with the ID and the name of what they mean.
func TestPublishedObjects(t *testing.T) {
	t.Parallel()
	f := company(t)
	ctx := t.Context()
	f.AggregateText("Directory", enginetest.DirectoryHeader+"bobt,bob@example.com,,sales,true\n", engine.AggregateOptions{})
	f.ApplyText(fmt.Sprintf(`
accessProfiles: [{name: Both, source: {name: Directory}, owner: {id: %q, name: somebody},
	entitlements: [{attribute: groups, value: sales}, {attribute: groups, value: unseen}]}]
roles: [{name: Holder, enabled: true, accessProfiles: [{name: both}],
	entitlements: [{source: {name: Directory}, attribute: groups, value: sales}],
	membership: {type: IDENTITY_LIST, identities: [{id: %q}]}}]`, f.ID("ann"), f.ID("bob")))
	published, err := f.PublishedObjects(ctx, engine.TypeAccessProfile, engine.TypeRole)
	if err != nil {
		t.Fatal(err)
	}
	var profile, role string
	for _, o := range published.Objects {
		switch o.Name {
		case "Both":
			profile = o.ID + string(o.Object)
		case "Holder":
			role = string(o.Object)
		}
	}
	sales := strings.ReplaceAll(f.text(`SELECT id::text FROM muster.entitlements WHERE value = 'sales'`), "-", "")
	source := strings.ReplaceAll(f.text(`SELECT id::text FROM muster.sources WHERE name = 'Directory'`), "-", "")
	for _, part := range []string{`"source":{"type":"SOURCE","id":"` + source + `","name":"Directory"}`,
		`"owner":{"type":"IDENTITY","id":"` + f.ID("ann") + `","name":"` + f.Identity("ann").Name + `"}`,
		`{"type":"ENTITLEMENT","id":"` + sales + `","name":"sales"}`, `"value":"unseen"`} {
		if !strings.Contains(profile, part) {
			t.Errorf("the access profile lacks %s: %s", part, profile)
		}
	}
	for _, part := range []string{`"accessProfiles":[{"type":"ACCESS_PROFILE","id":"` + profile[:32] + `","name":"Both"}]`,
		`"entitlements":[{"type":"ENTITLEMENT","id":"` + sales + `","name":"sales"}]`,
		`"identities":[{"type":"IDENTITY","id":"` + f.ID("bob") + `","name":"` + f.Identity("bob").Name + `"}]`} {
		if !strings.Contains(role, part) {
			t.Errorf("the role lacks %s: %s", part, role)
		}
	}
	page, err := f.ListAccessProfileEntitlements(ctx, profile[:32], engine.PageParams{Count: true, Filters: `attribute sw "gr" and name eq "SALES"`})
	if err != nil || len(page.Items) != 1 || page.Items[0].ID != sales || *page.Total != 1 {
		t.Errorf("got %+v, %v", page, err)
	}
	_, err = f.ListAccessProfileEntitlements(ctx, profile[:32], engine.PageParams{Filters: `requestable eq true`})
	demandKind(t, err, engine.Invalid, "requestable")
	_, err = f.ListAccessProfileEntitlements(ctx, strings.Repeat("f", 32), engine.PageParams{})
	demandKind(t, err, engine.NotFound, "")
}
