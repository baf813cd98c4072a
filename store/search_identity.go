package store

import (
	"strings"

	"github.com/muster-engine/muster/filterql/searchql"
)

// identityWords is the index over the words of an identity.
const identityWords = "i.words"

const (
	searchManager = `muster.identities m WHERE m.id = i.manager_id`
	searchProfile = `muster.identity_profiles p WHERE p.id = i.profile_id`
	searchSource  = `muster.identity_profiles p JOIN muster.sources s ON s.id = p.authoritative_source_id
		WHERE p.id = i.profile_id`

	accountCountSQL     = `(SELECT count(*) FROM muster.accounts a WHERE a.identity_id = i.id)`
	entitlementCountSQL = `(SELECT count(DISTINCT k.entitlement_id) FROM muster.accounts a
		JOIN muster.account_entitlements k ON k.account_id = a.id WHERE a.identity_id = i.id)`
	inactiveSQL = `coalesce(i.identity_state IN ('INACTIVE_SHORT_TERM', 'INACTIVE_LONG_TERM'), false)`
)

// accessCountSQL counts what an identity has of some types.
func (setup *SearchSetup) accessCountSQL(condition string) string {
	return `(SELECT count(DISTINCT (x.type, x.id)) FROM ` + setup.accessRows() + ` x
		WHERE x.identity_id = i.id` + condition + `)`
}

// ownedLists are the members of the owned objects of an identity, with the rows o that have them.
var ownedLists = []struct{ name, from, id string }{
	{"accessProfiles", configuredOwned("access_profiles"), ""},
	{"roles", configuredOwned("roles"), ""},
	{"sources", configuredOwned("sources"), ""},
	{"apps", registeredOwned("APPLICATION"), "o.object_id"},
	{"entitlements", registeredOwned("ENTITLEMENT"), "o.object_id"},
	{"governanceGroups", registeredOwned("GOVERNANCE_GROUP"), "o.object_id"},
}

func configuredOwned(table string) string {
	owner := strings.ReplaceAll(ownerSQL, "document", "o.document")
	return `muster.` + table + ` o WHERE ` + owner + ` = replace(i.id::text, '-', '')`
}

func registeredOwned(kind string) string {
	return `muster.owned_objects o WHERE o.owner_id = i.id AND o.kind = '` + kind + `'`
}

// fallbackApproverSQL says whether an identity approves what has no other approver.
var fallbackApproverSQL = `EXISTS (SELECT 1 FROM ` + registeredOwned("FALLBACK_APPROVER") + `)`

func ownedFields() []searchql.Field {
	var fields []searchql.Field
	var counts []string
	for _, list := range ownedLists {
		id := searchID("owns."+list.name+".id", "o.id")
		name := searchKeyed("owns."+list.name+".name", "o.name", "o.name_key")
		if list.id != "" { // a host's own: any text identifies it
			id = searchText(id.Name, list.id)
			name = searchText(name.Name, "o.name")
		}
		fields = append(fields, with(id, each(list.from)), with(name, each(list.from)))
		counts = append(counts, `(SELECT count(*) FROM `+list.from+`)`)
	}
	count := searchNumber("ownsCount", `(`+strings.Join(counts, ` + `)+`)`)
	return append(fields, count, searchFlag("owns.fallbackApprover", `nullif(`+fallbackApproverSQL+`, false)`))
}

