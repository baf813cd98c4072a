package httpapi

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strings"

	"github.com/muster-engine/muster/engine"
	"github.com/muster-engine/muster/filterql"
)

// The filters and sorters of identity profiles. The published order by name of a text counts code points.
var (
	profileOps = []filterql.Op{filterql.Eq, filterql.Ne, filterql.Ge, filterql.Gt, filterql.In, filterql.Le,
		filterql.Sw}
	profileList = &listing{example: `name eq "Employees"`, schema: listOf(
		sortable(idField("id", profileOps...)), sortable(textField("name", profileOps...)),
		sortable(numberField("priority", filterql.Eq, filterql.Ne)), sortable(timeField("created")),
		sortable(timeField("modified")), sortable(idField("owner.id")), sortable(textField("owner.name")),
	)}
	profileExportList = &listing{example: `name eq "Employees"`, schema: listOf(
		sortable(idField("id", filterql.Eq, filterql.Ne)), sortable(textField("name", filterql.Eq, filterql.Ne)),
		sortable(numberField("priority", filterql.Eq, filterql.Ne)),
	)}
)

const (
	profilesPath = "/identity-profiles"
	profilePath  = "/identity-profiles/{identity-profile-id}"
)

var profileOperations = []operation{
	{
		id: "listIdentityProfiles", method: http.MethodGet, path: profilesPath, versions: every, list: profileList,
		handle: profiles.list,
	},
	{
		id: "createIdentityProfile", method: http.MethodPost, path: profilesPath, versions: every,
		handle: profiles.create,
	},
	{
		id: "deleteIdentityProfiles", method: http.MethodPost, path: profilesPath + "/bulk-delete", versions: every,
		handle: (*Handler).deleteProfiles,
	},
	{
		id: "exportIdentityProfiles", method: http.MethodGet, path: profilesPath + "/export", versions: every,
		list: profileExportList, handle: (*Handler).exportProfiles,
	},
	{
		id: "importIdentityProfiles", method: http.MethodPost, path: profilesPath + "/import", versions: every,
		handle: (*Handler).importProfiles,
	},
	{
		id: "generateIdentityPreview", method: http.MethodPost, path: profilesPath + "/identity-preview",
		versions: every, handle: (*Handler).previewIdentity,
	},
	{
		id: "getIdentityProfile", method: http.MethodGet, path: profilePath, versions: every, handle: profiles.get,
	},
	{
		id: "updateIdentityProfile", method: http.MethodPatch, path: profilePath, versions: every,
		handle: profiles.patch,
	},
	{
		id: "deleteIdentityProfile", method: http.MethodDelete, path: profilePath, versions: every,
		handle: (*Handler).deleteProfile,
	},
	{
		id: "getDefaultIdentityAttributeConfig", method: http.MethodGet,
		path: profilePath + "/default-identity-attribute-config", versions: every,
		handle: (*Handler).getDefaultAttributeConfig,
	},
	{
		id: "syncIdentityProfile", method: http.MethodPost, path: profilePath + "/process-identities",
		versions: every, handle: (*Handler).processProfile,
	},
	{ // the older path of the same, which scripts still call
		id: "refreshIdentityProfile", method: http.MethodPost, path: profilePath + "/refresh-identities",
		versions: every, handle: (*Handler).processProfile,
	},
}

var profiles = &resource{
	kind: engine.TypeIdentityProfile,
	derived: []string{"id", "created", "modified", "identityCount", "identityRefreshRequired",
		"identityExceptionReportReference", "hasTimeBasedAttr"},
	prepare: prepareProfiles, adapt: adaptProfile,
}

