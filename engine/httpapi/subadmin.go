package httpapi

import (
	"slices"
	"strings"

	"github.com/muster-engine/muster/engine"
)

// ofSubadmin narrows a list to what one subadmin may see, where the request asks for that: what he owns. The value is
// the ID of an identity, or me.
func (h *Handler) ofSubadmin(c *call, a *asked, all []object, level string) ([]object, error) {
	named := a.text("for-subadmin")
	if named == "" {
		return all, nil
	}
	if strings.EqualFold(named, "me") {
		named = c.principal.IdentityID
	}
	id, known := knownID(named)
	var levels []string
	if known {
		var err error
		levels, err = h.engine.UserLevels(c.Context(), id)
		if err != nil && engine.KindOf(err) != engine.NotFound {
			return nil, err
		}
	}
	if !slices.Contains(levels, level) {
		return nil, illegalValue.with("for-subadmin: an identity with the user level " + level + ", or me, is expected")
	}
	return slices.DeleteFunc(all, func(o object) bool {
		owner, _ := o["owner"].(object)
		return owner["id"] != id
	}), nil
}

// inSegments narrows a list to the objects of some segments, where the request asks for that.
func (a *asked) inSegments(all []object) ([]object, error) {
	unsegmented := true
	if text := a.text("include-unsegmented"); text != "" {
		var err error
		if unsegmented, err = a.truth("include-unsegmented"); err != nil {
			return nil, err
		}
	}
	given := a.text("for-segment-ids")
	switch {
	case given == "" && !unsegmented:
		return nil, illegalValue.with("include-unsegmented: with false, for-segment-ids is expected")
	case given == "":
		return all, nil
	}
	var wanted []string
	for id := range strings.SplitSeq(given, ",") {
		wanted = append(wanted, plainID(strings.TrimSpace(id)))
	}
	return slices.DeleteFunc(all, func(o object) bool {
		segments := textsOf(o["segments"])
		if len(segments) == 0 {
			return !unsegmented
		}
		return !slices.ContainsFunc(segments, func(id string) bool { return slices.Contains(wanted, plainID(id)) })
	}), nil
}
