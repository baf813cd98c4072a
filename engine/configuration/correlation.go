package configuration

// nameProperty is what correlations of exports call the name of an identity, which is its uid.
const nameProperty = "name"

// nameProperties takes name in correlations for uid, unless an identity attribute of that name is defined.
func (s *CompiledSource) nameProperties(defined map[string]IdentityAttribute) {
	if _, own := defined[nameProperty]; own {
		return
	}
	if c := s.AccountCorrelationConfig; c != nil {
		for i := range c.Assignments {
			if c.Assignments[i].Property == nameProperty {
				c.Assignments[i].Property = "uid"
			}
		}
	}
	if m := s.ManagerCorrelation; m != nil && m.IdentityAttributeName == nameProperty {
		m.IdentityAttributeName = "uid"
	}
}
