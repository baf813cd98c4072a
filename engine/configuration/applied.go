package configuration

// Action says what applying did to an object.
type Action string

// What applying does to an object.
const (
	Created   Action = "created"
	Updated   Action = "updated"
	Unchanged Action = "unchanged"
)

// AppliedObject says what applying did to one object.
type AppliedObject struct {
	Type   ObjectType `json:"type"`
	ID     string     `json:"id,omitempty"` // identity attributes have none
	Name   string     `json:"name"`
	Action Action     `json:"action"`
}
