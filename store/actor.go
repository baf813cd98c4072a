package store

import (
	"strings"
	"unicode/utf8"
)

// The longest texts of an [Actor], in bytes.
const (
	ActorIDMax   = 256
	ActorNameMax = 256
	ActorViaMax  = 32
)

// Actor is who did something, and through what. The zero Actor is the engine itself.
type Actor struct {
	// ID is what the host knows the actor by: of an identity, a client, or a user of the operating system.
	ID string
	// Name is what people call the actor.
	Name string
	// Via is the face through which the actor came: "api", "cli", "console", or the host's own word.
	Via string
}

// Clean returns the actor as it is stored: a character that the database or a terminal would not take is shown as
// U+FFFD, and each text is cut at its limit, between two characters. So no actor is lost for an odd name.
func (a Actor) Clean() Actor {
	return Actor{cleanText(a.ID, ActorIDMax), cleanText(a.Name, ActorNameMax), cleanText(a.Via, ActorViaMax)}
}

func cleanText(text string, most int) string {
	text = strings.Map(func(r rune) rune {
		if r < ' ' || r >= 0x7f && r < 0xa0 { // controls
			return utf8.RuneError
		}
		return r
	}, strings.ToValidUTF8(text, string(utf8.RuneError)))
	if len(text) <= most {
		return text
	}
	end := most
	for !utf8.RuneStart(text[end]) {
		end--
	}
	return text[:end]
}
