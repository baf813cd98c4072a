// Package secret reads secrets by reference: env:NAME or file:PATH. A configuration contains only references, so no
// secret is stored or shown.
package secret

import (
	"fmt"
	"io"
	"os"
	"strings"
)

// SizeMax is the most bytes of a secret.
const SizeMax = 64 << 10

// Parse checks that a text is a reference to a secret, env:NAME or file:PATH, and not a secret itself. The error
// does not repeat the text.
func Parse(text string) (scheme, name string, err error) {
	scheme, name, found := strings.Cut(text, ":")
	if !found || name == "" || scheme != "env" && scheme != "file" {
		return "", "", fmt.Errorf("a secret is not written into the configuration: give a reference, env:NAME for a " +
			"variable of the environment or file:PATH for a file")
	}
	return scheme, name, nil
}

// Read returns the secret of a reference: for env:NAME the value of an environment variable, for file:PATH the content
// of a file without the line break at its end. A host with such secrets can pass it to the engine.
func Read(reference string) (string, error) {
	scheme, name, err := Parse(reference)
	if err != nil {
		return "", err
	}
	if scheme == "env" {
		value, set := os.LookupEnv(name)
		if !set {
			return "", fmt.Errorf("the variable %s with a secret is not set", name)
		}
		return value, nil
	}
	file, err := os.Open(name)
	if err != nil {
		return "", fmt.Errorf("a secret cannot be read: %w", err)
	}
	defer file.Close()
	// The size of a device or a pipe is not known in advance.
	text, err := io.ReadAll(io.LimitReader(file, SizeMax+1))
	if err != nil {
		return "", fmt.Errorf("a secret cannot be read: %w", err)
	}
	if len(text) > SizeMax {
		return "", fmt.Errorf("the file %s with a secret has more than %d bytes", name, SizeMax)
	}
	return strings.TrimSuffix(strings.TrimSuffix(string(text), "\n"), "\r"), nil
}
