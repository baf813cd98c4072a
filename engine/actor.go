package engine

// Actor is who does something, and through what. Each write of the engine records its actor.
type Actor struct {
	// ID is what the host knows the actor by: the ID of an identity or of a client, the name of a user of the operating
	// system.
	ID string `json:"id"`
	// Name is what people call the actor. Defaults to ID.
	Name string `json:"name"`
	// Via is the face through which the actor came: "api", "cli", "engine", or the host's own word.
	Via string `json:"via"`
}
