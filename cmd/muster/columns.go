package main

import (
	"context"
	"encoding/json"
	"maps"
	"slices"
	"strings"

	"github.com/muster-engine/muster/engine"
	"github.com/muster-engine/muster/filterql/suggest"
)

// checkColumns returns an error if a column is neither a member of an identity nor one of its attributes.
func checkColumns(ctx context.Context, eng *engine.Engine, columns string) error {
	known, err := identityMembers()
	if err != nil {
		return err
	}
	attributes, err := eng.IdentityAttributes(ctx)
	if err != nil {
		return err
	}
	for _, column := range strings.Split(columns, ",") {
		column = strings.TrimSpace(column)
		name, prefix := strings.CutPrefix(column, "attributes.")
		if slices.Contains(attributes, name) || !prefix && slices.Contains(known, column) {
			continue
		}
		words := slices.Concat(attributes, known)
		if prefix {
			words = attributes
		}
		nearest := suggest.Nearest(name, words)
		switch {
		case nearest != "" && prefix:
			return usage("--columns: there is no attribute %q; did you mean %q?", name, nearest)
		case nearest != "":
			return usage("--columns: there is no member %q; did you mean %q?", column, nearest)
		}
		return usage("--columns: there is no member or attribute %q: the members are %s", column,
			strings.Join(known, ", "))
	}
	return nil
}

// identityMembers returns the paths of the members of an identity, sorted.
func identityMembers() ([]string, error) {
	full := engine.Identity{ManagerRef: &engine.IdentityReference{}, LifecycleState: &engine.LifecycleStateRef{}}
	text, err := json.Marshal(full)
	if err != nil {
		return nil, err
	}
	var members map[string]any
	if err := json.Unmarshal(text, &members); err != nil {
		return nil, err
	}
	members["lastRefresh"] = nil // it is left out where it is missing
	var names []string
	for name, value := range members {
		names = append(names, name)
		if inner, isObject := value.(map[string]any); isObject && name != "attributes" {
			for _, member := range slices.Collect(maps.Keys(inner)) {
				names = append(names, name+"."+member)
			}
		}
	}
	slices.Sort(names)
	return names, nil
}
