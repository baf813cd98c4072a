// Package change changes the configuration of a tenant. It has two halves: a proposal, which is pure and which a
// preview uses too, and its application, which writes.
//
//	// What the documents would make of the configuration.
//	p, err := change.Propose(rows, before, &change.Request{Documents: documents}, now)
//	p.Rows                                                 // the configuration's rows as they would be
//	p.Changed()                                            // whether anything differs
//
//	a := change.New(processor)
//	result, err := a.Apply(ctx, tx, documents, options)    // proposes, writes, and requests what follows from it
//	result, err = a.Change(ctx, tx, ask, options)          // the same for what ask wants of the present configuration
//	ask := change.Revert(version, objects)                 // what undoes a revision
//
// It may import engine/internal/processing and what that may import. Package engine calls it, for Apply and Preview.
//
// # The proposal
//
//	documents --Propose--> +-----------------------------------------------------------------------+
//	rows      -----------> | for each type of object, what is referred to first, and each document |
//	                       |   check the JSON                                                      |
//	                       |   find the row: by ID, else by name                                   |
//	                       |   no row: created;  other content: updated;  the same: unchanged      |
//	                       |   change Rows, and add the write that would store it                  |
//	                       | take away the objects that go, unless one that stays names one        |
//	                       +-----------------------------------------------------------------------+
//
// It reads and writes nothing. The first document that is wrong fails it, with the place of the document. It checks
// each object alone; that objects fit each other is found out when Rows are compiled.
//
// # The application
//
//	step                      what it does
//	LockConfiguration         keeps others from changing the configuration, and from working with it
//	load, compile, Propose    as above
//	demandWhole               refuses documents that lack members which decide access, without Replace
//	CountRemovals, Foresee    what identities lose at once, and whether the guard holds it, without Confirm
//	takeRole, RemoveObjects   removes what goes, but for sources; who had a role gets an event and is processed
//	write                     carries out the writes of the proposal
//	removeSources             removes sources with their accounts; it ends here if nothing differs
//	advance                   gives the configuration its next version and compiles it; an error is Invalid
//	Record                    writes the revision: who changed which objects, with their documents before and after
//	changeZone                moves the times that follow the time zone, and notes the profiles that depend on it
//	rekeyIdentities           writes the keys of all identities again, if the attributes that find them changed
//	requestProfiles           requests the processing of the identities of profiles that calculate something else
//	requestMembers            requests it for the identities that gain or lose a changed role
//	requestHolders            requests it for the identities that have a role which grants something else
//	markAttributes            writes what accounts hold, where the schema of their source marks other entitlements
//	recorrelate               correlates the accounts of sources again whose correlation changed
//	LaunchRequested           writes the task of all these requests, if there are any
//
// All of it happens in one transaction: everything is applied or nothing, and applying the same twice changes nothing
// the second time.
//
// [Applier.AdoptSettings] is the other way to change the configuration: an engine that starts sets what its Config says
// of the tenant's settings, as long as nobody has said it.
package change
