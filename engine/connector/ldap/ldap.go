package ldap

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	ldap "github.com/go-ldap/ldap/v3"

	"github.com/muster-engine/muster/engine/attribute"
	"github.com/muster-engine/muster/engine/connector"
)

// directory is the connector.
type directory struct {
	settings settings
	schema   *connector.Schema
	password string
	tls      *tls.Config
	conn     *ldap.Conn
	notes    map[string]int // on the last reading, with what each counts; 0 to count nothing
	asserts  *bool          // whether the directory knows assertions; nil before it was asked
}

// Close implements [connector.Connector].
func (d *directory) Close() error {
	if d.conn == nil {
		return nil
	}
	return d.conn.Close()
}

// permanentCodes are the result codes of LDAP that another attempt would not solve.
var permanentCodes = []uint16{
	ldap.LDAPResultUndefinedAttributeType, ldap.LDAPResultInappropriateMatching, ldap.LDAPResultConstraintViolation,
	ldap.LDAPResultInvalidAttributeSyntax, ldap.LDAPResultInvalidDNSyntax, ldap.LDAPResultNamingViolation,
	ldap.LDAPResultObjectClassViolation, ldap.LDAPResultNotAllowedOnNonLeaf, ldap.LDAPResultNotAllowedOnRDN,
	ldap.LDAPResultObjectClassModsProhibited, ldap.LDAPResultInsufficientAccessRights,
	ldap.LDAPResultUnwillingToPerform,
	ldap.LDAPResultAttributeOrValueExists, ldap.LDAPResultNoSuchAttribute, ldap.LDAPResultNoSuchObject,
	ldap.LDAPResultEntryAlreadyExists,
}

// remedies say what helps against some result codes.
var remedies = map[uint16]string{
	ldap.LDAPResultTimeLimitExceeded: ": the search did not come to its end; raise the directory's time limit",
	ldap.LDAPResultSizeLimitExceeded: ": the directory has more entries than it gives; raise its size limit for the " +
		"account of bindDN, or lower connectorAttributes.pageSize",
	ldap.LDAPResultAdminLimitExceeded: ": the search did not come to its end; raise the directory's limits for the " +
		"account of bindDN",
	ldap.LDAPResultReferral: ": another server has this part of the tree; name that server in connectorAttributes.url",
}

// plain replaces a directory's message, which may contain values, by the meaning of its result code.
func plain(err error) error {
	var known *ldap.Error
	switch {
	case err == nil, errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return err
	case !errors.As(err, &known):
		return errors.New("the directory's answer broke off, or cannot be understood")
	}
	meaning := ldap.LDAPResultCodeMap[known.ResultCode]
	if meaning == "" {
		meaning = "an error without a standard name"
	}
	if known.ResultCode == ldap.LDAPResultAssertionFailed {
		return errAnother
	}
	if known.ResultCode >= ldap.ErrorNetwork {
		return fmt.Errorf("the directory cannot be asked: %s", meaning)
	}
	text := fmt.Errorf("the directory refused it: %s (LDAP result %d)%s", meaning, known.ResultCode,
		remedies[known.ResultCode])
	if slices.Contains(permanentCodes, known.ResultCode) {
		return connector.Permanent(text)
	}
	return text
}

// within runs do on the connection. The end of the context closes it.
func (d *directory) within(ctx context.Context, do func(*ldap.Conn) error) error {
	conn, err := d.connected()
	if err != nil {
		return err
	}
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() }) // a pending request then fails
	defer stop()
	err = do(conn)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return err
}

// Test implements [connector.Connector].
func (d *directory) Test(ctx context.Context) error {
	return d.within(ctx, func(conn *ldap.Conn) error {
		for _, base := range []string{d.settings.UserBase, d.settings.GroupBase} {
			if base == "" {
				continue
			}
			if _, err := d.entry(conn, base, []string{"1.1"}); err != nil {
				return fmt.Errorf("the base %q: %w", base, err)
			}
		}
		return nil
	})
}

// entry reads one entry.
func (d *directory) entry(conn *ldap.Conn, dn string, attributes []string) (*ldap.Entry, error) {
	result, err := conn.Search(ldap.NewSearchRequest(dn, ldap.ScopeBaseObject, ldap.NeverDerefAliases, 1, 0, false,
		"(objectClass=*)", attributes, nil))
	if err != nil {
		if ldap.IsErrorWithCode(err, ldap.LDAPResultNoSuchObject) {
			return nil, connector.ErrNoAccount
		}
		return nil, plain(err)
	}
	if len(result.Entries) == 0 {
		return nil, connector.ErrNoAccount
	}
	return result.Entries[0], d.complete(conn, result.Entries[0])
}

