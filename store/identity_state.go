package store

import (
	"bytes"
	"context"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
)

// Calculated is what processing calculates of an identity beside its attributes. It is comparable. Package refresh,
// which must not know this one, has the same struct, and the compiler checks the conversion between the two. An empty
// text is null in the database, but for the name, the alias and the basis.
type Calculated struct {
	Name            string
	Alias           string
	Email           string
	ProcessingState string
	ProcessingError string
	Correlated      bool
	ProfileID       ID
	LifecycleState  string
	LifecycleManual bool
	LifecycleBasis  string
	IdentityState   string
	ManagerID       ID
	ManagerKey      string // the key by which the manager is looked for
}

// IdentityState is an identity as processing reads and writes it: by the thousand, with the attributes as the document
// of the database, and without the names and times that [Identity] shows.
type IdentityState struct {
	ID ID
	Calculated
	FirstName  *string // only written, as LastName, Words and SameWords
	LastName   *string
	Attributes []byte
	// Words are [IdentityWords]. SameWords says that the row keeps those that it has, since its name, its alias, its
	// e-mail address and its attributes stay.
	Words     *string
	SameWords bool
	// The rest is only read. Due is when processing may find something else though only time has passed. FoundManager
	// is whom the key finds, where it finds exactly one identity. Requested says that its processing is requested.
	Due          *time.Time
	FoundManager ID
	Requested    bool
}

// stateColumns are the columns of the identities that an [IdentityState] reads and writes.
var stateColumns = columns[IdentityState]{
	valueColumn("id", "uuid", func(i *IdentityState) *ID { return &i.ID }),
	textColumn("name", func(i *IdentityState) *string { return &i.Name }),
	keyColumn("name_key", func(i *IdentityState) *string { return &i.Name }),
	textColumn("alias", func(i *IdentityState) *string { return &i.Alias }),
	keyColumn("alias_key", func(i *IdentityState) *string { return &i.Alias }),
	optionalColumn("email", func(i *IdentityState) *string { return &i.Email }),
	keyColumn("email_key", func(i *IdentityState) *string { return nonEmpty(&i.Email) }),
	keyColumn("firstname_key", func(i *IdentityState) *string { return i.FirstName }),
	keyColumn("lastname_key", func(i *IdentityState) *string { return i.LastName }),
	optionalColumn("processing_state", func(i *IdentityState) *string { return &i.ProcessingState }),
	optionalColumn("processing_error", func(i *IdentityState) *string { return &i.ProcessingError }),
	valueColumn("correlated", "boolean", func(i *IdentityState) *bool { return &i.Correlated }),
	valueColumn("profile_id", "uuid", func(i *IdentityState) *ID { return &i.ProfileID }),
	optionalColumn("lifecycle_state", func(i *IdentityState) *string { return &i.LifecycleState }),
	valueColumn("lifecycle_manual", "boolean", func(i *IdentityState) *bool { return &i.LifecycleManual }),
	textColumn("lifecycle_basis", func(i *IdentityState) *string { return &i.LifecycleBasis }),
	optionalColumn("identity_state", func(i *IdentityState) *string { return &i.IdentityState }),
	valueColumn("manager_id", "uuid", func(i *IdentityState) *ID { return &i.ManagerID }),
	optionalColumn("manager_key", func(i *IdentityState) *string { return &i.ManagerKey }),
	borrowedColumn("attributes", func(i *IdentityState) *[]byte { return &i.Attributes }),
	{sql: "words", kind: "text", cast: "::tsvector",
		array: arrayOf(func(i *IdentityState) **string { return &i.Words })},
	{sql: "same_words", kind: "boolean", array: arrayOf(func(i *IdentityState) *bool { return &i.SameWords })},
}

// IdentityStates returns the calculated state of identities, by ID.
func (s *Store) IdentityStates(ctx context.Context, q Querier, identities []ID) ([]IdentityState, error) {
	rows, err := q.Query(ctx, s.sql(snapshotStates), identities)
	if err != nil {
		return nil, mapError(err)
	}
	var states []IdentityState
	err = readStates(rows, func(i *IdentityState) error {
		states = append(states, *i)
		last := &states[len(states)-1]
		last.Attributes = bytes.Clone(i.Attributes)
		return nil
	})
	return states, mapError(err)
}

var updateStates = stateUpdate()

// stateUpdate returns the statement that writes states: the first column finds the identity, the others are set.
func stateUpdate() string {
	written := stateColumns.written()
	var set []string
	for _, c := range written[1:] {
		switch c.sql {
		case "same_words":
		case "words":
			// The words of the row are the very value that it has: no index is written then.
			set = append(set, `words = CASE WHEN v.same_words THEN i.words ELSE v.words`+c.cast+` END`)
		default:
			set = append(set, c.sql+` = v.`+c.sql+c.cast)
		}
	}
	return `
		UPDATE muster.identities i
		SET ` + strings.Join(set, ", ") + `, modified = ` + parameter(len(written)+1) + `
		FROM ` + stateColumns.unnest() + `
		WHERE i.id = v.id`
}

// UpdateIdentities writes the calculated state of identities that changed.
func (s *Store) UpdateIdentities(ctx context.Context, tx pgx.Tx, states []IdentityState, now time.Time) error {
	_, err := tx.Exec(ctx, s.sql(updateStates), stateColumns.arrays(states, now)...)
	return mapError(err)
}
