package httpapi

import (
	"errors"
	"net/http"
	"slices"
	"strings"

	"github.com/muster-engine/muster/engine"
	"github.com/muster-engine/muster/engine/right"
	"github.com/muster-engine/muster/store"
)

var entitlementOperations = []operation{
	{
		id: "listEntitlements", method: http.MethodGet, path: "/entitlements", versions: notV3,
		query:  []string{"account-id", "segmented-for-identity", "for-segment-ids", "include-unsegmented"},
		list:   &listing{schema: store.EntitlementSchema(false), example: `attribute eq "memberOf"`},
		handle: (*Handler).listEntitlements,
	},
	{
		id: "getEntitlement", method: http.MethodGet, path: "/entitlements/{id}", versions: notV3,
		handle: (*Handler).getEntitlement,
	},
	{
		id: "patchEntitlement", method: http.MethodPatch, path: "/entitlements/{id}", versions: notV3,
		handle: (*Handler).patchEntitlement,
	},
	{
		id: "listEntitlementsByIdentity", method: http.MethodGet, path: "/entitlements/identities/{id}/entitlements",
		versions: since2024, query: pageQuery, handle: (*Handler).listIdentityEntitlements,
	},
}

// entitlementShape is an entitlement as the API has it.
type entitlementShape struct {
	*engine.Entitlement
	Created  timestamp `json:"created"`
	Modified timestamp `json:"modified"`
	// What the engine does not know of entitlements is empty.
	AdditionalOwners  []engine.Reference `json:"additionalOwners"`
	Attributes        struct{}           `json:"attributes"`
	DirectPermissions []struct{}         `json:"directPermissions"`
}

func shapeEntitlement(e *engine.Entitlement) entitlementShape {
	return entitlementShape{Entitlement: e, Created: timestamp(e.Created), Modified: timestamp(e.Modified),
		AdditionalOwners: []engine.Reference{}, DirectPermissions: []struct{}{}}
}

func (h *Handler) listEntitlements(c *call) error {
	q, page, err := c.pageParams()
	if err != nil {
		return err
	}
	params := engine.EntitlementParams{PageParams: page, Account: q.text("account-id")}
	if err := h.segmentsOf(c, q, &params); err != nil {
		return err
	}
	if params.Account != "" {
		if strings.TrimSpace(params.Filters) != "" || params.Segmented || q.text("include-unsegmented") != "" {
			return illegalValue.with("account-id: it excludes filters and the parameters of segments")
		}
		id, known := knownID(params.Account)
		if !known {
			return noReferenced.with(`Referenced account "` + params.Account + `" was not found.`)
		}
		params.Account = id
		// What an account holds is seen with the right to see it, also by this way.
		seen := right.Decide("getAccountEntitlements", editionOf(c.version), c.principal.caller())
		if seen.Range == right.Nobody {
			return &engine.Error{Kind: engine.Forbidden, Op: c.operation.id, Err: errors.New(seen.Reason)}
		}
	}
	list, err := h.engine.ListEntitlements(c.Context(), params)
	if params.Account != "" && engine.KindOf(err) == engine.NotFound {
		return noReferenced.with(`Referenced account "` + params.Account + `" was not found.`)
	}
	return answerPage(c, list, err, shapeEntitlement)
}

// segmentsOf reads the parameters of segments. Nobody is in a segment here, so that an identity sees the entitlements
// that are in none.
func (h *Handler) segmentsOf(c *call, q query, params *engine.EntitlementParams) error {
	identity, err := c.self("segmented-for-identity", q.text("segmented-for-identity"))
	if err != nil {
		return err
	}
	for segment := range strings.SplitSeq(q.text("for-segment-ids"), ",") {
		if segment = strings.TrimSpace(segment); segment != "" {
			params.Segments = append(params.Segments, segment)
		}
	}
	params.Segmented, params.Unsegmented = identity != "" || len(params.Segments) > 0, true
	if q.text("include-unsegmented") != "" {
		if params.Unsegmented, err = q.truth("include-unsegmented"); err != nil {
			return err
		}
	}
	switch {
	case identity != "" && len(params.Segments) > 0:
		return illegalValue.with("segmented-for-identity and for-segment-ids exclude each other")
	case !params.Segmented && !params.Unsegmented:
		return illegalValue.with("include-unsegmented: false needs for-segment-ids or segmented-for-identity")
	case identity == "":
		return nil
	}
	if own, known := knownID(c.principal.IdentityID); known {
		if asked, _ := knownID(identity); asked != own {
			return illegalValue.with("segmented-for-identity: it names another user")
		}
	}
	return nil
}

func (h *Handler) getEntitlement(c *call) error {
	entitlement, err := h.engine.GetEntitlement(c.Context(), c.PathValue("id"))
	if err != nil {
		return err
	}
	c.respond(http.StatusOK, shapeEntitlement(&entitlement))
	return nil
}

