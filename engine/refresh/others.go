package refresh

// Others says what the mappings and policies of a configuration read of other identities.
type Others struct {
	Read    bool // anything at all: one of the next three
	Manager bool // the identity's manager
	Status  bool // whether the identity is somebody's manager
	Alias   bool // identities that are found by their alias
	// Attributes are those that are read of them, sorted and without repetitions; Any says that it may be any. The name
	// counts as displayName and the alias as uid.
	Attributes []string
	Any        bool
}

// Face returns what mappings can read of an identity that is another one for them. Two faces are the same where they
// would read the same.
func (o *Others) Face(s *State) string {
	face := make([]byte, 0, 128)
	face = append(append(append(face, s.Name...), 0), s.Alias...)
	if o.Any {
		return string(s.Attributes.AppendJSON(append(face, 0)))
	}
	for _, name := range o.Attributes {
		face = s.Attributes.Get(name).AppendJSON(append(face, 0))
	}
	return string(face)
}

// ManagerKey returns the key under which the manager of an identity is looked for, "" for none.
func ManagerKey(s *Snapshot, c *Configuration) string {
	profile, account := Choose(s, c)
	if profile == nil {
		return s.Identity.ManagerKey
	}
	return profile.managerKey(account)
}
