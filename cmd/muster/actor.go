package main

import (
	"os"
	"os/user"
	"strconv"

	"github.com/muster-engine/muster/engine"
)

// osActor returns the user of the operating system who runs the command: by name, or by number where it has none.
func osActor() engine.Actor {
	name := "uid " + strconv.Itoa(os.Getuid())
	if current, err := user.Current(); err == nil && current.Username != "" {
		name = current.Username
	}
	return engine.Actor{ID: name, Name: name, Via: "cli"}
}
