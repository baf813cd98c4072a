// Package modeltest holds the engine against a simple model of it that is kept in memory: whatever is done, in whatever
// order, both say the same of identities, their managers, their roles and what they own.
//
// It is a package of its own because its default number of checks is smaller than that of other properties: each check
// is a whole life of a database.
//
//	go test ./engine/modeltest -rapid.checks=1000 -rapid.steps=60
package modeltest_test

import (
	"flag"
	"fmt"
	"os"
	"testing"

	"github.com/muster-engine/muster/store/storetest"
	_ "github.com/muster-engine/muster/store/storetest/container"
)

// checksDefault takes about ten seconds.
const checksDefault = "8"

func TestMain(m *testing.M) {
	if err := flag.Set("rapid.checks", checksDefault); err != nil { // before the command line is read, which wins
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	storetest.Main(m)
}
