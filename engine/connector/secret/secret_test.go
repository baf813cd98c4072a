package secret_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/muster-engine/muster/engine/connector/secret"
)

func TestRead(t *testing.T) {
	path := filepath.Join(t.TempDir(), "password")
	if err := os.WriteFile(path, []byte("s3 cret\r\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("MUSTER_TEST_SECRET", "hush ")
	for reference, want := range map[string]string{"env:MUSTER_TEST_SECRET": "hush ", "file:" + path: "s3 cret"} {
		if got, err := secret.Read(reference); err != nil || got != want {
			t.Errorf("got %s: %q, %v, want err == nil && got == want", reference, got, err)
		}
	}
	large := filepath.Join(t.TempDir(), "large")
	if err := os.WriteFile(large, make([]byte, secret.SizeMax+1), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, reference := range []string{"file:" + large, "file:/dev/zero"} {
		if _, err := secret.Read(reference); err == nil || !strings.Contains(err.Error(), "more than") {
			t.Errorf("got %s: %v, want err != nil && strings.Contains(err.Error(), \"more than\")", reference, err)
		}
	}
	for _, reference := range []string{"hunter2", "", "env:", "vault:hunter2", "env:MUSTER_TEST_NO_SUCH", "file:/no/such/file"} {
		_, err := secret.Read(reference)
		if err == nil || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("got %q: %v, want err != nil && !strings.Contains(err.Error(), \"hunter2\")", reference, err)
		}
	}
}
