package configuration

// Action says what applying did to an object.
type Action string

// What applying does to an object.
const (
	Created   Action = "created"
	Updated   Action = "updated"
	Unchanged Action = "unchanged"
	// Removed is what a revision says of an object that is gone after it.
	Removed Action = "removed"
)

// AppliedObject says what applying did to one object.
type AppliedObject struct {
	Type   ObjectType `json:"type"`
	ID     string     `json:"id,omitempty"` // identity attributes have none
	Name   string     `json:"name"`
	Action Action     `json:"action"`
}
