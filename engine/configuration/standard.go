package configuration

import (
	"github.com/muster-engine/muster/store"
)

// StandardAttributes are the identity attributes that every tenant has without defining them, and of those the ones
// that identities are found by.
var StandardAttributes = map[string]bool{
	"uid": true, "displayName": true, "firstname": false, "lastname": false, "email": true, "personalEmail": true,
	"phone": false, "workPhone": false, "identificationNumber": true, "manager": false, "cloudLifecycleState": false,
	"preferredName": false, "location": false, "department": false, "iplanet-am-user-alias-list": false,
	"nextProcessing": false,
}

// SystemAttributes are written by the engine alone: no mapping may name them.
var SystemAttributes = map[string]bool{
	"cloudStatus": true, "internalCloudStatus": true, "cloudAuthoritativeSource": true, "identityState": true,
	"lastSyncDate": true, "lastLoginTimestamp": true,
}

func ValidAttributeName(name string) bool { return store.ValidAttributeName(name) }

// The lifecycle states that every profile has, whether it lists them or not, with the identity state of each.
var builtInStates = map[string]string{"active": "ACTIVE", "inactive": "INACTIVE_SHORT_TERM"}
