package engine

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river"

	"github.com/muster-engine/muster/engine/attribute"
	"github.com/muster-engine/muster/engine/connector"
	"github.com/muster-engine/muster/engine/refresh"
	"github.com/muster-engine/muster/engine/transform"
	"github.com/muster-engine/muster/store"
)

// The limits of provisioning.
const (
	// OperationAttemptsMax is how often an operation is tried, over some hours, before it is given up. The next
	// processing of the identity opens another one while the access is still wanted.
	OperationAttemptsMax = 10
	// OperationTimeout ends an operation that its source does not answer.
	OperationTimeout = 2 * time.Minute
	// leaseTime is how long a worker has a batch without a sign of life. It is longer than an operation may take.
	leaseTime = OperationTimeout + time.Minute
	// busyWait is when a job looks again at a batch that another worker has, or that waits for another batch.
	busyWait = 5 * time.Second
)

// provision is the job that does a batch of operations on one source.
type provision struct {
	Batch string `json:"batch"`
}

// Kind implements [river.JobArgs].
func (provision) Kind() string { return "muster_provision" }

type provisionWorker struct {
	river.WorkerDefaults[provision]
	e *Engine
}

// Work does the operations of a batch. What fails is tried again by the queue, after a while that grows.
func (w *provisionWorker) Work(ctx context.Context, job *river.Job[provision]) error {
	id, err := store.ParseID(job.Args.Batch)
	if err != nil {
		return river.JobCancel(fmt.Errorf("the job names no batch: %w", err))
	}
	// A job that was taken for lost was replaced, and may come back. The batch is the other one's then.
	current, err := w.e.store.BatchJob(ctx, w.e.pool, id)
	if errors.Is(err, store.ErrNotFound) || err == nil && current != job.ID {
		return nil
	}
	if err != nil {
		return errors.New(store.Reason(err))
	}
	limit := OperationAttemptsMax // of a job that has replaced another one, the other's attempts count
	if job.Attempt >= job.MaxAttempts {
		limit = 1
	}
	result, err := w.e.doBatch(ctx, id, w.e.turn(), limit)
	switch {
	case err != nil:
		return errors.New(store.Reason(err))
	case result.failed > 0 && result.left > 0:
		return fmt.Errorf("%d operations are tried again", result.left)
	case result.busy:
		return river.JobSnooze(busyWait)
	case result.left > 0:
		return river.JobSnooze(0)
	}
	return nil
}

// batchResult says what became of a batch of operations.
type batchResult struct {
	done, failed, left int
	// busy says that another worker has the batch, or what it waits for.
	busy bool
}

// failuresMax is after how many failures in a row a source is taken to be down, and left alone for a while.
const failuresMax = 3

// doBatch does the operations of a batch that can be done now, until more reports false. What does not succeed is given
// up when it was tried limit times.
func (e *Engine) doBatch(ctx context.Context, id store.ID, more func() bool, limit int) (result batchResult,
	err error,
) {
	now := e.config.Now()
	source, err := e.store.LeaseBatch(ctx, e.pool, id, now, now.Add(leaseTime))
	if errors.Is(err, store.ErrNotFound) {
		result.busy, err = e.store.BatchIsOpen(ctx, e.pool, id)
		return result, err
	}
	if err != nil {
		return result, err
	}
	// Also when the work ends because the context did: nobody should wait for the lease.
	defer func() { err = errors.Join(err, e.store.ReleaseBatch(context.WithoutCancel(ctx), e.pool, id)) }()
	operations, waiting, err := e.store.BatchOperations(ctx, e.pool, id)
	result.busy = waiting
	if err != nil || len(operations) == 0 {
		return result, err
	}
	target, err := e.openTarget(ctx, source)
	if err != nil {
		return e.unreachable(ctx, operations, err, limit)
	}
	defer target.close()
	target.operations = len(operations)
	stuck := map[store.ID]bool{} // identities with an operation that did not succeed: those behind it wait
	inRow := 0
	for i := range operations {
		o := &operations[i]
		if stuck[o.IdentityID] || inRow == failuresMax || !more() {
			result.left++
			continue
		}
		failure := e.do(ctx, id, target, o)
		if err := ctx.Err(); err != nil {
			return result, err
		}
		if failure == nil {
			result.done++
			inRow = 0
			continue
		}
		result.failed++
		parked, err := e.noteFailure(ctx, o, failure, limit)
		if err != nil {
			return result, err
		}
		if !parked {
			inRow++
			stuck[o.IdentityID] = true
			result.left++
		}
	}
	return result, nil
}

