package main

import (
	"path/filepath"
	"slices"

	"github.com/muster-engine/muster/engine"
)

// allowed returns what sources may name, by the flags, or nil if they say nothing: then the operator's own documents
// may name everything, and others nothing.
func (a *app) allowed() (*engine.Allow, error) {
	allow := engine.Allow{Secrets: slices.Clone(a.allow.Secrets), Folders: slices.Clone(a.allow.Folders),
		Hosts: slices.Clone(a.allow.Hosts)}
	if len(allow.Secrets)+len(allow.Folders)+len(allow.Hosts) == 0 {
		return nil, nil
	}
	for i, folder := range allow.Folders {
		path, err := filepath.Abs(folder)
		if err != nil {
			return nil, err
		}
		allow.Folders[i] = path
	}
	if err := allow.Validate(); err != nil {
		return nil, usage("what sources may name: %w", err)
	}
	return &allow, nil
}
