package engine

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/muster-engine/muster/engine/fault"
	"github.com/muster-engine/muster/store"
)

// Entitlement is a value of an account attribute that stands for access on a source, in the published shape.
type Entitlement struct {
	ID                     string     `json:"id"`
	Name                   string     `json:"name"`
	Attribute              string     `json:"attribute"`
	Value                  string     `json:"value"`
	SourceSchemaObjectType string     `json:"sourceSchemaObjectType"` // group where the source's schema does not say
	Description            *string    `json:"description"`
	Privileged             bool       `json:"privileged"`
	CloudGoverned          bool       `json:"cloudGoverned"`
	Requestable            bool       `json:"requestable"`
	Owner                  *Reference `json:"owner"`
	// ManuallyUpdatedFields says of DISPLAY_NAME and DESCRIPTION whether somebody updated them by hand.
	ManuallyUpdatedFields map[string]bool `json:"manuallyUpdatedFields"`
	Segments              []string        `json:"segments"`
	Created               time.Time       `json:"created"`
	Modified              time.Time       `json:"modified"`
	Source                Reference       `json:"source"`
}

// EntitlementParams say which entitlements to list. All members that are not zero must hold.
type EntitlementParams struct {
	PageParams
	Account  string // the ID of the account that holds them
	Identity string // the ID of the identity whose accounts hold them
	// Segmented narrows the list to the entitlements of Segments, and with Unsegmented also to those of none.
	Segmented, Unsegmented bool
	Segments               []string
}

// ListEntitlements returns a page of the entitlements that params select. Errors are those of [Engine.ListAccounts].
func (e *Engine) ListEntitlements(ctx context.Context, params EntitlementParams) (Page[Entitlement], error) {
	const op = "list entitlements"
	query := store.EntitlementQuery{Segmented: params.Segmented, Unsegmented: params.Unsegmented,
		Segments: params.Segments}
	for _, segment := range params.Segments {
		if !store.Storable(segment) {
			return Page[Entitlement]{}, fault.Invalidf(op, "segments", "a text without NUL is expected")
		}
	}
	if params.Account != "" {
		account, err := e.accountRow(ctx, op, params.Account)
		if err != nil {
			return Page[Entitlement]{}, err
		}
		query.AccountID = account.ID
	}
	var err error
	if params.Identity != "" {
		if query.IdentityID, err = e.tenant.FindIdentityID(ctx, op, params.Identity); err != nil {
			return Page[Entitlement]{}, err
		}
	}
	query.ListQuery, err = params.query(op, store.EntitlementSchema(params.AnyField), byID)
	if err != nil {
		return Page[Entitlement]{}, err
	}
	l := listing[store.ListedEntitlement, Entitlement]{op: op, params: params.PageParams, query: query.ListQuery,
		item: entitlementOf,
		list: func(ctx context.Context, q store.Querier, count bool, each func(*store.ListedEntitlement) error) (
			[]any, int, error,
		) {
			return e.tenant.Store.ListEntitlements(ctx, q, query, count, each)
		}}
	return l.page(ctx, e)
}

// GetEntitlement returns the entitlement with an ID. A text that is no ID is not found.
func (e *Engine) GetEntitlement(ctx context.Context, id string) (Entitlement, error) {
	const op = "get the entitlement"
	row, err := e.entitlementRow(ctx, op, id)
	if err != nil {
		return Entitlement{}, err
	}
	entitlement, err := entitlementOf(&row)
	return entitlement, fault.Wrap(op, id, err)
}

func (e *Engine) entitlementRow(ctx context.Context, op, id string) (store.ListedEntitlement, error) {
	none := noEntitlement(op, id)
	parsed, known := store.IDOf(id)
	if !known {
		return store.ListedEntitlement{}, none
	}
	row, err := e.tenant.Store.EntitlementByID(ctx, e.tenant.Pool, parsed)
	if errors.Is(err, store.ErrNotFound) {
		return row, none
	}
	return row, fault.Wrap(op, id, err)
}

func noEntitlement(op, id string) error {
	return &Error{Kind: NotFound, Op: op, Subject: id, Err: errors.New("there is no entitlement with this ID")}
}

// entitlementOf gives a row its published shape.
func entitlementOf(row *store.ListedEntitlement) (Entitlement, error) {
	var document struct {
		Description   *string         `json:"description"`
		Privileged    bool            `json:"privileged"`
		CloudGoverned bool            `json:"cloudGoverned"`
		Requestable   bool            `json:"requestable"`
		Owner         json.RawMessage `json:"owner"`
		Manually      map[string]bool `json:"manuallyUpdatedFields"`
		Segments      []string        `json:"segments"`
	}
	if err := json.Unmarshal(row.Document, &document); err != nil {
		return Entitlement{}, fmt.Errorf("the document of the entitlement %s: %w", row.ID, err)
	}
	owner, err := ownerOf(document.Owner)
	if err != nil {
		return Entitlement{}, fmt.Errorf("the owner of the entitlement %s: %w", row.ID, err)
	}
	return Entitlement{
		ID: row.ID.String(), Name: row.Name, Attribute: row.Attribute, Value: row.Value,
		SourceSchemaObjectType: row.Type, Description: document.Description, Privileged: document.Privileged,
		CloudGoverned: document.CloudGoverned, Requestable: document.Requestable, Owner: owner,
		ManuallyUpdatedFields: document.Manually, Segments: document.Segments,
		Created: row.Created.UTC(), Modified: row.Modified.UTC(),
		Source: Reference{Type: string(TypeSource), ID: row.SourceID.String(), Name: row.SourceName},
	}, nil
}

// EntitlementHolder is an account that holds an entitlement.
type EntitlementHolder struct {
	Account
	// Granted is when access gave it the entitlement; null where the account has it for another reason, such as that it
	// had it before.
	Granted *time.Time `json:"granted"`
}

// ListEntitlementHolders returns a page of the accounts that hold an entitlement, which is named by its ID. Filters and
// sorters are those of [Engine.ListAccounts].
func (e *Engine) ListEntitlementHolders(ctx context.Context, entitlement string, params PageParams) (
	Page[EntitlementHolder], error,
) {
	const op = "list the holders of the entitlement"
	row, err := e.entitlementRow(ctx, op, entitlement)
	if err != nil {
		return Page[EntitlementHolder]{}, err
	}
	page, err := e.listAccounts(ctx, op, &params, store.AccountQuery{EntitlementID: row.ID})
	if err != nil {
		return Page[EntitlementHolder]{}, err
	}
	ids := make([]store.ID, len(page.Items))
	for i := range page.Items {
		if ids[i], err = store.ParseID(page.Items[i].ID); err != nil {
			return Page[EntitlementHolder]{}, fault.Wrap(op, entitlement, err)
		}
	}
	granted, err := e.tenant.Store.EntitlementGrants(ctx, e.tenant.Pool, row.ID, ids)
	if err != nil {
		return Page[EntitlementHolder]{}, fault.Wrap(op, entitlement, err)
	}
	holders := Page[EntitlementHolder]{Items: make([]EntitlementHolder, len(ids)), Total: page.Total, Next: page.Next}
	for i := range ids {
		holders.Items[i].Account = page.Items[i]
		if at, found := granted[ids[i]]; found {
			holders.Items[i].Granted = utc(&at)
		}
	}
	return holders, nil
}
