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
	// Accounts also removes the accounts of the identity that are stored here. What their sources have comes back with
	// the next aggregation: the sources have to be cleaned first.
	Accounts bool
}

// Erasure is the report of an erasure. It has no values.
type Erasure struct {
	Identity string       `json:"identity"`
	Rows     []ErasedRows `json:"rows"`
	// Left are the columns of the tenant's tables, those of jobs among them, in which the identity's ID is still found,
	// or a name, alias, e-mail address or native identity that it has or had. Another person may be meant: a report's
	// account that names its manager, or somebody of the same name.
	Left []Trace `json:"left"`
}

// ErasedRows says what was removed from a table.
type ErasedRows struct {
	Table string `json:"table"`
	Rows  int64  `json:"rows"`
	// Emptied says that the rows stay, without the values that told of the person.
	Emptied bool `json:"emptied"`
}

// Trace is a column in which a person is still found.
type Trace struct {
	Table  string `json:"table"` // with its schema
	Column string `json:"column"`
	Rows   int64  `json:"rows"`
}

// EraseIdentity removes what is stored about a person: the identity, if it is not deleted yet, with all that goes with
// it, and also what a deletion leaves: its history, its operations on sources, the messages of tasks about it. The
// history of others loses its ID, its name and its e-mail address, also as the actor. Counts of tasks stay. Followers
// of [Engine.Events] are not told: a host that keeps copies deletes the identity first, and erases it when they have
// read that.
// Where the person acted, in tasks, operations and revisions of the configuration, the ID becomes zeros and the name is
// masked, and documents of revisions lose the ID, the name and the e-mail address. Comments of revisions and of role
// assignments, and causes of parked operations, are replaced where they tell of the person.
//
// It is a Conflict, and nothing is erased, while the identity is protected or owns something ([Engine.Ownership]),
// while the configuration names it, while it has accounts, unless options say to remove them, and while a worker
// carries out one of its operations or sends it a message. An identity that was never here is NotFound.
//
// The transaction reads the history of others, which takes seconds for each million of events. Meanwhile aggregations
// cannot end. Then, outside of the transaction, every row of the tenant is searched for the person, which takes as
// long. The same call may be repeated as long as anything is left to erase.
func (e *Engine) EraseIdentity(ctx context.Context, identity string, options EraseOptions) (Erasure, error) {
	w := e.eraseIdentity(identity, options)
	done, err := w.run(ctx)
	if err != nil {
		return Erasure{}, err
	}
	if err := e.eraseLateMessages(ctx, &done); err != nil {
		return done.Erasure, fault.Wrap(w.op, identity, err)
	}
	err = e.findTraces(ctx, e.tenant.Pool, &done)
	return done.Erasure, fault.Wrap(w.op, identity, err)
}

// eraseLateMessages removes the identity from the messages of batches that ran beside the erasure: they may have read
// it before, and told of it since, as of one of several managers. It waits for those batches.
func (e *Engine) eraseLateMessages(ctx context.Context, done *erased) error {
	id, err := store.ParseID(done.Identity)
	if err != nil {
		return err
	}
	return e.tenant.InTx(ctx, func(tx pgx.Tx) error {
		if err := e.tenant.Store.LockCorrelation(ctx, tx); err != nil {
			return err
		}
		late, err := e.tenant.Store.EraseTasks(ctx, tx, id)
		for _, r := range late {
			done.add(ErasedRows(r))
		}
		return err
	})
}

// add counts rows of a table to those that were removed, or emptied, before.
func (e *Erasure) add(rows ErasedRows) {
	for i := range e.Rows {
		if e.Rows[i].Table == rows.Table && e.Rows[i].Emptied == rows.Emptied {
			e.Rows[i].Rows += rows.Rows
			return
		}
	}
	e.Rows = append(e.Rows, rows)
}

// EraseIdentityTx is [Engine.EraseIdentity] in the caller's transaction, in which it also searches. Batches that run
// beside the transaction may tell of the identity after it, in messages of tasks: erase it again after the commit.
func (e *Engine) EraseIdentityTx(ctx context.Context, tx pgx.Tx, identity string, options EraseOptions) (Erasure,
	error,
) {
	w := e.eraseIdentity(identity, options)
	done, err := w.runIn(ctx, tx)
	if err == nil {
		err = e.findTraces(ctx, tx, &done)
	}
	return done.Erasure, fault.Wrap(w.op, identity, err)
}

// erased is what an erasure did, with the texts by which its traces are found.
type erased struct {
	Erasure
	texts []string
}

// findTraces searches for what is left of a person.
func (e *Engine) findTraces(ctx context.Context, q store.Querier, done *erased) error {
	id, err := store.ParseID(done.Identity)
	if err != nil {
		return err
	}
	traces, err := e.tenant.Store.Traces(ctx, q, e.tenant.JobSchema, id, done.texts)
	done.Left = []Trace{}
	for _, t := range traces {
		done.Left = append(done.Left, Trace(t))
	}
	return err
}

