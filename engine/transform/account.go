package transform

import (
	"slices"
	"strings"
	"time"

	"github.com/muster-engine/muster/engine/attribute"
	"github.com/muster-engine/muster/engine/transform/objectfilter"
)

// accountAttribute takes a value from the identity's accounts on a source. It filters and sorts the accounts, and takes
// the first value that is not null, or the value of the first account even if it is null.
type accountAttribute struct {
	sourceID, sourceName string
	name                 string
	lookup               *attribute.Lookup // of the name
	sort                 string
	descending           bool
	firstLink            bool
	// filter asks the searchable properties of an account, propertyFilter its attributes; nil for none.
	filter, propertyFilter *objectfilter.Filter
}

func newAccountAttribute(d *definition) operation {
	a := &accountAttribute{
		name:       d.requiredLiteral("attributeName"),
		sort:       d.literal("accountSortAttribute", "created"),
		descending: d.flag("accountSortDescending", false),
		firstLink:  d.flag("accountReturnFirstLink", false),
	}
	a.lookup = attribute.NewLookup(a.name)
	for _, name := range []string{"sourceName", "applicationName"} {
		a.sourceName = SourceName(d.literal(name, a.sourceName))
	}
	for _, name := range []string{"sourceId", "applicationId"} {
		a.sourceID = d.literal(name, a.sourceID)
	}
	if a.sourceName == "" && a.sourceID == "" {
		d.missing("sourceName")
	}
	a.filter = d.accountFilter("accountFilter", a)
	a.propertyFilter = d.accountFilter("accountPropertyFilter", a)
	d.Accounts = append(d.Accounts, AccountAttribute{a.sourceID, a.sourceName, a.name, false},
		AccountAttribute{a.sourceID, a.sourceName, a.sort, true})
	return a
}

// accountFilter reads a filter of accounts; nil for none.
func (d *definition) accountFilter(name string, a *accountAttribute) *objectfilter.Filter {
	text := d.literal(name, "")
	if text == "" {
		return nil
	}
	filter, err := objectfilter.Parse(text)
	if err != nil {
		d.fault(d.at(name), "%v", err)
		return nil
	}
	for _, property := range filter.Properties() {
		d.Accounts = append(d.Accounts, AccountAttribute{a.sourceID, a.sourceName, property, true})
	}
	return filter
}

// exportedSuffix follows a source's name in the vendor's exports: there it is the immutable name (applicationName).
const exportedSuffix = " [source]"

// SourceName returns the name of the source that a definition means: exports write "HR [source]" for HR.
func SourceName(name string) string { return strings.TrimSuffix(name, exportedSuffix) }

func (a *accountAttribute) apply(e *evaluation, _ attribute.Value) (attribute.Value, error) {
	var one [1]*Account // most identities have one account on a source
	accounts := one[:0]
	for i := range e.in.Accounts {
		if account := &e.in.Accounts[i]; account.isOn(a.sourceID, a.sourceName) && a.passes(account) {
			accounts = append(accounts, account)
		}
	}
	if len(accounts) > 1 {
		slices.SortStableFunc(accounts, a.compare)
	}
	for _, account := range accounts {
		value := attribute.Null
		if account.Attributes != nil {
			value = a.lookup.Get(account.Attributes)
		}
		if a.firstLink || !value.IsNull() {
			return value, nil
		}
	}
	return attribute.Null, nil
}

// isOn reports whether the account is on the source of an ID or a name; an empty one is none.
func (a *Account) isOn(id, name string) bool {
	if id != "" && strings.EqualFold(id, a.SourceID) {
		return true
	}
	return name != "" && name == SourceName(a.SourceName)
}

func (a *accountAttribute) passes(account *Account) bool {
	return (a.filter == nil || a.filter.Match(account.searchable)) &&
		(a.propertyFilter == nil || a.propertyFilter.Match(account.property))
}

// compare orders accounts. Accounts without a value come last in both directions, and equal ones in the order of their
// creation.
func (a *accountAttribute) compare(x, y *Account) int {
	if a.sort == "created" {
		return a.direction(x.Created.Compare(y.Created))
	}
	v, w := x.property(a.sort), y.property(a.sort)
	switch {
	case v.IsNull() && w.IsNull():
		return x.Created.Compare(y.Created)
	case v.IsNull():
		return 1
	case w.IsNull():
		return -1
	}
	order := strings.Compare(v.Text(), w.Text())
	if v.Kind() == attribute.KindNumber && w.Kind() == attribute.KindNumber {
		order = compareNumbers(v.Text(), w.Text())
	}
	if order == 0 {
		return x.Created.Compare(y.Created)
	}
	return a.direction(order)
}

func (a *accountAttribute) direction(order int) int {
	if a.descending {
		return -order
	}
	return order
}

// property returns an attribute of the account or, if it has none of that name, one of the properties that every
// account has. accountPropertyFilter and templates read it.
func (a *Account) property(name string) attribute.Value {
	if a.Attributes != nil && a.Attributes.Has(name) {
		return a.Attributes.Get(name)
	}
	return a.own(name)
}

// searchable returns one of the properties that every account has or, if there is none of that name, an attribute.
// accountFilter reads it: the vendor documents nativeIdentity, displayName and entitlements for it, of the account and
// not of its attributes.
func (a *Account) searchable(name string) attribute.Value {
	if own := a.own(name); !own.IsNull() || ownProperties[name] {
		return own
	}
	return a.property(name)
}

// ownProperties are the properties that a filter cannot mean an attribute by.
var ownProperties = map[string]bool{"nativeIdentity": true, "displayName": true, "entitlements": true}

// accountProperties are the names of the properties that every account has.
var accountProperties = []string{
	"nativeIdentity", "displayName", "name", "entitlements", "id", "created", "disabled", "iiqDisabled", "IIQDisabled",
	"locked", "iiqLocked", "IIQLocked",
}

// IsAccountProperty reports whether every account has a property of a name, also without an attribute of that name.
// Filters and the sorting of accounts may name it.
func IsAccountProperty(name string) bool { return slices.Contains(accountProperties, name) }

// own returns one of the properties that every account has.
func (a *Account) own(name string) attribute.Value {
	switch name {
	case "nativeIdentity":
		return textOrNull(a.NativeIdentity)
	case "displayName", "name":
		return textOrNull(a.Name)
	case "entitlements":
		return attribute.Bool(a.Entitlements)
	case "id":
		return textOrNull(a.ID)
	case "created":
		if !a.Created.IsZero() {
			return attribute.String(a.Created.UTC().Format(time.RFC3339Nano))
		}
	case "disabled", "iiqDisabled", "IIQDisabled":
		return attribute.Bool(a.Disabled)
	case "locked", "iiqLocked", "IIQLocked":
		return attribute.Bool(a.Locked)
	}
	return attribute.Null
}

func textOrNull(s string) attribute.Value {
	if s == "" {
		return attribute.Null
	}
	return attribute.String(s)
}
