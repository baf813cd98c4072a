package console

import (
	"net/http"
	"slices"
	"strings"

	access "github.com/muster-engine/muster/engine/right"
)

// right is what a visitor may be allowed to do.
type right string

// The rights of the console.
const (
	read         right = "read identities, access and history"
	readOwn      right = "read what there is about oneself"
	readAccounts right = "read accounts"
	readRoles    right = "read roles"
	readProfiles right = "read access profiles"
	// Identity profiles calculate everybody.
	readIdentityProfiles right = "read identity profiles"
	editIdentityProfiles right = "change identity profiles"

	setState           right = "set lifecycle states"
	remove             right = "delete identities"
	configure          right = "change the configuration"
	seeHealth          right = "see the health"
	editSources        right = "change sources"
	setUserLevels      right = "set user levels"
	readConfiguration  right = "read the configuration"
	synchronizeSources right = "synchronize sources"
	aggregateSources   right = "aggregate sources"

	process     right = "process identities"
	invite      right = "invite identities"
	verify      right = "send verifications"
	reset       right = "reset registrations"
	protect     right = "protect identities"
	synchronize right = "synchronize attributes"
	correlate   right = "correlate accounts"
	assign      right = "assign roles"
	seeRuns     right = "see runs"
	endRuns     right = "confirm and cancel runs"
	retry       right = "release operations"
)

// rights says which user levels have a right: those of an operation of the API, with all scopes of the level, or of an
// action that the API does not serve.
var rights = map[right][]string{
	setState:             levelsOf("setLifecycleState"),
	remove:               levelsOf("deleteIdentity"),
	configure:            levelsOf("applyConfiguration"),
	readConfiguration:    levelsOf("readConfiguration"),
	seeHealth:            levelsOf("examineTenant"),
	editSources:          levelsOf("updateSource"),
	setUserLevels:        levelsOf("setUserLevels"),
	synchronizeSources:   levelsOf("syncAttributesForSource"),
	aggregateSources:     levelsOf("importAccounts"),
	read:                 levelsOf("listIdentities"),
	readAccounts:         levelsOf("listAccounts"),
	readOwn:              levelsOf("readOwnIdentity"),
	readRoles:            levelsOf("listRoles"),
	readProfiles:         levelsOf("listAccessProfiles"),
	readIdentityProfiles: levelsOf("listIdentityProfiles"),
	editIdentityProfiles: levelsOf("updateIdentityProfile"),
	process:              levelsOf("startIdentityProcessing"),
	invite:               levelsOf("startIdentitiesInvite"),
	verify:               levelsOf("sendIdentityVerificationAccountToken"),
	reset:                levelsOf("resetIdentity"),
	protect:              levelsOf("protectIdentity"),
	synchronize:          levelsOf("synchronizeAttributesForIdentity"),
	correlate:            levelsOf("correlateAccount"),
	assign:               levelsOf("assignRole"),
	seeRuns:              levelsOf("getTaskStatus"),
	endRuns:              levelsOf("confirmTask"),
	retry:                levelsOf("releaseOperation"),
}

func levelsOf(operation string) []string {
	levels := access.Of(operation).UserLevels(access.Since2024)
	list := make([]string, len(levels))
	for i, level := range levels {
		list[i] = string(level)
	}
	return list
}

// may reports whether the visitor has a right.
func (v *visit) may(needed right) bool {
	return v.principal != nil && slices.ContainsFunc(v.principal.Levels, func(level string) bool {
		return slices.Contains(rights[needed], level)
	})
}

// offers reports whether a page shows the button of an action: its request would be allowed.
func (v *visit) offers(needed right) bool { return !v.h.config.ReadOnly && v.may(needed) }

// forbidden is the error that the visitor lacks a right. It names the levels that have it.
func (v *visit) forbidden(needed right) error {
	return &pageError{status: http.StatusForbidden,
		key:       "Your user levels do not allow this. It needs one of: %s.",
		arguments: []any{strings.Join(rights[needed], ", ")}}
}