// noteFailure keeps why an operation did not succeed, and gives it up if trying again does not help or was tried often
// enough.
func (e *Engine) noteFailure(ctx context.Context, o *store.Operation, failure error, limit int) (parked bool,
	err error,
) {
	if connector.IsPermanent(failure) || o.Attempts+1 >= limit { // o was read before this attempt
		return true, e.park(ctx, o, failure)
	}
	return false, e.store.NoteOperationError(ctx, e.pool, o.ID, reasonText(failure))
}

// unreachable keeps why the operations of a batch could not even be tried.
func (e *Engine) unreachable(ctx context.Context, operations []store.Operation, failure error, limit int) (
	result batchResult, err error,
) {
	ids := make([]store.ID, len(operations))
	for i := range operations {
		ids[i] = operations[i].ID
	}
	if err := e.store.CountAttempt(ctx, e.pool, ids); err != nil {
		return result, err
	}
	for i := range operations {
		parked, err := e.noteFailure(ctx, &operations[i], failure, limit)
		if err != nil {
			return result, err
		}
		if !parked {
			result.left++
		}
		result.failed++
	}
	return result, nil
}

// reasonMax is how much of an error is kept, in characters.
const reasonMax = 1000

// reasonText returns the text of an error of a connector.
func reasonText(err error) string { return shorten(strings.ToValidUTF8(err.Error(), "?"), reasonMax) }

// target is an open connector with what the engine knows of its source.
type target struct {
	connector.Connector
	config *configuration
	source *configuredSource
	policy *refresh.TargetSource
	// operations is how many there are to do, and task the one that processes their identities.
	operations int
	task       store.ID
}

func (t *target) close() { _ = t.Close() } // it was used: what there was to say was said

// openTarget makes the connector of a source.
func (e *Engine) openTarget(ctx context.Context, id store.ID) (*target, error) {
	c, err := e.currentConfiguration(ctx)
	if err != nil {
		return nil, err
	}
	source := c.sources[id]
	if source == nil {
		return nil, connector.Permanent(errors.New("the source is not configured any more"))
	}
	opened, err := e.connect(ctx, source)
	if err != nil {
		return nil, err
	}
	t := &target{Connector: opened, config: c, source: source}
	if c.refresh.Access != nil {
		t.policy = c.refresh.Access.Sources[id]
	}
	return t, nil
}

// connect makes the connector of a source by its factory.
func (e *Engine) connect(ctx context.Context, source *configuredSource) (connector.Connector, error) {
	factory := e.config.Connectors[source.Connector]
	if factory == nil {
		return nil, fmt.Errorf("the source %q has the connector %q, which this engine was not given", source.Name,
			source.Connector)
	}
	secret := e.config.Secret
	if secret == nil {
		secret = func(string) (string, error) { return "", errors.New("this engine was given no way to read secrets") }
	}
	opened, err := factory(ctx, connector.Config{Source: source.Name, Attributes: source.ConnectorAttributes,
		Schemas: source.Schemas, Secret: secret, Logger: e.config.Logger})
	if err != nil {
		return nil, fmt.Errorf("connect to the source %q: %w", source.Name, err)
	}
	return opened, nil
}

// do carries one operation out, and notes what became of the account. The identity is processed again, so that what
// follows from it happens.
func (e *Engine) do(ctx context.Context, batch store.ID, t *target, row *store.Operation) error {
	if err := e.store.BeginOperation(ctx, e.pool, row.ID, e.now()); err != nil {
		if errors.Is(err, store.ErrNotFound) {
			return nil // it was cancelled since
		}
		return err
	}
	if err := e.store.ExtendLease(ctx, e.pool, batch, e.config.Now().Add(leaseTime)); err != nil {
		return err
	}
	operation := &connector.Operation{Key: row.ID.String(), Kind: connector.Kind(row.Kind),
		NativeIdentity: row.NativeIdentity}
	if err := operation.Attributes.Decode(row.Attributes); err != nil {
		return connector.Permanent(err)
	}
	if operation.Kind == connector.Create {
		if err := e.prepareCreate(ctx, t, row, operation); err != nil {
			return err
		}
	}
	limited, cancel := context.WithTimeout(ctx, OperationTimeout)
	defer cancel()
	result, err := t.Apply(limited, operation)
	if errors.Is(err, connector.ErrNoAccount) {
		// The account is not forgotten here: an aggregation is what tells one that is gone from a source that is wrong.
		return connector.Permanent(fmt.Errorf("%w: aggregate the source", err))
	}
	if err != nil {
		return err
	}
	return e.record(ctx, t, row, operation, &result)
}