// modifiedAttribute is the operational attribute with the time of the last change.
const modifiedAttribute = "modifyTimestamp"

// Read implements [connector.Connector]. The cursor is the latest time of change that it found. If a group changed
// since the cursor, the directory cannot tell who left it, so the whole source must be read. The same is true for
// finding deleted entries.
func (d *directory) Read(ctx context.Context, since string, each func(*connector.Object) error) (string, error) {
	cursor := since
	d.notes = map[string]int{}
	for i := range d.schema.Attributes {
		if name := d.schema.Attributes[i].Name; isBinary(name) {
			d.notes[fmt.Sprintf("the attribute %q holds binary data: it is not read", name)] = 0
		}
	}
	seen := func(entry *ldap.Entry) {
		if modified := entry.GetAttributeValue(modifiedAttribute); modified > cursor {
			cursor = modified
		}
	}
	err := d.within(ctx, func(conn *ldap.Conn) error {
		memberOf, err := d.readGroups(ctx, conn, since, seen, each)
		if err != nil {
			return err
		}
		filter := d.settings.UserFilter
		if since != "" {
			filter = "(&" + filter + "(" + modifiedAttribute + ">=" + ldap.EscapeFilter(since) + "))"
		}
		var object connector.Object
		err = d.search(ctx, conn, d.settings.UserBase, filter, d.wanted(), func(entry *ldap.Entry) error {
			seen(entry)
			d.read(&object, entry, memberOf)
			delete(memberOf, normal(entry.DN))
			return each(&object)
		})
		if err == nil && since == "" {
			d.noteStrangers(memberOf)
		}
		return err
	})
	if err != nil {
		return "", err
	}
	return cursor, nil
}

// noteStrangers notes members of groups that are among the accounts by their names, and are no account that was read.
// They may be former names of entries that were moved: whoever gets such a name has the access.
func (d *directory) noteStrangers(memberOf map[string][]string) {
	base, empty := ","+normal(d.settings.UserBase), normal(d.settings.EmptyMember)
	for key, groups := range memberOf {
		if !strings.HasSuffix(key, base) || key == empty {
			continue
		}
		for range groups {
			d.note("a member of a group is below userBase and is no account that is read: where an entry was moved " +
				"or deleted, its former name still has the access")
		}
	}
}

// normal returns a DN in a normal form: all DNs of one entry give the same text.
func normal(dn string) string { return attribute.DistinguishedNameMatch.Key(dn) }

// parseDN parses a DN. It refuses bytes that are not text: they would all become the same character.
func parseDN(dn string) (*ldap.DN, error) {
	parsed, err := ldap.ParseDN(dn)
	if err != nil {
		return nil, err
	}
	for _, rdn := range parsed.RDNs {
		for _, part := range rdn.Attributes {
			if !utf8.ValidString(part.Value) || strings.Trim(part.Type, typeCharacters) != "" {
				return nil, errors.New("a part of the DN is no text")
			}
		}
	}
	return parsed, nil
}

// typeCharacters are the characters of an attribute's name or number.
const typeCharacters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._;"

// spelled returns a DN in one spelling, because directories escape more than they must. It keeps letter case.
func spelled(dn string) string {
	parsed, err := parseDN(dn)
	if err != nil {
		return dn
	}
	return dnText(parsed.RDNs)
}

func dnText(rdns []*ldap.RelativeDN) string {
	names := make([]string, len(rdns))
	for i, rdn := range rdns {
		names[i] = rdnText(rdn.Attributes)
	}
	return strings.Join(names, ",")
}

func rdnText(parts []*ldap.AttributeTypeAndValue) string {
	texts := make([]string, len(parts))
	for k, part := range parts {
		texts[k] = part.Type + "=" + ldap.EscapeDN(part.Value)
	}
	return strings.Join(texts, "+")
}

