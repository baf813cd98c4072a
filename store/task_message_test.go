package store_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"

	"github.com/muster-engine/muster/store"
	"github.com/muster-engine/muster/store/storetest"
)

// Of messages that are equal but for their identity one row is stored, which counts them and has the first identities.
func TestTaskMessagesAreGrouped(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("it takes long")
	}
	people := map[string]store.ID{"nobody": {}}
	names := map[store.ID]string{}
	for _, name := range []string{"Ann", "Bob", "Cy", "Dee", "Eve", "Flo", "Gus"} {
		id := store.NewID()
		people[name], names[id] = id, name
	}
	// A batch is "TYPE text: names; TYPE text: names".
	parse := func(batch string) (messages []store.TaskMessage) {
		for given := range strings.SplitSeq(batch, "; ") {
			what, whom, _ := strings.Cut(given, ": ")
			kind, text, _ := strings.Cut(what, " ")
			for name := range strings.SplitSeq(whom, " ") {
				id, found := people[name]
				if !found {
					t.Fatalf("%q is nobody", name)
				}
				messages = append(messages, store.TaskMessage{Type: kind, Key: "k", Text: text, IdentityID: id})
			}
		}
		return messages
	}
	tests := []struct {
		name    string
		batches []string
		want    []string // "count × TYPE text: examples"
	}{
		{"one message about one", []string{"WARN no mail: Ann"}, []string{"1 × WARN no mail: Ann"}},
		{"one message about many", []string{"WARN no mail: Ann Bob Cy"}, []string{"3 × WARN no mail: Ann Bob Cy"}},
		{"in several batches", []string{"WARN no mail: Cy", "WARN no mail: Ann Bob"}, []string{"3 × WARN no mail: Cy Ann Bob"}},
		{"the first five are examples", []string{"WARN no mail: Ann Bob Cy", "WARN no mail: Dee Eve Flo Gus"},
			[]string{"7 × WARN no mail: Ann Bob Cy Dee Eve"}},
		{"again in the batch", []string{"WARN no mail: Ann Bob Ann"}, []string{"2 × WARN no mail: Ann Bob"}},
		{"again in a later batch", []string{"WARN no mail: Ann Bob", "WARN no mail: Bob Cy"},
			[]string{"3 × WARN no mail: Ann Bob Cy"}},
		{"again, but no example", []string{"WARN no mail: Ann Bob Cy Dee Eve Flo", "WARN no mail: Flo Ann"},
			[]string{"7 × WARN no mail: Ann Bob Cy Dee Eve"}},
		{"about nobody each counts", []string{"ERROR no disk: nobody nobody", "ERROR no disk: nobody"},
			[]string{"3 × ERROR no disk: "}},
		{"about nobody and somebody", []string{"ERROR no disk: Ann", "ERROR no disk: nobody Ann Bob"},
			[]string{"3 × ERROR no disk: Ann Bob"}},
		{"another type is another message", []string{"WARN odd: Ann; ERROR odd: Ann"},
			[]string{"1 × ERROR odd: Ann", "1 × WARN odd: Ann"}},
		{"errors, warnings, infos, and the most frequent first",
			[]string{"INFO a: Ann Bob Cy; WARN b: Ann; WARN c: Bob Ann; ERROR d: Cy; WARN e: Dee", "ERROR f: Ann Bob"},
			[]string{"2 × ERROR f: Ann Bob", "1 × ERROR d: Cy", "2 × WARN c: Bob Ann", "1 × WARN b: Ann", "1 × WARN e: Dee",
				"3 × INFO a: Ann Bob Cy"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			batches := make([][]store.TaskMessage, len(test.batches))
			for i, batch := range test.batches {
				batches[i] = parse(batch)
			}
			var got []string
			for _, g := range storedMessages(t, batches...) {
				examples := make([]string, len(g.Examples))
				for i, id := range g.Examples {
					examples[i] = names[id]
				}
				got = append(got, fmt.Sprintf("%d × %s %s: %s", g.Count, g.Type, g.Text, strings.Join(examples, " ")))
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("(-want +got): %s", diff)
			}
		})
	}
}

// Of each type a number of different messages is stored, and no type takes the place of another. What is stored
// already is still counted, and the most frequent of a batch come first.
func TestTaskMessagesMax(t *testing.T) {
	t.Parallel()
	ann, bob := store.NewID(), store.NewID()
	different := func(kind string) (messages []store.TaskMessage) {
		for i := range store.TaskMessagesMax {
			messages = append(messages, store.TaskMessage{Type: kind, Key: "k", Text: fmt.Sprint(i), IdentityID: ann})
		}
		return messages
	}
	last := store.TaskMessage{Type: "WARN", Key: "k", Text: fmt.Sprint(store.TaskMessagesMax - 1), IdentityID: bob}
	often := []store.TaskMessage{{Type: "INFO", Key: "k", Text: "often", IdentityID: ann},
		{Type: "INFO", Key: "k", Text: "often", IdentityID: bob}}
	groups := storedMessages(t, different("WARN"),
		[]store.TaskMessage{{Type: "WARN", Key: "k", Text: "one too many", IdentityID: ann}},
		[]store.TaskMessage{last, {Type: "ERROR", Key: "k", Text: "the one that counts", IdentityID: ann}},
		slices.Concat(different("INFO"), often))
	counts := map[string]int{}
	for _, g := range groups {
		counts[g.Type]++
	}
	if diff := cmp.Diff(map[string]int{"ERROR": 1, "WARN": store.TaskMessagesMax, "INFO": store.TaskMessagesMax}, counts); diff != "" {
		t.Errorf("stored messages of each type (-want +got): %s", diff)
	}
	for place, want := range map[int]string{0: "the one that counts", 1: last.Text, 2: "0", 101: "often", 102: "0", 200: "98"} {
		if groups[place].Text != want {
			t.Errorf("message %d is %q, want %q", place, groups[place].Text, want)
		}
	}
}

// storedMessages adds a task, and messages to it in a transaction for each batch, and returns what is stored.
func storedMessages(t *testing.T, batches ...[]store.TaskMessage) []store.TaskMessageGroup {
	t.Helper()
	pool, s := storetest.Pool(t), newStore(t)
	task := store.Task{ID: store.NewID(), Kind: "IDENTITY_REFRESH", Created: now, Modified: now}
	if err := inTx(t, pool, func(ctx context.Context, tx pgx.Tx) error { return s.AddTask(ctx, tx, &task) }); err != nil {
		t.Fatal(err)
	}
	for _, messages := range batches {
		if err := inTx(t, pool, func(ctx context.Context, tx pgx.Tx) error {
			return s.AddTaskMessages(ctx, tx, task.ID, messages, now)
		}); err != nil {
			t.Fatal(err)
		}
	}
	groups, err := s.TaskMessages(t.Context(), pool, []store.ID{task.ID})
	if err != nil {
		t.Fatal(err)
	}
	return groups
}
