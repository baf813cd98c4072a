// Package company makes a sample company: the accounts that its people have in an HR system, a directory and a code
// host, and the configuration that makes identities of them. It is the same for the same size and seed, on every
// machine: people are computed from their number, and none is kept in memory.
//
//	c := company.New(5000, 1)
//	err := c.WriteCSV("HR", file)
//
// Names come from many scripts. All addresses are under the domains, and all telephone numbers from the ranges, that
// are
// set aside for examples.
package company
