package httpapi

import (
	"encoding/json"
	"net/http"

	"github.com/muster-engine/muster/engine"
	"github.com/muster-engine/muster/engine/attribute"
)

// previewRequest asks what the attributes of an identity would be.
type previewRequest struct {
	IdentityID string          `json:"identityId"`
	Config     json.RawMessage `json:"identityAttributeConfig"`
}

// previewed is the published shape of an attribute that is previewed. Its values are texts.
type previewed struct {
	Name          string         `json:"name"`
	Value         string         `json:"value"`
	PreviousValue string         `json:"previousValue"`
	ErrorMessages []errorMessage `json:"errorMessages"`
}

// previewIdentity calculates the attributes of one identity with another mapping of its profile, and stores nothing.
func (h *Handler) previewIdentity(c *call) error {
	var sent previewRequest
	if err := c.decode(&sent); err != nil {
		return err
	}
	preview, err := h.engine.PreviewAttributes(c.Context(), sent.IdentityID, sent.Config)
	if engine.KindOf(err) == engine.NotFound {
		return noReferenced.with("Referenced identityId was not found.")
	}
	if err != nil {
		return err
	}
	failures := []errorMessage{}
	if preview.Error != "" {
		failures = append(failures, errorMessage{Locale: textLanguage.String(), LocaleOrigin: "DEFAULT",
			Text: preview.Error})
	}
	c.respond(http.StatusOK, object{"identity": preview.Identity,
		"previewAttributes": shapes(preview.Attributes, func(a *engine.PreviewedAttribute) previewed {
			return previewed{a.Name, textOfValue(a.Value), textOfValue(a.Previous), failures}
		})})
	return nil
}

// textOfValue returns a value as a text: "" for none, and a list as JSON.
func textOfValue(value attribute.Value) string {
	if text := value.NullText(); text != nil {
		return *text
	}
	if value.IsNull() {
		return ""
	}
	return string(value.AppendJSON(nil))
}
