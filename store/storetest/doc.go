// Package storetest gives each test a PostgreSQL database of its own, migrated or empty.
//
//	func TestMain(m *testing.M) { storetest.Main(m) }
//
//	func TestRename(t *testing.T) {
//		pool := storetest.Pool(t)
//		...
//	}
//
// The first test that asks brings up a server, and all tests of the package share it. A migrated database is a copy of
// a template that is migrated once, so it costs some ten milliseconds. It is dropped when its test has passed; the one
// of a test that failed stays as long as its server does, and the test's log has its URL.
//
// The environment says which server:
//
//   - MUSTER_TEST_DATABASE_URL names one, by the URL of a superuser.
//   - MUSTER_TEST_CONTAINERS=1 runs one in a container, of the image MUSTER_TEST_POSTGRES_IMAGE, by default
//     postgres:17-alpine. For this the test imports package storetest/container.
//   - Without either, package pglocal runs an installed one.
//
// MUSTER_TEST_POOLER=transaction, or session, puts PgBouncer before the server, with pools in that mode: the tests
// reach their databases through it (on Linux).
//
// MUSTER_RECORD_STATEMENTS names a folder into which the statements of Muster's own code go, for the check of their
// shapes; see [Record].
//
// Where there is no server the tests fail; they are never skipped. Goroutines that a host starts before [Main] are its
// own affair; [IgnoreGoroutine] names others that may outlive the tests.
package storetest
