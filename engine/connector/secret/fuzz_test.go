package secret_test

import (
	"strings"
	"testing"

	"github.com/muster-engine/muster/engine/connector/secret"
)

// What is no reference may be a secret, and is not repeated; what is one is taken apart as it was put together.
func FuzzParse(f *testing.F) {
	for _, text := range []string{"env:HOME", "file:/run/secrets/a:b", "hunter2", "env:", ":x", "ENV:HOME", "file: ", "env:a\x00b", ""} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		scheme, name, err := secret.Parse(text)
		if err != nil {
			if len(text) > 12 && strings.Contains(err.Error(), text) {
				t.Fatalf("%v repeats it", err)
			}
			return
		}
		if scheme+":"+name != text || scheme != "env" && scheme != "file" || name == "" {
			t.Fatalf("%q is read as %q, %q", text, scheme, name)
		}
	})
}
