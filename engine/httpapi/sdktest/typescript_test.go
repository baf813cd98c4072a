//go:build client

package sdktest

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

// The vendor's TypeScript client does what clienttest/client.test.mjs asks of it. make test-client installs it.
func TestTypeScriptClient(t *testing.T) {
	folder := filepath.Join("..", "clienttest")
	if _, err := os.Stat(filepath.Join(folder, "node_modules")); err != nil {
		t.Fatalf("the client is not installed, run make test-client: %v", err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "node", "--test", "--test-reporter=tap")
	cmd.Dir = folder
	cmd.Env = append(os.Environ(), "SAIL_BASE_URL="+tested.url, "SAIL_CLIENT_ID="+adminID,
		"SAIL_CLIENT_SECRET="+adminSecret, fmt.Sprintf("MUSTER_PEOPLE=%d", people))
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}
