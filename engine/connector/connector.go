package connector

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"

	"github.com/muster-engine/muster/engine/attribute"
	"github.com/muster-engine/muster/filterql/folding"
)

// Connector reads one source and writes to it. One goroutine at a time calls its methods. An error must not contain
// values of accounts or secrets, because it is stored and shown.
type Connector interface {
	// Test returns an error if the source cannot be read or written.
	Test(ctx context.Context) error

	// Discover returns the schemas that the source describes: the schema of its accounts, and those of groups if it has
	// any.
	Discover(ctx context.Context) ([]Schema, error)

	// Read calls each with the objects of the source. It returns a cursor to read later changes from, or "" if the
	// source cannot tell changes. With a cursor it reads only the objects that changed since then, including the
	// deleted ones; if the source cannot tell them, it returns [ErrNoChanges]. The object belongs to the connector, so
	// each must not keep it. If each returns an error, Read stops and returns it.
	//
	// Accounts that are not read count as vanished. So a reading that cannot be known to be whole is an error: one that
	// the source cut short, that repeats objects, or that leaves out values of an attribute. Values that are no text,
	// such as pictures, may be left out, since they are never stored; a [Noter] says so.
	Read(ctx context.Context, since string, each func(object *Object) error) (cursor string, err error)

	// Apply carries out an operation. If the operation was carried out before, it changes nothing and succeeds. The
	// engine tries again after an error unless it is [Permanent].
	Apply(ctx context.Context, operation *Operation) (Result, error)

	// Close releases the connector's resources.
	Close() error
}

// Noter is a [Connector] that has something to say about its last [Connector.Read], such as what it left out. The
// engine shows the notes with the result of an aggregation.
type Noter interface {
	// Notes returns one sentence for each note on the reading that ended last, at most one for each attribute and
	// cause. A note counts what it is about, and contains no values of accounts.
	Notes() []string
}

// Columner is a [Connector] whose accounts have the same attributes in each row, whether or not these have values, such
// as the columns of a file. An aggregation fails where one of them is gone that accounts have values of.
type Columner interface {
	// Columns returns the attributes that the accounts of the last complete [Connector.Read] had; nil before one.
	Columns() []string
}

// Factory makes the connector of a source. It fails if the configuration is wrong. It does not have to reach the
// source; [Connector.Test] does that.
type Factory func(ctx context.Context, config Config) (Connector, error)

// Config is the input of a [Factory].
type Config struct {
	Source string // the name of the source
	// Attributes are the source's connectorAttributes, a JSON object.
	Attributes json.RawMessage
	Schemas    []Schema
	// Secret returns the secret of a reference such as env:NAME or file:PATH.
	Secret func(reference string) (string, error)
	// Logger never gets personal data or secrets. It may be nil.
	Logger *slog.Logger
}

// Schema describes the accounts, or another type of objects, of a source, in the published shape.
type Schema struct {
	Name              string            `json:"name"`              // "account", or the kind of group
	IdentityAttribute string            `json:"identityAttribute"` // holds the native identity
	DisplayAttribute  string            `json:"displayAttribute"`  // holds the object's name
	Attributes        []SchemaAttribute `json:"attributes"`
	// StableIdentityAttribute is where the source keeps the stable identity of accounts; "" if it has none. Only
	// [Connector.Discover] tells it: in a configuration it has no meaning.
	StableIdentityAttribute string `json:"stableIdentityAttribute,omitempty"`
}

// SchemaAttribute describes one attribute of a schema.
type SchemaAttribute struct {
	Name          string `json:"name"`
	Type          string `json:"type"` // STRING, LONG, INT, BOOLEAN or DATE; empty means STRING
	IsMulti       bool   `json:"isMulti"`
	IsEntitlement bool   `json:"isEntitlement"`
	// Equality says how the source compares the values. In documents it may be left out: then [DefaultEquality] counts.
	// What connectors get is never empty. A connector that discovers it leaves out the default.
	Equality attribute.Equality `json:"equality,omitempty"`
	// Schema names the schema of the objects that the values refer to; nil if unknown.
	Schema *SchemaReference `json:"schema,omitempty"`
}

// SchemaReference names a schema.
type SchemaReference struct {
	Type string `json:"type,omitempty"`
	Name string `json:"name"`
}

// AccountSchema returns the schema of the accounts, or nil if there is none.
func AccountSchema(schemas []Schema) *Schema {
	for i := range schemas {
		if schemas[i].Name == AccountObject || len(schemas) == 1 && schemas[i].Name == "" {
			return &schemas[i]
		}
	}
	return nil
}

// Attribute returns the attribute of that name, or nil if there is none.
func (s *Schema) Attribute(name string) *SchemaAttribute {
	for i := range s.Attributes {
		if s.Attributes[i].Name == name {
			return &s.Attributes[i]
		}
	}
	return nil
}

// AccountObject is the type of accounts.
const AccountObject = "account"

// Object is an account of the source or, with the type of another schema, a group, which is the value of an
// entitlement.
type Object struct {
	// Type is the name of the schema. "" means an account.
	Type string
	// NativeIdentity identifies the object among those of its type, in at most 2,000 bytes. For a group it is the value
	// in the accounts' attributes.
	NativeIdentity string
	// Name is the display name. "" means the native identity.
	Name string
	// StableIdentity identifies an account whatever it is called: it stays when the account is renamed or moved at the
	// source, and no other account ever gets it, such as entryUUID of a directory. It has at most 2,000 bytes. "" means
	// that the source has none, or does not tell it.
	StableIdentity string
	Attributes     attribute.Set
	// Line is the object's line in the source's data, or 0 if it has none.
	Line int
	// Deleted says that the object no longer exists. Only a reading of changes has such objects.
	Deleted bool
	// Fault says why the object cannot be read; "" if it can. The native identity is set if it is known.
	Fault string
}

