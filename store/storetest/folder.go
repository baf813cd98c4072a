package storetest

import (
	"os"
	"testing"
)

// DataDir returns an empty folder for the data of a private server, which goes when the test ends. T.TempDir would not
// do for root: the account that then runs the server cannot enter it.
func DataDir(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "muster-data-") //nolint:usetesting // see above
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	return dir
}
