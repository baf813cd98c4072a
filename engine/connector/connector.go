package connector

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"

	"github.com/muster-engine/muster/engine/attribute"
)

// Connector reads one source and writes to it. Its methods are called by one goroutine at a time. An error must not
// hold values of accounts, nor secrets: it is stored and shown.
type Connector interface {
	// Test reports what keeps the source from being read, or written to.
	Test(ctx context.Context) error

	// Discover returns the schemas that the source itself can tell: that of its accounts, and those of groups if it
	// has any.
	Discover(ctx context.Context) ([]Schema, error)

	// Read calls each with the objects of the source, and returns the cursor from which on changes can be read, ""
	// where they cannot. With a cursor only the objects that changed since are read, among them those that are gone.
	// The object is the connector's, and is not used after each returns; an error of each ends the reading and is
	// returned. A source of which changes cannot be read returns [ErrNoChanges] for a cursor.
	Read(ctx context.Context, since string, each func(object *Object) error) (cursor string, err error)

	// Apply carries an operation out. Called again for an operation that was carried out, it changes nothing and
	// succeeds. An error is tried again unless it is [Permanent].
	Apply(ctx context.Context, operation *Operation) (Result, error)

	// Close lets go of what the connector holds.
	Close() error
}

// Factory makes the connector of a source. It fails when the configuration is wrong; whether the source can be reached
// is a matter of [Connector.Test].
type Factory func(ctx context.Context, config Config) (Connector, error)

// Config is what a connector is made of.
type Config struct {
	Source string // the name of the source
	// Attributes are the source's connectorAttributes, a JSON object.
	Attributes json.RawMessage
	Schemas    []Schema
	// Secret returns what a reference to a secret stands for, as env:NAME or file:PATH.
	Secret func(reference string) (string, error)
	// Logger never gets personal data or secrets. It may be nil.
	Logger *slog.Logger
}

// Schema describes the accounts of a source, or another kind of its objects, in the published shape.
type Schema struct {
	Name              string            `json:"name"`              // "account", or the kind of group
	IdentityAttribute string            `json:"identityAttribute"` // holds the native identity
	DisplayAttribute  string            `json:"displayAttribute"`  // holds the object's name
	Attributes        []SchemaAttribute `json:"attributes"`
}

// SchemaAttribute describes one attribute of a schema.
type SchemaAttribute struct {
	Name          string `json:"name"`
	Type          string `json:"type"` // STRING, LONG, INT, BOOLEAN or DATE; STRING where nothing is said
	IsMulti       bool   `json:"isMulti"`
	IsEntitlement bool   `json:"isEntitlement"`
	// Schema names the schema whose objects the values are, nil where that is not said.
	Schema *SchemaReference `json:"schema,omitempty"`
}

// SchemaReference names a schema.
type SchemaReference struct {
	Type string `json:"type,omitempty"`
	Name string `json:"name"`
}

// AccountSchema returns the schema of the accounts, nil when there is none.
func AccountSchema(schemas []Schema) *Schema {
	for i := range schemas {
		if schemas[i].Name == AccountObject || len(schemas) == 1 && schemas[i].Name == "" {
			return &schemas[i]
		}
	}
	return nil
}

// Attribute returns an attribute of the schema by its name, nil when it has none.
func (s *Schema) Attribute(name string) *SchemaAttribute {
	for i := range s.Attributes {
		if s.Attributes[i].Name == name {
			return &s.Attributes[i]
		}
	}
	return nil
}

// AccountObject is the type of the objects that are accounts.
const AccountObject = "account"

// Object is an account of the source, or, under the name of another schema, a group: the value of an entitlement.
type Object struct {
	// Type is the name of the schema. "" is an account.
	Type string
	// NativeIdentity tells the object among those of its type, at most 2,000 bytes. For a group it is the value that
	// accounts have.
	NativeIdentity string
	// Name is what people call it. "" stands for the native identity.
	Name       string
	Attributes attribute.Set
	// Line is where in the source's data the object stands, 0 where that says nothing.
	Line int
	// Deleted says that the object is gone. Only a reading of changes has such objects.
	Deleted bool
	// Fault says why the object cannot be read, "" when it can. Its native identity is set if it is known.
	Fault string
}

// Kind is what an operation does.
type Kind string

// The operations.
const (
	// Create makes an account with the attributes of the operation.
	Create Kind = "CREATE"
	// SetAttributes gives attributes new values; null takes the value away.
	SetAttributes Kind = "SET_ATTRIBUTES"
	// AddValues and RemoveValues add values to multi-valued attributes, and remove some: entitlements.
	AddValues    Kind = "ADD_ENTITLEMENT"
	RemoveValues Kind = "REMOVE_ENTITLEMENT"
	// Enable and Disable change whether the account can be used. The attributes say how the source writes that.
	Enable  Kind = "ENABLE"
	Disable Kind = "DISABLE"
	Delete  Kind = "DELETE"
	// SetPassword gives the account the password of the operation.
	SetPassword Kind = "SET_PASSWORD"
)

// Operation is something to be done to one account.
type Operation struct {
	// Key is the same each time that the same operation is tried.
	Key  string
	Kind Kind
	// NativeIdentity tells the account. For [Create] it is "" when the source makes it.
	NativeIdentity string
	Attributes     attribute.Set
	// Volatile are the attributes that are calculated anew each time that the operation is tried, because nothing keeps
	// them: an account that differs in these alone is the one that an attempt before has created.
	Volatile []string
	// Password is for [SetPassword], and for [Create] where the source's policy gives one. It must not be logged.
	Password string
}

// Result says what the account is like after an operation.
type Result struct {
	// NativeIdentity is that of the account: a source may give it when it creates one, and change it by a renaming. ""
	// is the one that it had.
	NativeIdentity string
	// Attributes are those of which the source made something else than the operation asked for.
	Attributes attribute.Set
}

// ErrNoChanges says that a source cannot tell what changed since a cursor: it must be read whole.
var ErrNoChanges = errors.New("the source cannot tell what has changed: read it whole")

// ErrNoAccount says that the account of an operation is not on the source. It is permanent.
var ErrNoAccount = Permanent(errors.New("the source has no such account"))

// ErrExists says that an account cannot be created because there is another one with its native identity. It is
// permanent.
var ErrExists = Permanent(errors.New("the source has another account with this native identity"))

// permanentError is an error that trying again does not help.
type permanentError struct{ err error }

func (e *permanentError) Error() string { return e.err.Error() }
func (e *permanentError) Unwrap() error { return e.err }

// Permanent marks an error of [Connector.Apply] as one that trying again does not help: the operation is given up.
func Permanent(err error) error { return &permanentError{err} }

// IsPermanent reports whether an error is marked by [Permanent].
func IsPermanent(err error) bool {
	var permanent *permanentError
	return errors.As(err, &permanent)
}

// Unsupported returns the permanent error of an operation that the source does not know.
func Unsupported(kind Kind) error {
	return Permanent(fmt.Errorf("the source does not support the operation %s", kind))
}
