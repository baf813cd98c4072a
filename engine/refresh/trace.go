package refresh

import (
	"time"

	"github.com/muster-engine/muster/engine/attribute"
	"github.com/muster-engine/muster/engine/transform"
)

// Trace calculates what a mapping gives the identity, and tells how. It sees the attributes of after, the After of the
// identity's change. The steps hold the values of the identity.
func (m *Mapping) Trace(s *Snapshot, after *State, now time.Time) (attribute.Value, []transform.Step, error) {
	input := s.input(new(Memory), now)
	input.Attribute, input.OldValue = m.Attribute, s.Identity.Attributes.Get(m.Attribute)
	attributes := after.Attributes.Clone()
	attributes.Delete(m.Attribute) // a mapping does not see its own value
	input.Identity.Name, input.Identity.Alias, input.Identity.Attributes = after.Name, after.Alias, &attributes
	return m.Transform.Trace(&input)
}
