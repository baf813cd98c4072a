package ldap

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-ldap/ldap/v3"

	"github.com/muster-engine/muster/engine/connector"
	"github.com/muster-engine/muster/engine/connector/ldap/ldaptest"
)

const (
	staff = "OU=Staff,DC=ad,DC=example,DC=com"
	teams = "OU=Teams,DC=ad,DC=example,DC=com"
)

func adPerson(n int, more map[string][]string) ldaptest.Entry {
	attributes := map[string][]string{"objectClass": {"user"}, "cn": {fmt.Sprintf("Person %d", n)},
		"sAMAccountName": {fmt.Sprintf("p%d", n)}, "modifyTimestamp": {"20260101000000.0Z"}}
	for name, values := range more {
		attributes[name] = values
	}
	return ldaptest.Entry{DN: fmt.Sprintf("CN=Person %d,%s", n, staff), Attributes: attributes}
}

// company returns people and one team that all of them are in.
func company(people int) []ldaptest.Entry {
	entries := []ldaptest.Entry{{DN: staff}, {DN: teams}}
	var members []string
	for n := range people {
		person := adPerson(n, nil)
		entries, members = append(entries, person), append(members, person.DN)
	}
	return append(entries, ldaptest.Entry{DN: "CN=All," + teams, Attributes: map[string][]string{
		"objectClass": {"group"}, "cn": {"All"}, "member": members}})
}

