package engine

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/muster-engine/muster/engine/configuration"
	"github.com/muster-engine/muster/engine/fault"
	"github.com/muster-engine/muster/engine/internal/change"
	"github.com/muster-engine/muster/engine/internal/tenant"
	"github.com/muster-engine/muster/store"
)

// ConfigurationJobRetention is how long the result of an export or an import can be downloaded.
const ConfigurationJobRetention = 7 * 24 * time.Hour

// TypeIdentityObject is how exports name the definitions of identity attributes: all of them are one object.
const TypeIdentityObject ObjectType = "IDENTITY_OBJECT_CONFIG"

// identityObjectName is the name of the object with the definitions of identity attributes.
const identityObjectName = "Identity"

// ConfigurationJob is an export or an import of the configuration that was carried out, and its result.
type ConfigurationJob struct {
	ID          string
	Failed      bool
	Description string
	Message     string // why it failed
	Created     time.Time
	Completed   time.Time
	Expires     time.Time
	// Result is what is downloaded, as JSON: of an export the published form of exports, of an import what it did.
	Result json.RawMessage
}

// Selection selects objects of a configuration for an export or an import.
type Selection struct {
	// Include are the only types; without any, all but those of Exclude.
	Include []ObjectType `json:"includeTypes"`
	Exclude []ObjectType `json:"excludeTypes"`
	// Objects are the only objects of a type; of a type that it does not have, all are.
	Objects map[ObjectType]SelectedObjects `json:"objectOptions"`
}

// SelectedObjects are some objects of a type, by ID or by name.
type SelectedObjects struct {
	IDs   []string `json:"includedIds"`
	Names []string `json:"includedNames"`
}

// fill replaces lists that are nil by empty ones, as the published form has no null.
func (s *Selection) fill() {
	if s.Include == nil {
		s.Include = []ObjectType{}
	}
	if s.Exclude == nil {
		s.Exclude = []ObjectType{}
	}
	if s.Objects == nil {
		s.Objects = map[ObjectType]SelectedObjects{}
	}
}

// Has reports whether an object is selected.
func (s *Selection) Has(kind ObjectType, id, name string) bool {
	if len(s.Include) > 0 && !slices.Contains(s.Include, kind) || len(s.Include) == 0 && slices.Contains(s.Exclude,
		kind) {
		return false
	}
	only, limited := s.Objects[kind]
	if !limited || len(only.IDs)+len(only.Names) == 0 {
		return true
	}
	return slices.ContainsFunc(only.IDs, func(given string) bool { return sameID(given, id) }) ||
		slices.ContainsFunc(only.Names, func(given string) bool { return store.Fold(given) == store.Fold(name) })
}

// PortableTypes returns the types of objects that exports have and imports take, in the order of their application.
func PortableTypes() []ObjectType {
	return []ObjectType{TypeIdentityObject, TypeTransform, TypeSource, TypeIdentityProfile, TypeAccessProfile,
		TypeLifecycleState, TypeRole}
}

// exportEnvelope is an object in an export.
type exportEnvelope struct {
	Version int             `json:"version"`
	Self    exportSelf      `json:"self"`
	Object  json.RawMessage `json:"object"`
}

type exportSelf struct {
	Type ObjectType `json:"type"`
	ID   string     `json:"id"`
	Name string     `json:"name"`
}

// exportText is the published form of an export.
type exportText struct {
	Version     int              `json:"version"`
	Timestamp   string           `json:"timestamp"`
	Tenant      string           `json:"tenant"`
	Description string           `json:"description"`
	Options     Selection        `json:"options"`
	Objects     []exportEnvelope `json:"objects"`
}

// ExportConfiguration exports selected objects of the configuration, all at one version. The result is kept for
// [ConfigurationJobRetention]. Secrets are references, as in the documents that were applied.
func (e *Engine) ExportConfiguration(ctx context.Context, selection Selection, description string) (ConfigurationJob,
	error,
) {
	return e.exportConfiguration(selection, description).run(ctx)
}

