package store

import (
	"regexp"
	"strings"

	"github.com/muster-engine/muster/filterql"
)

// AttributeField describes an identity attribute to the filter language.
type AttributeField struct {
	Name  string
	Multi bool
}

// IdentitySchema returns the fields by which identities are filtered and sorted: those that the Identities API
// publishes, and with anyField every other property of an identity and the attributes given too, with all operators.
func IdentitySchema(anyField bool, attributes ...AttributeField) *filterql.Schema {
	if anyField {
		return anySchema(attributes)
	}
	return publishedSchema
}

// RoleMemberSchema returns the fields by which the members of a role are filtered and sorted: those that the API
// publishes, and with anyField every property and attribute of an identity too, as [IdentitySchema] does.
func RoleMemberSchema(anyField bool, attributes ...AttributeField) *filterql.Schema {
	if anyField {
		return anySchema(attributes, keyField("aliasName", "i.alias_key", 0))
	}
	return publishedMembers
}

var publishedSchema = mustSchema(publishedFields())

func mustSchema(fields []filterql.Field) *filterql.Schema {
	schema, err := filterql.NewSchema(fields...)
	if err != nil {
		panic(err) // the fields are constants
	}
	return schema
}

// publishedFields returns the fields that the list operation publishes, with the operators that it allows on each.
func publishedFields() []filterql.Field {
	equal, prefix := filterql.OpsOf(filterql.Eq), filterql.OpsOf(filterql.Eq, filterql.Sw)
	key := func(name, column string, notNull bool) filterql.Field {
		return filterql.Field{
			Name: name, Type: filterql.String, Ops: prefix, Column: column, NotNull: notNull, Sortable: notNull,
			Fold: FoldKey,
		}
	}
	return []filterql.Field{
		{
			Name: "id", Type: filterql.ID, Ops: filterql.OpsOf(filterql.Eq, filterql.In), Column: "i.id", NotNull: true,
			Convert: convertID,
		},
		key("name", "i.name_key", true),
		key("alias", "i.alias_key", true),
		key("firstname", "i.firstname_key", false),
		key("lastname", "i.lastname_key", false),
		key("email", "i.email_key", false),
		{
			Name: "cloudStatus", Type: filterql.String, Ops: equal, Column: "i.cloud_status", NotNull: true,
			Sortable: true, Fold: strings.ToUpper, Values: CloudStatuses,
		},
		{
			Name: "processingState", Type: filterql.String, Ops: equal, Column: "i.processing_state",
			Fold: strings.ToUpper, Values: ProcessingStates,
		},
		{Name: "correlated", Type: filterql.Boolean, Ops: equal, Column: "i.correlated", NotNull: true},
		{Name: "protected", Type: filterql.Boolean, Ops: equal, Column: "i.protected", NotNull: true},
	}
}

// isManagerSQL says whether an identity is a manager: whether another one names it.
const isManagerSQL = `EXISTS (SELECT 1 FROM muster.identities e WHERE e.manager_id = i.id)`

// The identities that have something: what stands before a condition on the rows that say it.
const (
	identityRoleRows  = `i.id IN (SELECT ra.identity_id FROM muster.role_assignments ra WHERE`
	identityRoleNames = `i.id IN (SELECT ra.identity_id FROM muster.role_assignments ra
		JOIN muster.roles ro ON ro.id = ra.role_id WHERE`
	identityAccountRows = `i.id IN (SELECT acc.identity_id FROM muster.accounts acc
		WHERE acc.identity_id IS NOT NULL AND`
	identityAccountNames = `i.id IN (SELECT acc.identity_id FROM muster.accounts acc
		JOIN muster.sources so ON so.id = acc.source_id WHERE acc.identity_id IS NOT NULL AND`
	identityHeldRows = `i.id IN (SELECT acc.identity_id FROM muster.account_entitlements ae
		JOIN muster.accounts acc ON acc.id = ae.account_id WHERE acc.identity_id IS NOT NULL AND`
	identityHeldNames = `i.id IN (SELECT acc.identity_id FROM muster.entitlements ent
		JOIN muster.account_entitlements ae ON ae.entitlement_id = ent.id
		JOIN muster.accounts acc ON acc.id = ae.account_id WHERE acc.identity_id IS NOT NULL AND`

	// isIncompleteSQL says whether an identity lacks a required attribute, as processing warns of it.
	isIncompleteSQL = `(coalesce(i.email_key, '') = '' OR coalesce(i.firstname_key, '') = ''
		OR coalesce(i.lastname_key, '') = '' OR coalesce(i.attributes ->> 'uid', '') = '')`
	// isPendingSQL says whether the processing of an identity is requested.
	isPendingSQL = `EXISTS (SELECT 1 FROM muster.refresh_requests rr WHERE rr.identity_id = i.id)`
)

