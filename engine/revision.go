package engine

import (
	"context"
	"encoding/json"
	"errors"
	"math"
	"time"

	"github.com/muster-engine/muster/engine/configuration"
	"github.com/muster-engine/muster/engine/fault"
	"github.com/muster-engine/muster/store"
)

// RevisionsMax is how many revisions one call of [Engine.ConfigurationRevisions] returns.
const RevisionsMax = 250

// ConfigurationRevision is a change of the configuration: who made it, when and why. Revisions are kept for good.
type ConfigurationRevision struct {
	Version int64     `json:"version"` // of the configuration after it
	At      time.Time `json:"at"`
	Actor   Actor     `json:"actor"`
	Comment string    `json:"comment"`
	// Losses are the members that were left out of the documents: see [AcceptLosses].
	Losses []string `json:"losses,omitempty"`
	// Created, Updated and Removed are how many objects it created, updated and removed.
	Created int `json:"created"`
	Updated int `json:"updated"`
	Removed int `json:"removed"`
	// Objects are these objects, by type and name. [Engine.ConfigurationRevisions] leaves them out.
	Objects []RevisionObject `json:"objects,omitempty"`
}

// RevisionObject is what a revision did to one object. The documents name secrets by reference, as the configuration
// does.
type RevisionObject struct {
	AppliedObject
	Before json.RawMessage `json:"before"` // null for an object that was created
	After  json.RawMessage `json:"after"`  // null for one that was removed
}

// ConfigurationRevisions returns the changes of the configuration before a version, the latest first, without their
// objects: at most limit, which is 1 to [RevisionsMax]. From 0 on it returns the latest. Versions have gaps. Changes
// that were made before this version of the library have no revision.
func (e *Engine) ConfigurationRevisions(ctx context.Context, before int64, limit int) ([]ConfigurationRevision, error) {
	const op = "list the revisions of the configuration"
	if limit < 1 || limit > RevisionsMax || before < 0 {
		return nil, fault.Invalidf(op, "", "limit %d before version %d: a limit of 1 to %d and a version from 0 are "+
			"allowed", limit, before, RevisionsMax)
	}
	if before == 0 {
		before = math.MaxInt64
	}
	rows, err := e.tenant.Store.Revisions(ctx, e.tenant.Pool, before, limit)
	revisions := make([]ConfigurationRevision, len(rows))
	for i := range rows {
		revisions[i] = revisionOf(&rows[i])
	}
	return revisions, fault.Wrap(op, "", err)
}

// ConfigurationRevision returns the change that made a version of the configuration, with its objects.
func (e *Engine) ConfigurationRevision(ctx context.Context, version int64) (ConfigurationRevision, error) {
	const op = "show the revision of the configuration"
	row, objects, err := e.tenant.Store.Revision(ctx, e.tenant.Pool, version)
	if errors.Is(err, store.ErrNotFound) {
		return ConfigurationRevision{}, noRevision(op)
	}
	if err != nil {
		return ConfigurationRevision{}, fault.Wrap(op, "", err)
	}
	revision := revisionOf(&row)
	revision.Objects = revisionObjects(objects)
	return revision, nil
}

func revisionObjects(objects []store.RevisionObject) []RevisionObject {
	list := make([]RevisionObject, len(objects))
	for i := range objects {
		o := &objects[i]
		action := configuration.Updated
		switch {
		case o.Before == nil:
			action = configuration.Created
		case o.After == nil:
			action = configuration.Removed
		}
		list[i] = RevisionObject{AppliedObject{Type: ObjectType(o.Type), ID: o.ID.String(), Name: o.Name,
			Action: action}, o.Before, o.After}
	}
	return list
}

func revisionOf(row *store.ListedRevision) ConfigurationRevision {
	return ConfigurationRevision{Version: row.Version, At: row.At.UTC(), Actor: Actor(row.Actor),
		Comment: row.Comment, Losses: row.Losses, Created: row.Created, Updated: row.Updated, Removed: row.Removed}
}
