package store

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/muster-engine/muster/filterql/searchql"
)

// An account activity is an operation on a source.

const (
	// activityStatusSQL is the published status of an operation. One that was given up and is tried again has another
	// operation in its place.
	activityStatusSQL = `(CASE o.state WHEN 'DONE' THEN 'Complete' WHEN 'FAILED' THEN 'Failure'
		WHEN 'RETRIED' THEN 'Failure' WHEN 'CANCELLED' THEN 'Incomplete' ELSE 'Pending' END COLLATE "C")`
	activityModifiedSQL = `greatest(o.created, o.begun, o.completed, o.parked, o.released)`
	activityRecipient   = `muster.identities i WHERE i.id = o.identity_id`
	activitySource      = `muster.sources s WHERE s.id = o.source_id`
)

func activityIndex(*SearchSetup) (*SearchIndex, error) {
	schema, err := searchql.NewSchema([]searchql.Field{
		with(searchID("id", "o.id"), bare, indexed, sorted, neverNull),
		with(searchWord("action", "o.kind"), bare, neverNull),
		with(searchWord("status", activityStatusSQL), bare, neverNull),
		with(searchWord("stage", "o.state"), bare, neverNull),
		with(searchTime("created", "o.created"), neverNull),
		with(searchTime("modified", activityModifiedSQL), neverNull),
		with(searchTime("synced", activityModifiedSQL), neverNull),
		with(searchText("requester.id", "nullif(o.actor_id, '')"), sorted),
		with(searchText("requester.name", "nullif(o.actor_name, '')"), bare, sorted),
		with(searchID("recipient.id", "o.identity_id"), indexed, sorted, neverNull),
		with(searchKeyed("recipient.name", "i.alias", "i.alias_key"), bare, in(activityRecipient)),
		with(searchKeyed("sources", "s.name", "s.name_key"), bare, in(activitySource)),
		with(searchText("errors", "o.error"), bare),
		with(searchText("accountRequests.accountId", "o.native_identity"), bare, sorted),
		with(searchWord("accountRequests.op", "o.kind"), neverNull),
		with(searchText("accountRequests.attributeRequests.name", "nullif(o.attribute, '')"), sorted),
		with(searchText("accountRequests.attributeRequests.value", "nullif(o.value, '')"), bare, sorted),
		with(searchID("accountRequests.source.id", "o.source_id"), neverNull),
		with(searchKeyed("accountRequests.source.name", "s.name", "s.name_key"), in(activitySource)),
		with(searchID("trackingNumber", "o.id"), indexed, sorted, neverNull),
	})
	return &SearchIndex{Name: "accountactivities", Type: "accountactivity", Schema: schema,
		table: "muster.provisioning_operations o", id: "o.id"}, err
}

// SearchActivity is what a document of an account activity has of its row.
type SearchActivity struct {
	ID                         ID
	Action, Status, Stage      string
	Created, Modified          time.Time
	RequesterID, RequesterName *string
	RecipientID                ID
	RecipientName, SourceName  *string
	SourceID                   ID
	SourceType                 *string
	Error                      *string
	NativeIdentity             string
	Attribute, Value           *string
}

// SearchActivities returns the rows of account activities, in no order.
func (s *Store) SearchActivities(ctx context.Context, q Querier, ids []ID) ([]SearchActivity, error) {
	const statement = `
		SELECT o.id, o.kind, ` + activityStatusSQL + `, o.state, o.created, ` + activityModifiedSQL + `,
		       nullif(o.actor_id, ''), nullif(o.actor_name, ''), o.identity_id, i.alias, s.name, o.source_id,
		       (s.document ->> 'connector'), o.error,
		       o.native_identity, nullif(o.attribute, ''), nullif(o.value, '')
		FROM muster.provisioning_operations o
		LEFT JOIN muster.identities i ON i.id = o.identity_id
		LEFT JOIN muster.sources s ON s.id = o.source_id
		WHERE o.id = ANY ($1)`
	return collect(ctx, q, s.sql(statement), pgx.RowToStructByPos[SearchActivity], ids)
}
