package configuration

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

// IsSystemAttribute reports whether the engine alone writes an identity attribute, so that no mapping may name it. It
// is for package engine.
func IsSystemAttribute(name string) bool { return systemAttributes[name] }