// identityIndex has the identities as the product's documents show them, with their accounts and their access as nested
// lists.
func identityIndex(setup *SearchSetup) (*SearchIndex, error) {
	fields := []searchql.Field{
		with(searchID("id", "i.id"), bare, indexed, sorted, neverNull),
		with(searchKeyed("name", "i.alias", "i.alias_key"), bare, indexed, sorted, neverNull,
			worded(identityWords, "name", true)),
		with(searchKeyed("displayName", "i.name", "i.name_key"), bare, indexed, sorted, neverNull,
			worded(identityWords, "displayName", true)),
		with(searchKeyed("firstName", "(i.attributes ->> 'firstname')", "i.firstname_key"), indexed, sorted,
			worded(identityWords, "attributes.firstname", true)),
		with(searchKeyed("lastName", "(i.attributes ->> 'lastname')", "i.lastname_key"), indexed, sorted,
			worded(identityWords, "attributes.lastname", true)),
		with(searchKeyed("email", "i.email", "i.email_key"), bare, indexed, sorted,
			worded(identityWords, "email", true)),
		with(searchTime("created", "i.created"), indexed, neverNull),
		with(searchTime("modified", "i.modified"), neverNull),
		with(searchTime("synced", "i.modified"), neverNull),
		with(searchText("phone", "(i.attributes ->> 'phone')"), sorted,
			worded(identityWords, "attributes.phone", false)),
		with(searchText("employeeNumber", "(i.attributes ->> 'identificationNumber')"), sorted,
			worded(identityWords, "attributes.identificationNumber", false)),
		searchFlag("inactive", inactiveSQL),
		with(searchFlag("protected", "i.protected"), indexed, neverNull),
		with(searchWord("status", "i.cloud_status"), bare, neverNull, oneOf(CloudStatuses...)),
		searchFlag("disabled", "(i.cloud_status = 'DISABLED')"),
		searchFlag("locked", "(i.cloud_status = 'LOCKED')"),
		searchFlag("isManager", isManagerSQL),
		searchFlag("correlated", "i.correlated"),
		searchWord("processingState", "i.processing_state"),
		searchText("processingDetails.message", "i.processing_error"),
		with(searchID("manager.id", "i.manager_id"), indexed, sorted),
		with(searchKeyed("manager.name", "m.alias", "m.alias_key"), bare, in(searchManager),
			worded("m.words", "name", true), elsewhere, all(`muster.identities m`)),
		with(searchKeyed("manager.displayName", "m.name", "m.name_key"), bare, in(searchManager),
			worded("m.words", "displayName", true), elsewhere, all(`muster.identities m`)),
		with(searchID("identityProfile.id", "i.profile_id"), indexed, sorted),
		with(searchKeyed("identityProfile.name", "p.name", "p.name_key"), bare, in(searchProfile),
			all(`muster.identity_profiles p`)),
		with(searchID("source.id", "s.id"), in(searchSource), all(`muster.sources s`)),
		with(searchKeyed("source.name", "s.name", "s.name_key"), bare, in(searchSource), all(`muster.sources s`)),
		searchNumber("accountCount", accountCountSQL),
		searchNumber("entitlementCount", entitlementCountSQL),
		searchNumber("accessCount", setup.accessCountSQL(``)),
		searchNumber("roleCount", setup.accessCountSQL(` AND x.type = 'ROLE'`)),
		searchNumber("accessProfileCount", setup.accessCountSQL(` AND x.type = 'ACCESS_PROFILE'`)),
		searchNumber("appCount", "0"),
		with(searchText("attributes", `(v.value #>> '{}')`), bare, worded(identityWords, "", false),
			each(`jsonb_path_query(i.attributes, '$.*[*]') v (value) WHERE TRUE`)),
	}
	access, err := accessList(setup)
	if err != nil {
		return nil, err
	}
	accounts, err := accountList(setup)
	if err != nil {
		return nil, err
	}
	apps, err := searchql.NewSchema([]searchql.Field{
		searchID("id", "x.id"), searchText("name", "x.name"), searchID("source.id", "x.id"),
		searchText("source.name", "x.name"), searchID("account.id", "x.id"), searchText("account.accountId", "x.name"),
	})
	if err != nil {
		return nil, err
	}
	schema, err := searchql.NewSchema(append(fields, ownedFields()...), access, accounts, searchql.List{Name: "apps",
		From: `(SELECT NULL::uuid AS id, NULL::text COLLATE "C" AS name) x WHERE FALSE`, Indexed: true, ID: "x.id",
		Schema: apps})
	if err != nil {
		return nil, err
	}
	multi := map[string]bool{}
	for _, a := range setup.Attributes {
		multi[a.Name] = a.Multi
	}
	promoted := map[string]string{"firstname": "firstName", "lastname": "lastName", "email": "email"}
	return &SearchIndex{Name: "identities", Type: "identity", table: "muster.identities i", id: "i.id",
		Schema: schema.WithResolver(func(name string) (searchql.Field, bool) {
			attribute, ok := strings.CutPrefix(name, "attributes.")
			if !ok || !ValidAttributeName(attribute) {
				return searchql.Field{}, false
			}
			if column := promoted[attribute]; column != "" {
				f, _ := schema.Field(column)
				f.Name, f.Bare = name, false
				f.Tag = searchql.Tag(name)
				f.Beginnings = attribute != "email"
				f.Column = member("i.attributes", attribute)
				return f, true
			}
			if multi[attribute] {
				return with(searchText(name, `(v.value #>> '{}')`), worded(identityWords, name, false),
					each(`jsonb_path_query(i.attributes, '$."`+attribute+`"[*]') v (value) WHERE TRUE`)), true
			}
			return with(searchText(name, member("i.attributes", attribute)), sorted,
				worded(identityWords, name, false)), true
		})}, nil
}

