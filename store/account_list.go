package store

import (
	"context"
	"strings"
	"time"

	sq "github.com/Masterminds/squirrel"

	"github.com/muster-engine/muster/filterql"
)

// The published origins of an account: it was read from its source, or created there by an operation.
const (
	OriginAggregated  = "AGGREGATED"
	OriginProvisioned = "PROVISIONED"
)

// ListedAccount is an account with the names of what it belongs to.
type ListedAccount struct {
	Account
	Origin          string // [OriginAggregated] or [OriginProvisioned]
	Disabled        bool   // as the source's accountStatus says it
	Locked          bool
	HasEntitlements bool
	SourceName      string
	Authoritative   bool    // an identity profile takes its identities from the source
	ConnectionType  *string // of the source
	Features        []byte  // of the source: a JSON array, nil for none
	SourceOwner     []byte  // a JSON object, nil for none
	// What the account's identity is; nil where it is uncorrelated.
	IdentityName, IdentityState, LifecycleState *string
}

const (
	accountSourceJoin   = ` JOIN muster.sources src ON src.id = a.source_id`
	accountIdentityJoin = ` LEFT JOIN muster.identities idn ON idn.id = a.identity_id`

	// statusAttribute is the attribute of an account a that says whether it can be used, by its source src; null for
	// the default.
	statusAttribute = `src.document #>> '{connectorAttributes,accountStatus,attribute}'`
	isDisabledSQL   = `(coalesce(a.attributes ->> coalesce(` + statusAttribute + `, 'IIQDisabled'), '') =
		CASE WHEN ` + statusAttribute + ` IS NULL THEN 'true'
		ELSE coalesce(src.document #>> '{connectorAttributes,accountStatus,disabled}', '') END)`
	isLockedSQL        = `coalesce(a.attributes ->> 'IIQLocked' = 'true', false)`
	hasEntitlementsSQL = `EXISTS (SELECT 1 FROM muster.account_entitlements ae WHERE ae.account_id = a.id)`
	isAuthoritativeSQL = `EXISTS (SELECT 1 FROM muster.identity_profiles ap
		WHERE ap.authoritative_source_id = a.source_id)`
	originSQL = `(CASE WHEN a.provisioned THEN '` + OriginProvisioned + `' ELSE '` + OriginAggregated + `' END)`
	// A source has its connection type as a member, or among its settings.
	connectionTypeSQL = `coalesce(src.document ->> 'connectionType',
		src.document #>> '{connectorAttributes,connectionType}')`
)

// listedAccountColumns are the columns of a [ListedAccount].
var listedAccountColumns = columns[ListedAccount]{
	readColumn("a.id", func(a *ListedAccount) *ID { return &a.ID }),
	readColumn("a.source_id", func(a *ListedAccount) *ID { return &a.SourceID }),
	readColumn("a.native_identity", func(a *ListedAccount) *string { return &a.NativeIdentity }),
	readColumn("a.name", func(a *ListedAccount) *string { return &a.Name }),
	textColumn("a.stable_identity", func(a *ListedAccount) *string { return &a.StableIdentity }),
	readColumn("a.identity_id", func(a *ListedAccount) *ID { return &a.IdentityID }),
	readColumn("a.manually_correlated", func(a *ListedAccount) *bool { return &a.ManuallyCorrelated }),
	readColumn("a.attributes", func(a *ListedAccount) *[]byte { return &a.Attributes }),
	readColumn("a.created", func(a *ListedAccount) *time.Time { return &a.Created }),
	readColumn("a.modified", func(a *ListedAccount) *time.Time { return &a.Modified }),
	readColumn(originSQL, func(a *ListedAccount) *string { return &a.Origin }),
	readColumn(isDisabledSQL, func(a *ListedAccount) *bool { return &a.Disabled }),
	readColumn(isLockedSQL, func(a *ListedAccount) *bool { return &a.Locked }),
	readColumn(hasEntitlementsSQL, func(a *ListedAccount) *bool { return &a.HasEntitlements }),
	readColumn("src.name", func(a *ListedAccount) *string { return &a.SourceName }),
	readColumn(isAuthoritativeSQL, func(a *ListedAccount) *bool { return &a.Authoritative }),
	readColumn(connectionTypeSQL, func(a *ListedAccount) **string { return &a.ConnectionType }),
	readColumn("src.document -> 'features'", func(a *ListedAccount) *[]byte { return &a.Features }),
	readColumn("src.document -> 'owner'", func(a *ListedAccount) *[]byte { return &a.SourceOwner }),
	readColumn("idn.name", func(a *ListedAccount) **string { return &a.IdentityName }),
	readColumn("idn.identity_state", func(a *ListedAccount) **string { return &a.IdentityState }),
	readColumn("idn.lifecycle_state", func(a *ListedAccount) **string { return &a.LifecycleState }),
}

var (
	accountJoins = []tableJoin{{"src.", accountSourceJoin}, {"idn.", accountIdentityJoin}}
	accounts     = collection[ListedAccount]{
		table: `muster.accounts a`, alias: "a", key: "id", columns: listedAccountColumns, joins: accountJoins,
	}
)

// AccountQuery says which accounts to list. Zero fields beside those of the ListQuery do not narrow.
type AccountQuery struct {
	ListQuery
	IdentityID    ID
	SourceID      ID
	EntitlementID ID // only those that hold it
	Uncorrelated  bool
}

