package httpapi

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"slices"
	"time"

	"github.com/muster-engine/muster/engine"
	"github.com/muster-engine/muster/filterql"
)

// sourceList is by what sources are listed.
var sourceList = &listing{example: `name sw "HR"`, schema: listOf(
	sortable(sourceID("id")), sortable(sourceID("owner.id")), sortable(sourceID("managementWorkgroup.id")),
	sortable(sourceText("status", sourceOrder...)), sortable(sourceText("connectionType", sourceOrder...)),
	sortable(sourceText("name", filterql.Co, filterql.Eq, filterql.In, filterql.Sw, filterql.Ge, filterql.Gt,
		filterql.Ne, filterql.IsNull)),
	sortable(sourceText("type", sourceKind...)), sortable(sourceText("connectorName", sourceKind...)),
	textField("category", filterql.Co, filterql.Eq, filterql.Ge, filterql.Gt, filterql.In, filterql.Le, filterql.Lt,
		filterql.Ne, filterql.Sw),
	filterql.Field{Name: "features", Multi: true, Ops: filterql.OpsOf(filterql.Ca, filterql.Co), Fold: filterql.Fold},
	sortable(timeField("created", sourceTimes...)), sortable(timeField("modified", sourceTimes...)),
	sortable(textField("description", filterql.Eq, filterql.Sw)),
	sortable(truthField("authoritative", filterql.Eq, filterql.Ne, filterql.IsNull)),
	sortable(truthField("healthy", filterql.IsNull)),
	sortable(textField("owner.name")), sortable(textField("accountCorrelationConfig.id")),
	sortable(textField("accountCorrelationConfig.name")), sortable(textField("managerCorrelationRule.type")),
	sortable(textField("managerCorrelationRule.id")), sortable(textField("managerCorrelationRule.name")),
	sortable(textField("connectorId")),
)}

// The operators that the list of sources has on several fields.
var (
	sourceOrder = []filterql.Op{filterql.Eq, filterql.In, filterql.Ge, filterql.Gt, filterql.Le, filterql.Lt,
		filterql.Ne, filterql.IsNull, filterql.Sw}
	sourceKind = []filterql.Op{filterql.Eq, filterql.In, filterql.Ge, filterql.Gt, filterql.Ne, filterql.IsNull,
		filterql.Sw}
	sourceTimes = []filterql.Op{filterql.Eq, filterql.Ge, filterql.Gt, filterql.In, filterql.Le, filterql.Lt,
		filterql.Ne, filterql.IsNull}
)

func sourceID(name string) filterql.Field { return idField(name, sourceOrder...) }

func sourceText(name string, ops ...filterql.Op) filterql.Field { return textField(name, ops...) }

var sourceOperations = []operation{
	{
		id: "listSources", method: http.MethodGet, path: "/sources", versions: every, list: sourceList,
		query: []string{"for-subadmin", "includeIDNSource"}, handle: (*Handler).listSources,
	},
	{
		id: "createSource", method: http.MethodPost, path: "/sources", versions: every,
		query: []string{"provisionAsCsv"}, handle: (*Handler).createSource,
	},
	{id: "getSource", method: http.MethodGet, path: "/sources/{id}", versions: every, handle: sources.get},
	{id: "putSource", method: http.MethodPut, path: "/sources/{id}", versions: every, handle: sources.put},
	{id: "updateSource", method: http.MethodPatch, path: "/sources/{id}", versions: every, handle: sources.patch},
	{
		id: "deleteSource", method: http.MethodDelete, path: "/sources/{id}", versions: every,
		handle: (*Handler).deleteSource,
	},
}

var sources = &resource{
	kind: engine.TypeSource, prepare: prepareSources, adapt: adaptSource,
	derived: []string{"created", "modified", "healthy", "status", "since"},
	fixed:   []string{"id", "type", "authoritative", "connector", "connectorClass", "passwordPolicies"},
}

// sourceShower gives sources their published shape.
type sourceShower struct {
	published     *engine.PublishedObjects
	authoritative map[string]bool               // by ID
	states        map[string]engine.SourceState // by name
}

func prepareSources(ctx context.Context, h *Handler, _ []engine.ConfigurationObject) (shower, error) {
	s := sourceShower{authoritative: map[string]bool{}, states: map[string]engine.SourceState{}}
	var err error
	if s.published, err = h.engine.PublishedObjects(ctx, engine.TypeSource, engine.TypeIdentityProfile); err != nil {
		return nil, err
	}
	for i := range s.published.Objects {
		if s.published.Objects[i].Type != engine.TypeIdentityProfile {
			continue
		}
		var profile struct {
			AuthoritativeSource engine.Reference `json:"authoritativeSource"`
		}
		if err := json.Unmarshal(s.published.Objects[i].Object, &profile); err != nil {
			return nil, err
		}
		s.authoritative[profile.AuthoritativeSource.ID] = true
	}
	states, err := h.engine.Sources(ctx)
	for i := range states {
		s.states[states[i].Source] = states[i]
	}
	return s.show, err
}

