package engine_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/muster-engine/muster/engine"
	"github.com/muster-engine/muster/engine/attribute"
	"github.com/muster-engine/muster/engine/connector"
	"github.com/muster-engine/muster/engine/enginetest"
)

// readers is a profile of the source Staff whose people read their managers, people that they look up, and whether they
// are managers.
const readers = `
sources:
  - name: Staff
    connector: delimited-file
    schemas:
      - name: account
        identityAttribute: id
        displayAttribute: id
        attributes: [{name: id}, {name: site}, {name: boss}, {name: buddy}]
    managerCorrelationMapping: {accountAttributeName: boss, identityAttributeName: identificationNumber}
identityAttributes:
  - {name: site, displayName: Site, type: string, searchable: true}
  - {name: bossSite, displayName: Site of the manager, type: string}
  - {name: buddySite, displayName: Site of the buddy, type: string}
  - {name: path, displayName: Path, type: string}
  - {name: leads, displayName: Leads, type: string}
identityProfiles:
  - name: Staff
    authoritativeSource: {type: SOURCE, name: Staff}
    identityAttributeConfig:
      enabled: true
      attributeTransforms:
        - {identityAttributeName: uid, transformDefinition: {type: accountAttribute, attributes: {sourceName: Staff, attributeName: id}}}
        - {identityAttributeName: identificationNumber, transformDefinition: {type: accountAttribute, attributes: {sourceName: Staff, attributeName: id}}}
        - {identityAttributeName: firstname, transformDefinition: {type: accountAttribute, attributes: {sourceName: Staff, attributeName: id}}}
        - {identityAttributeName: lastname, transformDefinition: {type: accountAttribute, attributes: {sourceName: Staff, attributeName: id}}}
        - {identityAttributeName: email, transformDefinition: {type: accountAttribute, attributes: {sourceName: Staff, attributeName: id}}}
        - {identityAttributeName: site, transformDefinition: {type: accountAttribute, attributes: {sourceName: Staff, attributeName: site}}}
        - identityAttributeName: bossSite
          transformDefinition:
            type: rule
            attributes: {name: Cloud Services Deployment Utility, operation: getReferenceIdentityAttribute, uid: manager, attributeName: site}
        - identityAttributeName: buddySite
          transformDefinition:
            type: rule
            attributes:
              name: Cloud Services Deployment Utility
              operation: getReferenceIdentityAttribute
              uid: {type: accountAttribute, attributes: {sourceName: Staff, attributeName: buddy}}
              attributeName: site
        - identityAttributeName: path
          transformDefinition:
            type: static
            attributes: {value: '#set($m = $identity.getManager())#if($m)$!m.getAttribute("path")/#end$id', id: {type: accountAttribute, attributes: {sourceName: Staff, attributeName: id}}}
        - identityAttributeName: leads
          transformDefinition: {type: static, attributes: {value: "$identity.getManagerStatus()"}}
`

const staffHeader = "id,site,boss,buddy\n"

// staff aggregates rows of the source Staff, and processes what follows.
func staff(t *testing.T, c *enginetest.Company, rows ...string) {
	t.Helper()
	c.AggregateText("Staff", staffHeader+strings.Join(rows, "\n")+"\n", engine.AggregateOptions{})
	waitForNothing(t, c)
}

// waitForNothing processes what is requested, and fails where processing everybody then changes anything.
func waitForNothing(t *testing.T, c *enginetest.Company) {
	t.Helper()
	c.Process()
	if _, err := c.ProcessAll(t.Context()); err != nil {
		t.Fatal(err)
	}
	if again := c.Process(); again.Changed > 0 {
		t.Errorf("processing everybody once more changed %d identities, want none", again.Changed)
	}
}

// wantValues compares attributes: each line is "alias attribute value", with - for no value.
func wantValues(t *testing.T, c *enginetest.Company, lines ...string) {
	t.Helper()
	for _, line := range lines {
		part := strings.SplitN(line, " ", 3)
		got := "-"
		if value, found := c.Identity(part[0]).Attributes.Get(part[1]), true; found && !value.IsNull() {
			got = value.Text()
		}
		if got != part[2] {
			t.Errorf("%s of %s is %q, want %q", part[1], part[0], got, part[2])
		}
	}
}

func TestValuesOfTheManager(t *testing.T) {
	c := enginetest.NewEmpty(t)
	c.ApplyText(readers)
	// Reports come before their managers, so that the order of the rows does not help.
	staff(t, c, "abel,Bonn,bea,", "bea,Ulm,carl,", "carl,Kiel,dora,", "dora,Jena,,")
	wantValues(t, c, "abel bossSite Ulm", "bea bossSite Kiel", "carl bossSite Jena", "dora bossSite -",
		"abel path dora/carl/bea/abel", "dora leads true", "bea leads true", "abel leads false")

	// The manager changes: the whole chain below follows in one processing.
	staff(t, c, "abel,Bonn,bea,", "bea,Ulm,carl,", "carl,Kiel,emil,", "dora,Jena,,", "emil,Hof,,")
	wantValues(t, c, "carl bossSite Hof", "abel path emil/carl/bea/abel", "dora leads false", "emil leads true")

	// A value of the manager changes.
	staff(t, c, "abel,Bonn,bea,", "bea,Rom,carl,", "carl,Kiel,emil,", "dora,Jena,,", "emil,Hof,,")
	wantValues(t, c, "abel bossSite Rom")

	// The manager goes.
	if err := c.DeleteIdentity(t.Context(), c.ID("emil")); err != nil {
		t.Fatal(err)
	}
	waitForNothing(t, c)
	wantValues(t, c, "carl bossSite -", "abel path carl/bea/abel")
}

