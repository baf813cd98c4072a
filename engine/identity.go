package engine

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/muster-engine/muster/engine/attribute"
	"github.com/muster-engine/muster/engine/fault"
	"github.com/muster-engine/muster/store"
)

// Identity is an identity in the shape of the Identities API, for hosts and clients. It is a type of its own because
// its names and forms are published: they do not change with those of the database and of the calculation.
type Identity struct {
	ID              string             `json:"id"`
	Name            string             `json:"name"`
	Created         time.Time          `json:"created"`
	Modified        time.Time          `json:"modified"`
	Alias           string             `json:"alias"`
	EmailAddress    *string            `json:"emailAddress"`
	ProcessingState *string            `json:"processingState"`
	IdentityStatus  string             `json:"identityStatus"`
	ManagerRef      *IdentityReference `json:"managerRef"`
	IsManager       bool               `json:"isManager"`
	LastRefresh     *time.Time         `json:"lastRefresh,omitempty"` // the last processing; nil before the first one
	Attributes      attribute.Set      `json:"attributes"`
	LifecycleState  *LifecycleStateRef `json:"lifecycleState"`
}

// IdentityReference names another identity.
type IdentityReference struct {
	Type string `json:"type"`
	ID   string `json:"id"`
	Name string `json:"name"`
}

// LifecycleStateRef names the lifecycle state of an identity.
type LifecycleStateRef struct {
	StateName       string `json:"stateName"`
	ManuallyUpdated bool   `json:"manuallyUpdated"`
}

// attributesUsual is the most attributes for which identityOf makes room at once, by the commas of their document.
// identityStates is how many attributes it adds to them.
const (
	attributesUsual = 64
	identityStates  = 5
)

// identityOf gives a row its published shape. States that are columns in the database are attributes there too.
func identityOf(row *store.Identity) (Identity, error) {
	i := Identity{
		ID: row.ID.String(), Name: row.Name, Created: row.Created.UTC(), Modified: row.Modified.UTC(), Alias: row.Alias,
		EmailAddress: row.Email, ProcessingState: row.ProcessingState, IdentityStatus: row.CloudStatus,
		IsManager: row.IsManager, LastRefresh: utc(row.LastRefresh),
	}
	if !row.ManagerID.IsZero() {
		i.ManagerRef = &IdentityReference{Type: "IDENTITY", ID: row.ManagerID.String(),
			Name: store.TextOf(row.ManagerName)}
	}
	if row.LifecycleState != nil {
		i.LifecycleState = &LifecycleStateRef{StateName: *row.LifecycleState, ManuallyUpdated: row.LifecycleManual}
	}
	i.Attributes.Grow(min(bytes.Count(row.Attributes, []byte{','}), attributesUsual) + identityStates)
	if err := i.Attributes.Decode(row.Attributes); err != nil {
		return i, fmt.Errorf("identity %s: %w", row.ID, err)
	}
	i.Attributes.Put("cloudStatus", attribute.String(row.CloudStatus))
	i.Attributes.Put("internalCloudStatus", attribute.String(row.CloudStatus))
	if row.IdentityState != nil {
		i.Attributes.Put("identityState", attribute.String(*row.IdentityState))
	}
	if !row.SourceID.IsZero() {
		i.Attributes.Put("cloudAuthoritativeSource", attribute.String(row.SourceID.String()))
	}
	return i, nil
}

// GetIdentity returns the identity with an ID, in either spelling. A text that is no ID is not found.
func (e *Engine) GetIdentity(ctx context.Context, id string) (Identity, error) {
	const op = "get identity"
	parsed, err := store.ParseID(id)
	if err != nil {
		return Identity{}, &Error{Kind: NotFound, Op: op, Subject: id, Err: store.ErrNotFound}
	}
	row, err := e.tenant.Store.IdentityByID(ctx, e.tenant.Pool, parsed)
	if err != nil {
		return Identity{}, fault.Wrap(op, id, err)
	}
	identity, err := identityOf(&row)
	return identity, fault.Wrap(op, id, err)
}

// aliasMatchesMax is how many identities with the same alias an error names at most.
const aliasMatchesMax = 5

// FindIdentity returns the identity with an ID, or else the only one with an alias, ignoring case. An alias that
// several identities have is a Conflict which names them.
func (e *Engine) FindIdentity(ctx context.Context, idOrAlias string) (Identity, error) {
	const op = "get identity"
	identity, err := e.GetIdentity(ctx, idOrAlias)
	if err == nil || KindOf(err) != NotFound {
		return identity, err
	}
	rows, err := e.tenant.Store.IdentitiesByAlias(ctx, e.tenant.Pool, idOrAlias, aliasMatchesMax)
	switch {
	case err != nil:
		return Identity{}, fault.Wrap(op, idOrAlias, err)
	case len(rows) == 0:
		return Identity{}, &Error{
			Kind: NotFound, Op: op, Subject: idOrAlias,
			Err: errors.New("there is no identity with this ID or alias"),
		}
	case len(rows) > 1:
		ids := make([]string, len(rows))
		for i := range rows {
			ids[i] = rows[i].ID.String()
		}
		return Identity{}, &Error{
			Kind: Conflict, Op: op, Subject: idOrAlias,
			Err: fmt.Errorf("several identities have this alias: ask for one of them by its ID, %s",
				strings.Join(ids, ", ")),
		}
	}
	identity, err = identityOf(&rows[0])
	return identity, fault.Wrap(op, idOrAlias, err)
}

// IdentityNames returns the names of those of the identities that exist, by ID in the form in which the engine shows
// it. Others are left out.
func (e *Engine) IdentityNames(ctx context.Context, ids []string) (map[string]string, error) {
	var wanted []store.ID
	for _, text := range ids {
		if id, known := store.IDOf(text); known {
			wanted = append(wanted, id)
		}
	}
	names := map[string]string{}
	if len(wanted) == 0 {
		return names, nil
	}
	rows, err := e.tenant.Store.IdentityNames(ctx, e.tenant.Pool, wanted)
	for _, row := range rows {
		names[row.ID.String()] = row.Name
	}
	return names, fault.Wrap("name the identities", "", err)
}
