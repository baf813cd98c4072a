package ldap

import (
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"net/url"
	"slices"
	"strconv"
	"strings"

	ldap "github.com/go-ldap/ldap/v3"
)

// emptyPagesMax is how many pages without an entry may follow one another. Active Directory gives some where a filter
// takes long; a directory that gives more is not believed to end.
const emptyPagesMax = 1000

// rangePassesMax is how often the values of an attribute that come in ranges are read, at most, until two readings in a
// row are the same.
const rangePassesMax = 4

// search calls each with the entries of a subtree, page by page. It fails where it cannot know that these are all.
func (d *directory) search(ctx context.Context, conn *ldap.Conn, base, filter string, attributes []string,
	each func(*ldap.Entry) error,
) error {
	paging := ldap.NewControlPaging(d.settings.PageSize)
	seed, seen, empty := maphash.MakeSeed(), map[uint64]struct{}{}, 0
	for first := true; ; first = false {
		request := ldap.NewSearchRequest(base, ldap.ScopeWholeSubtree, ldap.NeverDerefAliases, 0, 0, false, filter,
			attributes, []ldap.Control{paging})
		result, err := conn.Search(request)
		if err != nil {
			return plain(err)
		}
		if err := d.refuseReferrals(result.Referrals); err != nil {
			return err
		}
		for _, entry := range result.Entries {
			before := len(seen)
			if seen[maphash.String(seed, strings.ToLower(entry.DN))] = struct{}{}; len(seen) == before {
				return errors.New("the directory gave an entry twice in one search, so it may have left out others: " +
					"nothing was read")
			}
			if err := d.complete(conn, entry); err != nil {
				return err
			}
			if err := each(entry); err != nil {
				return err
			}
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		control, _ := ldap.FindControl(result.Controls, ldap.ControlTypePaging).(*ldap.ControlPaging)
		switch {
		case control == nil && !first:
			return errors.New("the directory gave a page without saying whether it is the last: nothing was read")
		case control == nil || len(control.Cookie) == 0:
			return nil
		case len(result.Entries) > 0:
			empty = 0
		default:
			empty++
		}
		if empty > emptyPagesMax {
			return fmt.Errorf("the directory gave %d pages without an entry one after the other: the search has no end",
				empty)
		}
		paging.SetCookie(control.Cookie)
	}
}

// partitions are the parts of an Active Directory that hold no accounts. Every search from the root of a domain gives
// references to them (MS-ADTS, section 3.1.1.3.1.3.1).
var partitions = []string{"dc=domaindnszones,", "dc=forestdnszones,", "cn=configuration,"}

// refuseReferrals fails where a search refers to other parts of the tree, which were not read. It does not follow them:
// that would send the password to servers that nobody configured.
func (d *directory) refuseReferrals(referrals []string) error {
	left := 0
	for _, referral := range referrals {
		target, err := url.Parse(referral)
		dn := ""
		if err == nil {
			dn = strings.ToLower(strings.TrimPrefix(target.Path, "/"))
		}
		if !slices.ContainsFunc(partitions, func(prefix string) bool { return strings.HasPrefix(dn, prefix) }) {
			left++
		}
	}
	switch {
	case left == 0:
		return nil
	case d.settings.IgnoreReferrals:
		d.note("the directory refers to parts of the tree on other servers, which are not read: " +
			"connectorAttributes.ignoreReferrals allows that")
		return nil
	}
	return fmt.Errorf("the directory refers to %d parts of the tree on other servers, which are not read: choose "+
		"userBase and groupBase without them, or set connectorAttributes.ignoreReferrals if nothing in them counts",
		left)
}

// valueRange is the option of an attribute whose values come in ranges: ;range=0-1499, or with an asterisk the last one
// (MS-ADTS, section 3.1.1.3.1.3.3).
type valueRange struct {
	name     string // of the attribute, with its other options
	from, to int
	last     bool
}

const rangeOption = "range="

// rangeOf returns the range in the description of an attribute, or nil if it has none.
func rangeOf(description string) (*valueRange, error) {
	options := strings.Split(description, ";")
	at := slices.IndexFunc(options, func(option string) bool {
		return strings.HasPrefix(strings.ToLower(option), rangeOption)
	})
	if at < 1 {
		return nil, nil //nolint:nilnil // no range is no error
	}
	r := &valueRange{name: strings.Join(slices.Delete(slices.Clone(options), at, at+1), ";")}
	low, high, _ := strings.Cut(options[at][len(rangeOption):], "-")
	var err error
	if r.from, err = strconv.Atoi(low); err == nil && high != "*" {
		r.to, err = strconv.Atoi(high)
	}
	r.last = high == "*"
	if err != nil || r.from < 0 || !r.last && r.to < r.from {
		return nil, fmt.Errorf("the directory gave a range of the attribute %q that is none", r.name)
	}
	return r, nil
}

// complete reads the values that the directory left out of an entry because they are many, and gives the attribute its
// own name. It fails where they do not go on to the last one, or change all the time.
func (d *directory) complete(conn *ldap.Conn, entry *ldap.Entry) error {
	for _, a := range entry.Attributes {
		r, err := rangeOf(a.Name)
		if err != nil {
			return err
		}
		if r == nil {
			continue
		}
		for _, other := range entry.Attributes {
			if other != a && strings.EqualFold(other.Name, r.name) && len(other.Values) > 0 {
				return fmt.Errorf("the directory gave values of the attribute %q both in a range and without", r.name)
			}
		}
		values, err := d.readRanges(conn, entry.DN, a, r)
		if err != nil {
			return err
		}
		entry.Attributes = slices.DeleteFunc(slices.Clone(entry.Attributes), func(other *ldap.EntryAttribute) bool {
			return other == a || strings.EqualFold(other.Name, r.name)
		})
		entry.Attributes = append(entry.Attributes, ldap.NewEntryAttribute(r.name, values))
		return d.complete(conn, entry)
	}
	return nil
}

// readRanges returns all values of an attribute that comes in ranges, of which the first was read. Values may be added
// and removed between two ranges, which moves those behind them: one may be read twice, and another one not at all. So
// it reads them again, until two readings in a row are the same, and have each value once.
func (d *directory) readRanges(conn *ldap.Conn, dn string, first *ldap.EntryAttribute, r *valueRange) ([]string,
	error,
) {
	before, err := d.readOn(conn, dn, first, r)
	if err != nil {
		return nil, err
	}
	for range rangePassesMax - 1 {
		again, next, err := d.readRange(conn, dn, r.name, 0)
		if err != nil {
			return nil, err
		}
		after, err := d.readOn(conn, dn, again, next)
		if err != nil {
			return nil, err
		}
		if slices.Equal(before, after) && len(slices.Compact(slices.Sorted(slices.Values(after)))) == len(after) {
			return after, nil
		}
		before = after
	}
	return nil, fmt.Errorf("the values of the attribute %q of an entry were different each time they were read, or "+
		"some of them came twice (%d readings): nothing was read", r.name, rangePassesMax)
}

// readOn returns the values of a range, which must be the first, and of all behind it.
func (d *directory) readOn(conn *ldap.Conn, dn string, a *ldap.EntryAttribute, r *valueRange) ([]string, error) {
	var values []string
	for {
		if r.from != len(values) || !r.last && r.to-r.from+1 != len(a.Values) {
			return nil, fmt.Errorf("the directory gave other values of the attribute %q than its range says", r.name)
		}
		values = append(values, a.Values...)
		if r.last {
			return values, nil
		}
		var err error
		if a, r, err = d.readRange(conn, dn, r.name, r.to+1); err != nil {
			return nil, err
		}
	}
}

// readRange reads the range of an attribute that begins at a position.
func (d *directory) readRange(conn *ldap.Conn, dn, name string, from int) (*ldap.EntryAttribute, *valueRange, error) {
	request := fmt.Sprintf("%s;%s%d-*", name, rangeOption, from)
	result, err := conn.Search(ldap.NewSearchRequest(dn, ldap.ScopeBaseObject, ldap.NeverDerefAliases, 1, 0, false,
		"(objectClass=*)", []string{request}, nil))
	if err != nil {
		return nil, nil, plain(err)
	}
	for _, entry := range result.Entries {
		for _, a := range entry.Attributes {
			r, err := rangeOf(a.Name)
			if err != nil {
				return nil, nil, err
			}
			if r != nil && strings.EqualFold(r.name, name) {
				r.name = name
				return a, r, nil
			}
			if from == 0 && strings.EqualFold(a.Name, name) && len(a.Values) > 0 {
				// Meanwhile they are few enough.
				return a, &valueRange{name: name, last: true}, nil
			}
		}
	}
	return nil, nil, fmt.Errorf("the directory gave %d values of the attribute %q of an entry and not the rest", from,
		name)
}
