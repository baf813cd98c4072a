// Package doctor examines a tenant and repairs what can be repaired safely.
//
//	d := doctor.New(tasks)
//	diagnosis, err := d.Examine(ctx, doctor.Options{Thorough: true})
//	for _, check := range diagnosis.Checks { ... }         // each with its severity, examples, and what mends it
//	diagnosis, err = d.Examine(ctx, doctor.Options{Repair: true})
//	for _, repair := range diagnosis.Repairs { ... }       // what was done about a check, or why it could not be
//
// It may import engine/internal/task and what that may import, and migrations, which know the versions of the tables.
// The statements are those of package store.
//
// # An examination
//
//	file              checks                                                                       reads
//	server.go         clock; the server's version and settings, the pool, privileges               settings
//	table.go          tables, constraints, indexes: are they as the migrations make them           the catalogue
//	configuration.go  does the configuration compile; folded names                                 documents
//	row.go            reference:*, unique:* and rule:*: what constraints demand, which may miss    rows
//	invariant.go      what no constraint can demand; work that stands still                        rows
//	schedule.go       slots that are late or were missed                                           slots
//	engine.go         do the engines that run agree with each other and with the settings          engines
//	derived.go        keys and folded columns against the values, only if Thorough                 all identities
//
// The clock and the version of the tables come first. All else is read in one transaction that cannot write, in one
// snapshot. A check has the severity ok if it found nothing, otherwise that of the check: warning or failure. The
// severity of the diagnosis is that of the worst check.
//
// # Repairs
//
//	examine --> with Repair: repair each check that found something and has a repair --> did one mend anything?
//	   ^                                                                                    |            |
//	   +--------------------------- yes, and fewer than repairRoundsMax rounds -------------+         no |
//	                                                                                                     v
//	                                                                                                 diagnosis
//
// A repair is a transaction of its own, made after the one that read, so it looks again for what it mends; building an
// index is outside of any transaction. A repair that fails is reported with its error, and the others are still made.
// Most repairs do not write what is right: they request the processing of the identities, by a task of their own, and
// processing writes it. Repairing twice changes nothing the second time. Workers may run meanwhile.
package doctor