// passwordField is the field of a policy that holds the password of a new account.
const passwordField = "password"

// prepareCreate gives the creation of an account its native identity and its secrets, which are calculated now and not
// kept.
func (e *Engine) prepareCreate(ctx context.Context, t *target, row *store.Operation, o *connector.Operation) error {
	if schema := t.source.accountSchema(); schema != nil && schema.IdentityAttribute != "" {
		o.NativeIdentity = o.Attributes.Get(schema.IdentityAttribute).Text()
	}
	if t.policy == nil {
		return nil
	}
	var input *transform.Input
	for i := range t.policy.Policy {
		field := &t.policy.Policy[i]
		if !field.Secret || field.Transform == nil {
			continue
		}
		if input == nil {
			states, err := e.store.IdentityStates(ctx, e.pool, []store.ID{row.IdentityID})
			if err != nil {
				return err
			}
			if len(states) == 0 {
				return connector.Permanent(errors.New("the identity does not exist any more"))
			}
			var state refresh.State
			if err := decodeState(&states[0], &state); err != nil {
				return connector.Permanent(err)
			}
			input = &transform.Input{Now: e.now(), Random: rand.Reader, Identity: transform.Identity{
				ID: row.IdentityID.String(), Name: state.Name, Alias: state.Alias, Attributes: &state.Attributes}}
		}
		value, err := field.Evaluate(input)
		if err != nil {
			return connector.Permanent(fmt.Errorf("the attribute %s of the new account: %w", field.Name, err))
		}
		if field.Name == passwordField {
			o.Password = value.Text()
		} else if !value.IsNull() {
			o.Attributes.Put(field.Name, value)
			o.Volatile = append(o.Volatile, field.Name)
		}
	}
	return nil
}

// record notes what an operation did to the account, in one transaction with the end of the operation and the request
// for the next processing.
func (e *Engine) record(ctx context.Context, t *target, row *store.Operation, o *connector.Operation,
	result *connector.Result,
) error {
	native := result.NativeIdentity
	if native == "" {
		native = o.NativeIdentity
	}
	if native == "" || len(native) > NativeIdentityLengthMax || !store.Storable(native) {
		return connector.Permanent(fmt.Errorf("the connector returned no native identity of 1 to %d bytes",
			NativeIdentityLengthMax))
	}
	for _, name := range o.Volatile { // secrets are not kept
		o.Attributes.Delete(name)
	}
	return e.inTx(ctx, func(tx pgx.Tx) error {
		identities, err := e.store.LockIdentities(ctx, tx, []store.ID{row.IdentityID})
		if err != nil {
			return err
		}
		var owner store.ID // of a new account; nobody where the identity was deleted meanwhile
		if len(identities) > 0 {
			owner = identities[0]
		}
		account, conflict, err := e.putAccount(ctx, tx, t, row, owner, o, result, native)
		if err != nil {
			return err
		}
		now := e.now()
		if conflict != "" {
			return e.store.FinishOperation(ctx, tx, row.ID, store.OperationFailed, &conflict, account, native, now)
		}
		if err := e.store.FinishOperation(ctx, tx, row.ID, store.OperationDone, nil, account, native, now); err != nil {
			return err
		}
		detail, err := json.Marshal(provisionedDetail{Operation: row.Kind, NativeIdentity: native, Reason: row.Reason,
			Source:    Reference{Type: string(TypeSource), ID: t.source.id.String(), Name: t.source.Name},
			Attribute: row.Attribute, Value: row.Value})
		if err != nil {
			return err
		}
		if err := e.store.AddEvents(ctx, tx, []store.Event{{IdentityID: row.IdentityID, Type: EventProvisioned,
			Detail: detail}}, now); err != nil {
			return err
		}
		return e.followUp(ctx, tx, t, identities)
	})
}

