package configuration

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"github.com/muster-engine/muster/engine/connector/secret"
)

// secretMembers are the parts of names by which a member of connectorAttributes is taken for a secret.
var secretMembers = []string{"password", "secret", "token", "credential", "privatekey", "passphrase", "apikey"}

// validateSecrets refuses secrets in the configuration: they must be references.
func validateSecrets(attributes json.RawMessage) error {
	if isNone(attributes) {
		return nil
	}
	var members map[string]json.RawMessage
	if err := json.Unmarshal(attributes, &members); err != nil {
		return errors.New("connectorAttributes: an object is expected")
	}
	for name, value := range members {
		var text string
		if json.Unmarshal(value, &text) != nil || text == "" {
			continue // a number or a flag about a secret
		}
		folded := strings.ToLower(name)
		named := slices.ContainsFunc(secretMembers, func(part string) bool { return strings.Contains(folded, part) })
		if !named && !hasPassword(text) {
			continue
		}
		if _, _, err := secret.Parse(text); err != nil || hasPassword(text) {
			if err == nil {
				err = errors.New("a URL with a password in it is a secret: give a reference, env:NAME or file:PATH")
			}
			return fmt.Errorf("connectorAttributes.%s: %w", name, err)
		}
	}
	return nil
}

// hasPassword reports whether a text is a URL with a password in it.
func hasPassword(text string) bool {
	parsed, err := url.Parse(text)
	if err != nil || parsed.User == nil {
		return false
	}
	_, has := parsed.User.Password()
	return has
}