// textConnectors are those of sources without a connector here, whose text is handed in.
var textConnectors = []string{"", "delimited-file", "delimited-file-angularsc", "delimited-file-csv", "DelimitedFile"}

// typeDelimited is the published type of sources whose accounts stand in text.
const typeDelimited = "DelimitedFile"

func (s *sourceShower) show(o *engine.ConfigurationObject) (object, error) {
	text, err := s.published.Publish(*o)
	if err != nil {
		return nil, err
	}
	document, err := membersOf(text)
	if err != nil {
		return nil, err
	}
	connector, _ := document["connector"].(string)
	kind, connection := connector, "direct"
	if slices.Contains(textConnectors, connector) {
		kind, connection = typeDelimited, "file"
	} else if connector == "delimited-folder" {
		connection = "file"
	}
	shape := object{"id": o.ID, "name": o.Name, "authoritative": s.authoritative[o.ID], "owner": document["owner"],
		"created": timestamp(o.Created), "modified": timestamp(o.Modified), "connector": connector,
		"schemas": schemaReferences(o.ID, document), "accountCorrelationConfig": correlationReference(o, document)}
	for name, standard := range map[string]any{
		"description": "", "cluster": nil, "accountCorrelationRule": nil, "managerCorrelationMapping": object{},
		"managerCorrelationRule": nil, "beforeProvisioningRule": nil, "passwordPolicies": []any{}, "features": []any{},
		"type": kind, "connectorClass": "", "connectorAttributes": object{},
		"deleteThreshold":     engine.DeleteThresholdDefault,
		"managementWorkgroup": nil, "connectorId": connector, "connectorName": kind, "connectionType": connection,
		"connectorImplementationId": "", "credentialProviderEnabled": false, "category": nil,
	} {
		shape[name] = standard
		if value := document[name]; value != nil {
			shape[name] = value
		}
	}
	s.showHealth(o, shape)
	return shape, nil
}

// showHealth adds whether the source could be read last.
func (s *sourceShower) showHealth(o *engine.ConfigurationObject, shape object) {
	state, since := s.states[o.Name], o.Modified
	status := "SOURCE_STATE_HEALTHY"
	switch {
	case state.Failed != nil && shape["connectionType"] == "file":
		status, since = "SOURCE_STATE_ERROR_ACCOUNT_FILE_IMPORT", *state.Failed
	case state.Failed != nil:
		status, since = "SOURCE_STATE_ERROR_SOURCE", *state.Failed
	case state.Last != nil:
		since = *state.Last
	case state.Connected:
		status = "SOURCE_STATE_UNCHECKED_SOURCE"
	}
	shape["healthy"], shape["status"] = status == "SOURCE_STATE_HEALTHY", status
	shape["since"] = since.UTC().Format(timestampForm)
}

// derivedID returns the ID of a part of an object: always the same for the same parts.
func derivedID(parts ...string) string {
	hash := sha256.New()
	for _, part := range parts {
		hash.Write([]byte(part))
		hash.Write([]byte{0})
	}
	sum := hash.Sum(nil)[:16]
	sum[6], sum[8] = sum[6]&0x0f|0x80, sum[8]&0x3f|0x80 // a UUID of version 8
	return hex.EncodeToString(sum)
}

// ownID returns the ID that a part of an object has in its document, or else the derived one.
func ownID(part object, parts ...string) string {
	text, _ := part["id"].(string)
	if id, known := knownID(text); known {
		return id
	}
	return derivedID(parts...)
}

// correlationReference names the correlation of a source, which is an object of its own in the API.
func correlationReference(o *engine.ConfigurationObject, document object) any {
	config, ok := document["accountCorrelationConfig"].(object)
	if !ok {
		return nil
	}
	return object{"type": "ACCOUNT_CORRELATION_CONFIG", "id": ownID(config, o.ID, "correlation"),
		"name": correlationName(o, config)}
}

func correlationName(o *engine.ConfigurationObject, config object) string {
	if name, _ := config["name"].(string); name != "" {
		return name
	}
	return o.Name + " Account Correlation"
}

// adaptSource takes over what a source only refers to in its published shape: its schemas and its correlation have
// operations of their own. A new source may bring both along in full.
func adaptSource(before, after object) error {
	if before == nil {
		return adaptNewSource(after)
	}
	if !sameReferences(before["schemas"], after["schemas"]) {
		return illegalValue.with("schemas: they are changed under /sources/{sourceId}/schemas")
	}
	if !sameReference(before["accountCorrelationConfig"], after["accountCorrelationConfig"]) {
		return illegalValue.with("accountCorrelationConfig: it is changed under /sources/{id}/correlation-config")
	}
	after["schemas"], after["accountCorrelationConfig"] = before["schemas"], before["accountCorrelationConfig"]
	return nil
}

