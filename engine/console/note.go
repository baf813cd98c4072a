package console

import (
	"encoding/json"

	"github.com/muster-engine/muster/engine"
)

// note is what an action tells on the page that follows it. It names nobody: an erasure does not look into notes.
type note struct {
	Key       string `json:"key"` // an English text
	Arguments []any  `json:"arguments,omitempty"`
	Run       string `json:"run,omitempty"`     // the run that carries it out
	Warning   bool   `json:"warning,omitempty"` // nothing was done
}

// tell keeps a note for the next page of the visitor, and redirects to that page.
func (v *visit) tell(n note, target string) error {
	text, err := json.Marshal(n)
	if err != nil {
		return err
	}
	if v.token == "" {
		// The host knows the visitor of each request. The session only carries the note.
		token, err := v.h.eng.OpenSession(v.r.Context(), engine.Session{UserID: v.principal.ID,
			UserName: v.principal.Name, Note: string(text)})
		if err != nil {
			return err
		}
		v.setToken(token)
	} else if err := v.h.eng.NoteSession(v.r.Context(), v.token, string(text)); err != nil {
		return err
	}
	return v.redirect(target)
}

// shownNote is a note in the visitor's language.
type shownNote struct {
	Text, Run string
	Warning   bool
}

// Note takes the note that the last action left, for the page to show. A note that cannot be taken away is shown again.
func (v *visit) Note() *shownNote {
	if v.session.Note == "" {
		return nil
	}
	var n note
	err := json.Unmarshal([]byte(v.session.Note), &n)
	v.session.Note = ""
	if taken := v.h.eng.NoteSession(v.r.Context(), v.token, ""); taken != nil {
		v.h.config.Logger.WarnContext(v.r.Context(), "console: a note stays", "error", engine.Reason(taken))
	}
	if err != nil {
		return nil // of another version
	}
	for i, argument := range n.Arguments {
		if number, is := argument.(float64); is { // as JSON has it
			n.Arguments[i] = int(number)
		}
	}
	return &shownNote{Text: v.T(n.Key, n.Arguments...), Run: n.Run, Warning: n.Warning}
}