// provisionedDetail is the detail of an event of an operation that was done.
type provisionedDetail struct {
	Operation      string    `json:"operation"`
	Source         Reference `json:"source"`
	NativeIdentity string    `json:"nativeIdentity"`
	Attribute      string    `json:"attribute,omitempty"`
	Value          string    `json:"value,omitempty"`
	Reason         string    `json:"reason"`
}

// followUpDelay is how long the processing after an operation waits for those that follow, so that they share a task.
// It does not wait after the first one of several: mostly that is the only one.
const followUpDelay = time.Second

// followUp asks for the processing of an identity whose account was changed, by the task of the operation before if
// that still goes on. The lock on the task keeps it from ending meanwhile.
func (e *Engine) followUp(ctx context.Context, tx pgx.Tx, t *target, identities []store.ID) error {
	if len(identities) == 0 {
		return nil // it is gone
	}
	cause := store.Cause{Task: t.task, At: e.now()}
	task, err := e.store.LockTask(ctx, tx, t.task)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return err
	}
	goesOn := err == nil && task.Completed == nil && task.Held == nil
	if !goesOn {
		cause.Task = store.NewID()
	}
	if err := e.store.RequestRefresh(ctx, tx, identities, "account provisioned", cause); err != nil || goesOn {
		return err
	}
	var at time.Time
	if !t.task.IsZero() {
		at = cause.At.Add(followUpDelay)
	}
	t.task = cause.Task // if this is rolled back, it is not found
	return e.launchAt(ctx, tx, cause, &store.Task{Population: int64(t.operations),
		Description: fmt.Sprintf("Process after provisioning to %q", t.source.Name)}, at)
}

// putAccount brings the account that is known up to what an operation did; one that it created is the owner's. conflict
// says why that cannot be.
func (e *Engine) putAccount(ctx context.Context, tx pgx.Tx, t *target, row *store.Operation, owner store.ID,
	o *connector.Operation, result *connector.Result, native string,
) (id store.ID, conflict string, err error) {
	old, err := e.knownAccount(ctx, tx, row, native)
	missing := errors.Is(err, store.ErrNotFound)
	if err != nil && !missing {
		return id, "", err
	}
	if o.Kind == connector.Delete {
		if missing {
			return id, "", nil
		}
		return old.ID, "", e.store.DeleteAccount(ctx, tx, old.ID)
	}
	if missing && o.Kind != connector.Create {
		return id, "", nil // an aggregation took it away since, and brings it back
	}
	if !old.IdentityID.IsZero() && old.IdentityID != row.IdentityID && o.Kind == connector.Create {
		return id, "the source has this account already, and it belongs to another identity", nil
	}
	var before attribute.Set
	if !missing {
		if err := before.Decode(old.Attributes); err != nil {
			return id, "", fmt.Errorf("account %s: %w", old.ID, err)
		}
	}
	schema := t.source.accountSchema()
	after := connector.Applied(&before, o, schema)
	for name, value := range result.Attributes.All() {
		after.Put(name, value)
	}
	object := &connector.Object{NativeIdentity: native, Attributes: after}
	if schema != nil && schema.IdentityAttribute != "" && schema.Attribute(schema.IdentityAttribute) != nil {
		object.Attributes.Put(schema.IdentityAttribute, attribute.String(native))
	}
	if schema != nil && schema.DisplayAttribute != "" {
		object.Name = after.Get(schema.DisplayAttribute).Text()
	}
	var staged store.StagedAccount
	t.source.stage(&staged, object)
	written := &store.ProvisionedAccount{ID: old.ID, SourceID: t.source.id, NativeIdentity: native, Name: staged.Name,
		Attributes: staged.Attributes, Fingerprint: staged.Fingerprint, CorrelationKeys: staged.CorrelationKeys}
	if missing {
		written.ID, written.IdentityID = store.NewID(), owner
		return written.ID, "", e.store.AddProvisionedAccount(ctx, tx, written, e.now())
	}
	if o.Kind == connector.Create {
		written.IdentityID = owner // it was aggregated before this was noted
	}
	return written.ID, "", e.store.UpdateAccount(ctx, tx, written, e.now())
}

