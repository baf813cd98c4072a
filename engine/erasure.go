package engine

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/muster-engine/muster/engine/fault"
	"github.com/muster-engine/muster/engine/internal/event"
	"github.com/muster-engine/muster/engine/internal/tenant"
	"github.com/muster-engine/muster/store"
)

// EraseOptions say how far an erasure goes.
type EraseOptions struct {
	// Accounts also removes the accounts of the identity that are kept here. What their sources have comes back with
	// the next aggregation: the sources have to be cleaned first.
	Accounts bool
}

// Erasure is the report of an erasure. It has no values.
type Erasure struct {
	Identity string       `json:"identity"`
	Rows     []ErasedRows `json:"rows"`
	// Left are the columns of the tenant's tables, those of jobs among them, in which the identity's ID, or a name,
	// alias, e-mail address or native identity that it has or had, is still found, whoever is meant: a report's account
	// that names its manager, or somebody of the same name.
	Left []Trace `json:"left"`
}

// ErasedRows says what was removed from a table.
type ErasedRows struct {
	Table string `json:"table"`
	Rows  int64  `json:"rows"`
	// Emptied says that the rows stay, without what told of the person.
	Emptied bool `json:"emptied"`
}

// Trace is a column in which a person is still found.
type Trace struct {
	Table  string `json:"table"` // with its schema
	Column string `json:"column"`
	Rows   int64  `json:"rows"`
}

// EraseIdentity removes what is kept of a person: the identity, if it is not deleted yet, with all that goes with it,
// and also what a deletion leaves: its history, its operations on sources, what tasks had to say of it. Others lose its
// ID, its name and its e-mail address from their history. Counts of tasks stay. Nothing tells followers of
// [Engine.Events]: a host that keeps copies deletes the identity first, and erases it when they have read that.
//
// It is a Conflict, and nothing is erased, while the identity is protected or owns something ([Engine.Ownership]),
// while the configuration names it, while it has accounts, unless options say to remove them, and while a worker
// carries out one of its operations or sends it a message. One that was never here is NotFound.
//
// The history of others is read for it in the transaction, seconds for each million of events, and aggregations wait
// with their end meanwhile. Then every row of the tenant is searched for the person, outside of the transaction, which
// takes as long. The same call may be repeated as long as anything is left to erase.
func (e *Engine) EraseIdentity(ctx context.Context, identity string, options EraseOptions) (Erasure, error) {
	const op = "erase the identity"
	var erasure Erasure
	var texts []string
	err := e.tenant.InTx(ctx, func(tx pgx.Tx) (err error) {
		erasure, texts, err = e.eraseIdentity(ctx, tx, identity, options)
		return err
	})
	if err != nil {
		return Erasure{}, fault.Wrap(op, identity, err)
	}
	err = e.findTraces(ctx, e.tenant.Pool, &erasure, texts)
	return erasure, fault.Wrap(op, identity, err)
}

// EraseIdentityTx is [Engine.EraseIdentity] in the caller's transaction, in which it also searches.
func (e *Engine) EraseIdentityTx(ctx context.Context, tx pgx.Tx, identity string, options EraseOptions) (Erasure,
	error,
) {
	const op = "erase the identity"
	erasure, texts, err := e.eraseIdentity(ctx, tx, identity, options)
	if err == nil {
		err = e.findTraces(ctx, tx, &erasure, texts)
	}
	return erasure, fault.Wrap(op, identity, err)
}

// findTraces searches for what is left of a person.
func (e *Engine) findTraces(ctx context.Context, q store.Querier, erasure *Erasure, texts []string) error {
	id, err := store.ParseID(erasure.Identity)
	if err != nil {
		return err
	}
	traces, err := e.tenant.Store.Traces(ctx, q, e.tenant.JobSchema, id, texts)
	erasure.Left = []Trace{}
	for _, t := range traces {
		erasure.Left = append(erasure.Left, Trace(t))
	}
	return err
}

func (e *Engine) eraseIdentity(ctx context.Context, tx pgx.Tx, identity string, options EraseOptions) (
	erasure Erasure, texts []string, err error,
) {
	const op = "erase the identity"
	missing := fault.NoIdentity(op, identity)
	id, known := store.IDOf(identity)
	if !known {
		return erasure, nil, missing
	}
	reports, exists, err := e.lockForDeletion(ctx, tx, id)
	if err != nil {
		return erasure, nil, err
	}
	// The lock of the keys comes before those of accounts, operations and tasks.
	if err := e.tenant.Store.LockKeys(ctx, tx); err != nil {
		return erasure, nil, err
	}
	subject, err := e.tenant.Store.LockSubject(ctx, tx, id)
	if err != nil {
		return erasure, nil, err
	}
	if !exists && subject.Rows == 0 {
		return erasure, nil, missing
	}
	if err := e.demandErasable(ctx, tx, op, identity, &subject, exists, options); err != nil {
		return erasure, nil, err
	}
	names, texts, err := e.describe(ctx, tx, &subject, exists)
	if err != nil {
		return erasure, nil, err
	}
	erased, err := e.eraseRows(ctx, tx, &subject, exists, reports)
	if err != nil {
		return erasure, nil, err
	}
	masked, err := e.tenant.Store.MaskOthers(ctx, tx, id, names)
	if err != nil {
		return erasure, nil, err
	}
	tasks, err := e.tenant.Store.EraseTasks(ctx, tx, id)
	erasure = Erasure{Identity: id.String(), Rows: []ErasedRows{}}
	for _, r := range slices.Concat(erased, masked, tasks) {
		erasure.Rows = append(erasure.Rows, ErasedRows(r))
	}
	return erasure, texts, err
}

