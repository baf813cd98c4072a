package processing

import (
	"fmt"

	"github.com/muster-engine/muster/engine/refresh"
	"github.com/muster-engine/muster/store"
)

// DecodeState reads the row of an identity into a state, whose memory it uses.
func DecodeState(row *store.IdentityState, s *refresh.State) error {
	attributes := s.Attributes
	*s = refresh.State{
		ID: row.ID, Name: row.Name, Alias: row.Alias, Email: row.Email,
		ProcessingState: row.ProcessingState, ProcessingError: row.ProcessingError,
		Correlated: row.Correlated, ProfileID: row.ProfileID,
		LifecycleState: row.LifecycleState, LifecycleManual: row.LifecycleManual,
		IdentityState: row.IdentityState, ManagerID: row.ManagerID, ManagerKey: row.ManagerKey,
		Attributes: attributes, // for their memory
	}
	if err := s.Attributes.Decode(row.Attributes); err != nil {
		return fmt.Errorf("identity %s: %w", row.ID, err)
	}
	return nil
}

// encodeState makes the row of a state.
func encodeState(s *refresh.State) store.IdentityState {
	first, last := s.Attributes.Get("firstname"), s.Attributes.Get("lastname")
	return store.IdentityState{
		ID: s.ID, Name: s.Name, Alias: s.Alias, Email: s.Email,
		FirstName: first.NullText(), LastName: last.NullText(),
		ProcessingState: s.ProcessingState, ProcessingError: s.ProcessingError,
		Correlated: s.Correlated, ProfileID: s.ProfileID,
		LifecycleState: s.LifecycleState, LifecycleManual: s.LifecycleManual,
		IdentityState: s.IdentityState, ManagerID: s.ManagerID, ManagerKey: s.ManagerKey,
		Attributes: s.Attributes.AppendJSON(nil),
	}
}
