// Package company makes a sample company: the accounts of its people in an HR system, a directory and a code host, and
// the configuration for their identities:
//
//	c := company.New(5000, 1)
//	err := c.WriteCSV("HR", file)
//
// The company is the same for the same size and seed on every machine. Each person is calculated from a number, so none
// is held in memory. Names come from many scripts. All addresses and telephone numbers are in domains and ranges that
// are set aside for examples.
package company
