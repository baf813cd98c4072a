package filterql_test

import (
	"flag"
	"testing"

	"github.com/muster-engine/muster/store/storetest"
	_ "github.com/muster-engine/muster/store/storetest/container"
)

var update = flag.Bool("update", false, "write the golden files again")

func TestMain(m *testing.M) { storetest.Main(m) }
