package engine_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/muster-engine/muster/engine"
	"github.com/muster-engine/muster/engine/enginetest"
	"github.com/muster-engine/muster/store"
)

// One error among hundreds of warnings comes first, and a frequent warning before those that each concern one.
func TestMessagesOfATask(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	const mapping = "{sourceName: HR, attributeName: dept}}}"
	f.ApplyText(strings.Replace(enginetest.Documents, "{type: accountAttribute, attributes: "+mapping,
		"{type: lookup, attributes: {table: {Sales: S}, input: {type: accountAttribute, attributes: "+mapping+"}}", 1))
	var people strings.Builder
	people.WriteString(enginetest.PeopleHeader)
	for i := range 130 {
		fmt.Fprintf(&people, "p%03d,Person %03[1]d,Per,Son,,Sales,,30,unknown%03[1]d\n", i)
	}
	people.WriteString("zoe,Zoe Last,Zoe,Last,zoe@example.com,Finance,,30,\n")
	f.AggregateText("HR", people.String(), engine.AggregateOptions{})
	result := f.Process()
	if result.Errors != 1 || result.Warnings != 130 || len(result.Tasks) != 1 {
		t.Fatalf("got %+v, want 1 error and 130 warnings in 1 task", result)
	}
	task, err := f.Task(t.Context(), result.Tasks[0])
	if err != nil {
		t.Fatal(err)
	}
	if len(task.Messages) != 1+engine.TaskMessagesMax || task.Attributes.MessageCount != 1+2*130 {
		t.Fatalf("got %d messages of %d, want %d of %d", len(task.Messages), task.Attributes.MessageCount,
			1+engine.TaskMessagesMax, 1+2*130)
	}
	first, second := &task.Messages[0], &task.Messages[1]
	zoe := f.Identity("Zoe Last").ID
	if first.Type != "ERROR" || first.Count != 1 || !strings.HasPrefix(first.Text, "attribute department of profile") ||
		first.LocalizedText.Message != first.Text+" (Zoe Last, "+zoe+")" || !slices.Equal(first.Parameters, []any{zoe}) {
		t.Errorf("the first message is %+v %q, want the error of zoe", first, first.LocalizedText.Message)
	}
	var examples []engine.IdentityReference
	for _, example := range second.Examples {
		identity, err := f.GetIdentity(t.Context(), example.ID)
		if err != nil {
			t.Fatal(err)
		}
		examples = append(examples, engine.IdentityReference{Type: "IDENTITY", ID: identity.ID, Name: identity.Name})
	}
	if diff := cmp.Diff(examples, second.Examples); diff != "" || len(examples) != engine.TaskExamplesMax {
		t.Errorf("the examples of the second message (-as they are +got): %s", diff)
	}
	if want := fmt.Sprintf("the identity is incomplete: it has no email (130 identities, such as %s (%s), ", examples[0].Name,
		examples[0].ID); second.Count != 130 || !strings.HasPrefix(second.LocalizedText.Message, want) {
		t.Errorf("the second message is %+v %q, want %q", second, second.LocalizedText.Message, want)
	}
	if types := f.text(`SELECT string_agg(DISTINCT type, ' ') FROM muster.task_messages WHERE count = 1`); types != "ERROR WARN" {
		t.Errorf("messages about one are of the types %q", types)
	}

	// In JSON it has the published shape.
	var shape map[string]any
	if text, err := json.Marshal(second); err != nil || json.Unmarshal(text, &shape) != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"key", "localizedText", "parameters", "type"}, slices.Sorted(maps.Keys(shape))); diff != "" {
		t.Errorf("the properties of a message (-want +got): %s", diff)
	}

	// Who was deleted has no name any more, and who was erased is neither named nor counted.
	gone, erased := examples[0], examples[1]
	f.AggregateText("HR", withoutRow(t, people.String(), ","+gone.Name+","), engine.AggregateOptions{})
	if err := f.DeleteIdentity(t.Context(), gone.ID); err != nil {
		t.Fatal(err)
	}
	if _, err := f.EraseIdentity(t.Context(), erased.ID, engine.EraseOptions{Accounts: true}); err != nil {
		t.Fatal(err)
	}
	after, err := f.TaskMessages(t.Context(), result.Tasks)
	if err != nil {
		t.Fatal(err)
	}
	want := slices.Delete(slices.Clone(examples), 1, 2)
	want[0].Name = ""
	if diff := cmp.Diff(want, after[1].Examples); diff != "" || after[1].Count != 129 {
		t.Errorf("the message counts %d, want 129; its examples (-want +got): %s", after[1].Count, diff)
	}
	if text := after[1].LocalizedText.Message; !strings.Contains(text, "such as "+gone.ID+", "+want[1].Name+" (") {
		t.Errorf("got %q, want who was deleted by the ID", text)
	}
	for i := range after {
		if strings.Contains(fmt.Sprint(after[i].Parameters, after[i].LocalizedText.Message), erased.ID) {
			t.Errorf("%+v tells of who was erased", after[i])
		}
	}
}

// withoutRow returns rows without the one that has a text.
func withoutRow(t *testing.T, rows, text string) string {
	t.Helper()
	lines := strings.SplitAfter(rows, "\n")
	left := slices.DeleteFunc(slices.Clone(lines), func(line string) bool { return strings.Contains(line, text) })
	if len(left) != len(lines)-1 {
		t.Fatalf("%d rows have %q, want 1", len(lines)-len(left), text)
	}
	return strings.Join(left, "")
}

// The messages of several tasks together are as those of one: an identity that two of them name counts once.
func TestMessagesOfTasksTogether(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.ApplyText(enginetest.Documents)
	f.AggregateText("HR", enginetest.PeopleHeader+"dee,Dee Strauß,Dee,,dee@example.com,Sales,,25,\n"+
		"ann,Ann Boss,Ann,Boss,,Board,,60,\n", engine.AggregateOptions{})
	tasks := f.Process().Tasks
	f.AggregateText("HR", enginetest.PeopleHeader+"ann,Ann Boss,Ann,Boss,,Sales,,60,\nbob,Bob Twain,Bob,Twain,,Sales,,41,\n",
		engine.AggregateOptions{Delta: true})
	tasks = append(tasks, f.Process().Tasks...)
	messages, err := f.TaskMessages(t.Context(), append(tasks, "no ID", store.NewID().String()))
	if err != nil || len(tasks) != 2 {
		t.Fatalf("got %d tasks and the error %v, want 2 tasks", len(tasks), err)
	}
	named := func(alias string) string { i := f.Identity(alias); return i.Name + " (" + i.ID + ")" }
	dee := f.Identity("dee")
	want := []string{
		"the identity is incomplete: it has no email (2 identities: " + named("ann") + ", " + named("bob") + ")",
		"the identity is incomplete: it has no lastname (" + dee.Name + ", " + dee.ID + ")",
	}
	var got []string
	for i := range messages {
		got = append(got, messages[i].LocalizedText.Message)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got): %s", diff)
	}
}
