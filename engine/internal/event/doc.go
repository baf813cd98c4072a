// Package event has the events in the history of an identity: their types, and the detail of each as it is stored and
// published. An event is what happened to one identity in one write of the engine: a row that is written in the
// transaction which makes the change, and is never changed but by an erasure.
//
//	var detail event.Detail
//	detail.Attributes = event.AttributesOf(changes)
//	detail.States = &event.States{LifecycleState: event.Changed(before, after)}
//	events, err = event.Append(events, id, &detail) // has the types of the members that are there; none for none
//	err = tenant.AddEvents(ctx, tx, cause, events)  // one write
//
// It is a leaf that the rooms share: it imports engine/configuration, engine/refresh, engine/attribute and package
// store for the shapes alone. A host reads the events by engine.Engine.History, EventLog and Events, with a [Detail].
//
// # Types and details
//
// A detail is an object with a member for each type of the event.
//
//	type                             member                 its value, as JSON
//	IDENTITY_CREATED                 created                accountId, sourceId: the account that became the identity
//	IDENTITY_ATTRIBUTES_CHANGED      attributes             a list of attribute, oldValue, newValue
//	IDENTITY_ROLES_CHANGED           roles                  gained and lost: lists of id, name, reason
//	IDENTITY_STATE_CHANGED           states                 lifecycleState, identityState, manager, processingState,
//	                                                        correlated, identityProfile, cloudStatus: those that
//	                                                        changed, each with oldValue and newValue
//	IDENTITY_LIFECYCLE_STATE_SET     lifecycleState         state: set by hand; null where it is calculated again
//	IDENTITY_PROVISIONED             provisioned            a list of operation, source (type, id, name),
//	                                                        nativeIdentity, attribute, value, reason
//	IDENTITY_OPERATION_PARKED        parked                 a list of id, operation, source, nativeIdentity,
//	                                                        attribute, value, cause: operations that were held
//	                                                        back
//	IDENTITY_OPERATION_RELEASED      released               a list of the same: those that are held back no longer
//	IDENTITY_PROTECTION_CHANGED      protection             protected: true or false
//	IDENTITY_USER_LEVELS_CHANGED     userLevels             oldValue and newValue: lists
//	IDENTITY_ACCOUNTS_CHANGED        accounts               gained, lost and kept: lists of id, source, and
//	                                                        manuallyCorrelated: accounts that were correlated or
//	                                                        released by hand
//	IDENTITY_ACCOUNT_DEMANDED        demanded               a list of operation (ENABLE, DISABLE or UNLOCK),
//	                                                        account (its ID), source, nativeIdentity, forced
//	IDENTITY_OWNERSHIP_CHANGED       ownership              gained and lost: lists of type, id, name, each of 100 at
//	                                                        most; gainedCount and lostCount: of all
//	IDENTITY_INVITED                 invited                message: its ID
//	IDENTITY_REGISTERED              registered             cloudStatus: oldValue and newValue
//	IDENTITY_RESET                   reset                  cloudStatus and userLevels: those that changed
//	IDENTITY_VERIFICATION_REQUESTED  verificationRequested  message, via, source: the ID
//	IDENTITY_VERIFIED                verified               source: the ID
//	IDENTITY_DELETED                 deleted                identity (type, id, name), attributes: those that it had
//
// An oldValue or newValue that there was not, or is not any more, is missing. manager and identityProfile are IDs;
// correlated is "true" or "false". attribute and value of an operation are missing where its target has none, source
// where it is the host's own password.
//
// A new type needs its constant, its member, its lines in this list and in docs/processing.md, and an index
// (migrations).
package event
