package store

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
)

// The types of what identities have.
const (
	SearchEntitlement   = "ENTITLEMENT"
	SearchRole          = "ROLE"
	SearchAccessProfile = "ACCESS_PROFILE"
)

// accessForm is how a table has what identities have: its columns, for what is found and for what is shown.
type accessForm struct {
	kind                            string
	table, row                      string // the table, and the name of its row
	joined                          string // what the columns need beside the table
	key                             string // of the name
	sourceID, sourceName, sourceKey string
	attribute, value                string
	privileged                      string
	enabled, requestable            string
}

const (
	noID   = `NULL::uuid`
	noText = `NULL::text COLLATE "C"`
)

var (
	entitlementForm = accessForm{kind: SearchEntitlement, table: "entitlements", row: "e",
		joined: ` JOIN muster.sources s ON s.id = e.source_id`, key: foldSQL(`e.name`), sourceID: "s.id",
		sourceName: "s.name", sourceKey: "s.name_key", attribute: "e.attribute", value: "e.value",
		privileged: flag(`e.document`, `privileged`), enabled: "true", requestable: flag(`e.document`, `requestable`)}
	roleForm = accessForm{kind: SearchRole, table: "roles", row: "c", key: "c.name_key", sourceID: noID,
		sourceName: noText, sourceKey: noText, attribute: noText, value: noText, privileged: "false",
		enabled: "c.enabled", requestable: flag(`c.document`, `requestable`)}
	profileForm = accessForm{kind: SearchAccessProfile, table: "access_profiles", row: "o",
		joined: ` LEFT JOIN LATERAL (SELECT s.id, s.name, s.name_key FROM ` + profileSource + `) s ON true`,
		key:    "o.name_key", sourceID: "s.id", sourceName: "s.name", sourceKey: "s.name_key", attribute: noText,
		value: noText, privileged: "false", enabled: profileEnabled,
		requestable: unlessFalse(`o.document`, `requestable`)}
)

// columns are those of the rows of access that are found, but for whose they are and when they end.
func (f *accessForm) columns() string {
	column := func(name string) string { return f.row + `.` + name }
	document := column("document")
	return `'` + f.kind + `'::text COLLATE "C" AS type, ` + strings.Join([]string{
		column("id"), column("name"), f.key + ` AS name_key`, `(` + document + ` ->> 'description') AS description`,
		f.sourceID + ` AS source_id`, f.sourceName + ` AS source_name`, f.sourceKey + ` AS source_key`,
		f.attribute + ` AS attribute`, f.value + ` AS value`, f.privileged + ` AS privileged`,
		`(` + document + ` -> 'owner' ->> 'id') AS owner_id`, `(` + document + ` -> 'owner' ->> 'name') AS owner_name`,
		f.enabled + ` AS enabled`, f.requestable + ` AS requestable`}, `, `)
}

// join joins the table by its ID, with what the columns need.
func (f *accessForm) join(id string) string {
	return ` JOIN muster.` + f.table + ` ` + f.row + ` ON ` + f.row + `.id = ` + id + f.joined
}

// accessRows are what identities have: entitlements of their accounts, roles that they hold, and the access profiles of
// these and of their lifecycle states.
func (setup *SearchSetup) accessRows() string {
	held := ` WHERE (a.start_date IS NULL OR a.start_date <= '` + setup.Now.UTC().Format(time.RFC3339Nano) +
		`'::timestamptz)`
	rows := `(SELECT a.identity_id, ` + entitlementForm.columns() + `, NULL::timestamptz AS remove_date
		FROM muster.accounts a
		JOIN muster.account_entitlements k ON k.account_id = a.id` + entitlementForm.join("k.entitlement_id") + `
		WHERE a.identity_id IS NOT NULL
		UNION ALL
		SELECT a.identity_id, ` + roleForm.columns() + `, a.remove_date
		FROM muster.role_assignments a` + roleForm.join("a.role_id") + held
	if len(setup.RoleProfiles) > 0 {
		roles, profiles := make([]ID, len(setup.RoleProfiles)), make([]ID, len(setup.RoleProfiles))
		for i, p := range setup.RoleProfiles {
			roles[i], profiles[i] = p.RoleID, p.ProfileID
		}
		rows += `
		UNION ALL
		SELECT a.identity_id, ` + profileForm.columns() + `, a.remove_date
		FROM muster.role_assignments a
		JOIN unnest(` + idList(roles) + `, ` + idList(profiles) + `) g (role_id, profile_id) ON g.role_id = a.role_id` +
			profileForm.join("g.profile_id") + held
	}
	if len(setup.StateProfiles) > 0 {
		var given []string
		for _, p := range setup.StateProfiles {
			given = append(given, fmt.Sprintf(`('%s'::uuid, %s, '%s'::uuid)`, p.IdentityProfileID, literal(p.State),
				p.ProfileID))
		}
		rows += `
		UNION ALL
		SELECT a.id, ` + profileForm.columns() + `, NULL::timestamptz
		FROM muster.identities a
		JOIN (VALUES ` + strings.Join(given, `, `) + `) g (identity_profile_id, state, profile_id)
		  ON g.identity_profile_id = a.profile_id AND g.state = a.lifecycle_state` + profileForm.join("g.profile_id")
	}
	return rows + `)`
}