// readGroups calls each with the groups, and returns the groups of each account by its normal DN.
func (d *directory) readGroups(ctx context.Context, conn *ldap.Conn, since string, seen func(*ldap.Entry),
	each func(*connector.Object) error,
) (map[string][]string, error) {
	memberOf := map[string][]string{}
	if d.settings.GroupBase == "" {
		return memberOf, nil
	}
	attributes := []string{"cn", modifiedAttribute}
	if !d.settings.ServerMemberOf {
		attributes = append(attributes, d.settings.Member)
	}
	err := d.search(ctx, conn, d.settings.GroupBase, d.settings.GroupFilter, attributes, func(entry *ldap.Entry) error {
		seen(entry)
		if since != "" && entry.GetAttributeValue(modifiedAttribute) >= since && !d.settings.ServerMemberOf {
			return connector.ErrNoChanges
		}
		for _, member := range entry.GetEqualFoldAttributeValues(d.settings.Member) {
			key := normal(member)
			memberOf[key] = append(memberOf[key], spelled(entry.DN))
		}
		return each(&connector.Object{Type: "group", NativeIdentity: spelled(entry.DN),
			Name: entry.GetAttributeValue("cn")})
	})
	return memberOf, err
}

// wanted returns the attributes of accounts to request.
func (d *directory) wanted() []string {
	names := append([]string{modifiedAttribute}, stableAttributes...) // unknown ones are ignored
	for _, a := range d.schema.Attributes {
		made := a.Name == dnAttribute || a.Name == d.settings.MemberOf && !d.settings.ServerMemberOf
		if !made && !isUnread(a.Name) && !slices.Contains(names, a.Name) {
			names = append(names, a.Name)
		}
	}
	return names
}

// read fills object with the account of an entry.
func (d *directory) read(object *connector.Object, entry *ldap.Entry, memberOf map[string][]string) {
	attributes := object.Attributes
	attributes.Reset()
	*object = connector.Object{NativeIdentity: spelled(entry.DN)}
	var err error
	if object.StableIdentity, err = stableIdentity(entry); err != nil {
		object.Fault = fmt.Sprintf("the stable identity: %v", err)
		return
	}
	d.noteOptions(entry)
	for i := range d.schema.Attributes {
		a := &d.schema.Attributes[i]
		var values []string
		switch {
		case isUnread(a.Name):
			continue
		case strings.EqualFold(a.Name, guidAttribute):
			if values, err = guidTexts(entry); err != nil {
				object.Fault = fmt.Sprintf("attribute %q: %v", a.Name, err)
				return
			}
		case a.Name == dnAttribute:
			values = []string{object.NativeIdentity}
		case a.Name == d.settings.MemberOf && !d.settings.ServerMemberOf:
			values = memberOf[normal(entry.DN)]
		default:
			values = entry.GetEqualFoldAttributeValues(a.Name)
			if a.Name == d.settings.MemberOf {
				for k := range values {
					values[k] = spelled(values[k])
				}
			}
		}
		if len(values) > 1 && !a.IsMulti {
			d.note(fmt.Sprintf("the attribute %q has several values and the schema has one: the first one counts",
				a.Name))
		}
		value, err := read(a, values)
		if err != nil {
			object.Fault = fmt.Sprintf("attribute %q: %v", a.Name, err)
			return
		}
		if !value.IsNull() {
			attributes.Put(a.Name, value)
		}
		if name := value.Text(); a.Name == d.schema.DisplayAttribute && utf8.ValidString(name) &&
			strings.IndexByte(name, 0) < 0 {
			object.Name = name
		}
	}
	object.Attributes = attributes
}

// note counts a note on the reading.
func (d *directory) note(text string) {
	if d.notes == nil {
		d.notes = map[string]int{}
	}
	d.notes[text]++
}

// Notes implements [connector.Noter].
func (d *directory) Notes() []string {
	var notes []string
	for text, count := range d.notes {
		if count > 0 {
			text = fmt.Sprintf("%s (%d times)", text, count)
		}
		notes = append(notes, text)
	}
	slices.Sort(notes)
	return notes
}

// noteOptions notes the values of an entry that have options which the schema does not name, such as those in another
// language (RFC 4512, section 2.5).
func (d *directory) noteOptions(entry *ldap.Entry) {
	for _, a := range entry.Attributes {
		base, options, has := strings.Cut(a.Name, ";")
		if !has || len(a.Values) == 0 || d.attribute(a.Name) != nil || isUnread(a.Name) {
			continue
		}
		if wanted := d.attribute(base); wanted != nil {
			d.note(fmt.Sprintf("the values of the attribute %q with the option %q are not read: name it %q in the "+
				"schema to read them", wanted.Name, options, wanted.Name+";"+options))
		}
	}
}

