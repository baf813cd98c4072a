package main

import (
	"fmt"

	"github.com/muster-engine/muster/engine"
)

// messagesShown is how many messages of what was processed are shown. "muster tasks show" shows all.
const messagesShown = 10

// taskMessage is a message in JSON, with what the published shape has no place for.
type taskMessage struct {
	engine.TaskStatusMessage
	Count    int64                      `json:"count"`
	Examples []engine.IdentityReference `json:"examples"`
}

func messagesJSON(messages []engine.TaskStatusMessage) []taskMessage {
	list := make([]taskMessage, len(messages))
	for i := range messages {
		list[i] = taskMessage{messages[i], messages[i].Count, messages[i].Examples}
	}
	return list
}

// printMessages shows messages, each on a line with whom it is about.
func (a *app) printMessages(messages []engine.TaskStatusMessage) {
	for i := range messages {
		fmt.Fprintf(a.stdout, "%-5s %s\n", messages[i].Type, oneLine(messages[i].LocalizedText.Message))
	}
}

// printMessagesOf shows the first messages of what was processed.
func (a *app) printMessagesOf(p *processed) {
	a.printMessages(p.messages[:min(messagesShown, len(p.messages))])
	if left := len(p.messages) - messagesShown; left > 0 {
		fmt.Fprintf(a.stderr, "There are %d messages more.  See them:  muster tasks, muster tasks show ID\n", left)
	}
}

// sayWhatIsNotKept says so where a task may have had more messages than are stored.
func (a *app) sayWhatIsNotKept(t *engine.TaskStatus) {
	types := map[string]int{}
	for i := range t.Messages {
		types[t.Messages[i].Type]++
	}
	for _, n := range types {
		if n == engine.TaskMessagesMax {
			fmt.Fprintf(a.stdout, "of %d messages in all; at most %d different ones of a type are kept\n",
				t.Attributes.MessageCount, engine.TaskMessagesMax)
			return
		}
	}
}