// accountRows are the accounts a of identities, with their source s and whether they are disabled.
func (setup *SearchSetup) accountRows() string {
	disabled := `false`
	join := ``
	if len(setup.Statuses) > 0 {
		var given []string
		for _, status := range setup.Statuses {
			given = append(given, fmt.Sprintf(`('%s'::uuid, %s, %s)`, status.SourceID, literal(status.Attribute),
				literal(status.Value)))
		}
		join = ` LEFT JOIN (VALUES ` + strings.Join(given, `, `) + `) t (source_id, attribute, value)
		  ON t.source_id = a.source_id`
		disabled = `coalesce(a.attributes ->> t.attribute = t.value, false)`
	}
	return `(SELECT a.identity_id, a.id, a.name, a.native_identity, a.source_id, s.name AS source_name,
		    s.name_key AS source_key, (s.document ->> 'connector') AS source_type, ` + disabled + ` AS disabled,
		    coalesce(a.attributes ->> 'IIQLocked' = 'true', false) AS locked, a.manually_correlated, a.attributes,
		    a.created, a.modified
		FROM muster.accounts a
		JOIN muster.sources s ON s.id = a.source_id` + join + `)`
}

// SearchAccess is something that identities have, as the nested list access shows it.
type SearchAccess struct {
	Type             string
	ID               ID
	Name             string
	Description      *string
	SourceID         ID
	SourceName       *string
	Attribute, Value *string
	Privileged       bool
	OwnerID          *string
	OwnerName        *string
	Enabled          bool
	Requestable      bool
}

// shown returns the statement that reads rows of [SearchAccess].
func (f *accessForm) shown() string {
	document := f.row + `.document`
	return `SELECT ` + strings.Join([]string{`'` + f.kind + `'::text`, f.row + `.id`, f.row + `.name`,
		document + ` ->> 'description'`, f.sourceID, f.sourceName, f.attribute, f.value, f.privileged,
		document + ` -> 'owner' ->> 'id'`, document + ` -> 'owner' ->> 'name'`, f.enabled, f.requestable}, `, `) + `
		FROM muster.` + f.table + ` ` + f.row + f.joined + `
		WHERE ` + f.row + `.id = ANY ($1)`
}

var shownEntitlements, shownRoles, shownProfiles = entitlementForm.shown(), roleForm.shown(), profileForm.shown()

// SearchAccess returns entitlements, roles and access profiles with some IDs, in no order. It takes one exchange with
// the server, and none where there are no IDs.
func (s *Store) SearchAccess(ctx context.Context, q Querier, entitlements, roles, profiles []ID) ([]SearchAccess,
	error,
) {
	var batch pgx.Batch
	parts := []struct {
		statement string
		ids       []ID
		list      []SearchAccess
	}{{shownEntitlements, entitlements, nil}, {shownRoles, roles, nil}, {shownProfiles, profiles, nil}}
	for i := range parts {
		if p := &parts[i]; len(p.ids) > 0 {
			queueRows(&batch, s.sql(p.statement), pgx.RowToStructByPos[SearchAccess], &p.list, p.ids)
		}
	}
	if batch.Len() == 0 {
		return nil, nil
	}
	err := q.SendBatch(ctx, &batch).Close()
	return slices.Concat(parts[0].list, parts[1].list, parts[2].list), mapError(err)
}
