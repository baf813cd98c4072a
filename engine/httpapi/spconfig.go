package httpapi

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"slices"

	"github.com/muster-engine/muster/engine"
)

const spConfigPath = "/sp-config"

// importMax is the most bytes of an import: a configuration, and what is around it.
const importMax = engine.ConfigurationSizeMax + 1<<20

var spConfigOperations = []operation{
	{
		id: "listSpConfigObjects", method: http.MethodGet, path: spConfigPath + "/config-objects", versions: notV3,
		handle: (*Handler).listConfigObjects,
	},
	{
		id: "exportSpConfig", method: http.MethodPost, path: spConfigPath + "/export", versions: notV3,
		handle: (*Handler).exportConfig,
	},
	{
		id: "getSpConfigExportStatus", method: http.MethodGet, path: spConfigPath + "/export/{id}", versions: notV3,
		handle: (*Handler).getExport,
	},
	{
		id: "getSpConfigExport", method: http.MethodGet, path: spConfigPath + "/export/{id}/download",
		versions: notV3, handle: (*Handler).downloadExport,
	},
	{
		id: "importSpConfig", method: http.MethodPost, path: spConfigPath + "/import", versions: notV3,
		query: []string{"preview"}, bodyMax: importMax, handle: (*Handler).importConfig,
	},
	{
		id: "getSpConfigImportStatus", method: http.MethodGet, path: spConfigPath + "/import/{id}", versions: notV3,
		handle: (*Handler).getImport,
	},
	{
		id: "getSpConfigImport", method: http.MethodGet, path: spConfigPath + "/import/{id}/download",
		versions: notV3, handle: (*Handler).downloadImport,
	},
}

// configObject says of a type of objects how it is exported and imported. The URLs resolve references.
type configObject struct {
	ObjectType          string   `json:"objectType"`
	ResolveByIDURL      any      `json:"resolveByIdUrl"`
	ResolveByNameURL    any      `json:"resolveByNameUrl"`
	ReferenceExtractors []string `json:"referenceExtractors"`
	SignatureRequired   bool     `json:"signatureRequired"`
	AlwaysResolveByID   bool     `json:"alwaysResolveById"`
	LegacyObject        bool     `json:"legacyObject"`
	OnePerTenant        bool     `json:"onePerTenant"`
	Exportable          bool     `json:"exportable"`
	Rules               object   `json:"rules"`
}

// resolvers are the paths and the references of the types of objects.
var resolvers = map[engine.ObjectType]struct {
	path       string
	references []string
}{
	engine.TypeTransform:       {"/v3/transforms", nil},
	engine.TypeSource:          {"/v3/sources", []string{"$.owner"}},
	engine.TypeIdentityProfile: {"/v3/identity-profiles", []string{"$.owner", "$.authoritativeSource"}},
	engine.TypeAccessProfile:   {"/v3/access-profiles", []string{"$.owner", "$.source"}},
	engine.TypeRole:            {"/v3/roles", []string{"$.owner", "$.accessProfiles[*]"}},
	engine.TypeLifecycleState:  {"", []string{"$.identityProfile"}},
}

func (h *Handler) listConfigObjects(c *call) error {
	list := []configObject{}
	for _, kind := range engine.PortableTypes() {
		o := configObject{ObjectType: string(kind), Exportable: true, ReferenceExtractors: []string{},
			OnePerTenant: kind == engine.TypeIdentityObject,
			Rules:        object{"takeFromTargetRules": []any{}, "defaultRules": []any{}, "editable": true}}
		known := resolvers[kind]
		if known.references != nil {
			o.ReferenceExtractors = known.references
		}
		if known.path != "" {
			o.ResolveByIDURL = object{"url": known.path + "/$id", "query": object{}}
			o.ResolveByNameURL = []any{object{"url": known.path, "query": object{"filters": `name eq "$name"`}}}
		}
		list = append(list, o)
	}
	c.respond(http.StatusOK, list)
	return nil
}

// configJob is the published shape of a job. Jobs are carried out when they are asked for, so that each has ended.
type configJob struct {
	JobID       string    `json:"jobId"`
	Status      string    `json:"status"`
	Type        string    `json:"type"`
	Expiration  timestamp `json:"expiration"`
	Created     timestamp `json:"created"`
	Modified    timestamp `json:"modified"`
	Completed   timestamp `json:"completed"`
	Description *string   `json:"description,omitempty"` // of an export
	Message     *string   `json:"message,omitempty"`     // of an import
}

func shapeJob(j *engine.ConfigurationJob, kind string) configJob {
	shape := configJob{JobID: j.ID, Status: "COMPLETE", Type: kind, Expiration: timestamp(j.Expires),
		Created: timestamp(j.Created), Modified: timestamp(j.Completed), Completed: timestamp(j.Completed)}
	if j.Failed {
		shape.Status = "FAILED"
	}
	if kind == "EXPORT" {
		shape.Description = &j.Description
	} else {
		shape.Message = &j.Message
	}
	return shape
}

// exportRequest is what to export.
type exportRequest struct {
	Description string `json:"description"`
	engine.Selection
}

func (h *Handler) exportConfig(c *call) error {
	var sent exportRequest
	if err := c.decode(&sent); err != nil {
		return err
	}
	job, err := h.engine.ExportConfiguration(c.Context(), sent.Selection, sent.Description)
	if err != nil {
		return err
	}
	c.respond(http.StatusAccepted, shapeJob(&job, "EXPORT"))
	return nil
}

