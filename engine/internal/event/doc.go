// Package event has the events in the history of an identity: their types, and the detail of each as it is stored and
// published. An event is a row that is written in the transaction which makes the change, and is never changed.
//
//	events, err = event.Append(events, id, event.TypeStateChanged, event.States{
//		LifecycleState: event.Changed(before, after)}) // nil, and so left out, if the two are equal
//	err = store.AddEvents(ctx, tx, events, now)
//
// It is a leaf that the rooms share: it imports engine/configuration, engine/refresh, engine/attribute and package
// store for the shapes alone. A host reads the events by engine.Engine.History and engine.Engine.Events, with the
// detail as JSON.
//
// # Types and details
//
//	type                         detail      members, as JSON
//	IDENTITY_CREATED             -           accountId, sourceId: the account that became the identity (package store
//	                                         writes it)
//	IDENTITY_ATTRIBUTES_CHANGED  Attributes  changes: a list of attribute, oldValue, newValue
//	IDENTITY_ROLES_CHANGED       Roles       gained and lost: lists of id, name, reason
//	IDENTITY_STATE_CHANGED       States      lifecycleState, identityState, manager, processingState, correlated,
//	                                         identityProfile: those that changed, each with oldValue and newValue
//	IDENTITY_PROVISIONED         Provisioned operation, source (type, id, name), nativeIdentity, attribute, value,
//	                                         reason
//	IDENTITY_DELETED             Deleted     identity (type, id, name), attributes: those that the identity had
//
// A value that there was not, or is not any more, is null. manager and identityProfile are IDs; correlated is "true" or
// "false". attribute and value of a provisioned operation are missing where its target has none.
package event
