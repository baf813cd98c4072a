package configuration

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"github.com/muster-engine/muster/engine/connector"
	"github.com/muster-engine/muster/engine/connector/secret"
)

// secretWords are the words that end the name of a setting which is a secret, where no table says what the setting is:
// clientSecret, bind_password, refreshToken, but not tokenUrl, passwordAttribute or enablePasswordSync.
var secretWords = []string{
	"password", "passwords", "passwd", "pass", "pwd", "passphrase", "passcode", "pin", "secret", "secrets", "token",
	"tokens", "credential", "credentials", "apikey", "privatekey", "authorization", "bearer",
}

// valueWords are the names under which an object that is a secret by its own name has the secret itself.
var valueWords = []string{"value", "values", "text", "plain", "clear", "data", "content", "encrypted"}

// keyWords make a secret of a name that ends with "key" behind them.
var keyWords = []string{"api", "private", "secret", "access", "shared", "account", "encryption", "signing", "storage",
	"ssh", "pgp", "client", "license"}

// secretText is a text with a secret in it, whatever its setting is called: a parameter of a connection, or a private
// key.
var secretText = regexp.MustCompile(`(?i)(?:^|[;&?\s])(?:password|passwd|pwd|client_secret|access_token)\s*=` +
	`\s*[^;&\s]|-----BEGIN [A-Z ]*PRIVATE KEY-----`)

// validateSecrets refuses secrets in the settings of a connector, at any depth: they must be references. The error
// names the setting, and never its value.
func validateSecrets(connector string, attributes json.RawMessage) error {
	if isNone(attributes) {
		return nil
	}
	tree, err := decodeTree(attributes)
	settings, isObject := tree.(map[string]any)
	if err != nil || !isObject {
		return errors.New("connectorAttributes: an object is expected")
	}
	return findSecret(settingsShape(connector), settings, false, []step{{member: "connectorAttributes"}})
}

// findSecret returns an error with a line for each secret in an object. shape is nil where no table lists its members,
// and secretly says that the object has the name of a secret.
func findSecret(shape *Shape, object map[string]any, secretly bool, steps []step) error {
	var faults []error
	for _, name := range slices.Sorted(maps.Keys(object)) {
		var m *Member
		if shape != nil {
			m = shape.member(name)
		}
		isSecret := m == nil && (namesSecret(name) || secretly && slices.Contains(valueWords, strings.ToLower(name))) ||
			m != nil && m.Secret
		var inner *Shape
		if m != nil {
			inner = m.Shape
		}
		at := append(steps[:len(steps):len(steps)], step{member: name})
		faults = append(faults, checkSecret(inner, object[name], isSecret, at))
	}
	return errors.Join(faults...)
}

// checkSecret checks the value of a setting, and what is in it.
func checkSecret(shape *Shape, value any, isSecret bool, steps []step) error {
	switch v := value.(type) {
	case map[string]any:
		return findSecret(shape, v, isSecret, steps)
	case []any:
		var faults []error
		for k, element := range v {
			at := append(steps[:len(steps):len(steps)], step{at: k})
			if object, isObject := element.(map[string]any); isObject {
				faults = append(faults, findSecret(shape, object, isSecret, at))
			} else {
				faults = append(faults, checkSecret(nil, element, isSecret, at))
			}
		}
		return errors.Join(faults...)
	case json.Number:
		if isSecret {
			return inClear(steps, errors.New("a secret is not written into the configuration, not as a number either: "+
				"give a reference, env:NAME or file:PATH"))
		}
	case string:
		if _, _, err := secret.Parse(v); isSecret && v != "" && err != nil {
			return inClear(steps, err)
		}
		if hasPassword(v) {
			return inClear(steps, errors.New("a secret is not written into the configuration: a URL with a password "+
				"in it is one: give a reference, env:NAME or file:PATH"))
		}
		if secretText.MatchString(v) {
			return inClear(steps, errors.New("a secret is not written into the configuration: a text with a password "+
				"or a private key in it is one: give a reference, env:NAME or file:PATH"))
		}
	}
	return nil
}

func inClear(steps []step, err error) error {
	path, _ := paths(steps)
	return fmt.Errorf("%s: %w", path, err)
}

// namesSecret reports whether the name of a setting says that it is a secret.
func namesSecret(name string) bool {
	words := connector.NameWords(name)
	if len(words) == 0 {
		return false
	}
	last := words[len(words)-1]
	if slices.Contains(secretWords, last) {
		return true
	}
	return last == "key" && len(words) > 1 && slices.Contains(keyWords, words[len(words)-2])
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
