// Command bench says how far Muster is from what PostgreSQL and the machine can do: each case measures a figure and,
// alternately and in the same run, a baseline that is real code, and holds the one against the other. It is a module of
// its own, so that the peers it compares with are no dependencies of the library.
//
//	go run . -people 20000              # every case
//	go run . -cases 'list|filter'       # some
//	go run . -json bench.json           # the table as JSON too
//	go run . -growth 10000,100000 -csv growth.csv
//
// A population is brought in through the engine itself, always the same for a seed, into a database on a private server
// of default durability, or on that of MUSTER_TEST_DATABASE_URL, whose user must be a superuser. Cases share the
// population and leave it as they found it. docs/performance.md tells what each case is.
package main