// Kind is the kind of an operation.
type Kind string

// The operations.
const (
	// Create makes an account with the attributes of the operation.
	Create Kind = "CREATE"
	// SetAttributes sets attributes to new values; null removes the value.
	SetAttributes Kind = "SET_ATTRIBUTES"
	// AddValues and RemoveValues add values to multi-valued attributes and remove them. The values are entitlements.
	AddValues    Kind = "ADD_ENTITLEMENT"
	RemoveValues Kind = "REMOVE_ENTITLEMENT"
	// Enable and Disable change whether the account can be used. The operation's attributes are the source's notation
	// for that.
	Enable  Kind = "ENABLE"
	Disable Kind = "DISABLE"
	// Unlock ends the lock of an account, which the source made after wrong passwords, say. The operation's attributes
	// are the notation of an account that is not locked.
	Unlock Kind = "UNLOCK"
	Delete Kind = "DELETE"
	// SetPassword sets the account's password to that of the operation.
	SetPassword Kind = "SET_PASSWORD"
)

// Operation is one change of one account.
type Operation struct {
	// Key is the same for all attempts of an operation.
	Key  string
	Kind Kind
	// NativeIdentity identifies the account. For [Create] it is "" if the source makes it.
	NativeIdentity string
	// StableIdentity is the [Object.StableIdentity] that the source told of the account; "" where it told none, and for
	// [Create]. Where it is there, it is what identifies the account: Apply changes the account that has it, whatever
	// that is called by now, and never an account that has the native identity and another stable one. It looks in the
	// same step as it writes, as far as the source lets it. Where no account has it, that is [ErrNoAccount], and for
	// [Delete] nothing is left to do.
	StableIdentity string
	Attributes     attribute.Set
	// Volatile are the attributes that are not stored, so each attempt calculates them again. An existing account that
	// differs only in them was created by an earlier attempt.
	Volatile []string
	// Password is for [SetPassword], and for [Create] if the source's policy has one. Do not log it.
	Password string
}

// Result describes the account after an operation.
type Result struct {
	// NativeIdentity is the account's new native identity: a source may choose it for a new account, and renaming may
	// change it. "" means no change.
	NativeIdentity string
	// StableIdentity is the [Object.StableIdentity] of a new account; "" where the source has none or does not tell it.
	StableIdentity string
	// Attributes are those to which the source gave other values than the operation's.
	Attributes attribute.Set
}

// Finder is implemented by connectors that can look for a few accounts without reading the whole source. The engine
// asks before it creates an account, so that it creates none for somebody who has one.
type Finder interface {
	// Find calls each with the accounts that the query selects, each once, as [Connector.Read] does. It may also call
	// it with others: the engine compares again. If each returns an error, Find stops and returns it.
	Find(ctx context.Context, query *Query, each func(object *Object) error) error
}

// Query selects accounts: those that have the native identity, and those that have one of the values.
type Query struct {
	NativeIdentity string // "" for none
	Values         []QueryValue
}

// QueryValue selects accounts by a value of an attribute. Letter case counts only where Exact is true.
type QueryValue struct {
	Attribute, Value string
	Exact            bool
}

// Selects reports whether a query selects an account.
func (q *Query) Selects(object *Object) bool {
	if q.NativeIdentity != "" && object.NativeIdentity == q.NativeIdentity {
		return true
	}
	return slices.ContainsFunc(q.Values, func(v QueryValue) bool {
		return slices.ContainsFunc(object.Attributes.Get(v.Attribute).Strings(), func(text string) bool {
			return text == v.Value || !v.Exact && folding.Text(text) == folding.Text(v.Value)
		})
	})
}

// ErrNoChanges says that a source cannot tell the changes since a cursor. Read the whole source instead.
var ErrNoChanges = errors.New("the source cannot tell what has changed: read it whole")

// ErrNoAccount says that the account of an operation does not exist on the source. It is permanent.
var ErrNoAccount = Permanent(errors.New("the source has no such account"))

// ErrExists says that another account with the native identity of the new one exists. It is permanent.
var ErrExists = Permanent(errors.New("the source has another account with this native identity"))

// permanentError is an error that another attempt would not solve.
type permanentError struct{ err error }

func (e *permanentError) Error() string { return e.err.Error() }
func (e *permanentError) Unwrap() error { return e.err }

// Permanent marks an error of [Connector.Apply]: another attempt would not help, so the engine gives the operation up.
func Permanent(err error) error { return &permanentError{err} }

// IsPermanent reports whether an error was marked with [Permanent].
func IsPermanent(err error) bool {
	var permanent *permanentError
	return errors.As(err, &permanent)
}

// Nameless returns the permanent error for an operation that would take away the attribute which names the account:
// nobody could find such an account again.
func Nameless(attribute string) error {
	return Permanent(fmt.Errorf("the attribute %q names the account, so it cannot be taken away: give it a value, "+
		"or do not synchronize it", attribute))
}

// Unsupported returns the permanent error for an operation that the source does not support.
func Unsupported(kind Kind) error {
	return Permanent(fmt.Errorf("the source does not support the operation %s", kind))
}
