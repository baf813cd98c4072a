package aggregation

import (
	"cmp"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/muster-engine/muster/engine/attribute"
	"github.com/muster-engine/muster/engine/configuration"
	"github.com/muster-engine/muster/engine/connector"
	"github.com/muster-engine/muster/engine/connector/delimited"
	"github.com/muster-engine/muster/engine/fault"
	"github.com/muster-engine/muster/store"
)

// reader turns the objects of a source into accounts for the stage, and keeps as findings what it learns of the others:
// those that are no accounts, that are gone, or that cannot be read. It is used once, by [run.stage].
type reader struct {
	source    *configuration.CompiledSource
	objects   nextObject
	passwords map[string]bool // whether an attribute holds passwords, of those met so far
	omitted   map[string]int  // how often an attribute was left out because it is no text
	notes     func() []string // what the source has to say at the end
	columns   func() []string // the attributes that the data has, where the source tells them at the end; nil otherwise
	most      int             // objects
	count     int             // of objects, also of those that are no accounts
	accounts  int             // of count
	progress  func(accounts int)
	account   store.StagedAccount // the last one, whose memory is used again
	findings  findings
}

// nextObject returns the next object of a source, nil after the last. The object is valid until the next call. No error
// stands for the end of the data: where a connection breaks, many connectors return an [io.EOF], and the accounts that
// were not read must not count as vanished.
type nextObject func() (*connector.Object, error)

// findings are what a reader found beside the accounts that it staged.
type findings struct {
	faults  faults
	notes   []string
	spared  []string // native identities of faulty objects: their accounts have not vanished
	unknown int      // faulty objects whose native identity cannot be told
	gone    []string // native identities of accounts that the source says are gone
	// stable says that the source has stable identities. sparedStable are those of faulty objects; unstable counts the
	// faulty objects that have none. goneStable are those of accounts that are gone, by their native identities.
	stable       bool
	sparedStable []string
	unstable     int
	goneStable   map[string]string
	// columns are the attributes that the data has, where it tells; nil otherwise. connected says that a connector read
	// it.
	columns   []string
	connected bool
	// attributes are those that were read, and those of the account schema.
	attributes map[string]*attributeFinding
	// entitlements are the values of the accounts' entitlement attributes, names the names that the source gives to
	// entitlements.
	entitlements map[store.EntitlementValue]struct{}
	names        map[store.EntitlementValue]string
}

// attributeFinding is what a reader found of an attribute.
type attributeFinding struct {
	entitling bool // its values are entitlements
	valued    bool // an account has a value
}

// reader returns a reader of objects.
func (r *run) reader(objects nextObject) *reader {
	reading := &reader{
		source: r.source, objects: objects, progress: r.options.Progress,
		most: cmp.Or(r.options.MaxObjects, r.settings.Objects), passwords: map[string]bool{},
		omitted: map[string]int{}, notes: func() []string { return nil },
		findings: findings{
			faults: faults{reported: []RowError{}}, notes: []string{},
			entitlements: map[store.EntitlementValue]struct{}{}, attributes: map[string]*attributeFinding{},
		},
	}
	if schema := r.source.AccountSchema(); schema != nil {
		for _, a := range schema.Attributes {
			reading.findings.attributes[a.Name] = &attributeFinding{entitling: a.IsEntitlement}
		}
	}
	reading.findings.notes = append(reading.findings.notes, r.source.PasswordNotes()...)
	return reading
}

// textReader returns a reader of the accounts in delimited text.
func (r *run) textReader(text io.Reader) (*reader, error) {
	settings, err := delimited.ParseSettings(r.source.ConnectorAttributes)
	if err != nil {
		return nil, err
	}
	if r.options.Delimiter != "" {
		if _, err := delimited.ParseDelimiter(r.options.Delimiter); err != nil {
			return nil, err
		}
		settings.Delimiter = r.options.Delimiter
	}
	objects, err := delimited.NewObjects(text, settings, r.source.AccountSchema())
	if err != nil {
		return nil, err
	}
	reader := r.reader(func() (*connector.Object, error) {
		object, err := objects.Next()
		if err == io.EOF { //nolint:errorlint // an error around it is a connection that broke, and not the end
			return nil, nil
		}
		return object, err
	})
	reader.notes = objects.Notes
	reader.findings.columns = objects.Attributes()
	return reader, nil
}

// next returns the next account that can be read. It implements [store.StageRows].
func (r *reader) next() (*store.StagedAccount, bool, error) {
	for {
		object, err := r.object()
		if err != nil {
			return nil, false, err
		}
		switch {
		case object == nil:
			r.end()
			return nil, false, nil
		case object.Type != "" && object.Type != connector.AccountObject:
			r.findName(object)
		case object.Deleted:
			r.findGone(object)
		default:
			r.countAccount()
			fault := r.read(object)
			if fault == "" {
				return &r.account, true, nil
			}
			r.findings.faults.add(object.Line, fault)
			r.spare(object)
		}
	}
}

// end reports that everything is read, and takes the notes on it.
func (r *reader) end() {
	if r.progress != nil {
		r.progress(r.accounts)
	}
	notes := &r.findings.notes
	for _, name := range slices.Sorted(maps.Keys(r.omitted)) {
		*notes = append(*notes, fmt.Sprintf("the attribute %q was left out of %d accounts, because its value is no "+
			"UTF-8 text without NUL characters", name, r.omitted[name]))
	}
	*notes = append(*notes, r.notes()...)
	if r.columns != nil {
		r.findings.columns = r.columns()
	}
}