func (h *Handler) getExport(c *call) error {
	job, err := h.engine.ConfigurationExport(c.Context(), c.PathValue("id"))
	if err != nil {
		return err
	}
	c.respond(http.StatusOK, shapeJob(&job, "EXPORT"))
	return nil
}

func (h *Handler) downloadExport(c *call) error {
	job, err := h.engine.ConfigurationExport(c.Context(), c.PathValue("id"))
	if err != nil {
		return err
	}
	c.respond(http.StatusOK, job.Result)
	return nil
}

func (h *Handler) getImport(c *call) error {
	job, err := h.engine.ConfigurationImport(c.Context(), c.PathValue("id"))
	if err != nil {
		return err
	}
	c.respond(http.StatusOK, shapeJob(&job, "IMPORT"))
	return nil
}

func (h *Handler) downloadImport(c *call) error {
	job, err := h.engine.ConfigurationImport(c.Context(), c.PathValue("id"))
	if err != nil {
		return err
	}
	c.respond(http.StatusOK, job.Result)
	return nil
}

// importOptions are the options of an import. Default references are not needed: an object is found by its ID or its
// name.
type importOptions struct {
	engine.Selection
	ExcludeBackup bool `json:"excludeBackup"`
}

func (h *Handler) importConfig(c *call) error {
	q, err := c.query()
	if err != nil {
		return err
	}
	preview, err := q.truth("preview")
	if err != nil {
		return err
	}
	data, options, err := c.importParts()
	if err != nil {
		return err
	}
	documents, err := importedDocuments(data, options)
	if err != nil {
		return err
	}
	job, err := h.engine.ImportConfiguration(c.Context(), documents, engine.ImportOptions{Preview: preview,
		Backup: !options.ExcludeBackup && !preview}, engine.Untrusted(), engine.WithComment("import of an export"))
	if err != nil {
		return err
	}
	c.respond(http.StatusAccepted, shapeJob(&job, "IMPORT"))
	return nil
}

// importParts returns the file and the options in the body of an import.
func (c *call) importParts() (data []byte, options importOptions, err error) {
	media, parameters, err := mime.ParseMediaType(c.Header.Get("Content-Type"))
	if err != nil || media != "multipart/form-data" || parameters["boundary"] == "" {
		return nil, options, badSyntax.with("The body must be multipart/form-data, with the file in the part data.")
	}
	from, err := c.limitBody()
	if err != nil {
		return nil, options, err
	}
	reader := multipart.NewReader(from, parameters["boundary"])
	for {
		part, err := reader.NextPart()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, options, c.unreadable(err)
		}
		text, err := io.ReadAll(part)
		if err != nil {
			return nil, options, c.unreadable(err)
		}
		switch part.FormName() {
		case "data":
			data = text
		case "options":
			if err := json.Unmarshal(text, &options); err != nil {
				return nil, options, badSyntax.with("options: an object with the options of an import is expected")
			}
		}
	}
	if len(bytes.TrimSpace(data)) == 0 {
		return nil, options, dataMissing.with("data: the file is missing or empty")
	}
	if !json.Valid(data) {
		return nil, options, badSyntax.with("data: the file is no JSON")
	}
	for _, kind := range slices.Concat(options.Include, options.Exclude) {
		if !slices.Contains(configTypes, string(kind)) {
			return nil, options, illegalValue.with(fmt.Sprintf("options: there is no type %q of objects", kind))
		}
	}
	return data, options, nil
}

// configTypes are the published types of objects. Not all of them are here.
var configTypes = []string{"ACCESS_PROFILE", "ACCESS_REQUEST_CONFIG", "ATTR_SYNC_SOURCE_CONFIG", "AUTH_ORG",
	"CAMPAIGN_FILTER", "CONNECTOR_RULE", "FORM_DEFINITION", "GOVERNANCE_GROUP", "IDENTITY_OBJECT_CONFIG",
	"IDENTITY_PROFILE", "LIFECYCLE_STATE", "NOTIFICATION_TEMPLATE", "PASSWORD_POLICY", "PASSWORD_SYNC_GROUP",
	"PUBLIC_IDENTITIES_CONFIG", "ROLE", "RULE", "SEGMENT", "SERVICE_DESK_INTEGRATION", "SOD_POLICY", "SOURCE", "TAG",
	"TRANSFORM", "TRIGGER_SUBSCRIPTION", "WORKFLOW"}

// importedDocuments returns the selected objects of an export.
func importedDocuments(data []byte, options importOptions) ([]engine.Document, error) {
	documents, err := engine.ReadDocuments("data", bytes.NewReader(data))
	if err != nil {
		return nil, err
	}
	var selected []engine.Document
	for _, d := range documents {
		var names struct {
			ID   string `json:"id"`
			Name string `json:"name"`
		}
		if err := json.Unmarshal(d.Object, &names); err != nil {
			return nil, illegalValue.with(d.Place + ": an object is expected")
		}
		if options.Has(d.Type, names.ID, names.Name) {
			selected = append(selected, d)
		}
	}
	if len(selected) == 0 {
		return nil, illegalValue.with("data: none of the objects is selected by the options")
	}
	return selected, nil
}
