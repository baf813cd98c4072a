// Package registration invites identities to register and lets them set a new password: it makes one-time tokens, sends
// them in messages by the host's notifier, and takes them back. The host's own pages call it through package engine.
//
//	r := registration.New(tasks, notifier)
//	task, messages, err := r.InviteIdentities(ctx, tx, registration.InviteParams{IDs: ids})
//	err = r.SendVerification(ctx, tx, identity, registration.VerificationParams{Via: registration.ViaLinkWork})
//	err = r.SendPending(ctx)                              // every message once, in this goroutine
//	worker := &registration.Worker{Registrar: r}          // the same as River's job, the messages of one task
//	token, err := r.UseToken(ctx, tx, op, text, registration.PurposeInvitation)
//	err = r.ReturnToken(ctx, &token)                      // what it was used for did not succeed
//
// It may import engine/internal/task and what that may import, and engine/refresh for the state of an identity.
//
// # The life of an invitation
//
// It is the cloud status of the identity. Only an identity that is UNREGISTERED or PENDING is invited. For every other
// one the task has a warning. One whose invitation waits to be sent, or was sent within sendAgain and is still good, is
// not invited again.
//
//	             the message is sent            RedeemInvitation
//	UNREGISTERED -------------------> PENDING -------------------> REGISTERED
//	     ^                               |                             |
//	     +-------------------------------+-----------------------------+
//	                            ResetIdentity
//
//	from                    to            who moves it, and when
//	UNREGISTERED            PENDING       the transaction that records the message as sent, unless the token
//	                                      was revoked meanwhile
//	UNREGISTERED PENDING    REGISTERED    engine.RedeemInvitation, with a good token
//	any                     UNREGISTERED  engine.ResetIdentity, which revokes the tokens and cancels the messages
//
// # The life of a verification
//
//	SendVerification --> message --> token --> engine.RedeemVerification --> the password is set
//
// The status of the identity does not change. The token is used in a transaction before the password is set at the
// source, and is returned if that fails. What is asked for again while the message waits, or within sendAgain, is sent
// once. Without a source the password is the host's to set.
//
// # The life of a token
//
// The table has its SHA-256, never the token itself. Each attempt to send a message makes a new token.
//
//	          UseToken
//	  +-----> good ------> used
//	  |        |  ^         |  |
//	compose    |  +---------+  |
//	           | ReturnToken   |
//	           v               v
//	        revoked, or expired
//
//	good     it is not used, not revoked, and it has not outlived the lifetime of the settings it was made by
//	used     it was redeemed; ReturnToken makes it good again unless it was revoked or replaced meanwhile
//	revoked  a newer token for the same identity, purpose and source replaced it before it was used, or ResetIdentity
//	         revoked it, used or not
//	expired  its time is over; the row is removed TokenRetention later, so that until then its user is told so
//
// # The life of a message
//
// Its row is in the table notifications, its task has the counts. A worker claims a message by a lease of messageLease,
// makes it, sends it, and records the result, each in a step of its own.
//
//	PENDING --claim--> PENDING, leased --sent-------------------------------> SENT
//	   ^                  |   |   |
//	   | tried again      |   |   +--cannot be made, or the last attempt----> FAILED
//	   +------------------+   |
//	   ^     failed           |
//	   +----------------------+                  PENDING, leased or not ----> CANCELLED
//	         the lease ends: the worker is gone
//
//	from     to         who moves it, and when
//	PENDING  SENT       the worker; also a message that was cancelled while it was sent
//	PENDING  PENDING    the worker, with the reason; the next round of the job tries it again
//	PENDING  FAILED     the worker: after task.NotificationAttemptsMax attempts, also if the last was cut off; or the
//	                    identity has no address, or may not be invited any more. The task gets a message
//	PENDING  CANCELLED  the cancellation of the task, engine.ResetIdentity, or the doctor if the task has ended
//
// The deletion of the identity removes its messages and tokens.
//
// The notifier may be called more than once for a message: when a worker is gone after it sent the message and before
// it recorded that. The task ends when none of its messages is PENDING: with SUCCESS, or with WARNING after an error or
// a warning.
package registration
