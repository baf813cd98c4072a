package engine

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/muster-engine/muster/engine/configuration"
	"github.com/muster-engine/muster/engine/fault"
	"github.com/muster-engine/muster/engine/internal/change"
	"github.com/muster-engine/muster/engine/transform"
	"github.com/muster-engine/muster/store"
)

// RevisionCommentMax is how many characters the comment of a change of the configuration may have.
const RevisionCommentMax = 4000

// ApplyOption says more about a call of [Engine.Apply].
type ApplyOption func(*applyOptions)

type applyOptions change.Options

// WithComment says why the configuration is changed: at most [RevisionCommentMax] characters. The revision shows it.
func WithComment(text string) ApplyOption { return func(o *applyOptions) { o.Comment = text } }

// AcceptLosses applies documents without the members that ask for what the engine does not do, and whose value would
// change a value, access or a person: without it, they are an error that lists them all. The result names them, and so
// does the revision.
func AcceptLosses() ApplyOption { return func(o *applyOptions) { o.AcceptLosses = true } }

// Untrusted says that documents do not come from the operator of the engine, but over HTTP, from a console, or from
// anybody else who may configure the tenant and not the machine. A source in them may name only secrets, folders and
// hosts that [Config].Allow lists: without that list, none. Otherwise the error is [Forbidden], and lists all that is
// not allowed. What a source names already may stay as long as its settings do not change.
func Untrusted() ApplyOption { return func(o *applyOptions) { o.Untrusted = true } }

// Replace lets documents replace objects whole, also where they lack a member that decides who has which value, access
// or account, and that the object has: without it, that is an error which lists all such members.
// docs/configuration.md marks them.
func Replace() ApplyOption { return func(o *applyOptions) { o.Replace = true } }

// Confirm carries removals out that the guard holds, because more identities would lose something at once than it
// allows. What follows from a removal is judged by the guard all the same, when its task runs.
func Confirm() ApplyOption { return func(o *applyOptions) { o.Confirm = true } }

// AtVersion fails with a [Conflict] unless the configuration has a version, such as that of a preview.
func AtVersion(version int64) ApplyOption { return func(o *applyOptions) { o.At = version } }

// Prune removes the objects of some types that no document has; without any type, of the types of the documents. The
// rules are those of [Engine.DeleteConfiguration]. Settings cannot be pruned. Identity attributes that a profile of the
// documents maps count as had by them, and so do the lifecycle states in a profile.
func Prune(kinds ...ObjectType) ApplyOption {
	return func(o *applyOptions) { o.Prune, o.PruneGiven = kinds, len(kinds) == 0 }
}

// WithTask records a task that has ended, with a description, where a change leaves nothing to process, so that the
// result always names one. It counts for changes of single objects, and not for [Engine.Apply].
func WithTask(description string) ApplyOption { return func(o *applyOptions) { o.Task = description } }

// ApplyResult says what applying did.
type ApplyResult struct {
	Objects []AppliedObject `json:"objects"`
	// Marked is how many identities wait to be processed because of it. Task is the ID of the task that processes them.
	Marked int    `json:"marked"`
	Task   string `json:"task,omitempty"`
	// Notes say what was applied as it is given, but may not be what was meant.
	Notes []string `json:"notes"`
	// Losses are the members that were left out, because of [AcceptLosses]: each with its object and what is lost.
	Losses []string `json:"losses,omitempty"`
	// Removals are the objects that were removed, and what went with each.
	Removals []ConfigurationRemoval `json:"removals,omitempty"`
	// Version is the version of the configuration after it.
	Version int64 `json:"version"`
}

// Apply makes the configuration say what documents say: it finds an object by its ID, or else by its name, and creates
// it when it is not there. Objects that are not mentioned stay as they are. Everything is applied or nothing. The same
// transaction requests the processing of the identities that it concerns. Applying the same twice changes nothing the
// second time. A member that no published shape has is an error, with what may be meant; what has no effect is noted.
// docs/configuration.md lists all members. Each change is kept as a revision, with who made it: see
// [Engine.ConfigurationRevisions].
//
// A document replaces its object whole, and a note says which members go by that. Where it lacks a member that decides
// who has which value, access or account, applying is a [Conflict] without [Replace].
func (e *Engine) Apply(ctx context.Context, documents []Document, options ...ApplyOption) (ApplyResult, error) {
	return e.apply(documents, options).run(ctx)
}

// ApplyTx is [Engine.Apply] in the caller's transaction. It keeps other changes and runs waiting until that ends.
func (e *Engine) ApplyTx(ctx context.Context, tx pgx.Tx, documents []Document, options ...ApplyOption) (ApplyResult,
	error,
) {
	return e.apply(documents, options).runIn(ctx, tx)
}

func (e *Engine) apply(documents []Document, options []ApplyOption) writeOf[ApplyResult] {
	const op = "apply"
	return writeOf[ApplyResult]{e, op, "", func(ctx context.Context, tx pgx.Tx) (ApplyResult, error) {
		o, err := changeOptions(op, options)
		if err != nil {
			return ApplyResult{}, err
		}
		result, err := e.applier.Apply(ctx, tx, documents, o)
		return ApplyResult(result), err
	}}
}

// changeOptions returns the options of a change of the configuration, which must be right.
func changeOptions(op string, options []ApplyOption) (change.Options, error) {
	var o applyOptions
	for _, option := range options {
		option(&o)
	}
	if len([]rune(o.Comment)) > RevisionCommentMax || !store.Storable(o.Comment) {
		return change.Options{}, fault.Invalidf(op, "comment", "at most %d characters without NUL are allowed",
			RevisionCommentMax)
	}
	for _, kind := range o.Prune {
		if err := removableType(op, kind); err != nil {
			return change.Options{}, err
		}
	}
	return change.Options(o), nil
}

// CheckDocuments checks documents as the whole configuration of a tenant that has none, without a database: each by
// itself, and against each other. The rules of transforms are those of the host, by name. The error is Invalid, and
// says where and what would be right. It takes any connector as connected.
func CheckDocuments(documents []Document, rules map[string]transform.Rule) error {
	const op = "check the configuration"
	connected := func(string) bool { return true }
	compile := func(rows store.Configuration) (*configuration.Configuration, error) {
		return configuration.Compile(rows, rules, connected)
	}
	none, err := compile(store.Configuration{})
	if err != nil {
		return fault.Wrap(op, "", err)
	}
	request := change.Request{Documents: documents, Compile: compile}
	proposal, err := change.Propose(store.Configuration{}, none, &request, time.Now())
	if err != nil {
		return fault.Wrap(op, "", err)
	}
	c, err := compile(proposal.Rows)
	if err == nil {
		err = c.Check()
	}
	if err != nil {
		return &Error{Kind: Invalid, Op: op, Subject: change.PlacesOf(documents), Err: err}
	}
	return nil
}
