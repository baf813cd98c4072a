package storetest

import (
	"fmt"
	"os"
	"sync/atomic"
	"testing"

	"go.uber.org/goleak"
)

// Main is the TestMain of a package whose tests use a database: it runs the tests, stops the server, fails when the
// tests have left goroutines, and exits. Goroutines that ran before Main are the host's own, and no fault; nor are
// those that an [Option] names. With containers no goroutine is a fault, because the client of the containers leaves
// its own.
func Main(m *testing.M, options ...Option) {
	stopping.Store(true)
	os.Exit(run(m, options))
}

// Option changes what [Main] does.
type Option func(*settings)

// IgnoreGoroutine lets goroutines outlive the tests that have the function on their stack, such as those of a library
// that a host starts in a test. The name is the one that a stack trace shows, with the path of the package:
// "example.com/host/cache.(*Cache).sweep".
func IgnoreGoroutine(function string) Option {
	return func(s *settings) { s.ignored = append(s.ignored, goleak.IgnoreAnyFunction(function)) }
}

type settings struct{ ignored []goleak.Option }

// stopping is whether somebody will stop the server.
var stopping atomic.Bool

func run(m *testing.M, options []Option) int {
	left := goroutinesLeft(options)
	code := m.Run()
	if err := stopSharedServer(); err != nil {
		fmt.Fprintln(os.Stderr, "stop the server of the tests:", err)
		return max(code, 1)
	}
	if code != 0 || os.Getenv(containersVariable) == "1" {
		return code
	}
	if err := left(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

// goroutinesLeft returns a function that fails when goroutines run that did not run when goroutinesLeft was called.
func goroutinesLeft(options []Option) func() error {
	s := settings{ignored: []goleak.Option{goleak.IgnoreCurrent()}}
	for _, option := range options {
		option(&s)
	}
	return func() error { return goleak.Find(s.ignored...) }
}
