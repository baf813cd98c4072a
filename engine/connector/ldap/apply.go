package ldap

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	ldap "github.com/go-ldap/ldap/v3"

	"github.com/muster-engine/muster/engine/attribute"
	"github.com/muster-engine/muster/engine/connector"
)

// Apply implements [connector.Connector]. Where the directory says between the search for the account and the write
// that the entry is another one by now, it begins again.
func (d *directory) Apply(ctx context.Context, operation *connector.Operation) (result connector.Result, err error) {
	if _, err := connector.ParseKind(string(operation.Kind)); err != nil {
		return result, connector.Unsupported(operation.Kind)
	}
	if err := connector.RefusePasswords(operation); err != nil {
		return result, err
	}
	err = d.within(ctx, func(conn *ldap.Conn) error {
		for attempt := 1; ; attempt++ {
			result, err = d.apply(conn, operation)
			if !errors.Is(err, errAnother) || attempt == locateMax {
				return err
			}
		}
	})
	return result, err
}

func (d *directory) apply(conn *ldap.Conn, o *connector.Operation) (result connector.Result, err error) {
	if o.Kind == connector.Create {
		return d.create(conn, o)
	}
	at, err := d.locate(conn, o)
	if errors.Is(err, connector.ErrNoAccount) && o.Kind == connector.Delete {
		return connector.Result{NativeIdentity: o.NativeIdentity}, nil
	}
	if err != nil {
		return result, err
	}
	result.NativeIdentity = at.dn
	// Somebody moved the entry and the directory left its former name in groups, where it is still the account's; or an
	// earlier attempt renamed it, and was cut off before it put the new name into the groups.
	if at.former != "" {
		if err := d.moveMemberships(conn, at.former, at.dn); err != nil {
			return result, err
		}
	}
	switch o.Kind {
	case connector.SetAttributes, connector.Enable, connector.Disable, connector.Unlock:
		result.NativeIdentity, err = d.set(conn, at, o)
	case connector.AddValues, connector.RemoveValues:
		err = d.changeValues(conn, at, o)
	case connector.Delete:
		err = d.remove(conn, at)
	case connector.SetPassword:
		err = d.setPassword(conn, at.dn, o.Password)
	default:
		err = connector.Unsupported(o.Kind)
	}
	return result, err
}

// name returns the DN of a new account: the calculated one, or one below the base of accounts.
func (d *directory) name(o *connector.Operation) (string, error) {
	if o.NativeIdentity != "" {
		if _, err := ldap.ParseDN(o.NativeIdentity); err != nil {
			return "", connector.Permanent(errors.New("the dn of the new account is not a DN"))
		}
		return o.NativeIdentity, nil
	}
	value := o.Attributes.Get(d.settings.RDN).Text()
	if value == "" {
		return "", connector.Permanent(fmt.Errorf("the new account has neither a dn nor a value of %q, which names it",
			d.settings.RDN))
	}
	if !utf8.ValidString(value) {
		return "", connector.Permanent(fmt.Errorf("the value of %q, which names the new account, is no UTF-8 text",
			d.settings.RDN))
	}
	return d.settings.RDN + "=" + ldap.EscapeDN(value) + "," + d.settings.UserBase, nil
}

// isEntry reports whether an attribute is stored in the account's entry. The DN and memberships are not.
func (d *directory) isEntry(name string) bool {
	return name != dnAttribute && name != d.settings.MemberOf
}

func (d *directory) create(conn *ldap.Conn, o *connector.Operation) (result connector.Result, err error) {
	dn, err := d.name(o)
	if err != nil {
		return result, err
	}
	request := ldap.NewAddRequest(dn, nil)
	classes := d.settings.UserClasses
	if given := o.Attributes.Get("objectClass"); !given.IsNull() {
		classes = given.Strings()
	}
	request.Attribute("objectClass", classes)
	for name, value := range o.Attributes.All() {
		if d.isEntry(name) && !strings.EqualFold(name, "objectClass") && value.Text() != "" {
			request.Attribute(name, value.Strings())
		}
	}
	err = conn.Add(request)
	switch {
	case ldap.IsErrorWithCode(err, ldap.LDAPResultEntryAlreadyExists):
		err = d.same(conn, dn, o)
	case err != nil:
		err = plain(err)
	}
	if err != nil {
		return result, err
	}
	if o.Password != "" {
		if err := d.setPassword(conn, dn, o.Password); err != nil {
			return result, err
		}
	}
	for _, group := range o.Attributes.Get(d.settings.MemberOf).Strings() {
		if err := d.join(conn, group, dn); err != nil {
			return result, err
		}
	}
	// A reading finds the directory's own spelling.
	entry, err := d.entry(conn, dn, stableAttributes)
	if err != nil {
		return result, err
	}
	result.NativeIdentity = spelled(entry.DN)
	result.StableIdentity, err = stableIdentity(entry)
	return result, err
}