func prepareProfiles(ctx context.Context, h *Handler, objects []engine.ConfigurationObject) (shower, error) {
	names, err := owners(ctx, h, objects)
	if err != nil {
		return nil, err
	}
	var counts map[string]engine.ProfileStatistics
	if len(objects) > 0 {
		if counts, err = h.engine.ProfileStatistics(ctx); err != nil {
			return nil, err
		}
	}
	return func(o *engine.ConfigurationObject) (object, error) {
		document, err := membersOf(o.Object)
		if err != nil {
			return nil, err
		}
		n := counts[o.ID]
		return object{
			"id": o.ID, "name": o.Name, "created": timestamp(o.Created), "modified": timestamp(o.Modified),
			"description": document["description"], "owner": ownerOf(document, names),
			"priority": document["priority"], "authoritativeSource": document["authoritativeSource"],
			"identityAttributeConfig": attributeConfigOf(document), "identityCount": n.Identities,
			"identityRefreshRequired": n.Pending, "identityExceptionReportReference": nil,
			"hasTimeBasedAttr": document["hasTimeBasedAttr"] == true,
		}, nil
	}, nil
}

// attributeConfigOf returns how the identities of a profile get their attributes. It counts where nothing else is said.
func attributeConfigOf(document object) object {
	config, _ := document["identityAttributeConfig"].(object)
	shape := object{"enabled": config["enabled"] != false, "attributeTransforms": config["attributeTransforms"]}
	if shape["attributeTransforms"] == nil {
		shape["attributeTransforms"] = []any{}
	}
	return shape
}

// adaptProfile makes of what a client sends what a document says: priorities are also sent as texts, and a source that
// is given by another ID has another name.
func adaptProfile(before, after object) error {
	if text, isText := after["priority"].(string); isText {
		var number json.Number
		if err := json.Unmarshal([]byte(text), &number); err != nil {
			return illegalValue.with("priority: a whole number is expected")
		}
		after["priority"] = number
	}
	if before == nil {
		return nil
	}
	differing := changed(before, after)
	if slices.Contains(differing, "authoritativeSource") {
		if slices.Contains(differing, "identityAttributeConfig") {
			return illegalValue.with("authoritativeSource and identityAttributeConfig cannot be changed by one " +
				"request: change the source first")
		}
		followID(before["authoritativeSource"], after["authoritativeSource"])
	}
	return nil
}

// followID leaves the name out of a reference whose ID was changed and whose name was not: it is that of another.
func followID(before, after any) {
	was, _ := before.(object)
	is, _ := after.(object)
	if is["id"] != nil && was["id"] != is["id"] && was["name"] == is["name"] {
		delete(is, "name")
	}
}

// simplifiedTask is the published reference to a task that may have ended.
type simplifiedTask struct {
	ID               string     `json:"id"`
	Name             string     `json:"name"`
	Description      string     `json:"description"`
	Launcher         string     `json:"launcher"`
	Launched         *timestamp `json:"launched,omitempty"`
	Completed        *timestamp `json:"completed,omitempty"`
	CompletionStatus string     `json:"completionStatus,omitempty"`
}

// simplifiedStatuses are the statuses of tasks as such references write them.
var simplifiedStatuses = map[string]string{"SUCCESS": "Success", "WARNING": "Warning", "ERROR": "Error",
	"TERMINATED": "Terminated", "TEMPERROR": "TempError"}

func (h *Handler) respondTask(c *call, id string) error {
	task, err := h.engine.Task(c.Context(), id)
	if err != nil {
		return err
	}
	simple := simplifiedTask{ID: task.ID, Name: task.UniqueName, Description: task.Description,
		Launcher: task.Launcher, Launched: timestampOf(task.Launched), Completed: timestampOf(task.Completed)}
	if task.CompletionStatus != nil {
		simple.CompletionStatus = simplifiedStatuses[*task.CompletionStatus]
	}
	c.respond(http.StatusAccepted, simple)
	return nil
}

func (h *Handler) deleteProfile(c *call) error {
	result, err := profiles.remove(h, c, engine.WithTask("Delete an identity profile"))
	if err != nil {
		return err
	}
	return h.respondTask(c, result.Task)
}

func (h *Handler) deleteProfiles(c *call) error {
	var ids []string
	if err := c.decode(&ids); err != nil {
		return err
	}
	result, err := profiles.removeMany(h, c, ids, engine.WithTask("Delete identity profiles"))
	if err != nil {
		return err
	}
	return h.respondTask(c, result.Task)
}