func (q *AccountQuery) conditions() []sq.Sqlizer {
	var conditions []sq.Sqlizer
	if !q.IdentityID.IsZero() {
		conditions = append(conditions, sq.Expr("a.identity_id = ?", q.IdentityID))
	}
	if !q.SourceID.IsZero() {
		conditions = append(conditions, sq.Expr("a.source_id = ?", q.SourceID))
	}
	if !q.EntitlementID.IsZero() {
		conditions = append(conditions, sq.Expr(`a.id IN (SELECT k.account_id FROM muster.account_entitlements k
			WHERE k.entitlement_id = ?)`, q.EntitlementID))
	}
	if q.Uncorrelated {
		conditions = append(conditions, sq.Expr("a.identity_id IS NULL"))
	}
	return conditions
}

// ListAccounts lists accounts as [Store.ListIdentities] lists identities.
func (s *Store) ListAccounts(ctx context.Context, q Querier, query AccountQuery, count bool,
	each func(*ListedAccount) error,
) (last []any, total int, err error) {
	return accounts.list(ctx, s, q, &query.ListQuery, query.conditions(), count, each)
}

// ListAccountsStatement returns the statement that lists the page of a query, and its arguments, to be shown.
func (s *Store) ListAccountsStatement(query AccountQuery) (string, []any, error) {
	return accounts.selected(s, "a.id, a.name", &query.ListQuery, query.conditions())
}

// ListedAccountByID returns an account, or [ErrNotFound].
func (s *Store) ListedAccountByID(ctx context.Context, q Querier, id ID) (ListedAccount, error) {
	return accounts.row(ctx, s, q, id)
}

// AccountSchema returns the fields by which accounts are filtered and sorted: those that the API publishes, and with
// anyField every other property and attribute of an account too, with all operators. The attributes named in multi are
// multi-valued; all others are texts.
func AccountSchema(anyField bool, multi ...string) *filterql.Schema {
	if !anyField {
		return publishedAccounts
	}
	several := map[string]bool{}
	for _, name := range multi {
		several[name] = true
	}
	return anyAccounts.WithResolver(func(name string) (filterql.Field, bool) {
		attribute, found := strings.CutPrefix(name, "attributes.")
		if !found {
			return filterql.Field{}, false
		}
		return attributeField(name, "a.attributes", attribute, several[attribute])
	})
}

var (
	publishedAccounts = mustSchema(accountFields())
	anyAccounts       = mustSchema(anyOps(append(accountFields(),
		idField("source.id", "a.source_id", 0),
		keyField("source.name", "src.name_key", 0),
		idField("identity.id", "a.identity_id", 0),
		keyField("identity.alias", "idn.alias_key", 0),
		keyField("identity.email", "idn.email_key", 0),
		textField("identity.lifecycleState", "idn.lifecycle_state", 0),
		textField("stableIdentity", "a.stable_identity", 0),
		flagField("disabled", isDisabledSQL, 0),
		flagField("locked", isLockedSQL, 0),
		within(idField("entitlement.id", "ae.entitlement_id", 0), accountEntitlementRows),
		within(textField("entitlement.name", "ent.name", 0), accountEntitlementNames),
		within(textField("entitlement.attribute", "ent.attribute", 0), accountEntitlementNames),
		within(textField("entitlement.value", "ent.value", 0), accountEntitlementNames),
	)))
)

const (
	accountEntitlementRows  = `a.id IN (SELECT ae.account_id FROM muster.account_entitlements ae WHERE`
	accountEntitlementNames = `a.id IN (SELECT ae.account_id FROM muster.account_entitlements ae
		JOIN muster.entitlements ent ON ent.id = ae.entitlement_id WHERE`
)

// accountFields returns the fields of accounts that the API publishes, with the operators that it allows on each.
func accountFields() []filterql.Field {
	instant := opsEqual | opsOrdered
	// Nothing recommends that an account be another kind of account.
	recommendation := func(name string) filterql.Field {
		return filterql.Field{Name: name, Type: filterql.String, Ops: opsListed | filterql.OpsOf(filterql.IsNull),
			Column: "NULL::text", Fold: strings.ToUpper}
	}
	return []filterql.Field{
		notNull(idField("id", "a.id", opsPrefix)),
		idField("identityId", "a.identity_id", opsPrefix),
		notNull(textField("name", "a.name", opsPrefix)),
		notNull(textField("nativeIdentity", "a.native_identity", opsPrefix)),
		notNull(idField("sourceId", "a.source_id", opsPrefix)),
		unsorted(flagField("hasEntitlements", hasEntitlementsSQL, opsEqual)),
		unsorted(flagField("uncorrelated", "(a.identity_id IS NULL)", opsEqual)),
		flagField("entitlements", hasEntitlementsSQL, opsEqual),
		flagField("manuallyCorrelated", "a.manually_correlated", opsEqual),
		notNull(stateField("origin", originSQL, opsListed, OriginAggregated, OriginProvisioned)),
		keyField("identity.name", "idn.name_key", opsPrefix),
		{Name: "identity.correlated", Type: filterql.Boolean, Ops: opsEqual, Column: "idn.correlated", Sortable: true},
		stateField("identity.identityState", "idn.identity_state", opsListed, IdentityStates...),
		notNull(keyField("source.displayableName", "src.name_key", opsListed)),
		flagField("source.authoritative", isAuthoritativeSQL, opsEqual),
		textField("source.connectionType", connectionTypeSQL, opsListed),
		recommendation("recommendation.method"),
		recommendation("recommendation.type"),
		notNull(timeField("created", "a.created", instant)),
		notNull(timeField("modified", "a.modified", instant)),
		textField("uuid", "a.stable_identity", 0),
	}
}
