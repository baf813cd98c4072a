package ldap

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	ldap "github.com/go-ldap/ldap/v3"

	"github.com/muster-engine/muster/engine/connector"
)

// assertionControl makes a directory carry a request out only where a filter holds for the entry (RFC 4528).
const assertionControl = "1.3.6.1.1.12"

// locateMax is how often an account is looked for in one operation, where others rename entries meanwhile.
const locateMax = 3

// errAnother says that the entry is not the account's any more: between the search and the write it was renamed, and
// another one got its name. Nothing was written.
var errAnother = errors.New("the entry was renamed meanwhile")

// place is the entry of an account.
type place struct {
	dn string
	// guard makes the directory write only to the entry that has the account's stable identity. It is nil where the
	// account has none, and where the directory does not know assertions: then the search right before the write is
	// what there is.
	guard []ldap.Control
	// former is the name that the account had when it was read last, if no entry has it now; "" otherwise.
	former string
}

// locate finds the entry of an operation's account: by the stable identity where there is one, whatever its DN is by
// now. It returns [connector.ErrNoAccount] where there is none below the base of accounts.
func (d *directory) locate(conn *ldap.Conn, o *connector.Operation) (place, error) {
	if o.StableIdentity == "" {
		return place{dn: o.NativeIdentity}, nil
	}
	entry, err := d.entry(conn, o.NativeIdentity, stableAttributes)
	taken := err == nil
	if err != nil && !errors.Is(err, connector.ErrNoAccount) {
		return place{}, err
	}
	at := place{dn: o.NativeIdentity}
	if !taken || !hasStable(entry, o.StableIdentity) {
		if entry, err = d.entryByStable(conn, o.StableIdentity); err != nil {
			return place{}, err
		}
		at.dn = spelled(entry.DN)
	}
	if !taken {
		at.former = o.NativeIdentity
	}
	at.guard, err = d.guard(conn, entry)
	return at, err
}

func hasStable(entry *ldap.Entry, stable string) bool {
	have, err := stableIdentity(entry)
	return err == nil && have == strings.ToLower(stable)
}

// entryByStable reads the entry below the base of accounts that has a stable identity.
func (d *directory) entryByStable(conn *ldap.Conn, stable string) (*ldap.Entry, error) {
	var found []*ldap.Entry
	err := d.search(context.Background(), conn, d.settings.UserBase, stableFilter(stable), stableAttributes,
		func(entry *ldap.Entry) error {
			if hasStable(entry, stable) {
				found = append(found, entry)
			}
			return nil
		})
	switch {
	case err != nil:
		return nil, err
	case len(found) == 0:
		return nil, connector.ErrNoAccount
	case len(found) > 1:
		return nil, connector.Permanent(errors.New("several entries have the stable identity of the account"))
	}
	return found[0], nil
}

// stableFilter selects the entries that have a text as one of the stable attributes. A directory takes a comparison
// with an attribute that it does not know, or with a text that the attribute cannot have, as one that does not hold.
func stableFilter(stable string) string {
	var b strings.Builder
	b.WriteString("(|")
	for _, name := range stableAttributes {
		value := ldap.EscapeFilter(stable)
		if name == guidAttribute {
			raw, err := guidBytes(stable)
			if err != nil {
				continue
			}
			value = escapedBytes(raw)
		}
		fmt.Fprintf(&b, "(%s=%s)", name, value)
	}
	b.WriteString(")")
	return b.String()
}

// escapedBytes returns bytes as a filter has them (RFC 4515).
func escapedBytes(raw []byte) string {
	var b strings.Builder
	for _, c := range raw {
		fmt.Fprintf(&b, "\\%02x", c)
	}
	return b.String()
}

// guard returns the control by which a directory writes only to the entry that has the stable identity of this one; nil
// where it does not know that control.
func (d *directory) guard(conn *ldap.Conn, entry *ldap.Entry) ([]ldap.Control, error) {
	known, err := d.knowsAssertions(conn)
	if err != nil || !known {
		return nil, err
	}
	for _, name := range stableAttributes {
		values := entry.GetEqualFoldRawAttributeValues(name)
		if len(values) == 0 || len(values[0]) == 0 {
			continue
		}
		filter, err := ldap.CompileFilter("(" + name + "=" + escapedBytes(values[0]) + ")")
		if err != nil {
			return nil, err
		}
		return []ldap.Control{ldap.NewControlString(assertionControl, true, string(filter.Bytes()))}, nil
	}
	return nil, nil
}

// knowsAssertions reports whether the directory knows assertions. It asks once.
func (d *directory) knowsAssertions(conn *ldap.Conn) (bool, error) {
	if d.asserts == nil {
		root, err := d.entry(conn, "", []string{"supportedControl"})
		if err != nil && !connector.IsPermanent(err) {
			return false, err
		}
		// A directory that does not show its root is asked for nothing more.
		known := err == nil && slices.Contains(root.GetAttributeValues("supportedControl"), assertionControl)
		d.asserts = &known
	}
	return *d.asserts, nil
}

// Find implements [connector.Finder]. The directory compares, by the matching rules of its attributes.
func (d *directory) Find(ctx context.Context, query *connector.Query, each func(*connector.Object) error) error {
	return d.within(ctx, func(conn *ldap.Conn) error {
		seen := map[string]bool{}
		var object connector.Object
		visit := func(entry *ldap.Entry) error {
			if seen[normal(entry.DN)] {
				return nil
			}
			seen[normal(entry.DN)] = true
			memberOf := map[string][]string{}
			if !d.settings.ServerMemberOf {
				groups, err := d.groupsOf(conn, entry.DN)
				if err != nil {
					return err
				}
				for _, group := range groups {
					memberOf[normal(entry.DN)] = append(memberOf[normal(entry.DN)], spelled(group))
				}
			}
			d.read(&object, entry, memberOf)
			return each(&object)
		}
		for _, dn := range namesOf(query) {
			if err := d.findNamed(conn, dn, visit); err != nil {
				return err
			}
		}
		var b strings.Builder
		for _, v := range query.Values {
			if d.isEntry(v.Attribute) {
				fmt.Fprintf(&b, "(%s=%s)", v.Attribute, ldap.EscapeFilter(v.Value))
			}
		}
		if b.Len() == 0 {
			return nil
		}
		return d.search(ctx, conn, d.settings.UserBase, "(&"+d.settings.UserFilter+"(|"+b.String()+"))", d.wanted(),
			visit)
	})
}

// namesOf returns the DNs that a query names.
func namesOf(query *connector.Query) []string {
	var names []string
	if query.NativeIdentity != "" {
		names = append(names, query.NativeIdentity)
	}
	for _, v := range query.Values {
		if v.Attribute == dnAttribute {
			names = append(names, v.Value)
		}
	}
	return names
}

// findNamed calls visit with the account of a DN, if there is one. What is no DN names none.
func (d *directory) findNamed(conn *ldap.Conn, dn string, visit func(*ldap.Entry) error) error {
	if _, err := parseDN(dn); err != nil {
		return nil //nolint:nilerr // a text that is no DN names no entry
	}
	result, err := conn.Search(ldap.NewSearchRequest(dn, ldap.ScopeBaseObject, ldap.NeverDerefAliases, 1, 0, false,
		d.settings.UserFilter, d.wanted(), nil))
	if ldap.IsErrorWithCode(err, ldap.LDAPResultNoSuchObject) {
		return nil
	}
	if err != nil {
		return plain(err)
	}
	for _, entry := range result.Entries {
		if err := visit(entry); err != nil {
			return err
		}
	}
	return nil
}
