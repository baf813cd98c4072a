// Package sdktest runs the vendor's Go SDK, a client that was not written for Muster, against "muster serve". It is a
// module of its own, so that programs with Muster do not get the SDK, and has only tests:
//
//	make test-sdk
//
// The tests build the command, make the sample company in a private PostgreSQL, add visitors with values that the tests
// know (testdata), and start the server. Each test makes its own SDK client, because the SDK's clients store their
// token without a lock. The alias of an identity says what it is for, and no two tests change the same identity.
//
// The SDK has clients for Beta, V2024, V2025 and V2026. It has none for the layout with the version behind the
// resource.
package sdktest
