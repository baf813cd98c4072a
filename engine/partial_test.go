package engine_test

import (
	"fmt"
	"strings"
	"testing"

	goldap "github.com/go-ldap/ldap/v3"

	"github.com/muster-engine/muster/engine"
	"github.com/muster-engine/muster/engine/connector"
	"github.com/muster-engine/muster/engine/connector/ldap"
	"github.com/muster-engine/muster/engine/connector/ldap/ldaptest"
)

const domainConfig = `
sources:
  - name: Domain
    connector: ldap
    connectorAttributes: {url: %q, userBase: "OU=Staff,DC=ad", groupBase: "OU=Teams,DC=ad", userFilter: (objectClass=user),
      groupFilter: (objectClass=group), rdn: cn, pageSize: 100}
    schemas:
      - name: account
        identityAttribute: dn
        displayAttribute: cn
        attributes: [{name: dn}, {name: cn}, {name: note}, {name: userPassword}, {name: thumbnailPhoto},
                     {name: memberOf, isMulti: true, isEntitlement: true, schema: {name: group}}]
      - {name: group, identityAttribute: dn, displayAttribute: cn, attributes: [{name: dn}, {name: cn}]}
`

// domainOf returns people who are all in one team. Some have a note that is no text.
func domainOf(people int) []ldaptest.Entry {
	entries := []ldaptest.Entry{{DN: "OU=Staff,DC=ad"}, {DN: "OU=Teams,DC=ad"}}
	var members []string
	for n := range people {
		dn, note := fmt.Sprintf("CN=Person %d,OU=Staff,DC=ad", n), "plain"
		if n%7 == 0 {
			note = "\x00\xff"
		}
		members = append(members, dn)
		entries = append(entries, ldaptest.Entry{DN: dn, Attributes: map[string][]string{"objectClass": {"user"}, "note": {note},
			"cn": {fmt.Sprintf("Person %d", n)}, "userPassword": {"{SSHA}geheim"}, "thumbnailPhoto": {"\xff\xd8"}}})
	}
	return append(entries, ldaptest.Entry{DN: "CN=All,OU=Teams,DC=ad", Attributes: map[string][]string{"objectClass": {"group"},
		"cn": {"All"}, "member": members}})
}

// A directory is read whole or not at all: no account and no entitlement goes because a search broke off. What is never
// read is noted, once, when the configuration is applied and when the source is read.
func TestAggregateDirectoryWhole(t *testing.T) {
	t.Parallel()
	server := ldaptest.Start(t, ldaptest.Options{RangeMax: 100}, domainOf(201)...)
	f := newFixtureWith(t, engine.Config{Connectors: map[string]connector.Factory{"ldap": ldap.New}})
	applied := f.ApplyText(fmt.Sprintf(domainConfig, server.URL))
	const password = `source "Domain": the attribute "userPassword" of the schema holds passwords: it is never read or stored`
	if got := strings.Join(applied.Notes, "|"); got != password {
		t.Errorf("the notes on the configuration are %q", got)
	}
	result, err := f.AggregateSource(t.Context(), "Domain", engine.AggregateOptions{})
	if err != nil || result.Added != 201 || result.Faulty != 0 {
		t.Fatalf("got %+v, %v, want 201 accounts", result, err)
	}
	want := strings.Join([]string{password,
		`the attribute "note" was left out of 29 accounts, because its value is no UTF-8 text without NUL characters`,
		`the attribute "thumbnailPhoto" holds binary data: it is not read`}, "|")
	if got := strings.Join(result.Notes, "|"); got != want {
		t.Errorf("the notes are\n%s, want\n%s", got, want)
	}
	counts := func() (counts string) {
		t.Helper()
		if err := f.Pool.QueryRow(t.Context(), `
			SELECT count(*) || ' accounts, ' || count(*) FILTER (WHERE attributes -> 'memberOf' ? 'CN=All,OU=Teams,DC=ad') ||
			       ' members, ' || count(*) FILTER (WHERE attributes ? 'note') || ' notes, ' ||
			       count(*) FILTER (WHERE attributes::text ~ 'geheim|userPassword|thumbnailPhoto') || ' secrets'
			FROM muster.accounts`).Scan(&counts); err != nil {
			t.Fatal(err)
		}
		return counts
	}
	const whole = "201 accounts, 201 members, 172 notes, 0 secrets"
	if got := counts(); got != whole {
		t.Errorf("there are %s", got)
	}
	for name, tamper := range map[string]func(*ldaptest.Search, *ldaptest.Answer){
		"a size limit": func(s *ldaptest.Search, a *ldaptest.Answer) {
			if s.Page == 1 {
				a.Code, a.Diagnostic = goldap.LDAPResultSizeLimitExceeded, "Person 7 is the last"
			}
		},
		"ranges that do not go on": func(s *ldaptest.Search, a *ldaptest.Answer) {
			if strings.Contains(strings.Join(s.Attributes, " "), ";range=200") {
				a.Entries = nil
			}
		},
		"a reference": func(s *ldaptest.Search, a *ldaptest.Answer) {
			if s.Page == 2 {
				a.Entries, a.References = nil, []string{"ldap://emea.example.com/OU=Person 7,DC=emea"}
			}
		},
		"a connection that ends": func(s *ldaptest.Search, a *ldaptest.Answer) { a.Break = s.Page == 2 },
	} {
		server.Tamper(tamper)
		_, err := f.AggregateSource(t.Context(), "Domain", engine.AggregateOptions{})
		if engine.KindOf(err) != engine.Unavailable || strings.Contains(err.Error(), "Person") {
			t.Errorf("%s: %v", name, err)
		}
		if got := counts(); got != whole {
			t.Errorf("after %s there are %s", name, got)
		}
	}
	server.Tamper(nil)
	if result, err := f.AggregateSource(t.Context(), "Domain", engine.AggregateOptions{}); err != nil || result.Unchanged != 201 {
		t.Errorf("got %+v, %v, want no change", result, err)
	}
}