// attribute returns the attribute of the schema of that name, whatever its letter case, or nil.
func (d *directory) attribute(name string) *connector.SchemaAttribute {
	for i := range d.schema.Attributes {
		if strings.EqualFold(d.schema.Attributes[i].Name, name) {
			return &d.schema.Attributes[i]
		}
	}
	return nil
}

// read returns the value of an attribute. If a single-valued attribute has several values, the first counts.
func read(a *connector.SchemaAttribute, values []string) (attribute.Value, error) {
	if len(values) == 0 {
		return attribute.Null, nil
	}
	if a.IsMulti {
		return attribute.List(slices.Clone(values)), nil
	}
	return connector.ParseValue(a.Type, values[0])
}

// Discover implements [connector.Connector]. It reads the classes of accounts in the directory's own schema.
func (d *directory) Discover(ctx context.Context) ([]connector.Schema, error) {
	account := connector.Schema{Name: connector.AccountObject, IdentityAttribute: dnAttribute, DisplayAttribute: "cn",
		Attributes: []connector.SchemaAttribute{{Name: dnAttribute, Type: "STRING"}}}
	err := d.within(ctx, func(conn *ldap.Conn) error {
		root, err := d.entry(conn, "", []string{"subschemaSubentry"})
		if err != nil {
			return err
		}
		result, err := conn.Search(ldap.NewSearchRequest(root.GetAttributeValue("subschemaSubentry"),
			ldap.ScopeBaseObject, ldap.NeverDerefAliases, 1, 0, false, "(objectClass=*)",
			[]string{"attributeTypes", "objectClasses", "dITContentRules"}, nil))
		if err != nil {
			return plain(err)
		}
		if len(result.Entries) == 0 {
			return errors.New("the directory does not publish its schema")
		}
		account.Attributes = append(account.Attributes, discovered(result.Entries[0], d.settings.UserClasses)...)
		account.StableIdentityAttribute = discoveredStable(result.Entries[0])
		return nil
	})
	if d.settings.GroupBase == "" {
		return []connector.Schema{account}, err
	}
	account.Attributes = slices.DeleteFunc(account.Attributes, func(a connector.SchemaAttribute) bool {
		return strings.EqualFold(a.Name, d.settings.MemberOf)
	})
	account.Attributes = append(account.Attributes, connector.SchemaAttribute{Name: d.settings.MemberOf, Type: "STRING",
		IsMulti: true, IsEntitlement: true, Schema: &connector.SchemaReference{Name: "group"}})
	group := connector.Schema{Name: "group", IdentityAttribute: dnAttribute, DisplayAttribute: "cn",
		Attributes: []connector.SchemaAttribute{{Name: dnAttribute, Type: "STRING"}, {Name: "cn", Type: "STRING"}}}
	return []connector.Schema{account, group}, err
}

// discovered returns the attributes of the classes, including those of their superior classes, by name. It leaves out
// those that are never read.
func discovered(schema *ldap.Entry, classes []string) []connector.SchemaAttribute {
	types, byName := readDefinitions(schema, "attributeTypes"), readDefinitions(schema, "objectClasses")
	// Active Directory says there what else an entry of a class has (RFC 4512, section 4.1.6).
	rules := readDefinitions(schema, "dITContentRules")
	found, visited := map[string]bool{}, map[string]bool{}
	var visit func(class string)
	visit = func(class string) {
		class = strings.ToLower(class)
		words := byName[class]
		if words == nil || visited[class] {
			return
		}
		visited[class] = true
		rule := rules[class]
		for _, name := range slices.Concat(definitionNames(words, "MUST"), definitionNames(words, "MAY"),
			definitionNames(rule, "MUST"), definitionNames(rule, "MAY")) {
			if !isUnread(name) && !types.areBinary(name) {
				found[name] = true
			}
		}
		for _, other := range append(definitionNames(words, "SUP"), definitionNames(rule, "AUX")...) {
			visit(other)
		}
	}
	for _, class := range classes {
		visit(class)
	}
	var attributes []connector.SchemaAttribute
	for name := range found {
		attributes = append(attributes, connector.SchemaAttribute{Name: name, Type: "STRING",
			IsMulti: !slices.Contains(types[strings.ToLower(name)], "SINGLE-VALUE"), Equality: types.equality(name)})
	}
	slices.SortFunc(attributes, func(a, b connector.SchemaAttribute) int { return strings.Compare(a.Name, b.Name) })
	return attributes
}