func TestValuesOfSomebodyLookedUp(t *testing.T) {
	c := enginetest.NewEmpty(t)
	c.ApplyText(readers)
	staff(t, c, "abel,Bonn,,zoe", "bea,Ulm,,abel")
	wantValues(t, c, "abel buddySite -", "bea buddySite Bonn")

	staff(t, c, "abel,Bonn,,zoe", "bea,Ulm,,abel", "zoe,Rom,,") // zoe appears
	wantValues(t, c, "abel buddySite Rom")

	staff(t, c, "abel,Bonn,,zoe", "bea,Ulm,,abel", "zoe,Hof,,") // and moves
	wantValues(t, c, "abel buddySite Hof")

	if err := c.DeleteIdentity(t.Context(), c.ID("zoe")); err != nil {
		t.Fatal(err)
	}
	waitForNothing(t, c)
	wantValues(t, c, "abel buddySite -")

	// Lookups are recorded while they are made: abel looks nobody up any more, and then nobody does.
	wantLookups := func(want int) {
		t.Helper()
		if got := c.CountRows("muster.identity_lookups"); got != want {
			t.Errorf("%d lookups are recorded, want %d", got, want)
		}
	}
	wantLookups(2)
	staff(t, c, "abel,Bonn,,", "bea,Ulm,,abel", "zoe,Hof,,")
	wantLookups(1)
	c.ApplyText(withoutReaders(t))
	wantLookups(0)
}

// withoutReaders is the profile of [readers] whose people read nobody.
func withoutReaders(t *testing.T) string {
	t.Helper()
	text, _, found := strings.Cut(readers, "        - identityAttributeName: bossSite\n")
	if !found {
		t.Fatal("the mappings that read others begin in another way")
	}
	return text
}

// A second identity with the key of a manager takes nothing from its reports, also where nobody reads others.
func TestNewcomerWithTheKeyOfAManager(t *testing.T) {
	c := enginetest.NewEmpty(t)
	c.ApplyText(withoutReaders(t))
	staff(t, c, "abel,Bonn,bea,", "bea,Ulm,,")
	c.AggregateText("Staff", staffHeader+"abel,Hof,bea,\nbea,Ulm,,\nBEA,Rom,,\n", engine.AggregateOptions{})
	c.Process()
	if manager := c.Identity("abel").ManagerRef; manager == nil || manager.Name != "bea" {
		t.Errorf("the manager of abel is %+v, want bea", manager)
	}
	if messages := strings.Join(allMessages(t, c), "\n"); !strings.Contains(messages, "it keeps its manager") {
		t.Errorf("no message says that abel keeps the manager, got %q", messages)
	}
}

// A circle of readers whose values agree ends by itself; one whose values grow for ever ends with a warning that names
// it.
func TestValuesInACircle(t *testing.T) {
	if testing.Short() {
		t.Skip("it takes long")
	}
	for _, size := range []int{1, 1000} {
		t.Run(fmt.Sprintf("batches of %d", size), func(t *testing.T) {
			c := enginetest.NewEmpty(t, enginetest.WithConfig(engine.Config{BatchSize: size}))
			c.ApplyText(readers)
			c.AggregateText("Staff", staffHeader+"abel,Bonn,bea,\nbea,Ulm,carl,\ncarl,Kiel,abel,\n",
				engine.AggregateOptions{})
			c.Process()
			wantValues(t, c, "abel bossSite Ulm", "bea bossSite Kiel", "carl bossSite Bonn")
			var named bool
			for _, m := range allMessages(t, c) {
				if strings.Contains(m, "in a circle that does not end") && strings.Contains(m, c.ID("abel")) &&
					strings.Contains(m, c.ID("bea")) && strings.Contains(m, c.ID("carl")) {
					named = true
				}
			}
			if !named {
				t.Errorf("no message names the circle, got %q", allMessages(t, c))
			}
		})
	}
}

