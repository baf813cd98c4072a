package engine

import (
	"context"
	"fmt"
	"time"

	"github.com/muster-engine/muster/engine/attribute"
	"github.com/muster-engine/muster/store"
)

// documentsOf returns the documents of an index with some IDs. Those that are not there are left out.
func (e *Engine) documentsOf(ctx context.Context, q store.Querier, basis *searchBasis, index *store.SearchIndex,
	ids []store.ID, nested bool,
) (map[store.ID]SearchHit, error) {
	documents := make(map[store.ID]SearchHit, len(ids))
	var err error
	switch {
	case index.Name == "accountactivities":
		err = e.activityDocuments(ctx, q, ids, documents)
	case index.Name == "events":
		err = e.eventDocuments(ctx, q, ids, documents)
	case index.HasObjects():
		err = e.objectDocuments(ctx, q, index, ids, documents)
	default:
		err = e.identityDocuments(ctx, q, basis, ids, nested, documents)
	}
	for _, document := range documents {
		document["_type"], document["_version"] = index.Type, "v2"
		if document["type"] == nil {
			document["type"] = index.Type
		}
	}
	return documents, err
}

// documentTime writes a time as documents have it: in UTC, with three digits behind the seconds.
func documentTime(at time.Time) string { return at.UTC().Format("2006-01-02T15:04:05.000Z") }

// put sets a member where there is a value.
func put[T any](object map[string]any, name string, value *T) {
	if value != nil {
		object[name] = *value
	}
}

// reference is an object with the ID and the name of another one, or nil where there is none.
func reference(id string, name *string) map[string]any {
	if id == "" {
		return nil
	}
	r := map[string]any{"id": id}
	put(r, "name", name)
	return r
}

// putObject sets a member where there is an object.
func putObject(object map[string]any, name string, value map[string]any) {
	if value != nil {
		object[name] = value
	}
}

// objectDocuments gives the rows of roles, access profiles and entitlements their published shape.
func (e *Engine) objectDocuments(ctx context.Context, q store.Querier, index *store.SearchIndex, ids []store.ID,
	documents map[store.ID]SearchHit,
) error {
	rows, err := e.tenant.Store.SearchObjects(ctx, q, index, ids)
	if err != nil {
		return err
	}
	for i := range rows {
		row := &rows[i]
		stored, err := attribute.Members(row.Document)
		if err != nil {
			return fmt.Errorf("%s %s: %w", index.Type, row.ID, err)
		}
		d := SearchHit{"id": row.ID.String(), "name": row.Name, "created": documentTime(row.Created),
			"modified": documentTime(row.Modified), "synced": documentTime(row.Modified), "tags": []any{},
			"segments": []any{}, "requestable": stored["requestable"] == true, "description": nil}
		if _, said := stored["requestable"]; index.Name == "accessprofiles" && !said {
			d["requestable"] = true // the default of access profiles alone
		}
		for _, name := range []string{"description", "owner", "requestCommentsRequired"} {
			if value := stored[name]; value != nil {
				d[name] = value
			}
		}
		sameIDs(d["owner"])
		putObject(d, "source", reference(row.SourceID.String(), row.SourceName))
		switch index.Name {
		case "entitlements":
			d["displayName"], d["privileged"] = row.Name, stored["privileged"] == true
			d["identityCount"], d["segmentCount"] = row.Identities, 0
			put(d, "attribute", row.Attribute)
			put(d, "value", row.Value)
		default:
			d["enabled"] = row.Enabled
			d["entitlements"], d["entitlementCount"] = listOf(stored["entitlements"])
			for _, element := range d["entitlements"].([]any) {
				if object, ok := element.(map[string]any); ok && object["name"] == nil && object["value"] != nil {
					object["name"] = object["value"]
				}
			}
		}
		switch index.Name {
		case "roles":
			d["accessProfiles"], d["accessProfileCount"] = listOf(stored["accessProfiles"])
		case "accessprofiles":
			d["apps"] = []any{}
		}
		documents[row.ID] = d
	}
	return nil
}

// listOf returns a list of references, which is empty where there is none, and its length.
func listOf(value any) ([]any, int) {
	list, ok := value.([]any)
	if !ok {
		list = []any{}
	}
	for _, element := range list {
		sameIDs(element)
	}
	return list, len(list)
}

