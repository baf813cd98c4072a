package engine

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/muster-engine/muster/engine/attribute"
	"github.com/muster-engine/muster/engine/fault"
	"github.com/muster-engine/muster/store"
)

// Account is an account on a source, in the published shape.
type Account struct {
	ID                  string        `json:"id"`
	Name                string        `json:"name"`
	Created             time.Time     `json:"created"`
	Modified            time.Time     `json:"modified"`
	SourceID            string        `json:"sourceId"`
	SourceName          string        `json:"sourceName"`
	SourceOwner         *Reference    `json:"sourceOwner"`
	IdentityID          *string       `json:"identityId"` // null: the account is uncorrelated
	Identity            *Reference    `json:"identity,omitempty"`
	CloudLifecycleState *string       `json:"cloudLifecycleState"` // of the identity
	IdentityState       *string       `json:"identityState"`
	ConnectionType      *string       `json:"connectionType"` // of the source
	Features            *string       `json:"features"`       // of the source, with commas between them
	Attributes          attribute.Set `json:"attributes"`
	Authoritative       bool          `json:"authoritative"` // an identity profile takes its identities from the source
	Disabled            bool          `json:"disabled"`      // as the source's accountStatus says it
	Locked              bool          `json:"locked"`
	NativeIdentity      string        `json:"nativeIdentity"`
	UUID                *string       `json:"uuid"` // the stable identity; null where the source has none
	SystemAccount       bool          `json:"systemAccount"`
	Uncorrelated        bool          `json:"uncorrelated"`
	ManuallyCorrelated  bool          `json:"manuallyCorrelated"` // correlation does not move it to another identity
	HasEntitlements     bool          `json:"hasEntitlements"`
	Origin              string        `json:"origin"` // AGGREGATED or PROVISIONED
}

// AccountParams say which accounts to list. All members that are not zero must hold.
type AccountParams struct {
	PageParams
	Identity     string // the ID of the identity that has them
	Source       string // the ID or the name of the source
	Uncorrelated bool   // only those that no identity has
}

// ListAccounts returns a page of the accounts that params select. Params that are wrong are an Invalid error, which
// wraps a [*filterql.Error] for the filter and the sorters; an identity or a source that does not exist is not found.
//
// Indexes serve the accounts of an identity, of a source, and those that are uncorrelated, and lists in the order of
// the IDs. Other filters and sorters read all accounts that the others leave.
func (e *Engine) ListAccounts(ctx context.Context, params AccountParams) (Page[Account], error) {
	const op = "list accounts"
	query := store.AccountQuery{Uncorrelated: params.Uncorrelated}
	var err error
	if params.Identity != "" {
		if query.IdentityID, err = e.tenant.FindIdentityID(ctx, op, params.Identity); err != nil {
			return Page[Account]{}, err
		}
	}
	if params.Source != "" {
		if query.SourceID, err = e.findSource(ctx, op, params.Source); err != nil {
			return Page[Account]{}, err
		}
	}
	return e.listAccounts(ctx, op, &params.PageParams, query)
}

func (e *Engine) listAccounts(ctx context.Context, op string, params *PageParams, query store.AccountQuery) (
	Page[Account], error,
) {
	multi, err := e.multiAttributes(ctx, params.AnyField)
	if err != nil {
		return Page[Account]{}, fault.Wrap(op, "", err)
	}
	if query.ListQuery, err = params.query(op, store.AccountSchema(params.AnyField, multi...), byID); err != nil {
		return Page[Account]{}, err
	}
	l := listing[store.ListedAccount, Account]{op: op, params: *params, query: query.ListQuery, item: accountOf,
		list: func(ctx context.Context, q store.Querier, count bool, each func(*store.ListedAccount) error) (
			[]any, int, error,
		) {
			return e.tenant.Store.ListAccounts(ctx, q, query, count, each)
		}}
	return l.page(ctx, e)
}