// object returns the next object, nil after the last. It fails where there are more than are allowed.
func (r *reader) object() (*connector.Object, error) {
	object, err := r.objects()
	if err != nil || object == nil {
		return nil, err
	}
	if r.count >= r.most {
		return nil, r.tooMany()
	}
	r.count++
	return object, nil
}

func (r *reader) tooMany() error {
	return &fault.Error{Kind: fault.Conflict, Op: "aggregate", Subject: r.source.Name, Err: fmt.Errorf(
		"there are more than %d objects: nothing was changed; look at the source, and raise the limit if it is right",
		r.most)}
}

// progressEvery is how many accounts pass between two reports of progress.
const progressEvery = 1000

func (r *reader) countAccount() {
	r.accounts++
	if r.progress != nil && r.accounts%progressEvery == 0 {
		r.progress(r.accounts)
	}
}

// findName keeps the name of an object that is an entitlement, such as a group.
func (r *reader) findName(object *connector.Object) {
	if r.findings.names == nil {
		r.findings.names = map[store.EntitlementValue]string{}
	}
	for _, attribute := range r.source.Entitling(object.Type) {
		r.findings.names[store.EntitlementValue{Attribute: attribute, Value: object.NativeIdentity}] = object.Name
	}
}

// findGone keeps the names of an account that the source says is gone.
func (r *reader) findGone(object *connector.Object) {
	if !nameable(object.StableIdentity) {
		r.findings.gone = append(r.findings.gone, object.NativeIdentity)
		return
	}
	if r.findings.goneStable == nil {
		r.findings.goneStable = map[string]string{}
	}
	r.findings.goneStable[strings.Clone(object.NativeIdentity)] = strings.Clone(object.StableIdentity)
}

// nameable reports whether a native or stable identity names an account.
func nameable(text string) bool {
	return text != "" && store.Storable(text) && len(text) <= configuration.NativeIdentityLengthMax
}

// spare keeps the account of a faulty object from counting as vanished.
func (r *reader) spare(object *connector.Object) {
	if !nameable(object.NativeIdentity) {
		r.findings.unknown++
		return
	}
	r.findings.spared = append(r.findings.spared, strings.Clone(object.NativeIdentity))
	if nameable(object.StableIdentity) {
		r.findings.sparedStable = append(r.findings.sparedStable, strings.Clone(object.StableIdentity))
	} else {
		r.findings.unstable++ // it may have had another name
	}
}

// read makes the account of an object. It returns what is wrong with the object, "" for nothing.
func (r *reader) read(object *connector.Object) string {
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
	case len(object.StableIdentity) > configuration.NativeIdentityLengthMax:
		return fmt.Sprintf("the stable identity is longer than %d bytes", configuration.NativeIdentityLengthMax)
	case !store.Storable(object.StableIdentity):
		return "the stable identity is no UTF-8 text without NUL characters"
	}
	var unread []string
	for name, value := range object.Attributes.All() {
		fault, omit := r.readAttribute(name, value)
		if fault != "" {
			return fault
		}
		if omit {
			unread = append(unread, name)
		}
	}
	for _, name := range unread {
		object.Attributes.Delete(name)
	}
	r.source.Stage(&r.account, object)
	r.findings.stable = r.findings.stable || object.StableIdentity != ""
	return ""
}

// readAttribute returns what is wrong with an attribute of an account, "" for nothing, and keeps its entitlements. omit
// says that the account is read without the attribute: it holds passwords, or is no text, such as a picture. An
// entitlement is never left out, since the account would seem not to have it.
func (r *reader) readAttribute(name string, value attribute.Value) (fault string, omit bool) {
	if !store.Storable(name) {
		return "the name of an attribute is no UTF-8 text without NUL characters", false
	}
	if r.holdsPassword(name) {
		return "", true
	}
	found := r.findings.attributes[name]
	if found == nil {
		found = &attributeFinding{}
		r.findings.attributes[strings.Clone(name)] = found
	}
	if !found.valued {
		found.valued = value.Text() != ""
	}
	if value.Kind() == attribute.KindNumber {
		if err := configuration.CheckNumber(value.Text()); err != nil {
			return fmt.Sprintf("the attribute %q: %v", name, err), false
		}
	}
	for _, text := range value.Strings() {
		switch {
		case store.Storable(text):
		case found.entitling:
			return fmt.Sprintf("the attribute %q is no UTF-8 text without NUL characters", name), false
		default:
			r.omitted[strings.Clone(name)]++
			return "", true
		}
	}
	if !found.entitling {
		return "", false
	}
	for _, text := range configuration.EntitlementTexts(value) {
		if len(text) > configuration.EntitlementLengthMax {
			return fmt.Sprintf("the attribute %q: an entitlement is longer than %d bytes", name,
				configuration.EntitlementLengthMax), false
		}
		r.keepEntitlement(name, text)
	}
	return "", false
}

// holdsPassword is [connector.HoldsPassword], which is asked once for each name.
func (r *reader) holdsPassword(name string) bool {
	holds, known := r.passwords[name]
	if !known {
		holds = connector.HoldsPassword(name)
		r.passwords[strings.Clone(name)] = holds
	}
	return holds
}

func (r *reader) keepEntitlement(name, value string) {
	key := store.EntitlementValue{Attribute: name, Value: value}
	if _, known := r.findings.entitlements[key]; !known {
		key.Value = strings.Clone(value) // the object's memory is used again
		r.findings.entitlements[key] = struct{}{}
	}
}