// entitlementFields are the members of an entitlement that a PATCH may change.
var entitlementFields = []string{"requestable", "privileged", "segments", "owner", "name", "description",
	"manuallyUpdatedFields"}

func (h *Handler) patchEntitlement(c *call) error {
	patch, err := c.patch()
	if err != nil {
		return err
	}
	entitlement, err := h.engine.GetEntitlement(c.Context(), c.PathValue("id"))
	if err != nil {
		return err
	}
	before, err := membersOf(encode(shapeEntitlement(&entitlement)))
	if err != nil {
		return err
	}
	after, err := patch.of(before)
	if err != nil {
		return err
	}
	update, err := entitlementUpdate(before, after)
	if err != nil {
		return err
	}
	updated, err := h.engine.UpdateEntitlement(c.Context(), c.PathValue("id"), update)
	if update.Owner != nil && engine.KindOf(err) == engine.NotFound && subjectOf(err) == *update.Owner {
		return noReferenced.with(`Referenced identity "` + *update.Owner + `" was not found.`)
	}
	if err != nil {
		return err
	}
	c.respond(http.StatusOK, shapeEntitlement(&updated))
	return nil
}

// entitlementUpdate returns what makes of an entitlement what it is after a patch.
func entitlementUpdate(before, after object) (engine.EntitlementUpdate, error) {
	var u engine.EntitlementUpdate
	for _, name := range changed(before, after) {
		if !slices.Contains(entitlementFields, name) {
			return u, illegalValue.with("/" + name + ": this cannot be changed: only " +
				strings.Join(entitlementFields, ", ") + " can")
		}
		if err := entitlementMember(&u, name, before[name], after[name]); err != nil {
			return u, err
		}
	}
	return u, nil
}

// entitlementMember adds the change of one member.
func entitlementMember(u *engine.EntitlementUpdate, name string, before, after any) error {
	wrong := func(expected string) error { return illegalValue.with("/" + name + ": " + expected + " is expected") }
	switch name {
	case "requestable", "privileged":
		flag, ok := after.(bool)
		if !ok && after != nil {
			return wrong("true or false")
		}
		if name == "privileged" {
			u.Privileged = &flag
		} else {
			u.Requestable = &flag
		}
	case "name":
		text, ok := after.(string)
		if !ok {
			return wrong("a text")
		}
		u.Name = &text
	case "description":
		text, ok := after.(string)
		if !ok && after != nil {
			return wrong("a text")
		}
		u.Description = &text
	case "segments":
		list, ok := after.([]any)
		if !ok && after != nil {
			return wrong("a list of texts")
		}
		segments := make([]string, len(list))
		for i := range list {
			if segments[i], ok = list[i].(string); !ok {
				return wrong("a list of texts")
			}
		}
		u.Segments = &segments
	case "manuallyUpdatedFields":
		fields, ok := after.(object)
		if !ok {
			return wrong("an object")
		}
		u.ManuallyUpdated = map[string]bool{}
		for field, value := range fields {
			if u.ManuallyUpdated[field], ok = value.(bool); !ok {
				return wrong("an object with true or false")
			}
		}
	case "owner":
		return entitlementOwner(u, before, after)
	}
	return nil
}

// entitlementOwner adds the change of the owner. Its type is IDENTITY; a name that is given is the real one, but that
// clients which change the ID alone leave the name of the owner before.
func entitlementOwner(u *engine.EntitlementUpdate, before, after any) error {
	id := ""
	if after != nil {
		owner, ok := after.(object)
		if !ok {
			return illegalValue.with("/owner: an object is expected")
		}
		if kind, given := owner["type"]; given && kind != "IDENTITY" {
			return illegalValue.with("/owner/type: IDENTITY is expected")
		}
		if id, ok = owner["id"].(string); !ok || id == "" {
			return illegalValue.with("/owner/id: the ID of an identity is expected")
		}
		if was, ok := before.(object); ok && was["id"] == id {
			return nil
		}
	}
	u.Owner = &id
	return nil
}

// identityEntitlement is an entitlement of an identity, as the API has it there.
type identityEntitlement struct {
	ObjectRef engine.Reference `json:"objectRef"`
	Tags      []string         `json:"tags"`
}

func (h *Handler) listIdentityEntitlements(c *call) error {
	_, params, err := c.pageParams()
	if err != nil {
		return err
	}
	id, err := c.idIn("id")
	if err != nil {
		return err
	}
	page, err := h.engine.ListEntitlements(c.Context(), engine.EntitlementParams{PageParams: params, Identity: id})
	return answerPage(c, page, err, func(e *engine.Entitlement) identityEntitlement {
		return identityEntitlement{engine.Reference{Type: engine.OwnedEntitlement, ID: e.ID, Name: e.Name}, []string{}}
	})
}

// subjectOf returns what an error is about, "" where it does not say.
func subjectOf(err error) string {
	var known *engine.Error
	if errors.As(err, &known) {
		return known.Subject
	}
	return ""
}