// multiAttributes returns the account attributes that have several values on some source, for filters by any field.
func (e *Engine) multiAttributes(ctx context.Context, anyField bool) ([]string, error) {
	if !anyField {
		return nil, nil
	}
	c, err := e.tenant.CurrentConfiguration(ctx)
	if err != nil {
		return nil, err
	}
	var names []string
	for _, source := range c.Sources {
		if schema := source.AccountSchema(); schema != nil {
			for _, a := range schema.Attributes {
				if a.IsMulti {
					names = append(names, a.Name)
				}
			}
		}
	}
	return names, nil
}

// findSource returns the ID of the source with an ID or a name.
func (e *Engine) findSource(ctx context.Context, op, name string) (store.ID, error) {
	c, err := e.tenant.CurrentConfiguration(ctx)
	if err != nil {
		return store.ID{}, fault.Wrap(op, name, err)
	}
	source := c.SourceByName(name)
	if source == nil {
		return store.ID{}, &Error{Kind: NotFound, Op: op, Subject: name, Err: errors.New("there is no such source")}
	}
	return source.RowID, nil
}

// GetAccount returns the account with an ID. A text that is no ID is not found.
func (e *Engine) GetAccount(ctx context.Context, id string) (Account, error) {
	const op = "get the account"
	row, err := e.accountRow(ctx, op, id)
	if err != nil {
		return Account{}, err
	}
	account, err := accountOf(&row)
	return account, fault.Wrap(op, id, err)
}

func (e *Engine) accountRow(ctx context.Context, op, id string) (store.ListedAccount, error) {
	parsed, known := store.IDOf(id)
	if !known {
		return store.ListedAccount{}, noAccount(op, id)
	}
	row, err := e.tenant.Store.ListedAccountByID(ctx, e.tenant.Pool, parsed)
	if errors.Is(err, store.ErrNotFound) {
		return row, noAccount(op, id)
	}
	return row, fault.Wrap(op, id, err)
}

func noAccount(op, id string) error {
	return &Error{Kind: NotFound, Op: op, Subject: id, Err: errors.New("there is no account with this ID")}
}

// accountOf gives a row its published shape.
func accountOf(row *store.ListedAccount) (Account, error) {
	a := Account{
		ID: row.ID.String(), Name: row.Name, Created: row.Created.UTC(), Modified: row.Modified.UTC(),
		SourceID: row.SourceID.String(), SourceName: row.SourceName, ConnectionType: row.ConnectionType,
		Authoritative: row.Authoritative, Disabled: row.Disabled, Locked: row.Locked,
		NativeIdentity: row.NativeIdentity, UUID: store.NullText(row.StableIdentity),
		Uncorrelated: row.IdentityID.IsZero(), ManuallyCorrelated: row.ManuallyCorrelated,
		HasEntitlements: row.HasEntitlements, Origin: row.Origin,
	}
	if !row.IdentityID.IsZero() {
		id := row.IdentityID.String()
		a.IdentityID = &id
		a.Identity = &Reference{Type: "IDENTITY", ID: id, Name: store.TextOf(row.IdentityName)}
		a.CloudLifecycleState, a.IdentityState = row.LifecycleState, row.IdentityState
	}
	var err error
	if a.SourceOwner, err = ownerOf(row.SourceOwner); err != nil {
		return a, fmt.Errorf("the owner of the source %s: %w", row.SourceID, err)
	}
	if len(row.Features) > 0 {
		var features []string
		if err := json.Unmarshal(row.Features, &features); err != nil {
			return a, fmt.Errorf("the features of the source %s: %w", row.SourceID, err)
		}
		if len(features) > 0 {
			joined := strings.Join(features, ",")
			a.Features = &joined
		}
	}
	if err := a.Attributes.Decode(row.Attributes); err != nil {
		return a, fmt.Errorf("account %s: %w", row.ID, err)
	}
	return a, nil
}

// ownerOf reads the owner in a document; nil for none.
func ownerOf(document []byte) (*Reference, error) {
	if len(document) == 0 {
		return nil, nil
	}
	var owner *Reference
	if err := json.Unmarshal(document, &owner); err != nil {
		return nil, err
	}
	if owner == nil || owner.ID == "" {
		return nil, nil
	}
	if id, known := store.IDOf(owner.ID); known {
		owner.ID = id.String()
	}
	owner.Type = "IDENTITY"
	return owner, nil
}