// ExportConfigurationTx is [Engine.ExportConfiguration] in the caller's transaction.
func (e *Engine) ExportConfigurationTx(ctx context.Context, tx pgx.Tx, selection Selection, description string) (
	ConfigurationJob, error,
) {
	return e.exportConfiguration(selection, description).runIn(ctx, tx)
}

func (e *Engine) exportConfiguration(selection Selection, description string) writeOf[ConfigurationJob] {
	const op = "export the configuration"
	return writeOf[ConfigurationJob]{e, op, "", func(ctx context.Context, tx pgx.Tx) (ConfigurationJob, error) {
		if err := demandDescription(op, description); err != nil {
			return ConfigurationJob{}, err
		}
		if _, err := e.tenant.Store.LockConfigurationShared(ctx, tx); err != nil {
			return ConfigurationJob{}, err
		}
		rows, err := e.tenant.Store.LoadConfiguration(ctx, tx)
		if err != nil {
			return ConfigurationJob{}, err
		}
		selection.fill()
		text := exportText{Version: 1, Tenant: e.tenant.Store.Schema(), Description: description, Options: selection,
			Timestamp: e.tenant.Now().UTC().Format(time.RFC3339Nano)}
		if text.Objects, err = exportEnvelopes(&rows, &selection); err != nil {
			return ConfigurationJob{}, err
		}
		return e.addJob(ctx, tx, &store.ConfigurationJob{Kind: store.JobExport, Status: store.JobComplete,
			Description: description}, text)
	}}
}

// demandDescription fails for a description that cannot be kept.
func demandDescription(op, text string) error {
	if len([]rune(text)) > RevisionCommentMax || !store.Storable(text) {
		return fault.Invalidf(op, "description", "at most %d characters without NUL are allowed", RevisionCommentMax)
	}
	return nil
}

// exportEnvelopes returns the selected objects of a configuration.
func exportEnvelopes(rows *store.Configuration, selection *Selection) ([]exportEnvelope, error) {
	all, err := change.Export(rows)
	if err != nil {
		return nil, err
	}
	list := []exportEnvelope{}
	var definitions []json.RawMessage
	for i := range all {
		o := &all[i]
		switch {
		case o.Type == TypeIdentityAttribute:
			definitions = append(definitions, o.Document)
		case o.Type != TypeSettings && selection.Has(o.Type, o.ID, o.Name):
			list = append(list, exportEnvelope{1, exportSelf{o.Type, o.ID, o.Name}, o.Document})
		}
	}
	if len(definitions) == 0 || !selection.Has(TypeIdentityObject, "", identityObjectName) {
		return list, nil
	}
	text, err := json.Marshal(map[string]any{"name": identityObjectName, "attributes": definitions})
	first := exportEnvelope{1, exportSelf{TypeIdentityObject, "", identityObjectName}, text}
	return append([]exportEnvelope{first}, list...), err
}

// addJob writes a job that was carried out, with its result, and removes jobs that have expired.
func (e *Engine) addJob(ctx context.Context, tx pgx.Tx, row *store.ConfigurationJob, result any) (ConfigurationJob,
	error,
) {
	now := e.tenant.Now()
	if _, err := e.tenant.Store.PurgeConfigurationJobs(ctx, tx, now); err != nil {
		return ConfigurationJob{}, err
	}
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(result); err != nil {
		return ConfigurationJob{}, err
	}
	row.ID, row.Created, row.Completed, row.Expires = store.NewID(), now, now, now.Add(ConfigurationJobRetention)
	row.Result = string(bytes.TrimSpace(text.Bytes()))
	return jobOf(row), e.tenant.Store.AddConfigurationJob(ctx, tx, row)
}

func jobOf(row *store.ConfigurationJob) ConfigurationJob {
	return ConfigurationJob{ID: row.ID.String(), Failed: row.Status == store.JobFailed, Description: row.Description,
		Message: row.Message, Created: row.Created.UTC(), Completed: row.Completed.UTC(), Expires: row.Expires.UTC(),
		Result: json.RawMessage(row.Result)}
}

