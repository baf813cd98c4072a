package store

import (
	"context"
	"encoding/binary"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/muster-engine/muster/filterql/searchql"
)

// The history in the published shape: a document is one thing that happened to an identity in a write. An event of the
// history may be several: one for each of its types, and one for each operation that was carried out.

// EventForm is how the published shape names what happened: OBJECTS_OPERATION_STATUS is the technical name.
type EventForm struct {
	Type      string // of the history
	Kind      string // of the operation; empty where it is none
	Member    string // of the detail
	Published string // the type of the document
	Objects   string // with underscores between
	Operation string
}

// eventStatus is the status of all that is in the history: what fails is no event, but stays an operation.
const eventStatus = "PASSED"

// eventForms are the forms of all events.
var eventForms = []EventForm{
	{"IDENTITY_CREATED", "", "created", "IDENTITY_MANAGEMENT", "IDENTITY", "CREATE"},
	{"IDENTITY_ATTRIBUTES_CHANGED", "", "attributes", "IDENTITY_MANAGEMENT", "IDENTITY_ATTRIBUTES", "MODIFY"},
	{"IDENTITY_ROLES_CHANGED", "", "roles", "ACCESS_ITEM", "IDENTITY_ROLES", "MODIFY"},
	{"IDENTITY_STATE_CHANGED", "", "states", "IDENTITY_MANAGEMENT", "IDENTITY_STATE", "MODIFY"},
	{"IDENTITY_LIFECYCLE_STATE_SET", "", "lifecycleState", "IDENTITY_MANAGEMENT", "IDENTITY_LIFECYCLE_STATE", "SET"},
	{"IDENTITY_PROVISIONED", "CREATE", "provisioned", "PROVISIONING", "ACCOUNT", "CREATE"},
	{"IDENTITY_PROVISIONED", "SET_ATTRIBUTES", "provisioned", "PROVISIONING", "ACCOUNT", "MODIFY"},
	{"IDENTITY_PROVISIONED", "ADD_ENTITLEMENT", "provisioned", "PROVISIONING", "ENTITLEMENT", "ADD"},
	{"IDENTITY_PROVISIONED", "REMOVE_ENTITLEMENT", "provisioned", "PROVISIONING", "ENTITLEMENT", "REMOVE"},
	{"IDENTITY_PROVISIONED", "ENABLE", "provisioned", "PROVISIONING", "ACCOUNT", "ENABLE"},
	{"IDENTITY_PROVISIONED", "DISABLE", "provisioned", "PROVISIONING", "ACCOUNT", "DISABLE"},
	{"IDENTITY_PROVISIONED", "DELETE", "provisioned", "PROVISIONING", "ACCOUNT", "DELETE"},
	// So the vendor's own scripts look for accounts that were unlocked.
	{"IDENTITY_PROVISIONED", "UNLOCK", "provisioned", "USER_MANAGEMENT", "USER", "UNLOCK"},
	{"IDENTITY_PROVISIONED", "SET_PASSWORD", "provisioned", "PASSWORD_ACTIVITY", "PASSWORD", "SET"},
	{"IDENTITY_OPERATION_PARKED", "", "parked", "PROVISIONING", "OPERATION", "PARK"},
	{"IDENTITY_OPERATION_RELEASED", "", "released", "PROVISIONING", "OPERATION", "RELEASE"},
	{"IDENTITY_PROTECTION_CHANGED", "", "protection", "IDENTITY_MANAGEMENT", "IDENTITY_PROTECTION", "MODIFY"},
	{"IDENTITY_USER_LEVELS_CHANGED", "", "userLevels", "USER_MANAGEMENT", "USER_LEVELS", "MODIFY"},
	{"IDENTITY_ACCOUNTS_CHANGED", "", "accounts", "IDENTITY_MANAGEMENT", "IDENTITY_ACCOUNTS", "MODIFY"},
	{"IDENTITY_ACCOUNT_DEMANDED", "", "demanded", "PROVISIONING", "ACCOUNT", "REQUEST"},
	{"IDENTITY_OWNERSHIP_CHANGED", "", "ownership", "IDENTITY_MANAGEMENT", "IDENTITY_OWNERSHIP", "MODIFY"},
	{"IDENTITY_INVITED", "", "invited", "USER_MANAGEMENT", "USER", "INVITE"},
	{"IDENTITY_REGISTERED", "", "registered", "USER_MANAGEMENT", "USER", "REGISTER"},
	{"IDENTITY_RESET", "", "reset", "USER_MANAGEMENT", "USER", "RESET"},
	{"IDENTITY_VERIFICATION_REQUESTED", "", "verificationRequested", "USER_MANAGEMENT", "USER_VERIFICATION",
		"REQUEST"},
	{"IDENTITY_VERIFIED", "", "verified", "USER_MANAGEMENT", "USER", "VERIFY"},
	{"IDENTITY_DELETED", "", "deleted", "IDENTITY_MANAGEMENT", "IDENTITY", "DELETE"},
}

