package engine

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/muster-engine/muster/engine/fault"
	"github.com/muster-engine/muster/store"
)

const (
	// TaskMessagesMax is how many different messages of one type are stored of a task: 100. Its attributes tell how
	// many there were.
	TaskMessagesMax = store.TaskMessagesMax
	// TaskExamplesMax is how many identities a message names: 5.
	TaskExamplesMax = store.TaskExamplesMax
)

// TaskStatusMessage is something that a task has to say, about one identity or many, or about none. Messages that are
// equal but for their identity are one.
type TaskStatusMessage struct {
	Type string `json:"type"` // INFO, WARN or ERROR
	// LocalizedText is the Text, followed by how many identities it is about and by the Examples.
	LocalizedText *LocalizedText `json:"localizedText"`
	Key           string         `json:"key"`
	Parameters    []any          `json:"parameters"` // the IDs of the Examples

	Text string `json:"-"` // what there is to say, without whom it is about
	// Count is how many identities it is about, or how often it was said where it is about none. An identity that is
	// processed again in the task counts once while it is among the Examples, and else again.
	Count int64 `json:"-"`
	// Examples are the first identities that it is about, at most [TaskExamplesMax], with the names that they have now.
	// An identity that was deleted has no name.
	Examples []IdentityReference `json:"-"`
}

// LocalizedText is a text and its language.
type LocalizedText struct {
	Locale  string `json:"locale"`
	Message string `json:"message"`
}

// TaskMessages returns what tasks have to say together, as [TaskStatus] has it of one: errors first, then warnings,
// then infos, and of each type the most frequent first. Tasks that do not exist say nothing.
func (e *Engine) TaskMessages(ctx context.Context, tasks []string) ([]TaskStatusMessage, error) {
	ids := make([]store.ID, 0, len(tasks))
	for _, task := range tasks {
		if id, ok := store.IDOf(task); ok {
			ids = append(ids, id)
		}
	}
	if len(ids) == 0 {
		return []TaskStatusMessage{}, nil
	}
	groups, err := e.tenant.Store.TaskMessages(ctx, e.tenant.Pool, ids)
	return taskMessages(mergeGroups(groups)), fault.Wrap("get the messages of tasks", "", err)
}

// mergeGroups makes one of the equal groups of several tasks. The groups must be ordered by type.
func mergeGroups(groups []store.TaskMessageGroup) []store.TaskMessageGroup {
	type kind struct{ kind, key, text string }
	places := map[kind]int{}
	merged := make([]store.TaskMessageGroup, 0, len(groups))
	types := map[string]int{} // in their order
	for i := range groups {
		g := &groups[i]
		if _, found := types[g.Type]; !found {
			types[g.Type] = len(types)
		}
		is := kind{g.Type, g.Key, g.Text}
		place, found := places[is]
		if !found {
			places[is] = len(merged)
			merged = append(merged, *g)
			continue
		}
		into := &merged[place]
		into.Count += g.Count
		for j, id := range g.Examples {
			switch {
			case slices.Contains(into.Examples, id):
				into.Count--
			case len(into.Examples) < TaskExamplesMax:
				into.Examples, into.Names = append(into.Examples, id), append(into.Names, g.Names[j])
			}
		}
	}
	slices.SortStableFunc(merged, func(a, b store.TaskMessageGroup) int {
		return cmp.Or(cmp.Compare(types[a.Type], types[b.Type]), cmp.Compare(b.Count, a.Count))
	})
	return merged
}

// taskMessages gives rows their published shape.
func taskMessages(groups []store.TaskMessageGroup) []TaskStatusMessage {
	messages := make([]TaskStatusMessage, len(groups))
	for i := range groups {
		g := &groups[i]
		m := TaskStatusMessage{Type: g.Type, Key: g.Key, Parameters: []any{}, Text: g.Text, Count: g.Count,
			Examples: []IdentityReference{}}
		for j, id := range g.Examples {
			m.Parameters = append(m.Parameters, id.String())
			m.Examples = append(m.Examples, IdentityReference{Type: "IDENTITY", ID: id.String(), Name: g.Names[j]})
		}
		m.LocalizedText = &LocalizedText{Locale: "en-US", Message: m.Text + m.whom()}
		messages[i] = m
	}
	return messages
}

// whom returns how many identities a message is about, with the examples; "" for a single message about none.
func (m *TaskStatusMessage) whom() string {
	names := make([]string, len(m.Examples))
	for i, example := range m.Examples {
		names[i] = example.ID
		if example.Name != "" {
			names[i] = example.Name + " (" + example.ID + ")"
		}
	}
	list := strings.Join(names, ", ")
	switch {
	case m.Count == 1 && len(names) == 0:
		return ""
	case len(names) == 0:
		return fmt.Sprintf(" (%d times)", m.Count)
	case m.Count == 1 && m.Examples[0].Name != "":
		return " (" + m.Examples[0].Name + ", " + m.Examples[0].ID + ")"
	case m.Count == 1:
		return " (" + list + ")"
	case m.Count > int64(len(names)):
		return fmt.Sprintf(" (%d identities, such as %s)", m.Count, list)
	}
	return fmt.Sprintf(" (%d identities: %s)", m.Count, list)
}