func (h *Handler) processProfile(c *call) error {
	id, err := c.idIn(c.lastParameter())
	if err != nil {
		return err
	}
	task, err := h.engine.ProcessProfile(c.Context(), id)
	if err != nil {
		return err
	}
	c.respond(http.StatusAccepted, taskResult{Type: "TASK_RESULT", ID: task.ID})
	return nil
}

func (h *Handler) getDefaultAttributeConfig(c *call) error {
	id, err := c.idIn(c.lastParameter())
	if err != nil {
		return err
	}
	config, err := h.engine.DefaultAttributeConfig(c.Context(), id)
	if err != nil {
		return err
	}
	c.respond(http.StatusOK, config)
	return nil
}

// exportedObject is an object in the envelope of an export.
type exportedObject struct {
	Version int             `json:"version"`
	Self    selfReference   `json:"self"`
	Object  json.RawMessage `json:"object"`
}

type selfReference struct {
	Type string `json:"type"`
	ID   string `json:"id"`
	Name string `json:"name"`
}

func exportedOf(o *engine.ConfigurationObject) exportedObject {
	return exportedObject{Version: 1, Object: o.Object,
		Self: selfReference{Type: string(o.Type), ID: o.ID, Name: o.Name}}
}

// exportProfiles lists profiles in the envelopes of an export, with all that their documents say.
func (h *Handler) exportProfiles(c *call) error {
	a, err := c.asked()
	if err != nil {
		return err
	}
	found, err := h.engine.ConfigurationObjects(c.Context(), engine.TypeIdentityProfile)
	if err != nil {
		return err
	}
	list := make([]object, len(found))
	for i := range found {
		document, err := membersOf(found[i].Object)
		if err != nil {
			return err
		}
		list[i] = object{"id": found[i].ID, "name": found[i].Name, "priority": document["priority"],
			envelopeMember: exportedOf(&found[i])}
	}
	byName(list)
	c.answerShapes(&a, list, func(o object) any { return o[envelopeMember] })
	return nil
}

// envelopeMember has what is answered of an object in a list whose filters know other members. No object has it.
const envelopeMember = "\x00envelope"

// importResult is the published result of an import.
type importResult struct {
	Infos    []importMessage `json:"infos"`
	Warnings []importMessage `json:"warnings"`
	Errors   []importMessage `json:"errors"`
	Imported []selfReference `json:"importedObjects"`
}

type importMessage struct {
	Key     string `json:"key"`
	Text    string `json:"text"`
	Details object `json:"details"`
}

func newImportResult() importResult {
	return importResult{[]importMessage{}, []importMessage{}, []importMessage{}, []selfReference{}}
}

func (h *Handler) importProfiles(c *call) error {
	var sent []exportedObject
	if err := c.decode(&sent); err != nil {
		return err
	}
	documents := make([]engine.Document, len(sent))
	for i := range sent {
		documents[i] = engine.Document{Type: engine.TypeIdentityProfile, Object: sent[i].Object,
			Place: "identity profile " + filterql.Quoted(sent[i].Self.Name), Exported: true}
	}
	result := newImportResult()
	applied, err := h.engine.Apply(c.Context(), documents, engine.Untrusted(), engine.WithComment("import of profiles"))
	var known *engine.Error
	switch {
	case err == nil:
		result.add(&applied)
	case errors.As(err, &known) && slices.Contains([]engine.Kind{engine.Invalid, engine.Conflict}, known.Kind):
		result.Errors = append(result.Errors, importMessage{"NOT_IMPORTED", sentence(known), object{}})
	default:
		return err
	}
	c.respond(http.StatusOK, result)
	return nil
}

// add adds what was applied.
func (r *importResult) add(applied *engine.ApplyResult) {
	for _, note := range applied.Notes {
		r.Warnings = append(r.Warnings, importMessage{"NOTE", note, object{}})
	}
	for i := range applied.Objects {
		o := &applied.Objects[i]
		if o.Type == engine.TypeIdentityProfile {
			r.Imported = append(r.Imported, selfReference{string(o.Type), identifier(o), o.Name})
		}
		r.Infos = append(r.Infos, importMessage{strings.ToUpper(string(o.Action)),
			string(o.Type) + " " + filterql.Quoted(o.Name) + " was " + string(o.Action), object{}})
	}
}