// EventForms returns the forms of all events, as documents of the index events have them.
func EventForms() []EventForm { return append([]EventForm(nil), eventForms...) }

// TechnicalName returns the published name of what happened, such as ACCOUNT_CREATE_PASSED.
func (f *EventForm) TechnicalName() string { return f.Objects + "_" + f.Operation + "_" + eventStatus }

// Name returns the name that is shown, such as Create Account Passed.
func (f *EventForm) Name() string {
	return titled(f.Operation) + " " + titled(f.Objects) + " " + titled(eventStatus)
}

// Action returns the published action, such as CreateAccount.
func (f *EventForm) Action() string {
	return strings.ReplaceAll(titled(f.Operation)+titled(f.Objects), " ", "")
}

// titled makes of IDENTITY_ROLES Identity Roles.
func titled(name string) string {
	words := strings.Split(strings.ToLower(name), "_")
	for i, word := range words {
		words[i] = strings.ToUpper(word[:1]) + word[1:]
	}
	return strings.Join(words, " ")
}

// eventFormRows are the forms as rows of SQL.
func eventFormRows() string {
	rows := make([]string, len(eventForms))
	for i := range eventForms {
		f := &eventForms[i]
		rows[i] = fmt.Sprintf(`('%s', '%s', '%s', '%s', '{%s}'::text[], '%s', '%s', '%s', '%s')`, f.Type, f.Kind,
			f.Member, f.Published, strings.ReplaceAll(f.Objects, "_", ","), f.Operation, f.TechnicalName(), f.Name(),
			f.Action())
	}
	return `(VALUES ` + strings.Join(rows, `, `) + `)
		k (type, kind, member, published, objects, operation, technical_name, name, action)`
}

// eventJoins are joined to the rows e of events: what happened, one row for each. Events of types that are not known
// here, as a newer engine writes them, have their type as their name.
var eventJoins = `
	JOIN muster.event_writes w ON w.id = e.write_id
	CROSS JOIN LATERAL unnest(e.types) WITH ORDINALITY t (type, nth)
	LEFT JOIN LATERAL jsonb_array_elements(CASE t.type WHEN 'IDENTITY_PROVISIONED' THEN e.detail -> 'provisioned' END)
	    WITH ORDINALITY p (value, nth) ON true
	LEFT JOIN ` + eventFormRows() + ` ON k.type = t.type AND k.kind = coalesce(p.value ->> 'operation', '')
	LEFT JOIN muster.identities i ON i.id = e.identity_id`

// eventIDSQL is the ID of a document: the beginning of that of its write, the number of the event in it, and which of
// its types, and of its operations, the document is. The write is found by the range of IDs that begin so.
const eventIDSQL = `((left(replace(e.write_id::text, '-', ''), 20) || lpad(to_hex(e.number), 6, '0') ||
	lpad(to_hex((t.nth << 19) + coalesce(p.nth, 0)), 6, '0'))::uuid)`

// eventIDStart is how many bytes of its write's ID are in the ID of an event.
const eventIDStart = 10

const (
	eventTechnicalSQL = `(coalesce(k.technical_name, t.type) COLLATE "C")`
	eventNameSQL      = `(coalesce(k.name, t.type) COLLATE "C")`
	eventActionSQL    = `(coalesce(k.action, t.type) COLLATE "C")`
	eventTypeSQL      = `(coalesce(k.published, 'IDENTITY_MANAGEMENT') COLLATE "C")`
	eventOperationSQL = `(coalesce(k.operation, 'MODIFY') COLLATE "C")`
	eventActorSQL     = `(coalesce(nullif(w.actor_name, ''), 'System') COLLATE "C")`
	eventTargetSQL    = `(coalesce(i.alias, e.detail #>> '{deleted,identity,name}') COLLATE "C")`
	eventDetailsSQL   = `(coalesce(p.value, e.detail -> k.member)::text COLLATE "C")`
)

// eventAttributes are the members of attributes, in the order in which [Store.SearchEvents] reads them.
var eventAttributes = []struct{ name, column string }{
	{"eventType", `(t.type COLLATE "C")`},
	{"sourceId", `(p.value -> 'source' ->> 'id')`},
	{"sourceName", `(p.value -> 'source' ->> 'name')`},
	{"accountName", `nullif(p.value ->> 'nativeIdentity', '')`},
	{"attributeName", `(p.value ->> 'attribute')`},
	{"attributeValue", `(p.value ->> 'value')`},
	{"interface", `(p.value ->> 'reason')`},
	{"actorId", `nullif(w.actor_id, '')`},
	{"taskId", `replace(w.task_id::text, '-', '')`},
}