func anySchema(attributes []AttributeField, more ...filterql.Field) *filterql.Schema {
	fields := append(publishedFields(), more...)
	for i := range fields {
		fields[i].Sortable = true
	}
	text := func(name, column string) filterql.Field {
		fold := Fold
		if strings.HasSuffix(column, "_key") {
			fold = FoldKey
		}
		return filterql.Field{Name: name, Type: filterql.String, Column: column, Sortable: true, Fold: fold}
	}
	identifier := func(name, column string) filterql.Field {
		return idField(name, column, 0)
	}
	instant := func(name, column string) filterql.Field {
		return timeField(name, column, 0)
	}
	upper := func(name, column string, values []string) filterql.Field {
		field := text(name, column)
		field.Fold, field.Values = strings.ToUpper, values
		return field
	}
	fields = append(fields,
		text("displayName", "i.name_key"),
		text("emailAddress", "i.email_key"),
		upper("identityStatus", "i.cloud_status", CloudStatuses),
		upper("identityState", "i.identity_state", IdentityStates),
		text("lifecycleState", foldSQL("i.lifecycle_state")),
		text("lifecycleState.stateName", foldSQL("i.lifecycle_state")),
		filterql.Field{Name: "lifecycleState.manuallyUpdated", Type: filterql.Boolean, Column: "i.lifecycle_manual",
			NotNull: true},
		filterql.Field{Name: "isManager", Type: filterql.Boolean, Column: isManagerSQL, NotNull: true},
		filterql.Field{Name: "orphaned", Type: filterql.Boolean, Column: isOrphanedSQL, NotNull: true},
		identifier("manager.id", "i.manager_id"),
		identifier("managerRef.id", "i.manager_id"),
		text("manager.name", "m.name_key"),
		text("managerRef.name", "m.name_key"),
		identifier("identityProfile.id", "i.profile_id"),
		text("identityProfile.name", "p.name_key"),
		instant("created", "i.created"),
		instant("modified", "i.modified"),
		instant("lastRefresh", lastRefreshSQL),
		flagField("incomplete", isIncompleteSQL, 0),
		flagField("pending", isPendingSQL, 0),
		within(idField("role.id", "ra.role_id", 0), identityRoleRows),
		within(keyField("role.name", "ro.name_key", 0), identityRoleNames),
		within(idField("source.id", "acc.source_id", 0), identityAccountRows),
		within(keyField("source.name", "so.name_key", 0), identityAccountNames),
		within(idField("account.id", "acc.id", 0), identityAccountRows),
		within(textField("account.nativeIdentity", "acc.native_identity", 0), identityAccountRows),
		within(idField("entitlement.id", "ae.entitlement_id", 0), identityHeldRows),
		within(textField("entitlement.name", "ent.name", 0), identityHeldNames),
		within(textField("entitlement.value", "ent.value", 0), identityHeldNames),
	)
	multi := map[string]bool{}
	for _, attribute := range attributes {
		multi[attribute.Name] = attribute.Multi
	}
	for i := range fields {
		fields[i].Ops = filterql.AllOps(fields[i])
	}
	listed := map[string]bool{}
	for i := range fields {
		listed[fields[i].Name] = true
	}
	for _, attribute := range attributes { // so that they are told where a field is unknown
		field, valid := attributeField(attribute.Name, "i.attributes", attribute.Name, attribute.Multi)
		if _, err := filterql.NewSchema(field); valid && err == nil && !listed[field.Name] { // it may be a keyword
			fields = append(fields, field)
		}
	}
	promoted := map[string]bool{"firstname": true, "lastname": true, "email": true, "displayName": true}
	return mustSchema(fields).WithResolver(func(name string) (filterql.Field, bool) {
		attribute := strings.TrimPrefix(name, "attributes.")
		if promoted[attribute] {
			for _, field := range fields {
				if field.Name == attribute {
					field.Name = name
					return field, true
				}
			}
		}
		isMulti, known := multi[attribute]
		if !known {
			return filterql.Field{}, false
		}
		return attributeField(name, "i.attributes", attribute, isMulti)
	})
}

// attributeName is the pattern of the names of identity attributes. One of the published technical names has hyphens.
var attributeName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_-]{0,127}$`)

// ValidAttributeName reports whether name can be the name of an identity attribute: 1 to 128 letters, digits,
// underscores and hyphens, beginning with a letter or an underscore.
func ValidAttributeName(name string) bool { return attributeName.MatchString(name) }

// attributeField returns the field that reads an attribute from a document. The name becomes part of the SQL text, so
// it must match the pattern.
func attributeField(name, document, attribute string, multi bool) (filterql.Field, bool) {
	if !ValidAttributeName(attribute) {
		return filterql.Field{}, false
	}
	field := filterql.Field{Name: name, Type: filterql.String, Multi: multi, Fold: Fold, Sortable: !multi}
	if multi {
		value := document + ` -> '` + attribute + `'`
		field.Column = `(SELECT array_agg(` + foldSQL("e.value") + `) FROM jsonb_array_elements_text(
			CASE jsonb_typeof(` + value + `) WHEN 'array' THEN ` + value + ` END) e)`
	} else {
		field.Column = foldSQL(document + ` ->> '` + attribute + `'`)
	}
	field.Ops = filterql.AllOps(field)
	return field, true
}
