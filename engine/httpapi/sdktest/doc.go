// Package sdktest runs the vendor's Go SDK, a client that was not written for Muster, against "muster serve". It is a
// module of its own, so that nobody who links Muster in gets the SDK with it, and holds tests alone:
//
//	make test-sdk
//
// The tests build the command, make the sample company in a private PostgreSQL, add visitors whose values the tests
// know (testdata), and start the server. Each test makes its own SDK client, since the SDK's clients keep their token
// without a lock. Identities are named by their alias, which says what they are there for, and no two tests change the
// same one.
//
// The SDK has clients for Beta, V2024, V2025 and V2026, and none for the layout that puts the version behind the
// resource.
package sdktest
