package storetest

import (
	"fmt"
	"os"
	"sync/atomic"
	"testing"

	"go.uber.org/goleak"
)

// Main is the TestMain of a package whose tests use a database: it runs the tests, stops the server, fails when
// goroutines are left, and exits. With containers the goroutines are not looked at, because the container's client
// leaves its own.
func Main(m *testing.M) {
	stopping.Store(true)
	os.Exit(run(m))
}

// stopping is whether somebody will stop the server.
var stopping atomic.Bool

func run(m *testing.M) int {
	code := m.Run()
	if err := stopSharedServer(); err != nil {
		fmt.Fprintln(os.Stderr, "stop the server of the tests:", err)
		return max(code, 1)
	}
	if code != 0 || os.Getenv(containersVariable) == "1" {
		return code
	}
	if err := goleak.Find(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}