// same returns an error if the entry is another account than the new one. An entry with the same attributes was created
// by an earlier attempt.
func (d *directory) same(conn *ldap.Conn, dn string, o *connector.Operation) error {
	entry, err := d.entry(conn, dn, []string{"*"})
	if err != nil {
		return err
	}
	for name, value := range o.Attributes.All() {
		if !d.isEntry(name) || strings.EqualFold(name, "objectClass") || slices.Contains(o.Volatile, name) ||
			connector.HoldsPassword(name) {
			continue
		}
		have, want := entry.GetEqualFoldAttributeValues(name), value.Strings()
		if value.Text() == "" {
			want = nil
		}
		if !d.equality(name).SameValues(attribute.List(have), attribute.List(want)) {
			return connector.ErrExists
		}
	}
	return nil
}

// set replaces the values of attributes. A new value of a naming attribute renames the entry.
func (d *directory) set(conn *ldap.Conn, at place, o *connector.Operation) (string, error) {
	dn := at.dn
	request := ldap.NewModifyRequest(dn, at.guard)
	parts := rdnOf(dn)
	renames, names := false, false
	for name, value := range o.Attributes.All() {
		values := value.Strings()
		if value.Text() == "" {
			values = nil
		}
		part := slices.IndexFunc(parts, func(part *ldap.AttributeTypeAndValue) bool {
			return strings.EqualFold(part.Type, name)
		})
		names = names || part >= 0
		switch {
		case name == dnAttribute:
			return "", connector.Permanent(errors.New("a dn cannot be set: set the attribute that names the entry"))
		case name == d.settings.MemberOf:
			return "", connector.Permanent(fmt.Errorf("%s cannot be set as a whole: add and remove groups", name))
		case part < 0:
			request.Replace(name, values)
		case len(values) == 0:
			return "", connector.Nameless(name)
		case slices.Contains(values, parts[part].Value) && len(values) == 1:
		default:
			if !slices.Contains(values, parts[part].Value) {
				parts[part] = &ldap.AttributeTypeAndValue{Type: parts[part].Type, Value: values[0]}
				renames = true
			}
			if len(values) > 1 {
				request.Replace(name, values)
			}
		}
	}
	if renames {
		var err error
		if dn, err = d.rename(conn, at, rdnText(parts)); err != nil {
			return "", err
		}
		request.DN = dn
	} else if names && at.former != "" { // an earlier attempt renamed it, and was cut off before its groups knew
		if err := d.moveMemberships(conn, at.former, dn); err != nil {
			return "", err
		}
	}
	if len(request.Changes) == 0 {
		if _, err := d.entry(conn, dn, []string{"1.1"}); err != nil {
			return "", err
		}
		return dn, nil
	}
	err := conn.Modify(request)
	if ldap.IsErrorWithCode(err, ldap.LDAPResultNoSuchObject) {
		return "", connector.ErrNoAccount
	}
	return dn, plain(err)
}

// rdnOf returns the attributes that name an entry below its parent, mostly one, with their values. They are a copy.
func rdnOf(dn string) []*ldap.AttributeTypeAndValue {
	parsed, err := parseDN(dn)
	if err != nil || len(parsed.RDNs) == 0 {
		return nil
	}
	return parsed.RDNs[0].Attributes
}

// rename gives an entry a new name below its parent, and puts the new name into its groups. An entry that has the name
// already was renamed by an earlier attempt.
func (d *directory) rename(conn *ldap.Conn, at place, rdn string) (string, error) {
	dn := at.dn
	parsed, err := parseDN(dn)
	if err != nil || len(parsed.RDNs) == 0 {
		return "", connector.ErrNoAccount
	}
	renamed := rdn
	if parent := dnText(parsed.RDNs[1:]); parent != "" {
		renamed += "," + parent
	}
	err = conn.ModifyDN(ldap.NewModifyDNWithControlsRequest(dn, rdn, true, "", at.guard))
	switch {
	case ldap.IsErrorWithCode(err, ldap.LDAPResultNoSuchObject):
		if _, err := d.entry(conn, renamed, []string{"1.1"}); err != nil {
			return "", err
		}
	case ldap.IsErrorWithCode(err, ldap.LDAPResultEntryAlreadyExists) && normal(renamed) == normal(dn):
		// The directory takes both names for the same, and keeps its spelling.
	case ldap.IsErrorWithCode(err, ldap.LDAPResultEntryAlreadyExists):
		return "", connector.ErrExists
	case err != nil:
		return "", plain(err)
	}
	entry, err := d.entry(conn, renamed, []string{"1.1"})
	if err != nil {
		return "", err
	}
	if normal(entry.DN) != normal(dn) { // the memberships of the name that the entry had are its own
		if err := d.moveMemberships(conn, dn, entry.DN); err != nil {
			return "", err
		}
	}
	return spelled(entry.DN), nil
}

// moveMemberships puts a name into groups where another one is.
func (d *directory) moveMemberships(conn *ldap.Conn, from, to string) error {
	groups, err := d.groupsOf(conn, from)
	if err != nil {
		return err
	}
	for _, group := range groups {
		request := ldap.NewModifyRequest(group, nil)
		request.Add(d.settings.Member, []string{to})
		request.Delete(d.settings.Member, []string{from})
		if err := conn.Modify(request); err != nil && !ldap.IsErrorWithCode(err, ldap.LDAPResultNoSuchAttribute) &&
			!ldap.IsErrorWithCode(err, ldap.LDAPResultAttributeOrValueExists) {
			return plain(err)
		}
	}
	return nil
}

