//go:build crash

package crashtest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"time"

	"github.com/gofrs/flock"

	"github.com/muster-engine/muster/engine/attribute"
	"github.com/muster-engine/muster/engine/connector"
)

// ledger is a source that keeps every call of an operation, durably and with its key, so that what is done twice is
// seen. Its accounts are what the executed operations made.
type ledger struct {
	path   string
	schema *connector.Schema
}

// What became of a call of an operation.
const (
	executed  = "executed"
	repeated  = "repeated"  // it had been executed under this key
	redundant = "redundant" // under another key it was as if it had been executed: it would have been done twice
	refused   = "refused"
)

// entry is one line of a ledger.
type entry struct {
	Key, Kind, Native string
	Attributes        json.RawMessage
	Outcome           string
	Worker            int       // its process
	At                time.Time // by the real clock
}

// books is what a ledger has in it.
type books struct {
	entries  []entry
	accounts map[string]*attribute.Set
	natives  []string // in the order of their creation
}

func (l *ledger) load() (*books, error) {
	b := &books{accounts: map[string]*attribute.Set{}}
	text, err := os.ReadFile(l.path)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	for line := range bytes.Lines(text) {
		var e entry
		if err := json.Unmarshal(line, &e); err != nil {
			return nil, fmt.Errorf("%s: %w", l.path, err)
		}
		b.entries = append(b.entries, e)
		if e.Outcome != executed {
			continue
		}
		o := &connector.Operation{Kind: connector.Kind(e.Kind), NativeIdentity: e.Native}
		if err := o.Attributes.Decode(e.Attributes); err != nil {
			return nil, err
		}
		b.post(o, l.schema)
	}
	return b, nil
}

// post changes the accounts as an operation does, and returns what that is to be called.
func (b *books) post(o *connector.Operation, schema *connector.Schema) string {
	account := b.accounts[o.NativeIdentity]
	switch {
	case o.Kind == connector.Create && account == nil:
		after := connector.Applied(&attribute.Set{}, o, schema)
		b.accounts[o.NativeIdentity] = &after
		b.natives = append(b.natives, o.NativeIdentity)
	case o.Kind == connector.Create || o.Kind == connector.Delete && account == nil:
		return redundant
	case account == nil:
		return refused
	case o.Kind == connector.Delete:
		delete(b.accounts, o.NativeIdentity)
		b.natives = slices.DeleteFunc(b.natives, func(native string) bool { return native == o.NativeIdentity })
	default:
		after := connector.Applied(account, o, schema)
		if bytes.Equal(after.AppendJSON(nil), account.AppendJSON(nil)) {
			return redundant
		}
		*account = after
	}
	return executed
}

// Apply implements [connector.Connector].
func (l *ledger) Apply(ctx context.Context, o *connector.Operation) (result connector.Result, err error) {
	lock := flock.New(l.path + ".lock")
	if _, err := lock.TryLockContext(ctx, time.Millisecond); err != nil {
		return result, err
	}
	defer lock.Unlock()
	b, err := l.load()
	if err != nil {
		return result, err
	}
	outcome := repeated
	if !slices.ContainsFunc(b.entries, func(e entry) bool { return e.Key == o.Key && e.Outcome == executed }) {
		outcome = b.post(o, l.schema)
	}
	line := append(encode(entry{o.Key, string(o.Kind), o.NativeIdentity, o.Attributes.AppendJSON(nil), outcome,
		os.Getpid(), time.Now().UTC()}), '\n')
	file, err := os.OpenFile(l.path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return result, err
	}
	_, err = file.Write(line)
	if err := errors.Join(err, file.Sync(), file.Close()); err != nil {
		return result, err
	}
	if outcome == refused {
		return result, connector.ErrNoAccount
	}
	return connector.Result{NativeIdentity: o.NativeIdentity}, nil
}

// Read implements [connector.Connector].
func (l *ledger) Read(_ context.Context, since string, each func(*connector.Object) error) (string, error) {
	if since != "" {
		return "", connector.ErrNoChanges
	}
	b, err := l.load()
	if err != nil {
		return "", err
	}
	for _, native := range b.natives {
		if err := each(&connector.Object{NativeIdentity: native, Attributes: b.accounts[native].Clone()}); err != nil {
			return "", err
		}
	}
	return "", nil
}

// Find implements [connector.Finder].
func (l *ledger) Find(ctx context.Context, query *connector.Query, each func(*connector.Object) error) error {
	_, err := l.Read(ctx, "", func(o *connector.Object) error {
		if !query.Selects(o) {
			return nil
		}
		return each(o)
	})
	return err
}

// Test implements [connector.Connector].
func (l *ledger) Test(context.Context) error { return nil }

// Discover implements [connector.Connector].
func (l *ledger) Discover(context.Context) ([]connector.Schema, error) {
	return []connector.Schema{*l.schema}, nil
}

// Close implements [connector.Connector].
func (l *ledger) Close() error { return nil }
