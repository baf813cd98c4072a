// Package shapetest holds every statement of Muster against the shapes that a Citus cluster takes, without a cluster.
// It is a module of its own, so that nobody gets the parser with the library.
//
//	make test-shapes
//
// runs the tests of the store, the engine and the command, which write down the statements that they make Muster send
// (see storetest.Record), and then the tests of this package, which read those. They also read the constants of package
// store, and fail where no test sends a statement of it. The parser is PostgreSQL's own, as WebAssembly: it needs no C
// compiler.
//
// A shape is a rule with its reason, an example that breaks it and the cure; each is tried. What a statement may call
// and which columns are filled in by themselves is asked of a server.
package shapetest