func adConnector(t *testing.T, s *ldaptest.Server, more map[string]any, attributes ...string) connector.Connector {
	t.Helper()
	settings := map[string]any{"url": s.URL, "userBase": staff, "groupBase": teams, "userFilter": "(objectClass=user)",
		"groupFilter": "(objectClass=group)", "rdn": "cn", "pageSize": 400}
	for name, value := range more {
		settings[name] = value
	}
	text, err := json.Marshal(settings)
	if err != nil {
		t.Fatal(err)
	}
	schema := connector.Schema{Name: "account", IdentityAttribute: "dn", DisplayAttribute: "cn",
		Attributes: []connector.SchemaAttribute{{Name: "dn"}, {Name: "cn"}, {Name: "memberOf", IsMulti: true, IsEntitlement: true}}}
	for _, name := range attributes {
		schema.Attributes = append(schema.Attributes, connector.SchemaAttribute{Name: name, IsMulti: name == "proxyAddresses"})
	}
	c, err := New(t.Context(), connector.Config{Source: "AD", Attributes: text, Schemas: []connector.Schema{schema}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// reading reads everything, and returns how many accounts there are and how often each group occurs in them.
func reading(t *testing.T, c connector.Connector) (accounts int, groups map[string]int, err error) {
	t.Helper()
	groups = map[string]int{}
	cursor, err := c.Read(t.Context(), "", func(o *connector.Object) error {
		if o.Type != "" {
			return nil
		}
		if o.Fault != "" {
			t.Errorf("%s: %s", o.NativeIdentity, o.Fault)
		}
		accounts++
		for _, group := range o.Attributes.Get("memberOf").Strings() {
			groups[group]++
		}
		return nil
	})
	if err != nil && cursor != "" {
		t.Errorf("a reading that failed gives the cursor %q", cursor)
	}
	return accounts, groups, err
}

// A group of any size has all its members, though Active Directory gives 1,500 of them at a time.
func TestMembersInRanges(t *testing.T) {
	t.Parallel()
	for _, members := range []int{1499, 1500, 1501, 3000, 3001, 4600} {
		s := ldaptest.Start(t, ldaptest.Options{RangeMax: 1500}, company(members)...)
		accounts, groups, err := reading(t, adConnector(t, s, nil))
		if err != nil || accounts != members || groups["CN=All,"+teams] != members {
			t.Errorf("%d members: %d accounts, %d of them in the group, %v", members, accounts, groups["CN=All,"+teams], err)
		}
	}
}

// The groups of an account come in ranges too, and so does any other attribute.
func TestAccountsInRanges(t *testing.T) {
	t.Parallel()
	var groups, addresses []string
	for n := range 23 {
		groups = append(groups, fmt.Sprintf("CN=Team %d,%s", n, teams))
		addresses = append(addresses, fmt.Sprintf("smtp:p%d@example.com", n))
	}
	s := ldaptest.Start(t, ldaptest.Options{RangeMax: 5}, ldaptest.Entry{DN: staff}, ldaptest.Entry{DN: teams},
		adPerson(1, map[string][]string{"memberOf": groups, "proxyAddresses": addresses}))
	c := adConnector(t, s, map[string]any{"serverMemberOf": true}, "proxyAddresses")
	count := 0
	if _, err := c.Read(t.Context(), "", func(o *connector.Object) error {
		count++
		if got := o.Attributes.Get("memberOf").Strings(); !slices.Equal(got, groups) {
			t.Errorf("the groups are %q", got)
		}
		if got := o.Attributes.Get("proxyAddresses").Strings(); !slices.Equal(got, addresses) {
			t.Errorf("the addresses are %q", got)
		}
		return nil
	}); err != nil || count != 1 {
		t.Errorf("%d accounts, %v", count, err)
	}
}

// A reading that may not be whole fails, whatever makes it so.
func TestPartialReadings(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("it takes long")
	}
	isRange := func(s *ldaptest.Search) bool {
		return slices.ContainsFunc(s.Attributes, func(name string) bool { return strings.Contains(name, ";range=") })
	}
	isGroups := func(s *ldaptest.Search) bool { return strings.EqualFold(s.Base, teams) }
	without := func(a *ldaptest.Answer, name string) {
		for i := range a.Entries {
			left := map[string][]string{}
			for have, values := range a.Entries[i].Attributes {
				if have != name {
					left[have] = values
				}
			}
			a.Entries[i].Attributes = left
		}
	}
	turn := 0
	for name, test := range map[string]struct {
		tamper func(*ldaptest.Search, *ldaptest.Answer)
		want   string
	}{
		"a range that does not go on": {func(s *ldaptest.Search, a *ldaptest.Answer) {
			if isRange(s) {
				without(a, "member")
			}
		}, `gave 1500 values of the attribute "member" of an entry and not the rest`},
		"a range of an entry that is gone": {func(s *ldaptest.Search, a *ldaptest.Answer) {
			if isRange(s) {
				a.Entries, a.Code = nil, ldap.LDAPResultNoSuchObject
			}
		}, "LDAP result 32"},
		"values that change all the time": {func(s *ldaptest.Search, a *ldaptest.Answer) {
			if isRange(s) {
				turn++
				members := slices.Clone(a.Entries[0].Attributes["member"])
				members[1] = fmt.Sprintf("CN=New %d,%s", turn, staff)
				without(a, "member")
				a.Entries[0].Attributes["member"] = members
			}
		}, "were different each time"},
		"a range that repeats values": {func(_ *ldaptest.Search, a *ldaptest.Answer) {
			for i := range a.Entries {
				if members := slices.Clone(a.Entries[i].Attributes["member"]); len(members) > 0 {
					members[1600] = members[3]
					without(a, "member")
					a.Entries[i].Attributes["member"] = members
				}
			}
		}, "came twice"},
		"the size limit": {func(s *ldaptest.Search, a *ldaptest.Answer) {
			if s.Page == 2 {
				a.Code, a.Diagnostic = ldap.LDAPResultSizeLimitExceeded, "CN=Ann Lee has it"
			}
		}, "Size Limit Exceeded (LDAP result 4): the directory has more entries than it gives"},
		"the size limit of groups": {func(s *ldaptest.Search, a *ldaptest.Answer) {
			if isGroups(s) {
				a.Code = ldap.LDAPResultSizeLimitExceeded
			}
		}, "LDAP result 4"},
		"the administrator's limit": {func(_ *ldaptest.Search, a *ldaptest.Answer) {
			a.Code = ldap.LDAPResultAdminLimitExceeded
		}, "LDAP result 11"},
		"the time limit": {func(s *ldaptest.Search, a *ldaptest.Answer) {
			if s.Page == 1 {
				a.Code = ldap.LDAPResultTimeLimitExceeded
			}
		}, "LDAP result 3"},
		"a page that comes again": {func(s *ldaptest.Search, a *ldaptest.Answer) {
			if s.Page > 0 {
				a.Cookie = "400"
			}
		}, "gave an entry twice"},
		"pages without entries and without an end": {func(_ *ldaptest.Search, a *ldaptest.Answer) {
			a.Entries, a.Cookie = nil, "0"
		}, "the search has no end"},
		"a page that is not said to be the last": {func(s *ldaptest.Search, a *ldaptest.Answer) {
			if s.Page == 1 {
				a.NoPaging = true
			}
		}, "without saying whether it is the last"},
		"a part of the tree elsewhere": {func(s *ldaptest.Search, a *ldaptest.Answer) {
			if !isGroups(s) {
				a.References = []string{"ldap://emea.ad.example.com/DC=emea,DC=ad,DC=example,DC=com"}
			}
		}, "refers to 1 parts of the tree on other servers"},
		"all of the tree elsewhere": {func(_ *ldaptest.Search, a *ldaptest.Answer) {
			a.Entries, a.Code, a.Diagnostic = nil, ldap.LDAPResultReferral, "ldap://secret.example.com"
		}, "Referral (LDAP result 10): another server has this part of the tree"},
		"a connection that breaks": {func(s *ldaptest.Search, a *ldaptest.Answer) {
			a.Break = s.Page == 3
		}, "broke off"},
		"a code that nobody knows": {func(_ *ldaptest.Search, a *ldaptest.Answer) {
			a.Code, a.Diagnostic = 4097, "secret"
		}, "an error without a standard name"},
	} {
		t.Run(name, func(t *testing.T) {
			s := ldaptest.Start(t, ldaptest.Options{RangeMax: 1500}, company(1700)...)
			s.Tamper(test.tamper)
			accounts, _, err := reading(t, adConnector(t, s, nil))
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Fatalf("%d accounts, %v, want an error with %q", accounts, err, test.want)
			}
			for _, value := range []string{"Person", "Lee", "secret", "emea"} {
				if strings.Contains(err.Error(), value) {
					t.Errorf("%q repeats %q", err, value)
				}
			}
		})
	}
}

// Values that change once are read again.
func TestRangesAreReadAgain(t *testing.T) {
	t.Parallel()
	s := ldaptest.Start(t, ldaptest.Options{RangeMax: 4}, company(10)...)
	s.Tamper(func(search *ldaptest.Search, a *ldaptest.Answer) {
		if strings.EqualFold(search.Base, teams) {
			// While the first range was given, the group had one member more, the first one.
			for i := range a.Entries {
				members := append([]string{"CN=Gone," + staff}, a.Entries[i].Attributes["member"]...)
				a.Entries[i].Attributes = map[string][]string{"member": members, "cn": {"All"}}
			}
		}
	})
	if accounts, groups, err := reading(t, adConnector(t, s, nil)); err != nil || accounts != 10 || groups["CN=All,"+teams] != 10 {
		t.Errorf("%d accounts, %v, %v, want 10 in the group", accounts, groups, err)
	}
}

// The references that a search from the root of a domain always has are to parts without accounts. Others can be
// allowed, and are noted then.
func TestReferences(t *testing.T) {
	t.Parallel()
	s := ldaptest.Start(t, ldaptest.Options{}, company(3)...)
	references := []string{"ldap://DomainDnsZones.ad.example.com/DC=DomainDnsZones,DC=ad,DC=example,DC=com",
		"ldap://ForestDnsZones.ad.example.com/DC=ForestDnsZones,DC=ad,DC=example,DC=com",
		"ldap://ad.example.com/CN=Configuration,DC=ad,DC=example,DC=com"}
	s.Tamper(func(_ *ldaptest.Search, a *ldaptest.Answer) { a.References = references })
	c := adConnector(t, s, nil)
	if accounts, _, err := reading(t, c); err != nil || accounts != 3 {
		t.Errorf("%d accounts, %v, want 3", accounts, err)
	}
	if notes := c.(connector.Noter).Notes(); len(notes) > 0 {
		t.Errorf("notes %q, want none", notes)
	}
	references = append(references, "ldap://emea.ad.example.com/DC=emea,DC=ad,DC=example,DC=com")
	c = adConnector(t, s, map[string]any{"ignoreReferrals": true})
	if accounts, _, err := reading(t, c); err != nil || accounts != 3 {
		t.Errorf("%d accounts, %v, want 3", accounts, err)
	}
	if notes := c.(connector.Noter).Notes(); len(notes) != 1 || !strings.Contains(notes[0], "(2 times)") {
		t.Errorf("notes %q, want one", notes)
	}
}

// Empty pages before the end are no fault.
func TestEmptyPages(t *testing.T) {
	t.Parallel()
	s := ldaptest.Start(t, ldaptest.Options{}, company(3)...)
	s.Tamper(func(search *ldaptest.Search, a *ldaptest.Answer) {
		if search.Number%3 > 0 {
			a.Entries, a.Cookie = nil, "0"
		}
	})
	if accounts, _, err := reading(t, adConnector(t, s, nil)); err != nil || accounts != 3 {
		t.Errorf("%d accounts, %v, want 3", accounts, err)
	}
}

// Pictures, certificates and passwords are not even requested. Values with an option are those of another attribute.
func TestUnreadAttributes(t *testing.T) {
	t.Parallel()
	guid := string([]byte{0x33, 0x22, 0x11, 0x00, 0x55, 0x44, 0x77, 0x66, 0x88, 0x99, 0xaa, 0xbb, 0xcc, 0xdd, 0xee, 0xff})
	s := ldaptest.Start(t, ldaptest.Options{}, ldaptest.Entry{DN: staff}, ldaptest.Entry{DN: teams}, adPerson(1, map[string][]string{
		"jpegPhoto": {"\xff\xd8\xff"}, "userCertificate;binary": {"\x30\x82"}, "userPassword": {"{SSHA}geheim"}, "objectGUID": {guid},
		"cn;lang-ja": {"人"}, "description;lang-en": {"engineer"}, "description": {"Ingenieurin", "Leiterin"}, "unicodePwd": {"x"}}))
	s.Tamper(func(search *ldaptest.Search, _ *ldaptest.Answer) {
		for _, name := range search.Attributes {
			if isUnread(name) {
				t.Errorf("%q is requested", name)
			}
		}
	})
	c := adConnector(t, s, nil, "jpegPhoto", "userCertificate;binary", "userPassword", "unicodePwd", "objectGUID",
		"description;lang-en", "description")
	count := 0
	if _, err := c.Read(t.Context(), "", func(o *connector.Object) error {
		count++
		want := `{"cn":"Person 1","dn":"CN=Person 1,` + staff + `","objectGUID":"00112233-4455-6677-8899-aabbccddeeff",` +
			`"description":"Ingenieurin","description;lang-en":"engineer"}`
		if got := string(o.Attributes.AppendJSON(nil)); got != want || o.StableIdentity != "00112233-4455-6677-8899-aabbccddeeff" {
			t.Errorf("got  %s\nwant %s", got, want)
		}
		return nil
	}); err != nil || count != 1 {
		t.Errorf("%d accounts, %v", count, err)
	}
	notes := strings.Join(c.(connector.Noter).Notes(), "\n")
	for _, want := range []string{`"jpegPhoto" holds binary data`, `"userCertificate;binary" holds binary data`,
		`"cn" with the option "lang-ja" are not read: name it "cn;lang-ja" in the schema to read them (1 times)`,
		`"description" has several values and the schema has one: the first one counts (1 times)`} {
		if !strings.Contains(notes, want) {
			t.Errorf("%q is not among the notes:\n%s", want, notes)
		}
	}
	if strings.Count(notes, "\n") != 3 || strings.Contains(notes, "lang-en") {
		t.Errorf("the notes are\n%s", notes)
	}
}

// What a directory says of its attributes decides which are proposed.
func TestDiscoveredAreReadable(t *testing.T) {
	t.Parallel()
	schema := ldap.NewEntry("cn=Subschema", map[string][]string{
		"attributeTypes": {
			"( 1 NAME 'uid' SYNTAX 1.3.6.1.4.1.1466.115.121.1.15{256} )", "( 2 NAME 'userPassword' SYNTAX 1.3.6.1.4.1.1466.115.121.1.40{128} )",
			"( 3 NAME 'badge' SYNTAX '1.3.6.1.4.1.1466.115.121.1.28' )", "( 4 NAME 'badgeCopy' SUP badge SINGLE-VALUE )",
			"( 5 NAME 'unlockPassword' SYNTAX 1.3.6.1.4.1.1466.115.121.1.15 )", "( 6 NAME 'loop' SUP loop )",
			"( 7 NAME 'pwdLastSet' SYNTAX '1.2.840.113556.1.4.906' SINGLE-VALUE )", "( 8 NAME 'objectSid' SYNTAX '1.3.6.1.4.1.1466.115.121.1.40' )",
		},
		"objectClasses": {"( 9 NAME 'person' MUST uid MAY ( userPassword $ badge $ badgeCopy $ unlockPassword $ loop $ pwdLastSet $ objectSid $ jpegPhoto ) )",
			"( 10 NAME 'badged' AUXILIARY MAY room )"},
		"dITContentRules": {"( 9 NAME 'person' AUX ( badged $ person ) MAY ( desk $ unicodePwd ) )"},
	})
	var names []string
	for _, a := range discovered(schema, []string{"person"}) {
		names = append(names, fmt.Sprintf("%s %v", a.Name, a.IsMulti))
	}
	if want := []string{"desk true", "loop true", "pwdLastSet false", "room true", "uid true"}; !slices.Equal(names, want) {
		t.Errorf("got %q, want %q", names, want)
	}
}

// The end of the context ends a reading that the directory leaves without an answer.
func TestReadingEnds(t *testing.T) {
	t.Parallel()
	s := ldaptest.Start(t, ldaptest.Options{}, company(3)...)
	release := make(chan struct{})
	t.Cleanup(func() { close(release) })
	s.Tamper(func(*ldaptest.Search, *ldaptest.Answer) { <-release })
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	started := time.Now()
	_, err := adConnector(t, s, nil).Read(ctx, "", func(*connector.Object) error { return nil })
	if err == nil || time.Since(started) > 10*time.Second {
		t.Errorf("after %s: %v", time.Since(started), err)
	}
}
