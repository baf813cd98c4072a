package wire_test

import (
	"os"
	"path/filepath"
	"testing"

	"go.uber.org/goleak"

	"github.com/muster-engine/muster/engine/httpapi/internal/wire"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// own loads the document of Muster's own API.
func own(t *testing.T) *wire.Document {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("..", "..", "openapi.json"))
	if err != nil {
		t.Fatal(err)
	}
	return wire.Load(t, data)
}
