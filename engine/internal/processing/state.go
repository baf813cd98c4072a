package processing

import (
	"fmt"
	"strings"

	"github.com/muster-engine/muster/engine/attribute"
	"github.com/muster-engine/muster/engine/refresh"
	"github.com/muster-engine/muster/store"
)

// DecodeState reads the row of an identity into a state and uses the memory of its attributes again.
func DecodeState(row *store.IdentityState, s *refresh.State) error {
	s.ID, s.Calculated = row.ID, refresh.Calculated(row.Calculated)
	if err := s.Attributes.Decode(row.Attributes); err != nil {
		return fmt.Errorf("identity %s: %w", row.ID, err)
	}
	return nil
}

// encodeState returns the row of a state.
func encodeState(s *refresh.State) store.IdentityState {
	return store.IdentityState{
		ID: s.ID, Calculated: store.Calculated(s.Calculated), FirstName: s.Attributes.Get("firstname").NullText(),
		LastName: s.Attributes.Get("lastname").NullText(), Attributes: s.Attributes.AppendJSON(nil),
	}
}

// wordsOf returns the words of a state for the search. PostgreSQL may write a number with an exponent in another way.
func wordsOf(s *refresh.State) *string {
	return store.IdentityWords(s.Alias, s.Name, s.Email, func(yield func(string, string) bool) {
		for name, value := range s.Attributes.All() {
			switch {
			case value.IsNull():
			case value.Kind() == attribute.KindList:
				for _, element := range value.Strings() {
					if !yield(name, element) {
						return
					}
				}
			case value.Kind() == attribute.KindNumber && strings.ContainsAny(value.Text(), "eE"):
				yield("", "")
				return
			case !yield(name, value.Text()):
				return
			}
		}
	})
}
