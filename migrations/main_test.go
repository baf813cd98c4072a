package migrations_test

import (
	"testing"

	"github.com/muster-engine/muster/store/storetest"
)

func TestMain(m *testing.M) { storetest.Main(m) }