// groupsOf returns the groups that have a member.
func (d *directory) groupsOf(conn *ldap.Conn, member string) ([]string, error) {
	var groups []string
	if d.settings.GroupBase == "" {
		return nil, nil
	}
	err := d.search(context.Background(), conn, d.settings.GroupBase, d.memberFilter(member), []string{"1.1"},
		func(entry *ldap.Entry) error {
			groups = append(groups, entry.DN)
			return nil
		})
	return groups, err
}

// memberFilter selects the groups that have a member.
func (d *directory) memberFilter(member string) string {
	return fmt.Sprintf("(&%s(%s=%s))", d.settings.GroupFilter, d.settings.Member, ldap.EscapeFilter(member))
}

// changeValues adds values to attributes or removes them. The values of the membership attribute are groups.
func (d *directory) changeValues(conn *ldap.Conn, at place, o *connector.Operation) error {
	entry, err := d.entry(conn, at.dn, []string{"*"})
	if err != nil {
		return err
	}
	request := ldap.NewModifyRequest(at.dn, at.guard)
	for name, value := range o.Attributes.All() {
		if name == d.settings.MemberOf {
			for _, group := range value.Strings() {
				if o.Kind == connector.AddValues {
					err = d.join(conn, group, entry.DN)
				} else {
					err = d.leave(conn, group, entry.DN)
				}
				if err != nil {
					return err
				}
			}
			continue
		}
		have := entry.GetEqualFoldAttributeValues(name)
		var changed []string
		for _, text := range value.Strings() {
			if (d.equality(name).Find(have, text) >= 0) != (o.Kind == connector.AddValues) {
				changed = append(changed, text)
			}
		}
		a := d.schema.Attribute(name)
		switch {
		case len(changed) == 0:
		case o.Kind == connector.AddValues && a != nil && !a.IsMulti:
			request.Replace(name, changed) // the engine knows one value, which the new one replaces
		case o.Kind == connector.AddValues:
			request.Add(name, changed)
		default:
			request.Delete(name, changed)
		}
	}
	if len(request.Changes) == 0 {
		return nil
	}
	return plain(conn.Modify(request))
}

// join makes an account a member of a group.
func (d *directory) join(conn *ldap.Conn, group, dn string) error {
	request := ldap.NewModifyRequest(group, nil)
	request.Add(d.settings.Member, []string{dn})
	err := conn.Modify(request)
	switch {
	case ldap.IsErrorWithCode(err, ldap.LDAPResultAttributeOrValueExists):
		return nil
	case ldap.IsErrorWithCode(err, ldap.LDAPResultNoSuchObject):
		return connector.Permanent(errors.New("the group does not exist"))
	}
	return plain(err)
}

// leave removes an account from a group. If the group must have a member, EmptyMember replaces the last one.
func (d *directory) leave(conn *ldap.Conn, group, dn string) error {
	request := ldap.NewModifyRequest(group, nil)
	request.Delete(d.settings.Member, []string{dn})
	err := conn.Modify(request)
	if ldap.IsErrorWithCode(err, ldap.LDAPResultObjectClassViolation) && d.settings.EmptyMember != "" {
		request.Changes = slices.Insert(request.Changes, 0, ldap.Change{Operation: ldap.AddAttribute,
			Modification: ldap.PartialAttribute{Type: d.settings.Member, Vals: []string{d.settings.EmptyMember}}})
		err = conn.Modify(request)
	}
	switch {
	case ldap.IsErrorWithCode(err, ldap.LDAPResultNoSuchAttribute),
		ldap.IsErrorWithCode(err, ldap.LDAPResultNoSuchObject):
		return nil
	case ldap.IsErrorWithCode(err, ldap.LDAPResultObjectClassViolation):
		return connector.Permanent(errors.New("the account is the last member of the group, and the group must have " +
			"one: set connectorAttributes.emptyMember to a member that is no person"))
	}
	return plain(err)
}

// remove deletes an account and removes it from its groups.
func (d *directory) remove(conn *ldap.Conn, at place) error {
	dn := at.dn
	groups, err := d.groupsOf(conn, dn)
	if err != nil {
		return err
	}
	for _, group := range groups {
		if err := d.leave(conn, group, dn); err != nil {
			return err
		}
	}
	err = conn.Del(ldap.NewDelRequest(dn, at.guard))
	if ldap.IsErrorWithCode(err, ldap.LDAPResultNoSuchObject) {
		return nil
	}
	return plain(err)
}

// setPassword sets the password with the extended operation of RFC 3062. The directory hashes it.
func (d *directory) setPassword(conn *ldap.Conn, dn, password string) error {
	if _, err := d.entry(conn, dn, []string{"1.1"}); err != nil {
		return err
	}
	if password == "" {
		return connector.Permanent(errors.New("the password is empty"))
	}
	_, err := conn.PasswordModify(ldap.NewPasswordModifyRequest(dn, "", password))
	return plain(err)
}
