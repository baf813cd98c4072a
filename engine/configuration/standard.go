package configuration

import (
	"maps"
	"slices"
)

// standardAttributes are the identity attributes that every tenant has without defining them. The value says whether
// identities are found by the attribute.
var standardAttributes = map[string]bool{
	"uid": true, "displayName": true, "firstname": false, "lastname": false, "email": true, "personalEmail": true,
	"phone": false, "workPhone": false, "identificationNumber": true, "manager": false, "cloudLifecycleState": false,
	"preferredName": false, "location": false, "department": false, "iplanet-am-user-alias-list": false,
	"nextProcessing": false,
}

// systemAttributes are the identity attributes that the engine alone writes: no mapping may name them.
var systemAttributes = map[string]bool{
	"cloudStatus": true, "internalCloudStatus": true, "cloudAuthoritativeSource": true, "identityState": true,
	"lastSyncDate": true, "lastLoginTimestamp": true,
}

// builtInStates are the lifecycle states that every profile has, whether it lists them or not, with the identity state
// of each.
var builtInStates = map[string]string{"active": "ACTIVE", "inactive": "INACTIVE_SHORT_TERM"}

// IsStandardAttribute reports whether every tenant has an identity attribute without defining it. It is for package
// engine.
func IsStandardAttribute(name string) bool {
	_, standard := standardAttributes[name]
	return standard
}

// StandardAttributes returns the identity attributes that every tenant has without defining them, sorted. It is for
// package engine.
func StandardAttributes() []string { return slices.Sorted(maps.Keys(standardAttributes)) }

// SystemAttributes returns the identity attributes that the engine alone writes, sorted. It is for package engine.
func SystemAttributes() []string { return slices.Sorted(maps.Keys(systemAttributes)) }

// AttributeNames returns the names of all identity attributes, sorted: those that are defined, and those that every
// tenant has. It is for package engine.
func (c *Configuration) AttributeNames() []string {
	names := slices.Concat(slices.Collect(maps.Keys(c.Attributes)), StandardAttributes(), SystemAttributes())
	slices.Sort(names)
	return slices.Compact(names)
}

// IsSystemAttribute reports whether the engine alone writes an identity attribute, so that no mapping may name it. It
// is for package engine.
func IsSystemAttribute(name string) bool { return systemAttributes[name] }