// sameIDs writes the ID in a reference as all IDs of documents are written. The reference is otherwise shown as the
// configuration has it, also where what it names does not exist.
func sameIDs(reference any) {
	if object, is := reference.(map[string]any); is {
		if text, is := object["id"].(string); is {
			object["id"] = shownID(text)
		}
	}
}

// shownID is an ID as documents have it. A text that is no ID is shown as it is.
func shownID(text string) string {
	if id, err := store.ParseID(text); err == nil {
		return id.String()
	}
	return text
}

// activityStatuses are the published results of requests, by the state of the operation.
var activityStatuses = map[string]string{"DONE": "committed", "FAILED": "failed", "RETRIED": "failed",
	"CANCELLED": "cancelled"}

// activityDocuments gives operations on sources the published shape of account activities.
func (e *Engine) activityDocuments(ctx context.Context, q store.Querier, ids []store.ID,
	documents map[store.ID]SearchHit,
) error {
	rows, err := e.tenant.Store.SearchActivities(ctx, q, ids)
	if err != nil {
		return err
	}
	for i := range rows {
		documents[rows[i].ID] = activityDocument(&rows[i])
	}
	return nil
}

func activityDocument(row *store.SearchActivity) SearchHit {
	status := activityStatuses[row.Stage]
	if status == "" {
		status = "pending"
	}
	errs := []any{}
	if row.Error != nil {
		errs = append(errs, *row.Error)
	}
	source := reference(row.SourceID.String(), row.SourceName)
	put(source, "type", row.SourceType)
	request := map[string]any{"accountId": row.NativeIdentity, "op": row.Action, "attributeRequests": []any{},
		"source": source, "provisioningTarget": source, "result": map[string]any{"status": status, "errors": errs}}
	if row.Attribute != nil {
		asked := map[string]any{"name": *row.Attribute, "op": row.Action}
		put(asked, "value", row.Value)
		request["attributeRequests"] = []any{asked}
	}
	recipient := reference(row.RecipientID.String(), row.RecipientName)
	recipient["type"] = "IDENTITY"
	d := SearchHit{"id": row.ID.String(), "action": row.Action, "status": row.Status, "stage": row.Stage,
		"created": documentTime(row.Created), "modified": documentTime(row.Modified),
		"synced": documentTime(row.Modified), "recipient": recipient, "trackingNumber": row.ID.String(),
		"accountRequests": []any{request}, "originalRequests": []any{request}, "approvals": []any{},
		"expansionItems": []any{}, "errors": errs, "warnings": []any{}}
	put(d, "sources", row.SourceName)
	if row.RequesterID != nil {
		requester := reference(*row.RequesterID, row.RequesterName)
		requester["type"] = "IDENTITY"
		d["requester"] = requester
	}
	return d
}

// eventDocuments gives what happened to identities the published shape of events.
func (e *Engine) eventDocuments(ctx context.Context, q store.Querier, ids []store.ID,
	documents map[store.ID]SearchHit,
) error {
	rows, err := e.tenant.Store.SearchEvents(ctx, q, ids)
	if err != nil {
		return err
	}
	for i := range rows {
		row := &rows[i]
		target := map[string]any{"id": row.TargetID.String()}
		put(target, "name", row.TargetName)
		d := SearchHit{"id": row.ID.String(), "name": row.Name, "created": documentTime(row.Created),
			"synced": documentTime(row.Created), "action": row.Action, "type": row.Type,
			"actor": map[string]any{"name": row.ActorName}, "target": target, "stack": "muster",
			"trackingNumber": row.WriteID.String(), "objects": textList(row.Objects), "operation": row.Operation,
			"status": row.Status, "technicalName": row.TechnicalName}
		put(d, "details", row.Details)
		attributes := map[string]any{}
		for name, value := range row.Attributes {
			attributes[name] = value
		}
		d["attributes"] = attributes
		documents[row.ID] = d
	}
	return nil
}

// textList returns texts as a list of a document.
func textList(texts []string) []any {
	list := make([]any, len(texts))
	for i, text := range texts {
		list[i] = text
	}
	return list
}
