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
	filters              []*objectfilter.Filter
}

func newAccountAttribute(d *definition) operation {
	a := &accountAttribute{
		name:       d.requiredLiteral("attributeName"),
		sort:       d.literal("accountSortAttribute", "created"),
		descending: d.flag("accountSortDescending"),
		firstLink:  d.flag("accountReturnFirstLink"),
	}
	a.lookup = attribute.NewLookup(a.name)
	for _, name := range []string{"sourceName", "applicationName"} {
		a.sourceName = d.literal(name, a.sourceName)
	}
	for _, name := range []string{"sourceId", "applicationId"} {
		a.sourceID = d.literal(name, a.sourceID)
	}
	if a.sourceName == "" && a.sourceID == "" {
		d.missing("sourceName")
	}
	for _, name := range []string{"accountFilter", "accountPropertyFilter"} {
		text := d.literal(name, "")
		if text == "" {
			continue
		}
		filter, err := objectfilter.Parse(text)
		if err != nil {
			d.fault(d.at(name), "%v", err)
			continue
		}
		a.filters = append(a.filters, filter)
		for _, property := range filter.Properties() {
			d.Accounts = append(d.Accounts, AccountAttribute{a.sourceID, a.sourceName, property})
		}
	}
	d.Accounts = append(d.Accounts, AccountAttribute{a.sourceID, a.sourceName, a.name},
		AccountAttribute{a.sourceID, a.sourceName, a.sort})
	return a
}

func (a *accountAttribute) apply(e *evaluation, _ attribute.Value) (attribute.Value, error) {
	var one [1]*Account // most identities have one account on a source
	accounts := one[:0]
	for i := range e.in.Accounts {
		if account := &e.in.Accounts[i]; a.isOn(account) && a.passes(account) {
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

// isOn reports whether the account is on the source. It compares IDs if both have one, and names otherwise.
func (a *accountAttribute) isOn(account *Account) bool {
	if a.sourceID != "" && strings.EqualFold(a.sourceID, account.SourceID) {
		return true
	}
	return a.sourceName != "" && a.sourceName == account.SourceName
}

func (a *accountAttribute) passes(account *Account) bool {
	for _, filter := range a.filters {
		if !filter.Match(account.property) {
			return false
		}
	}
	return true
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
// account has. Filters and templates read these properties too.
func (a *Account) property(name string) attribute.Value {
	if a.Attributes != nil && a.Attributes.Has(name) {
		return a.Attributes.Get(name)
	}
	switch name {
	case "nativeIdentity":
		return textOrNull(a.NativeIdentity)
	case "displayName", "name":
		return textOrNull(a.Name)
	case "id":
		return textOrNull(a.ID)
	case "created":
		if !a.Created.IsZero() {
			return attribute.String(a.Created.UTC().Format(time.RFC3339Nano))
		}
	case "disabled", "iiqDisabled":
		return attribute.Bool(a.Disabled)
	case "locked", "iiqLocked":
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
