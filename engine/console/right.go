package console

import (
	"net/http"
	"slices"
	"strings"
)

// right is what a visitor may be allowed to do.
type right string

// The rights of the console.
const (
	read        right = "read identities, access and history"
	process     right = "process identities"
	invite      right = "invite identities"
	verify      right = "send verifications"
	reset       right = "reset registrations"
	protect     right = "protect identities"
	synchronize right = "synchronize attributes"
	seeRuns     right = "see runs"
	endRuns     right = "confirm and cancel runs"
	retry       right = "release operations"
)

// The user levels that the console knows.
const (
	orgAdmin       = "ORG_ADMIN"
	helpdesk       = "HELPDESK"
	sourceAdmin    = "SOURCE_ADMIN"
	sourceSubadmin = "SOURCE_SUBADMIN"
	roleAdmin      = "ROLE_ADMIN"
	roleSubadmin   = "ROLE_SUBADMIN"
	reportAdmin    = "REPORT_ADMIN"
	certAdmin      = "CERT_ADMIN"
)

var everyLevel = []string{orgAdmin, helpdesk, sourceAdmin, sourceSubadmin, roleAdmin, roleSubadmin, reportAdmin,
	certAdmin}

// rights says which user levels have a right. It is the same as that of the Identities API where the API has the
// operation, but for deletion and reset, which a session's scopes decide there.
//
// This table moves to the one of rights that all faces share (engine/right), as soon as that is there.
var rights = map[right][]string{
	read:        everyLevel,
	process:     {orgAdmin, helpdesk},
	invite:      {orgAdmin, helpdesk},
	verify:      {orgAdmin, helpdesk},
	reset:       {orgAdmin, helpdesk},
	protect:     {orgAdmin},
	synchronize: {orgAdmin},
	seeRuns:     everyLevel,
	endRuns:     {orgAdmin},
	retry:       {orgAdmin, helpdesk, sourceAdmin},
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