// ConfigurationExport returns an export that has not expired.
func (e *Engine) ConfigurationExport(ctx context.Context, id string) (ConfigurationJob, error) {
	return e.configurationJob(ctx, "get the export", id, store.JobExport)
}

// ConfigurationImport returns an import that has not expired.
func (e *Engine) ConfigurationImport(ctx context.Context, id string) (ConfigurationJob, error) {
	return e.configurationJob(ctx, "get the import", id, store.JobImport)
}

func (e *Engine) configurationJob(ctx context.Context, op, id, kind string) (ConfigurationJob, error) {
	missing := &Error{Kind: NotFound, Op: op, Subject: id, Err: errors.New("there is no such job, or it has expired")}
	parsed, known := store.IDOf(id)
	if !known {
		return ConfigurationJob{}, missing
	}
	row, err := e.tenant.Store.ConfigurationJob(ctx, e.tenant.Pool, parsed, kind, e.tenant.Now())
	if errors.Is(err, store.ErrNotFound) {
		return ConfigurationJob{}, missing
	}
	if err != nil {
		return ConfigurationJob{}, fault.Wrap(op, id, err)
	}
	return jobOf(&row), nil
}

// ImportOptions say how a configuration is imported.
type ImportOptions struct {
	// Preview says what the import would do, and changes nothing.
	Preview bool
	// Backup exports everything first.
	Backup bool
}

// ImportResult is the published result of an import.
type ImportResult struct {
	// Results are what became of the objects, by type. What was wrong is there too: then nothing was imported.
	Results map[ObjectType]*ImportedType `json:"results"`
	// ExportJobID is the ID of the export that was made first.
	ExportJobID string `json:"exportJobId,omitempty"`
}

// ImportedType is what became of the objects of one type.
type ImportedType struct {
	Infos    []ImportMessage `json:"infos"`
	Warnings []ImportMessage `json:"warnings"`
	Errors   []ImportMessage `json:"errors"`
	Imported []exportSelf    `json:"importedObjects"`
}

// ImportMessage is something that an import has to say.
type ImportMessage struct {
	Key     string         `json:"key"`
	Text    string         `json:"text"`
	Details map[string]any `json:"details"`
}

func (r *ImportResult) of(kind ObjectType) *ImportedType {
	if kind == TypeIdentityAttribute {
		kind = TypeIdentityObject
	}
	found := r.Results[kind]
	if found == nil {
		found = &ImportedType{[]ImportMessage{}, []ImportMessage{}, []ImportMessage{}, []exportSelf{}}
		r.Results[kind] = found
	}
	return found
}

// add adds what became of the objects.
func (r *ImportResult) add(objects []AppliedObject, notes []string) {
	for i := range objects {
		o := &objects[i]
		t := r.of(o.Type)
		self := exportSelf{Type: o.Type, Name: o.Name}
		if id, known := store.IDOf(o.ID); known && !id.IsZero() {
			self.ID = id.String()
		}
		if self.Type == TypeIdentityAttribute {
			self.Type = TypeIdentityObject
		}
		t.Imported = append(t.Imported, self)
		t.Infos = append(t.Infos, ImportMessage{string(o.Action), fmt.Sprintf("%q is %s", o.Name, o.Action),
			map[string]any{}})
	}
	other := TypeSource
	if len(objects) > 0 {
		other = objects[0].Type
	}
	said := map[string]bool{}
	for _, note := range notes {
		if said[note] {
			continue
		}
		said[note] = true
		t := r.of(cmp.Or(configuration.TypeOfNote(note), other))
		t.Warnings = append(t.Warnings, ImportMessage{"NOTE", note, map[string]any{}})
	}
}

// addErrors adds what an import would lose, or what was wrong, each under the type of the object that it is about.
func (r *ImportResult) addErrors(key string, texts []string, other ObjectType) {
	for _, text := range texts {
		t := r.of(cmp.Or(configuration.TypeOfNote(text), other))
		t.Errors = append(t.Errors, ImportMessage{key, text, map[string]any{}})
	}
}