func adaptNewSource(after object) error {
	delete(after, "authoritative") // a profile says it
	if list, ok := after["schemas"].([]any); ok {
		for _, element := range list {
			if schema, ok := element.(object); !ok || schema["attributes"] == nil {
				return illegalValue.with("schemas: a new source has no schemas to refer to: give them with their " +
					"attributes, or create them under /sources/{sourceId}/schemas")
			}
		}
	}
	if config, ok := after["accountCorrelationConfig"].(object); ok && config["attributeAssignments"] == nil {
		return illegalValue.with("accountCorrelationConfig: a new source has none to refer to: put it under " +
			"/sources/{id}/correlation-config")
	}
	return nil
}

// sameReferences reports whether a list of references names the same objects as before. A list that is not given does.
func sameReferences(before, after any) bool {
	if after == nil {
		return true
	}
	was, _ := before.([]any)
	now, isList := after.([]any)
	return isList && slices.Equal(referencedIDs(was), referencedIDs(now))
}

// sameReference is sameReferences for one.
func sameReference(before, after any) bool {
	if _, isReference := after.(object); !isReference {
		return after == nil
	}
	return before != nil && slices.Equal(referencedIDs([]any{before}), referencedIDs([]any{after}))
}

// referencedIDs returns the IDs of references, sorted.
func referencedIDs(list []any) []string {
	ids := make([]string, len(list))
	for i, element := range list {
		reference, _ := element.(object)
		text, _ := reference["id"].(string)
		ids[i] = plainID(text)
	}
	slices.Sort(ids)
	return ids
}

func (h *Handler) listSources(c *call) error {
	a, err := c.asked()
	if err != nil {
		return err
	}
	all, err := sources.all(c.Context(), h)
	if err != nil {
		return err
	}
	if all, err = h.ofSubadmin(c, &a, all, "SOURCE_SUBADMIN"); err != nil {
		return err
	}
	for _, o := range all { // filters compare texts, and not values of any type
		o["features"] = textsOf(o["features"])
	}
	c.answerList(&a, all)
	return nil
}

// textsOf returns the texts of a list.
func textsOf(value any) []string {
	list, _ := value.([]any)
	texts := make([]string, 0, len(list))
	for _, element := range list {
		if text, ok := element.(string); ok {
			texts = append(texts, text)
		}
	}
	return texts
}

// createSource adds a source. With provisionAsCsv it is one whose accounts stand in text.
func (h *Handler) createSource(c *call) error {
	q, err := c.query()
	if err != nil {
		return err
	}
	csv, err := q.truth("provisionAsCsv")
	if err != nil {
		return err
	}
	var sent object
	if err := c.decode(&sent); err != nil {
		return err
	}
	if connector, _ := sent["connector"].(string); csv && !slices.Contains(textConnectors[1:], connector) {
		sent["connector"] = "delimited-file"
	}
	if csv {
		sent["type"] = typeDelimited
	}
	id, err := sources.add(h, c, sent)
	if err != nil {
		return err
	}
	return sources.answer(h, c, http.StatusCreated, id)
}

// deleteSource deletes a source by a task: its accounts, and then the source.
func (h *Handler) deleteSource(c *call) error {
	id, err := c.idIn("id")
	if err != nil {
		return err
	}
	task, err := h.engine.StartDeletion(c.Context(), engine.TypeSource, []string{id})
	if err != nil {
		return sources.failure(err)
	}
	c.respond(http.StatusAccepted, taskResult{Type: "TASK_RESULT", ID: task.ID})
	return nil
}

// sourceNamed returns the source whose ID is in the path, and its document.
func (h *Handler) sourceNamed(c *call, parameter string) (engine.ConfigurationObject, object, error) {
	id, err := c.idIn(parameter)
	if err != nil {
		return engine.ConfigurationObject{}, nil, err
	}
	o, err := h.engine.ConfigurationObject(c.Context(), engine.TypeSource, id)
	if err != nil {
		return o, nil, err
	}
	document, err := membersOf(o.Object)
	return o, document, err
}

// editSource changes the document of the source whose ID is in the path.
func (h *Handler) editSource(c *call, parameter string, edit func(o *engine.ConfigurationObject, source object) error,
) error {
	id, err := c.idIn(parameter)
	if err != nil {
		return err
	}
	_, err = h.engine.EditConfiguration(c.Context(), engine.TypeSource, id,
		func(o engine.ConfigurationObject) (json.RawMessage, error) {
			document, err := membersOf(o.Object)
			if err != nil {
				return nil, err
			}
			if err := edit(&o, document); err != nil {
				return nil, err
			}
			return trimmed(document), nil
		}, engine.Untrusted(), engine.Replace())
	return sources.failure(err)
}

// given returns the time of a member of a document, or another one where it has none.
func given(member any, otherwise time.Time) timestamp {
	text, _ := member.(string)
	if at, err := time.Parse(time.RFC3339, text); err == nil {
		return timestamp(at)
	}
	return timestamp(otherwise)
}
