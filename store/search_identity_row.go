package store

import (
	"context"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
)

// SearchIdentity is what a document of an identity has of its row, and of those that it refers to.
type SearchIdentity struct {
	ID                ID
	Alias, Name       string
	Email             *string
	Created, Modified time.Time
	Protected         bool
	Correlated        bool
	CloudStatus       string
	Inactive          bool
	LifecycleState    *string
	ProcessingState   *string
	ProcessingError   *string
	ManagerID         ID
	ManagerAlias      *string
	ManagerName       *string
	IsManager         bool
	ProfileID         ID
	ProfileName       *string
	SourceID          ID
	SourceName        *string
	Attributes        []byte
	AccountCount      int
	FallbackApprover  bool
}

// SearchAccount is an account of an identity.
type SearchAccount struct {
	IdentityID           ID
	ID                   ID
	Name, NativeIdentity string
	SourceID             ID
	SourceName           string
	SourceType           *string
	Disabled, Locked     bool
	ManuallyCorrelated   bool
	Attributes           []byte
	Created, Modified    time.Time
}

// SearchOwned is an object that an identity owns, with the member of the document that has it.
type SearchOwned struct {
	OwnerID  ID
	List     string
	ObjectID string
	Name     string
}

// SearchHolding is something that an identity has by a row of its own: a role, or an entitlement of an account.
type SearchHolding struct {
	IdentityID ID
	ID         ID // of the role or the entitlement
	RemoveDate *time.Time
}

// SearchIdentityRows is what the documents of identities have of the tables, but for what describes their access.
type SearchIdentityRows struct {
	Identities          []SearchIdentity
	Owned               []SearchOwned   // by identity, list and name
	Roles, Entitlements []SearchHolding // roles that are held now; what two accounts have is there twice
	Accounts            []SearchAccount // by identity and ID; none if they were not asked for
}

var searchIdentities = unquestioned(`
	SELECT i.id, i.alias, i.name, i.email, i.created, i.modified, i.protected, i.correlated, i.cloud_status,
	       ` + inactiveSQL + `, i.lifecycle_state, i.processing_state, i.processing_error, i.manager_id, m.alias,
	       m.name, ` + isManagerSQL + `, i.profile_id, p.name, s.id, s.name, i.attributes, ` + accountCountSQL + `,
	       ` + fallbackApproverSQL + `
	FROM muster.identities i
	LEFT JOIN muster.identities m ON m.id = i.manager_id
	LEFT JOIN muster.identity_profiles p ON p.id = i.profile_id
	LEFT JOIN muster.sources s ON s.id = p.authoritative_source_id
	WHERE i.id = ANY ($1)`)

var searchOwned = func() string {
	var parts []string
	for _, list := range ownedLists {
		id := list.id
		if id == "" {
			id = uuidText("o.id")
		}
		parts = append(parts, `SELECT i.id, '`+list.name+`', `+id+`, o.name
		FROM unnest($1::uuid[]) i (id), `+list.from)
	}
	return strings.Join(parts, ` UNION ALL `) + ` ORDER BY 1, 2, 4, 3`
}()

const (
	searchRolesHeld = `
		SELECT a.identity_id, a.role_id, a.remove_date
		FROM muster.role_assignments a
		WHERE a.identity_id = ANY ($1) AND (a.start_date IS NULL OR a.start_date <= $2)`
	searchEntitlementsHeld = `
		SELECT a.identity_id, k.entitlement_id, NULL::timestamptz
		FROM muster.accounts a
		JOIN muster.account_entitlements k ON k.account_id = a.id
		WHERE a.identity_id = ANY ($1)`
)

// SearchIdentityRows returns what the documents of identities have of the tables, with their accounts if these are
// asked for. It takes one exchange with the server.
func (s *Store) SearchIdentityRows(ctx context.Context, q Querier, setup *SearchSetup, ids []ID, accounts bool) (
	rows SearchIdentityRows, err error,
) {
	var batch pgx.Batch
	queueRows(&batch, s.sql(searchIdentities), pgx.RowToStructByPos[SearchIdentity], &rows.Identities, ids)
	queueRows(&batch, s.sql(searchOwned), pgx.RowToStructByPos[SearchOwned], &rows.Owned, ids)
	queueRows(&batch, s.sql(searchRolesHeld), pgx.RowToStructByPos[SearchHolding], &rows.Roles, ids, setup.Now)
	queueRows(&batch, s.sql(searchEntitlementsHeld), pgx.RowToStructByPos[SearchHolding], &rows.Entitlements, ids)
	if accounts {
		// The text has the configuration's statuses of accounts.
		statement := s.dynamic(unquestioned(`
			SELECT x.identity_id, x.id, x.name, x.native_identity, x.source_id, x.source_name, x.source_type,
			       x.disabled, x.locked, x.manually_correlated, x.attributes, x.created, x.modified
			FROM ` + setup.accountRows() + ` x
			WHERE x.identity_id = ANY ($1)
			ORDER BY x.identity_id, x.id`))
		queueRows(&batch, statement, pgx.RowToStructByPos[SearchAccount], &rows.Accounts, ids)
	}
	return rows, mapError(q.SendBatch(ctx, &batch).Close())
}

// unquestioned makes of a text for squirrel one for the database: a question mark is written twice there.
func unquestioned(text string) string { return strings.ReplaceAll(text, `??`, `?`) }