// ImportConfiguration applies documents of an export, all of them or none, and keeps what it did for
// [ConfigurationJobRetention]. Documents that cannot be applied are no error: the job has failed, and its result says
// why. Options are those of [Engine.Apply].
func (e *Engine) ImportConfiguration(ctx context.Context, documents []Document, o ImportOptions,
	options ...ApplyOption,
) (ConfigurationJob, error) {
	job, err := e.importConfiguration(documents, o, options).run(ctx)
	var known *Error
	if err == nil || !errors.As(err, &known) ||
		!slices.Contains([]Kind{Invalid, Conflict, Forbidden}, known.Kind) {
		return job, err
	}
	text := known.Err.Error()
	if known.Subject != "" {
		text = known.Subject + ": " + text
	}
	return tenant.Transact(ctx, e.tenant, func(tx pgx.Tx) (ConfigurationJob, error) {
		result := ImportResult{Results: map[ObjectType]*ImportedType{}}
		for i := range documents {
			t := result.of(documents[i].Type)
			t.Errors = []ImportMessage{{"NOT_IMPORTED", text, map[string]any{}}}
		}
		return e.addJob(ctx, tx, &store.ConfigurationJob{Kind: store.JobImport, Status: store.JobFailed,
			Message: text}, result)
	})
}

// ImportConfigurationTx is [Engine.ImportConfiguration] in the caller's transaction, in which documents that cannot be
// applied are an error. It keeps other changes and runs waiting until that ends.
func (e *Engine) ImportConfigurationTx(ctx context.Context, tx pgx.Tx, documents []Document, o ImportOptions,
	options ...ApplyOption,
) (ConfigurationJob, error) {
	return e.importConfiguration(documents, o, options).runIn(ctx, tx)
}

func (e *Engine) importConfiguration(documents []Document, o ImportOptions, options []ApplyOption,
) writeOf[ConfigurationJob] {
	const op = "import a configuration"
	return writeOf[ConfigurationJob]{e, op, "", func(ctx context.Context, tx pgx.Tx) (ConfigurationJob, error) {
		result := ImportResult{Results: map[ObjectType]*ImportedType{}}
		row := &store.ConfigurationJob{Kind: store.JobImport, Status: store.JobComplete}
		if o.Preview {
			if err := e.previewImport(ctx, tx, &result, documents, options); err != nil {
				return ConfigurationJob{}, err
			}
			row.Description = "preview"
			return e.addJob(ctx, tx, row, result)
		}
		if _, err := e.tenant.Store.LockConfiguration(ctx, tx); err != nil {
			return ConfigurationJob{}, err
		}
		if o.Backup {
			backup, err := e.exportConfiguration(Selection{}, "before an import").do(ctx, tx)
			if err != nil {
				return ConfigurationJob{}, err
			}
			result.ExportJobID = backup.ID
		}
		applied, err := e.apply(documents, options).do(ctx, tx)
		if err != nil {
			return ConfigurationJob{}, err
		}
		result.add(applied.Objects, applied.Notes)
		return e.addJob(ctx, tx, row, result)
	}}
}

// previewImport says what an import of documents would do.
func (e *Engine) previewImport(ctx context.Context, tx pgx.Tx, result *ImportResult, documents []Document,
	options []ApplyOption,
) error {
	const op = "preview an import"
	o, err := changeOptions(op, options)
	if err != nil {
		return err
	}
	if _, err := e.tenant.Store.LockConfigurationShared(ctx, tx); err != nil {
		return err
	}
	rows, err := e.tenant.Store.LoadConfiguration(ctx, tx)
	if err != nil {
		return err
	}
	difference, err := e.difference(op, &rows, documents, &o)
	if err != nil {
		return err
	}
	var objects []AppliedObject
	for i := range difference.Objects {
		objects = append(objects, difference.Objects[i].AppliedObject)
	}
	result.add(objects, difference.Notes)
	result.addErrors("LOST", slices.Concat(difference.Losses, difference.Lacking), documents[0].Type)
	return nil
}
