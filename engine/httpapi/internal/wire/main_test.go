package wire_test

import (
	"testing"

	"go.uber.org/goleak"

	"github.com/muster-engine/muster/engine/httpapi"
	"github.com/muster-engine/muster/engine/httpapi/internal/wire"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// own loads the document of Muster's own API.
func own(t *testing.T) *wire.Document {
	t.Helper()
	return wire.Load(t, httpapi.Document())
}
