package engine

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/muster-engine/muster/store"
)

// documentsOf returns the documents of an index with some IDs. Those that are not there are left out.
func (e *Engine) documentsOf(ctx context.Context, q store.Querier, index *store.SearchIndex, setup *store.SearchSetup,
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
		err = e.identityDocuments(ctx, q, setup, ids, nested, documents)
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

// decoded reads a JSON object.
func decoded(text []byte) (map[string]any, error) {
	object := map[string]any{}
	if len(text) == 0 {
		return object, nil
	}
	err := json.Unmarshal(text, &object)
	return object, err
}

func (e *Engine) identityDocuments(ctx context.Context, q store.Querier, setup *store.SearchSetup, ids []store.ID,
	nested bool, documents map[store.ID]SearchHit,
) error {
	rows, err := e.tenant.Store.SearchIdentities(ctx, q, ids)
	if err != nil {
		return err
	}
	for i := range rows {
		if documents[rows[i].ID], err = identityDocument(&rows[i]); err != nil {
			return fmt.Errorf("identity %s: %w", rows[i].ID, err)
		}
	}
	owned, err := e.tenant.Store.SearchOwnedBy(ctx, q, ids)
	if err != nil {
		return err
	}
	for _, o := range owned {
		document := documents[o.OwnerID]
		if document == nil {
			continue
		}
		owns := document["owns"].(map[string]any)
		list, _ := owns[o.List].([]any)
		owns[o.List] = append(list, map[string]any{"id": o.ObjectID, "name": o.Name})
		document["ownsCount"] = document["ownsCount"].(int) + 1
	}
	if err := e.addAccess(ctx, q, setup, ids, nested, documents); err != nil || !nested {
		return err
	}
	accounts, err := e.tenant.Store.SearchAccountsOf(ctx, q, setup, ids)
	if err != nil {
		return err
	}
	for i := range accounts {
		element, err := e.accountDocument(ctx, &accounts[i])
		if err != nil {
			return fmt.Errorf("account %s: %w", accounts[i].ID, err)
		}
		if document := documents[accounts[i].IdentityID]; document != nil {
			document["accounts"] = append(document["accounts"].([]any), element)
		}
	}
	return nil
}

// accessCounts are the members that count what an identity has, by its type.
var accessCounts = map[string]string{"ENTITLEMENT": "entitlementCount", "ROLE": "roleCount",
	"ACCESS_PROFILE": "accessProfileCount"}

// addAccess counts what identities have, and with nested adds it to their documents, with empty lists beside.
func (e *Engine) addAccess(ctx context.Context, q store.Querier, setup *store.SearchSetup, ids []store.ID, nested bool,
	documents map[store.ID]SearchHit,
) error {
	if nested {
		for _, document := range documents {
			document["access"], document["accounts"], document["apps"] = []any{}, []any{}, []any{}
		}
	}
	access, err := e.tenant.Store.SearchAccessOf(ctx, q, setup, ids)
	if err != nil {
		return err
	}
	for i := range access {
		// What comes from two accounts, or from two assignments, is one element: that which ends first.
		if i > 0 && access[i].IdentityID == access[i-1].IdentityID && access[i].Type == access[i-1].Type &&
			access[i].ID == access[i-1].ID {
			continue
		}
		document := documents[access[i].IdentityID]
		if document == nil {
			continue
		}
		count := accessCounts[access[i].Type]
		document[count] = document[count].(int) + 1
		document["accessCount"] = document["accessCount"].(int) + 1
		if nested {
			document["access"] = append(document["access"].([]any), accessDocument(&access[i]))
		}
	}
	return nil
}

// identityDocument gives the row of an identity its published shape, without its nested lists.
func identityDocument(row *store.SearchIdentity) (SearchHit, error) {
	attributes, err := decoded(row.Attributes)
	if err != nil {
		return nil, err
	}
	for name, value := range attributes {
		if value == nil {
			delete(attributes, name)
		}
	}
	d := SearchHit{
		"id": row.ID.String(), "name": row.Alias, "displayName": row.Name, "created": documentTime(row.Created),
		"modified": documentTime(row.Modified), "synced": documentTime(row.Modified), "inactive": row.Inactive,
		"protected": row.Protected, "correlated": row.Correlated, "status": row.CloudStatus,
		"disabled": row.CloudStatus == "DISABLED", "locked": row.CloudStatus == "LOCKED", "isManager": row.IsManager,
		"attributes": attributes, "accountCount": row.AccountCount, "appCount": 0, "accessCount": 0,
		"entitlementCount": 0, "roleCount": 0, "accessProfileCount": 0, "owns": map[string]any{}, "ownsCount": 0,
		"tags":      []any{},
		"tagsCount": 0, "visibleSegments": []any{}, "visibleSegmentCount": 0, "processingState": nil,
		"processingDetails": nil, "manager": nil,
	}
	if row.FallbackApprover {
		d["owns"].(map[string]any)["fallbackApprover"] = true
	}
	put(d, "email", row.Email)
	put(d, "processingState", row.ProcessingState)
	if row.ProcessingError != nil {
		d["processingDetails"] = map[string]any{"message": *row.ProcessingError}
	}
	if manager := reference(row.ManagerID.String(), row.ManagerAlias); manager != nil {
		put(manager, "displayName", row.ManagerName)
		d["manager"] = manager
	}
	putObject(d, "identityProfile", reference(row.ProfileID.String(), row.ProfileName))
	putObject(d, "source", reference(row.SourceID.String(), row.SourceName))
	for member, attribute := range map[string]string{
		"firstName": "firstname", "lastName": "lastname", "phone": "phone", "employeeNumber": "identificationNumber",
	} {
		if value, ok := attributes[attribute]; ok {
			d[member] = value
		}
	}
	return d, nil
}

func accessDocument(row *store.SearchAccess) map[string]any {
	d := map[string]any{"id": row.ID.String(), "name": row.Name, "displayName": row.Name, "type": row.Type,
		"description": nil, "enabled": row.Enabled, "disabled": !row.Enabled, "requestable": row.Requestable,
		"privileged": row.Privileged}
	put(d, "description", row.Description)
	putObject(d, "source", reference(row.SourceID.String(), row.SourceName))
	put(d, "attribute", row.Attribute)
	put(d, "value", row.Value)
	if row.OwnerID != nil {
		putObject(d, "owner", reference(*row.OwnerID, row.OwnerName))
	}
	if row.RemoveDate != nil {
		d["removeDate"] = documentTime(*row.RemoveDate)
	}
	return d
}

func (e *Engine) accountDocument(ctx context.Context, row *store.SearchAccount) (map[string]any, error) {
	attributes, err := decoded(row.Attributes)
	if err != nil {
		return nil, err
	}
	c, err := e.tenant.CurrentConfiguration(ctx)
	if err != nil {
		return nil, err
	}
	entitlements := map[string]any{}
	if source := c.Sources[row.SourceID]; source != nil {
		for _, name := range source.Entitling("") {
			if value, ok := attributes[name]; ok && value != nil {
				entitlements[name] = value
			}
		}
	}
	source := reference(row.SourceID.String(), &row.SourceName)
	put(source, "type", row.SourceType)
	return map[string]any{
		"id": row.ID.String(), "name": row.Name, "accountId": row.NativeIdentity, "source": source,
		"disabled": row.Disabled, "locked": row.Locked, "privileged": false,
		"manuallyCorrelated": row.ManuallyCorrelated, "created": documentTime(row.Created),
		"modified": documentTime(row.Modified), "accountAttributes": attributes, "entitlementAttributes": entitlements,
		"supportsPasswordChange": false,
	}, nil
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
		stored, err := decoded(row.Document)
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

// listOf returns a list, which is empty where there is none, and its length.
func listOf(value any) ([]any, int) {
	list, ok := value.([]any)
	if !ok {
		list = []any{}
	}
	return list, len(list)
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
