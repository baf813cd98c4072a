// Command bench shows how far Muster is from what PostgreSQL and the machine can do. Each case measures a figure and a
// baseline, which is real code, alternately in the same run, and compares the two:
//
//	go run . -people 20000              # every case
//	go run . -cases 'list|filter'       # some cases
//	go run . -json bench.json           # the table as JSON too
//	go run . -growth 10000,100000 -csv growth.csv
//
// It is a module of its own, so that the peers that it compares with are not dependencies of the library.
//
// The population comes in through the engine itself, and is always the same for a seed. Its database is on a private
// server of default durability, or on the server of MUSTER_TEST_DATABASE_URL, whose user must be a superuser. Cases
// share the population and leave it as they found it. docs/performance.md describes the cases.
package main
