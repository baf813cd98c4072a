package aggregation

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/muster-engine/muster/engine/attribute"
	"github.com/muster-engine/muster/engine/configuration"
	"github.com/muster-engine/muster/engine/connector"
	"github.com/muster-engine/muster/engine/connector/delimited"
	"github.com/muster-engine/muster/engine/fault"
	"github.com/muster-engine/muster/store"
)

// reading turns the objects of a source into accounts.
type reading struct {
	source       *configuration.CompiledSource
	objects      func() (*connector.Object, error) // [io.EOF] after the last
	entitling    map[string]bool                   // the entitlement attributes
	progress     func(int)
	count        int
	most         int
	result       Result
	spared       []string // native identities of faulty objects: their accounts have not vanished
	unknown      int      // faulty objects of which the native identity cannot be told
	gone         []string // native identities of accounts that the source says are gone
	entitlements map[store.EntitlementValue]struct{}
	staged       store.Staged
	repeatable   bool // what is read can be read again
	duplicates   bool // rows were left out because an earlier one has their account
	correlated   int  // accounts that had an identity before; not counted for a delta

	account store.StagedAccount
}

func (a *Aggregator) newReading(source *configuration.CompiledSource, objects func() (*connector.Object, error),
	options Options,
) *reading {
	r := &reading{
		source: source, objects: objects, progress: options.Progress, entitling: map[string]bool{},
		most:         cmp.Or(options.MaxObjects, a.Objects),
		entitlements: map[store.EntitlementValue]struct{}{},
		result:       Result{RowErrors: []RowError{}, Notes: []string{}},
	}
	if schema := source.AccountSchema(); schema != nil {
		for _, a := range schema.Attributes {
			r.entitling[a.Name] = a.IsEntitlement
		}
	}
	return r
}

// textReading reads the accounts of delimited text.
func (a *Aggregator) textReading(source *configuration.CompiledSource, r io.Reader, options Options) (*reading, error) {
	settings, err := delimited.ParseSettings(source.ConnectorAttributes)
	if err != nil {
		return nil, err
	}
	if options.Delimiter != "" {
		if _, err := delimited.ParseDelimiter(options.Delimiter); err != nil {
			return nil, err
		}
		settings.Delimiter = options.Delimiter
	}
	objects, err := delimited.NewObjects(r, settings, source.AccountSchema())
	if err != nil {
		return nil, err
	}
	reader := a.newReading(source, objects.Next, options)
	reader.result.Notes = append(reader.result.Notes, objects.Notes()...)
	return reader, nil
}

// progressEvery is how many rows pass between two reports of progress.
const progressEvery = 1000

// next returns the next account that can be read. It implements [store.StageRows].
func (r *reading) next() (*store.StagedAccount, bool, error) {
	for {
		object, err := r.objects()
		if errors.Is(err, io.EOF) {
			if r.progress != nil {
				r.progress(r.count)
			}
			return nil, false, nil
		}
		if err != nil {
			return nil, false, err
		}
		if r.count >= r.most {
			return nil, false, r.tooMany()
		}
		if r.count++; r.progress != nil && r.count%progressEvery == 0 {
			r.progress(r.count)
		}
		if fault := r.read(object); fault != "" {
			r.fault(object.Line, fault)
			r.spare(object.NativeIdentity)
			continue
		}
		return &r.account, true, nil
	}
}

// tooMany is the error of a source with more objects than are allowed.
func (r *reading) tooMany() error {
	return &fault.Error{Kind: fault.Conflict, Op: "aggregate", Subject: r.source.Name, Err: fmt.Errorf(
		"there are more than %d objects: nothing was changed; look at the source, and raise the limit if it is right",
		r.most)}
}

func (r *reading) fault(line int, msg string) {
	r.result.Faulty++
	if len(r.result.RowErrors) < RowErrorsMax {
		r.result.RowErrors = append(r.result.RowErrors, RowError{line, msg})
	}
}

// spare keeps the account of a faulty object from counting as vanished.
func (r *reading) spare(native string) {
	if native == "" || !store.Storable(native) || len(native) > configuration.NativeIdentityLengthMax {
		r.unknown++
		return
	}
	r.spared = append(r.spared, strings.Clone(native))
}

// read makes the account of an object. It returns what is wrong with it, "" for nothing.
func (r *reading) read(object *connector.Object) string {
	native := object.NativeIdentity
	switch {
	case object.Fault != "":
		return object.Fault
	case native == "":
		return "the object has no native identity"
	case len(native) > configuration.NativeIdentityLengthMax:
		return fmt.Sprintf("the native identity is longer than %d bytes", configuration.NativeIdentityLengthMax)
	case !store.Storable(native) || !store.Storable(object.Name):
		return "the native identity or the name is no UTF-8 text without NUL characters"
	}
	for name, value := range object.Attributes.All() {
		if !store.Storable(name) {
			return "the name of an attribute is no UTF-8 text without NUL characters"
		}
		if value.Kind() == attribute.KindNumber {
			if err := configuration.CheckNumber(value.Text()); err != nil {
				return fmt.Sprintf("the attribute %q: %v", name, err)
			}
		}
		for _, text := range value.Strings() {
			if !store.Storable(text) {
				return fmt.Sprintf("the attribute %q is no UTF-8 text without NUL characters", name)
			}
			if !r.entitling[name] {
				continue
			}
			if err := r.recordEntitlement(name, text); err != nil {
				return fmt.Sprintf("the attribute %q: %v", name, err)
			}
		}
	}
	r.source.Stage(&r.account, object)
	return ""
}

func (r *reading) recordEntitlement(name, value string) error {
	if len(value) > configuration.EntitlementLengthMax {
		return fmt.Errorf("an entitlement is longer than %d bytes", configuration.EntitlementLengthMax)
	}
	key := store.EntitlementValue{Attribute: name, Value: value}
	if _, known := r.entitlements[key]; !known {
		key.Value = strings.Clone(value) // the object's memory is used again
		r.entitlements[key] = struct{}{}
	}
	return nil
}