func (e *Engine) eraseIdentity(identity string, options EraseOptions) writeOf[erased] {
	const op = "erase the identity"
	return writeOf[erased]{e, op, identity, func(ctx context.Context, tx pgx.Tx) (erased, error) {
		id, known := store.IDOf(identity)
		if !known {
			return erased{}, fault.NoIdentity(op, identity)
		}
		d, exists, err := e.lockForDeletion(ctx, tx, id)
		if err != nil {
			return erased{}, err
		}
		// LockSubject locks what comes after the keys in the lock order of package store.
		if err := e.tenant.Store.LockKeys(ctx, tx); err != nil {
			return erased{}, err
		}
		subject, err := e.tenant.Store.LockSubject(ctx, tx, id)
		if err != nil {
			return erased{}, err
		}
		if !exists && subject.Rows == 0 {
			return erased{}, fault.NoIdentity(op, identity)
		}
		if err := e.demandErasable(ctx, tx, op, identity, &subject, exists, options); err != nil {
			return erased{}, err
		}
		names, texts, err := e.describe(ctx, tx, &subject, exists)
		if err != nil {
			return erased{}, err
		}
		rows, err := e.eraseRows(ctx, tx, &subject, exists, d)
		if err != nil {
			return erased{}, err
		}
		masked, err := e.tenant.Store.MaskOthers(ctx, tx, id, names)
		if err != nil {
			return erased{}, err
		}
		acted, err := e.tenant.Store.MaskActors(ctx, tx, id, names, texts)
		if err != nil {
			return erased{}, err
		}
		tasks, err := e.tenant.Store.EraseTasks(ctx, tx, id)
		if err != nil {
			return erased{}, err
		}
		launched, err := e.tenant.Store.MaskTaskActors(ctx, tx, id, texts)
		if err != nil {
			return erased{}, err
		}
		told, err := e.tenant.Store.MaskEventActors(ctx, tx, id, texts)
		done := erased{Erasure{Identity: id.String(), Rows: []ErasedRows{}}, texts}
		for _, r := range slices.Concat(rows, masked, acted, tasks, launched, told) {
			done.add(ErasedRows(r))
		}
		return done, err
	}}
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

// describe returns the texts by which a person is found, those of now and of before. names are the names and e-mail
// addresses, which are masked in the history of others; texts are all of them.
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
		texts = append(texts, subject.Accounts[i].Name, subject.Accounts[i].StableIdentity)
	}
	names = distinct(names...)
	return names, distinct(slices.Concat(names, texts, subject.Natives)...), nil
}

// distinct returns each text once, in their order, without the empty one.
func distinct(texts ...string) []string {
	list := []string{}
	for _, text := range texts {
		if text != "" && !slices.Contains(list, text) {
			list = append(list, text)
		}
	}
	return list
}

// eraseRows removes the rows about an identity, and the identity if it is there.
func (e *Engine) eraseRows(ctx context.Context, tx pgx.Tx, subject *store.Subject, exists bool, d deletion) (
	[]store.Erased, error,
) {
	cause := e.tenant.NewCause(ctx)
	var erased []store.Erased
	if len(subject.Accounts) > 0 {
		ids := make([]store.ID, len(subject.Accounts))
		for i := range subject.Accounts {
			ids[i] = subject.Accounts[i].ID
		}
		erased = append(erased, store.Erased{Table: "accounts", Rows: int64(len(ids))})
		for _, gone := range []struct { // with its account, each of them
			table string
			count func(context.Context, store.Querier, []store.ID) (int64, error)
		}{
			{"account_keys", e.tenant.Store.CountAccountKeys},
			{"account_entitlements", e.tenant.Store.CountAccountEntitlements},
			{"account_demands", e.tenant.Store.CountAccountDemands},
		} {
			rows, err := gone.count(ctx, tx, ids)
			if err != nil {
				return nil, err
			}
			if rows > 0 {
				erased = append(erased, store.Erased{Table: gone.table, Rows: rows})
			}
		}
		if err := e.tenant.Store.DeleteAccounts(ctx, tx, ids); err != nil {
			return nil, err
		}
	}
	if exists {
		keys, err := e.tenant.Store.CountIdentityKeys(ctx, tx, subject.ID)
		if err != nil {
			return nil, err
		}
		erased = append(erased, store.Erased{Table: "identities", Rows: 1}, store.Erased{Table: "identity_keys",
			Rows: keys})
		if len(d.reports) > 0 { // they lose their manager
			erased = append(erased, store.Erased{Table: "identities", Rows: int64(len(d.reports)), Emptied: true})
		}
	}
	// The rows that go with the identity are removed before it, so that they are counted.
	rows, err := e.tenant.Store.EraseRows(ctx, tx, subject.ID)
	if err != nil {
		return nil, err
	}
	erased = append(erased, rows...)
	if !exists {
		return erased, nil
	}
	if err := e.removeIdentity(ctx, tx, d, cause); err != nil {
		return nil, err
	}
	_, _, err = e.tasks.LaunchRequested(ctx, tx, cause, "Process after an erasure", nil)
	return erased, err
}