// demandErasable fails while something keeps a person from being erased.
func (e *Engine) demandErasable(ctx context.Context, tx pgx.Tx, op, identity string, subject *store.Subject,
	exists bool, options EraseOptions,
) error {
	conflict := func(format string, arguments ...any) error {
		return &Error{Kind: Conflict, Op: op, Subject: identity, Err: fmt.Errorf(format, arguments...)}
	}
	if exists {
		if _, err := e.demandDeletable(ctx, tx, op, identity, subject.ID); err != nil {
			return err
		}
	}
	named, err := e.tenant.Store.NamedByConfiguration(ctx, tx, subject.ID)
	if err != nil {
		return err
	}
	if len(named) > 0 {
		return conflict("the configuration names the identity: take it out of %s first", strings.Join(named, ", "))
	}
	if len(subject.Accounts) > 0 && !options.Accounts {
		return conflict("%s of the identity here: remove them from their sources and aggregate, or have them removed "+
			"here too; what a source still has comes back", tenant.Plural(len(subject.Accounts), "account is",
			"accounts are"))
	}
	running, err := e.tenant.Store.LockOpenWork(ctx, tx, subject.ID, e.tenant.Clock())
	if err == nil && running {
		err = conflict("a worker does something for the identity: try again in some minutes")
	}
	return err
}

// describe returns by which texts a person is found, of now and of before: the names and e-mail addresses, which are
// theirs wherever they are, and all of them.
func (e *Engine) describe(ctx context.Context, tx pgx.Tx, subject *store.Subject, exists bool) (names, texts []string,
	err error,
) {
	if exists {
		row, err := e.tenant.Store.IdentityByID(ctx, tx, subject.ID)
		if err != nil {
			return nil, nil, err
		}
		names, texts = append(names, row.Name, store.TextOf(row.Email)), append(texts, row.Alias)
	} else if subject.Deleted != nil {
		var detail event.Deleted
		if err := json.Unmarshal(subject.Deleted, &detail); err != nil {
			return nil, nil, errors.New("the event of the deletion cannot be read")
		}
		names = append(names, detail.Identity.Name, detail.Attributes.Get("email").Text())
		texts = append(texts, detail.Attributes.Get("uid").Text())
	}
	for _, former := range subject.Former {
		if former.Attribute == "uid" {
			texts = append(texts, former.Value)
		} else {
			names = append(names, former.Value)
		}
	}
	for i := range subject.Accounts {
		texts = append(texts, subject.Accounts[i].Name)
	}
	names = distinct(names...)
	return names, distinct(slices.Concat(names, texts, subject.Natives)...), nil
}

// distinct returns texts, each once and in their order, without the empty one.
func distinct(texts ...string) []string {
	list := []string{}
	for _, text := range texts {
		if text != "" && !slices.Contains(list, text) {
			list = append(list, text)
		}
	}
	return list
}

// eraseRows removes what is kept about an identity, and the identity if it is there.
func (e *Engine) eraseRows(ctx context.Context, tx pgx.Tx, subject *store.Subject, exists bool, reports []store.ID) (
	[]store.Erased, error,
) {
	cause := store.Cause{Task: store.NewID(), At: e.tenant.Now()}
	var erased []store.Erased
	if len(subject.Accounts) > 0 {
		ids := make([]store.ID, len(subject.Accounts))
		for i := range subject.Accounts {
			ids[i] = subject.Accounts[i].ID
		}
		if err := e.tenant.Store.DeleteAccounts(ctx, tx, ids); err != nil {
			return nil, err
		}
		erased = append(erased, store.Erased{Table: "accounts", Rows: int64(len(ids))})
	}
	if exists {
		keys, err := e.tenant.Store.CountIdentityKeys(ctx, tx, subject.ID)
		if err != nil {
			return nil, err
		}
		erased = append(erased, store.Erased{Table: "identities", Rows: 1}, store.Erased{Table: "identity_keys",
			Rows: keys})
	}
	// What goes with the identity is removed before it, so that it is counted.
	rows, err := e.tenant.Store.EraseRows(ctx, tx, subject.ID)
	if err != nil {
		return nil, err
	}
	erased = append(erased, rows...)
	if !exists {
		return erased, nil
	}
	if err := e.removeIdentity(ctx, tx, subject.ID, reports, cause); err != nil {
		return nil, err
	}
	_, _, err = e.tasks.LaunchRequested(ctx, tx, cause, "Process after an erasure", nil)
	return erased, err
}
