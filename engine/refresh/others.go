package refresh

// Others says what the mappings of a configuration read of other identities.
type Others struct {
	Manager bool // the identity's manager
	Status  bool // whether the identity is somebody's manager
	Alias   bool // identities that are found by their alias
	// Attributes are those that are read of them, sorted and without repetitions, beside the name and the alias.
	// AnyAttribute says that it may be any.
	Attributes   []string
	AnyAttribute bool
}

// Read reports whether anything is read of others.
func (o *Others) Read() bool { return o.Manager || o.Status || o.Alias }

// Face returns what mappings can read of an identity that is another one for them. Two faces are the same where they
// would read the same.
func (o *Others) Face(s *State) string {
	face := make([]byte, 0, 128)
	face = append(append(append(face, s.Name...), 0), s.Alias...)
	if o.AnyAttribute {
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
