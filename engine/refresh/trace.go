package refresh

import (
	"time"

	"github.com/muster-engine/muster/engine/attribute"
	"github.com/muster-engine/muster/engine/transform"
)

// Trace calculates what a mapping gives the identity, and tells how. The steps hold the values of the identity.
func (m *Mapping) Trace(s *Snapshot, now time.Time) (attribute.Value, []transform.Step, error) {
	input := s.input(new(Memory), now)
	input.Attribute, input.OldValue = m.Attribute, s.Identity.Attributes.Get(m.Attribute)
	return m.Transform.Trace(&input)
}
