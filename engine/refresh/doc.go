// Package refresh calculates what an identity should be: a snapshot of it and of its accounts, and the configuration,
// give a [Change]. It is pure. It touches no clock, no database and no random source of its own, so that the same code
// serves processing, a preview and an explanation.
//
//	change := refresh.Calculate(&snapshot, configuration, now)
//	if change.Differs() { ... }            // something is to be written
//	for _, a := range change.Attributes { fmt.Println(a.Name, a.From.Text(), "->", a.To.Text()) }
//
// The manager is found among other identities, which a snapshot of one does not hold: Calculate gives the key to look
// for, and [Change.SetManager] takes what was found.
package refresh