func accessList(setup *SearchSetup) (searchql.List, error) {
	schema, err := searchql.NewSchema([]searchql.Field{
		with(searchID("id", "x.id"), bare, indexed),
		with(searchKeyed("name", "x.name", "x.name_key"), bare),
		with(searchKeyed("displayName", "x.name", "x.name_key"), bare),
		with(searchText("description", "x.description"), bare),
		searchWord("type", "x.type"),
		with(searchID("source.id", "x.source_id"), indexed),
		with(searchKeyed("source.name", "x.source_name", "x.source_key"), bare),
		searchText("attribute", "x.attribute"),
		with(searchText("value", "x.value"), bare),
		searchFlag("privileged", "x.privileged"),
		ownerField("owner.id", "x.owner_id"),
		searchText("owner.name", "x.owner_name"),
		searchFlag("enabled", "x.enabled"),
		searchFlag("disabled", "(NOT x.enabled)"),
		searchFlag("requestable", "x.requestable"),
		searchTime("removeDate", "x.remove_date"),
	})
	return searchql.List{Name: "access", From: setup.accessRows() + ` x WHERE x.identity_id = i.id`, Indexed: true,
		ID: "x.type, x.id", Schema: schema}, err
}

func accountList(setup *SearchSetup) (searchql.List, error) {
	schema, err := searchql.NewSchema([]searchql.Field{
		with(searchID("id", "x.id"), bare, indexed),
		with(searchText("name", "x.name"), bare),
		with(searchText("accountId", "x.native_identity"), bare),
		searchID("source.id", "x.source_id"),
		with(searchKeyed("source.name", "x.source_name", "x.source_key"), bare),
		searchText("source.type", "x.source_type"),
		searchFlag("disabled", "x.disabled"),
		searchFlag("locked", "x.locked"),
		searchFlag("privileged", "false"),
		searchFlag("manuallyCorrelated", "x.manually_correlated"),
		searchTime("created", "x.created"),
		searchTime("modified", "x.modified"),
	})
	if err != nil {
		return searchql.List{}, err
	}
	schema = schema.WithResolver(func(name string) (searchql.Field, bool) {
		attribute, ok := strings.CutPrefix(name, "accountAttributes.")
		if !ok {
			return searchql.Field{}, false
		}
		// The name has letters, digits, dots, underscores and hyphens alone.
		return with(searchText(name, `(v.value #>> '{}')`),
			each(`jsonb_path_query(x.attributes, '$."`+attribute+`"[*]') v (value) WHERE TRUE`)), true
	})
	return searchql.List{Name: "accounts", From: setup.accountRows() + ` x WHERE x.identity_id = i.id`, Indexed: true,
		ID: "x.id", Schema: schema}, nil
}