const rowsConfig = `
sources:
  - name: Rooms
    connector: delimited-file
    connectorAttributes: {mergeRows: true, indexColumns: [login], mergeColumns: [rooms], commentCharacter: "#", filterEmptyRecords: true}
    schemas:
      - name: account
        identityAttribute: login
        attributes: [{name: login}, {name: emp}, {name: passwd}, {name: rooms, isMulti: true, isEntitlement: true}]
`

// The rows of an account are one account in any order, and a text that is cut off changes nothing.
func TestAggregateMergedRows(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.ApplyText(rowsConfig)
	rows := []string{"u1,E1,geheim,b", "u2,E2,geheim,c", "# nobody", "u1,E1,x,a", ",,,", "u2,,y,"}
	for turn := range rows {
		text := "login,emp,passwd,rooms\n" + strings.Join(append(rows[turn:len(rows):len(rows)], rows[:turn]...), "\n") + "\n"
		result, err := f.Aggregate(t.Context(), "Rooms", strings.NewReader(text), engine.AggregateOptions{})
		if err != nil || result.Rows != 2 || result.Faulty != 0 || turn == 0 && result.Added != 2 || turn > 0 && result.Unchanged != 2 {
			t.Errorf("turn %d: %+v, %v", turn, result, err)
		}
	}
	var accounts string
	if err := f.Pool.QueryRow(t.Context(), `SELECT string_agg(attributes::text, ' ' ORDER BY native_identity) FROM muster.accounts`).Scan(&accounts); err != nil || accounts != `{"emp": "E1", "login": "u1", "rooms": ["a", "b"]} {"emp": "E2", "login": "u2", "rooms": ["c"]}` {
		t.Errorf("the accounts are %s, %v", accounts, err)
	}
	for _, text := range []string{"login,emp,passwd,rooms\nu1,E1,,b\nu2,E2", "login,emp,passwd,rooms\nu1,E1,,b\nu2,\"E2,,b\n",
		"login,emp,passwd,rooms\nu1,E1,,b\nu2,E2\n"} {
		result, err := f.Aggregate(t.Context(), "Rooms", strings.NewReader(text), engine.AggregateOptions{})
		if err == nil || strings.Contains(err.Error(), "E2") {
			t.Errorf("%q: %+v, %v", text, result, err)
		}
	}
	// An account with two values where one may be is faulty, and stays as it was.
	result, err := f.Aggregate(t.Context(), "Rooms", strings.NewReader("login,emp,passwd,rooms\nu1,E1,,z\nu1,E9,,a\nu2,E2,,c\n"),
		engine.AggregateOptions{})
	if err != nil || result.Faulty != 1 || result.Removed != 0 || result.Unchanged != 1 ||
		!strings.Contains(result.RowErrors[0].Msg, `the value of column "emp" is another one than on line 2`) {
		t.Errorf("got %+v, %v", result, err)
	}
}