// A second identity with a key or an alias that others look up gives them a warning, and they keep what they had.
func TestNewcomerWithAKeyOfAnother(t *testing.T) {
	c := enginetest.NewEmpty(t)
	c.ApplyText(readers)
	staff(t, c, "abel,Bonn,bea,bea", "bea,Ulm,,")
	// The newcomer has the ID of bea in another letter case: both keys ignore it.
	c.AggregateText("Staff", staffHeader+"abel,Bonn,bea,bea\nbea,Ulm,,\nBEA,Rom,,\n", engine.AggregateOptions{})
	c.Process()
	wantValues(t, c, "abel bossSite Ulm", "abel buddySite Ulm", "abel path bea/abel")
	var newcomer string
	if err := c.Pool.QueryRow(t.Context(), `SELECT replace(id::text, '-', '') FROM muster.identities WHERE name = 'BEA'`).
		Scan(&newcomer); err != nil {
		t.Fatal(err)
	}
	var manager, buddy bool
	for _, m := range allMessages(t, c) {
		manager = manager || strings.Contains(m, "as its manager") && strings.Contains(m, newcomer)
		buddy = buddy || strings.Contains(m, "alias that it looks up") && strings.Contains(m, newcomer)
	}
	if !manager || !buddy {
		t.Errorf("the newcomer %s is named for the manager %v and for the alias %v, want both; messages %q", newcomer,
			manager, buddy, allMessages(t, c))
	}
}

func allMessages(t *testing.T, c *enginetest.Company) []string {
	t.Helper()
	rows, err := c.Pool.Query(t.Context(), `SELECT text FROM muster.task_messages ORDER BY text`)
	if err != nil {
		t.Fatal(err)
	}
	var texts []string
	var text string
	for rows.Next() {
		if err := rows.Scan(&text); err != nil {
			t.Fatal(err)
		}
		texts = append(texts, text)
	}
	return texts
}

// desk is a source whose accounts do not correlate, with a policy that reads the manager, and a role that gives Abel
// access there.
const desk = `
sources:
  - name: Desk
    connector: memory
    schemas:
      - name: account
        identityAttribute: login
        attributes: [{name: login}, {name: floor}, {name: pin}, {name: keys, isEntitlement: true, isMulti: true}]
    provisioningPolicies:
      - usageType: CREATE
        fields:
          - {name: login, transform: {type: identityAttribute, attributes: {name: uid}}}
          - name: floor
            transform: &floor
              type: rule
              attributes: {name: Cloud Services Deployment Utility, operation: getReferenceIdentityAttribute, uid: manager, attributeName: site}
          - {name: pin, type: secret, transform: *floor}
accessProfiles:
  - {name: Desk, source: {type: SOURCE, name: Desk}, entitlements: [{attribute: keys, value: door}]}
roles:
  - name: Desk
    enabled: true
    accessProfiles: [{type: ACCESS_PROFILE, name: Desk}]
    membership: {type: STANDARD, criteria: {operation: EQUALS, key: {type: IDENTITY, property: attribute.uid}, stringValue: abel}}
`

// atDesk is a company whose people come, when what the Desk has is known.
func atDesk(t *testing.T, m *memory) *enginetest.Company {
	t.Helper()
	c := enginetest.NewEmpty(t, enginetest.WithConfig(engine.Config{
		Connectors: map[string]connector.Factory{"memory": m.open},
		Secret:     func(string) (string, error) { return "sesame", nil }}))
	c.ApplyText(withoutReaders(t))
	c.ApplyText(desk)
	readOnce(t, c, "Desk")
	c.AggregateText("Staff", staffHeader+"abel,Bonn,bea,\nbea,Ulm,,\n", engine.AggregateOptions{})
	return c
}

// A create policy reads the manager as mappings do, also in a secret.
func TestPolicyReadsTheManager(t *testing.T) {
	m := newMemory()
	c := atDesk(t, m)
	c.Process()
	if result, err := c.ProvisionPending(t.Context()); err != nil || result.Done != 1 {
		t.Fatalf("got %+v, %v, want the account to be created", result, err)
	}
	account := m.accounts["abel"]
	for _, name := range []string{"floor", "pin"} {
		if got := account.Get(name).Text(); got != "Ulm" {
			t.Errorf("%s of the new account is %q, want the site of the manager", name, got)
		}
	}
}

// An account that is nobody's, correlates by nothing and has the name that a new one would get is linked.
func TestAccountOfTheNameIsLinked(t *testing.T) {
	m := newMemory()
	m.accounts["abel"] = attribute.SetOf(map[string]attribute.Value{"login": attribute.String("abel")})
	c := atDesk(t, m)
	for range 2 { // the link, and then the access
		c.Process()
		if result, err := c.ProvisionPending(t.Context()); err != nil || result.Done != 1 {
			t.Fatalf("got %+v, %v, want one operation done", result, err)
		}
	}
	account := m.accounts["abel"]
	if got := account.Get("keys").Text(); got != "door" || !account.Get("floor").IsNull() || len(m.accounts) != 1 {
		t.Errorf("the account has the keys %q and the floor %v, want door for the one that was there", got, account.Get("floor"))
	}
	operations, err := c.Operations(t.Context(), engine.OperationQuery{Identity: c.ID("abel")})
	if err != nil || len(operations) != 2 || !slices.ContainsFunc(operations, func(o engine.Operation) bool {
		return strings.Contains(o.Outcome, "linked")
	}) {
		t.Errorf("the operations are %+v, %v, want one that linked the account", operations, err)
	}
}