func eventIndex(*SearchSetup) (*SearchIndex, error) {
	fields := []searchql.Field{
		with(searchID("id", eventIDSQL), sorted, neverNull),
		with(searchText("name", eventNameSQL), bare, sorted, neverNull),
		with(searchTime("created", "w.at"), neverNull),
		with(searchTime("synced", "w.at"), neverNull),
		with(searchText("action", eventActionSQL), bare, sorted, neverNull),
		with(searchWord("type", eventTypeSQL), bare, neverNull),
		with(searchText("actor.name", eventActorSQL), bare, sorted, neverNull),
		with(searchText("target.name", eventTargetSQL), bare, sorted),
		with(searchID("target.id", "e.identity_id"), bare, indexed, sorted, neverNull),
		with(searchText("stack", `('muster'::text COLLATE "C")`), neverNull),
		with(searchID("trackingNumber", "e.write_id"), indexed, sorted, neverNull),
		searchText("details", eventDetailsSQL),
		with(searchText("objects", `(o.value COLLATE "C")`), each(`unnest(k.objects) o (value) WHERE TRUE`)),
		with(searchWord("operation", eventOperationSQL), bare, neverNull),
		with(searchWord("status", `('`+eventStatus+`'::text COLLATE "C")`), bare, neverNull),
		with(searchText("technicalName", eventTechnicalSQL), bare, sorted, neverNull),
	}
	for _, a := range eventAttributes {
		fields = append(fields, with(searchText("attributes."+a.name, a.column), bare, sorted))
	}
	schema, err := searchql.NewSchema(fields)
	return &SearchIndex{Name: "events", Type: "event", Schema: schema, table: "muster.identity_events e" + eventJoins,
		id: eventIDSQL}, err
}

// SearchEvent is what a document of an event has of its rows.
type SearchEvent struct {
	ID            ID
	Name          string
	Created       time.Time
	Action        string
	Type          string
	ActorName     string
	TargetID      ID
	TargetName    *string
	WriteID       ID
	Details       *string
	Objects       []string
	Operation     string
	Status        string
	TechnicalName string
	Attributes    map[string]string
}

// searchEvents reads the events with IDs: each by its write and its number.
var searchEvents = func() string {
	columns := []string{eventIDSQL, eventNameSQL, `w.at`, eventActionSQL, eventTypeSQL, eventActorSQL, `e.identity_id`,
		eventTargetSQL, `e.write_id`, eventDetailsSQL, `coalesce(k.objects, '{}')`, eventOperationSQL,
		eventTechnicalSQL}
	for _, a := range eventAttributes {
		columns = append(columns, a.column)
	}
	return `
		SELECT ` + strings.Join(columns, `, `) + `
		FROM unnest($1::uuid[], $2::uuid[], $3::integer[]) v (first_write, last_write, number)
		CROSS JOIN LATERAL (
		    SELECT write_id, number, identity_id, types, detail FROM muster.identity_events
		    WHERE write_id >= v.first_write AND write_id <= v.last_write AND number = v.number OFFSET 0
		) e` + eventJoins + `
		WHERE ` + eventIDSQL + ` = ANY ($4)`
}()

// SearchEvents returns the rows of events, in no order.
func (s *Store) SearchEvents(ctx context.Context, q Querier, ids []ID) ([]SearchEvent, error) {
	type place struct {
		first  ID
		number int32
	}
	seen := map[place]bool{}
	var first, last []ID
	var numbers []int32
	for _, id := range ids {
		at := place{number: int32(binary.BigEndian.Uint32(id[eventIDStart-1:]) & 0xffffff)} //nolint:gosec // 24 bits
		copy(at.first[:], id[:eventIDStart])
		if seen[at] {
			continue
		}
		seen[at] = true
		end := at.first
		for i := eventIDStart; i < len(end); i++ {
			end[i] = 0xff
		}
		first, last, numbers = append(first, at.first), append(last, end), append(numbers, at.number)
	}
	scan := func(row pgx.CollectableRow) (SearchEvent, error) {
		e := SearchEvent{Status: eventStatus, Attributes: map[string]string{}}
		values := make([]*string, len(eventAttributes))
		targets := []any{&e.ID, &e.Name, &e.Created, &e.Action, &e.Type, &e.ActorName, &e.TargetID, &e.TargetName,
			&e.WriteID, &e.Details, &e.Objects, &e.Operation, &e.TechnicalName}
		for i := range values {
			targets = append(targets, &values[i])
		}
		err := row.Scan(targets...)
		for i, value := range values {
			if value != nil {
				e.Attributes[eventAttributes[i].name] = *value
			}
		}
		return e, err
	}
	return collect(ctx, q, s.sql(searchEvents), scan, first, last, numbers, ids)
}