func (e *Engine) knownAccount(ctx context.Context, tx pgx.Tx, row *store.Operation, native string) (store.Account,
	error,
) {
	if row.AccountID.IsZero() {
		return e.store.LockAccountNamed(ctx, tx, row.SourceID, native)
	}
	return e.store.LockAccount(ctx, tx, row.AccountID)
}

// park gives an operation up. The identity is due at the next slot, where another one is opened if it is still wanted.
func (e *Engine) park(ctx context.Context, row *store.Operation, failure error) error {
	reason := reasonText(failure)
	return e.inTx(ctx, func(tx pgx.Tx) error {
		identities, err := e.store.LockIdentities(ctx, tx, []store.ID{row.IdentityID})
		if err != nil {
			return err
		}
		if err := e.store.FinishOperation(ctx, tx, row.ID, store.OperationFailed, &reason, row.AccountID, "",
			e.now()); err != nil || len(identities) == 0 {
			return err
		}
		return e.store.MakeDue(ctx, tx, row.IdentityID, e.nextSlot(e.now()).UTC())
	})
}

// SetPassword gives the accounts that an identity has on a source, named by ID or by name, a password, at once and by
// the source's connector. It is kept nowhere.
func (e *Engine) SetPassword(ctx context.Context, identity, source, password string) error {
	const op = "set the password"
	id, known := store.IDOf(identity)
	if !known {
		return noIdentity(op, identity)
	}
	if password == "" {
		return invalid(op, identity, "the password is empty")
	}
	return e.withConnector(ctx, op, source, func(s *configuredSource, c connector.Connector) error {
		accounts, err := e.store.AccountsOf(ctx, e.pool, []store.ID{id})
		if err != nil {
			return err
		}
		accounts = slices.DeleteFunc(accounts, func(a store.Account) bool { return a.SourceID != s.id })
		if len(accounts) == 0 {
			return &Error{Kind: NotFound, Op: op, Subject: identity,
				Err: fmt.Errorf("the identity has no account on the source %q", s.Name)}
		}
		for i := range accounts {
			native := accounts[i].NativeIdentity
			if _, err := c.Apply(ctx, &connector.Operation{Key: store.NewID().String(), Kind: connector.SetPassword,
				NativeIdentity: native, Password: password}); err != nil {
				return atSource(op, identity, err)
			}
			detail, err := json.Marshal(provisionedDetail{Operation: string(connector.SetPassword),
				NativeIdentity: native, Reason: "a password was set",
				Source: Reference{Type: string(TypeSource), ID: s.id.String(), Name: s.Name}})
			if err != nil {
				return err
			}
			if err := e.inTx(ctx, func(tx pgx.Tx) error {
				return e.store.AddEvents(ctx, tx, []store.Event{{IdentityID: id, Type: EventProvisioned,
					Detail: detail}}, e.now())
			}); err != nil {
				return err
			}
		}
		return nil
	})
}

// ProvisionResult says what [Engine.ProvisionPending] did.
type ProvisionResult struct {
	Done   int `json:"done"`
	Failed int `json:"failed"` // attempts
	Open   int `json:"open"`   // operations that are still to be done
}

// ProvisionPending tries every operation that is open, once. It is for programs that have no workers running; any
// number of callers may do it at the same time, beside workers. The identities whose accounts it changes are marked for
// processing.
func (e *Engine) ProvisionPending(ctx context.Context) (ProvisionResult, error) {
	const op = "provision"
	var total ProvisionResult
	batches, err := e.store.OpenBatches(ctx, e.pool)
	if err != nil {
		return total, wrap(op, "", err)
	}
	for _, id := range batches {
		result, err := e.doBatch(ctx, id, func() bool { return ctx.Err() == nil }, math.MaxInt)
		total.Done += result.done
		total.Failed += result.failed
		if err != nil {
			return total, wrap(op, "", err)
		}
	}
	open, err := e.store.CountOperations(ctx, e.pool, store.OperationOpen)
	total.Open = int(open)
	return total, wrap(op, "", err)
}
