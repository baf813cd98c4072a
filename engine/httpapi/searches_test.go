package httpapi_test

import (
	"encoding/json"
	"flag"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/muster-engine/muster/engine"
	"github.com/muster-engine/muster/engine/httpapi"
	"github.com/muster-engine/muster/filterql/searchql"
	"github.com/muster-engine/muster/store"
)

var updateSearches = flag.Bool("update", false, "write testdata/searches.txt again")

// searchedAttributes are the identity attributes of the company that is searched. Its source has them by the same names.
var searchedAttributes = []string{"city", "location", "department", "company", "userType", "identityRiskScore",
	"businessType", "country", "employeeType", "vendor", "status", "personalEmail", "employeeNumber"}

// searchedPeople are the people of that company: each line is made for some of the documented searches.
const searchedPeople = `id,name,first,last,mail,mgr,state,%s
john.smith,John Smith,John,Smith,john@company.com,amy.lee,active,London,austin,IT,Acme,Employee,high,Retail,Germany,Contractor,Acme Corp,Working,js@home.example,700007
amanda.ross,Amanda Ross,Amanda,Ross,amanda@example.com,,active,Austin,austin,HR,Acme,Employee,,Retail,Spain,Employee,,,,700008
amy.lee,Amy Lee,Amy,Lee,steve@acme.com,amanda.ross,inactive,Sydney,New York,Engineering,Other,Guest,critical,Retail,Germany,Contractor,TechStaff Inc,Terminated,,
carl.doe,John Doe,Carl,Smyth,carl@example.com,amanda.ross,inactive,Sao Paulo,austin,it,,,low,Retail,France,Contractor,,,,
adam.archer,Adam Archer,Adam,Archer,adam@example.com,john.smith,active,London,NYC,HR,,Guest,,,Spain,Employee,,,aa@home.example,
jane.doe,John Smith,Jane,Doe,jane@example.com,john.smith,leave,Austin,NYC,IT,,,,,,,,,,
blacksmith,Hans Schmidt,Hans,Smith,,jane.doe,active,Munich,London,Sales,,,,,,,,,,
`

// searchedConfig is the configuration of that company.
func searchedConfig() string {
	var b strings.Builder
	b.WriteString("identityAttributes:\n")
	for _, name := range searchedAttributes {
		fmt.Fprintf(&b, "  - {name: %s, displayName: %s, type: string}\n", name, name)
	}
	b.WriteString(`sources:
  - name: HR Employees
    connector: delimited-file
    schemas:
      - name: account
        identityAttribute: id
        displayAttribute: name
        attributes: [{name: id}, {name: name}, {name: first}, {name: last}, {name: mail}, {name: mgr}, {name: state}`)
	for _, name := range searchedAttributes {
		fmt.Fprintf(&b, ", {name: %s}", name)
	}
	b.WriteString(`]
    managerCorrelationMapping: {accountAttributeName: mgr, identityAttributeName: uid}
`)
	for _, name := range []string{"Active Directory", "IdentityNow", "Finance", "Workday"} {
		fmt.Fprintf(&b, `  - name: %s
    connector: delimited-file
    connectorAttributes: {accountStatus: {attribute: "off", enabled: "no", disabled: "yes"}}
    schemas:
      - name: account
        identityAttribute: sam
        attributes: [{name: sam}, {name: emp}, {name: "off"}, {name: groups, isMulti: true, isEntitlement: true}]
    accountCorrelationConfig:
      attributeAssignments: [{property: uid, value: emp, operation: EQ}]
`, name)
	}
	b.WriteString(`accessProfiles:
  - name: VPN Access
    source: {type: SOURCE, name: Active Directory}
    requestable: true
    entitlements: [{attribute: groups, value: Domain Admins}]
  - name: Baseline Access
    source: {type: SOURCE, name: Workday}
    entitlements: [{attribute: groups, value: staff}]
roles:
  - name: Administrator
    enabled: true
    requestable: true
    description: Everything in London
    accessProfiles: [{type: ACCESS_PROFILE, name: VPN Access}]
    membership:
      type: STANDARD
      criteria: {operation: EQUALS, key: {type: IDENTITY, property: attribute.department}, stringValue: IT}
  - name: Manager
    enabled: true
    accessProfiles: [{type: ACCESS_PROFILE, name: Baseline Access}]
    membership:
      type: STANDARD
      criteria: {operation: EQUALS, key: {type: IDENTITY, property: attribute.userType}, stringValue: Guest}
identityProfiles:
  - name: Employees
    authoritativeSource: {type: SOURCE, name: HR Employees}
    lifecycleStates:
      - {name: Active, technicalName: active, identityState: ACTIVE}
      - {name: Inactive, technicalName: inactive, identityState: INACTIVE_SHORT_TERM}
    identityAttributeConfig:
      enabled: true
      attributeTransforms:
`)
	mapping := func(attribute, from string) {
		fmt.Fprintf(&b, "        - {identityAttributeName: %s, transformDefinition: {type: accountAttribute, "+
			"attributes: {sourceName: HR Employees, attributeName: %s}}}\n", attribute, from)
	}
	for _, pair := range [][2]string{{"uid", "id"}, {"displayName", "name"}, {"firstname", "first"},
		{"lastname", "last"}, {"email", "mail"}, {"cloudLifecycleState", "state"}} {
		mapping(pair[0], pair[1])
	}
	for _, name := range searchedAttributes {
		mapping(name, name)
	}
	return b.String()
}

// searchedServer is the API over that company. Times that the documented searches name are set by hand.
func searchedServer(t *testing.T) *server {
	t.Helper()
	s := newServer(t, httpapi.Config{})
	s.ApplyText(searchedConfig())
	s.AggregateText("HR Employees", fmt.Sprintf(searchedPeople, strings.Join(searchedAttributes, ",")),
		engine.AggregateOptions{})
	const header = "sam,emp,off,groups\n"
	s.AggregateText("Active Directory", header+"john.smith,john.smith,,Domain Admins\namy,amy.lee,,FILE SHARE\n"+
		"carl,carl.doe,yes,\nadam,adam.archer,,\n", engine.AggregateOptions{})
	s.AggregateText("IdentityNow", header+"admin,amanda.ross,,ORG_ADMIN\n", engine.AggregateOptions{})
	s.AggregateText("Finance", header+"jd,jane.doe,,Vendor Creation\nam,amy.lee,,Vendor Creation\n",
		engine.AggregateOptions{})
	s.AggregateText("Workday", header+"w1,amanda.ross,,\nw2,amy.lee,,\nw3,john.smith,,\nw4,john.smith,yes,\n"+
		"w5,john.smith,,\nw6,john.smith,,\n", engine.AggregateOptions{})
	s.Process()
	for _, statement := range []string{
		`UPDATE muster.identities SET created = '2017-09-25T22:00:00Z' WHERE alias = 'amanda.ross'`,
		`UPDATE muster.identities SET modified = '2018-03-30T00:00:00Z' WHERE alias = 'amy.lee'`,
		`UPDATE muster.identities SET modified = '2019-03-25T23:59:59Z' WHERE alias = 'carl.doe'`,
		`UPDATE muster.identities SET created = '2024-12-31T23:00:00Z' WHERE alias = 'john.smith'`,
		`DELETE FROM muster.accounts WHERE native_identity = 'blacksmith'`,
		`UPDATE muster.provisioning_operations SET state = CASE WHEN source_id = (SELECT id FROM muster.sources
			WHERE name = 'Workday') THEN 'DONE' ELSE 'FAILED' END, completed = now(), error = 'no answer'`,
		`INSERT INTO muster.event_writes (id, events, at, actor_id, actor_name, actor_via)
			VALUES ('01980000-0000-7000-8000-000000000001', 2, now() - interval '1 hour', 'x', 'jane.doe', 'API')`,
		`INSERT INTO muster.identity_events (write_id, number, identity_id, types, detail)
			SELECT '01980000-0000-7000-8000-000000000001', row_number() OVER (ORDER BY alias), id,
			       '{IDENTITY_PROVISIONED}', jsonb_build_object('provisioned', jsonb_build_array(
			           jsonb_build_object('operation', 'CREATE', 'nativeIdentity', alias, 'reason', 'role', 'source',
			               jsonb_build_object('type', 'SOURCE', 'id', 'x', 'name', 'HR System')),
			           jsonb_build_object('operation', 'UNLOCK', 'nativeIdentity', alias, 'reason', 'asked', 'source',
			               jsonb_build_object('type', 'SOURCE', 'id', 'x', 'name', 'HR System'))))
			FROM muster.identities WHERE alias IN ('amy.lee', 'carl.doe')`,
	} {
		if _, err := s.Pool.Exec(t.Context(), statement); err != nil {
			t.Fatal(err)
		}
	}
	s.ApplyText("accessProfiles:\n- {name: VPN Access, source: {type: SOURCE, name: Active Directory}, requestable: true, " +
		"owner: {type: IDENTITY, id: " + s.ID("jane.doe") + "}, entitlements: [{attribute: groups, value: Domain Admins}]}\n")
	return s
}

// searchAsked is a documented search, and what is asked for it.
type searchAsked struct{ query, index string }

// ask asks for a documented search by HTTP, and returns what it finds in one line.
func (s *server) ask(t *testing.T, a searchAsked) string {
	t.Helper()
	path, body := "/v2025/search", a.query
	aggregate := strings.Contains(body, `"aggregationType"`)
	if aggregate {
		path += "/aggregate"
	}
	if !strings.HasPrefix(body, "{") {
		text, err := json.Marshal(map[string]any{"indices": []string{a.index}, "query": map[string]string{"query": a.query}})
		if err != nil {
			t.Fatal(err)
		}
		body = string(text)
	}
	r := s.do(request{method: http.MethodPost, path: path, body: body, faulty: true})
	if r.StatusCode != http.StatusOK {
		var f failure
		r.demand(http.StatusBadRequest, &f)
		return "error: " + strings.ReplaceAll(f.Messages[0].Text, "\n", " | ")
	}
	if aggregate {
		var result struct{ Aggregations json.RawMessage }
		r.demand(http.StatusOK, &result)
		return string(result.Aggregations)
	}
	var found []any
	r.demand(http.StatusOK, &found)
	var names []string
	for _, one := range found {
		switch v := one.(type) {
		case string:
			names = append(names, v)
		case map[string]any:
			name := fmt.Sprint(v["name"])
			if target, ok := v["target"].(map[string]any); ok {
				name = fmt.Sprint(v["technicalName"], "/", target["name"])
			}
			if v["_type"] == "accountactivity" {
				name = fmt.Sprint(v["action"], "/", v["status"])
			}
			if a.index == "*" {
				name = fmt.Sprint(v["_type"], ":", name)
			}
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return strings.Join(names, ", ")
}

// Each documented search finds what it says, by HTTP, in testdata/searches.txt: the query, the index, what the
// documentation says and what is found, each looked at by hand.
func TestDocumentedSearches(t *testing.T) {
	t.Parallel()
	s := searchedServer(t)
	known := knownSearches(t)
	var lines []string
	for _, a := range documentedSearches(t, known) {
		found := s.ask(t, a)
		lines = append(lines, strings.Join([]string{a.query, a.index, found}, "\t"))
		if want, there := known[a]; found != want && !*updateSearches {
			t.Errorf("%s on %s (known: %t)\nfinds %s\nwant  %s", a.query, a.index, there, found, want)
		}
	}
	if *updateSearches {
		if err := os.WriteFile(searchesFile, []byte(strings.Join(lines, "\n")+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

const searchesFile = "testdata/searches.txt"

// knownSearches returns what the searches of the file find.
func knownSearches(t *testing.T) map[searchAsked]string {
	t.Helper()
	text, err := os.ReadFile(searchesFile)
	if err != nil && !*updateSearches {
		t.Fatal(err)
	}
	known := map[searchAsked]string{}
	for line := range strings.Lines(string(text)) {
		if c := strings.Split(strings.TrimSuffix(line, "\n"), "\t"); len(c) == 3 {
			known[searchAsked{c[0], c[1]}] = c[2]
		}
	}
	return known
}

// documentedSearches returns the searches of the contract where it is at hand, and otherwise those that are known.
func documentedSearches(t *testing.T, known map[searchAsked]string) []searchAsked {
	t.Helper()
	folder := os.Getenv("MUSTER_CONTRACT_DIR")
	if folder == "" {
		folder = filepath.Join("..", "..", "..", "shared", "contract")
	}
	text, err := os.ReadFile(filepath.Join(folder, "searches.tsv"))
	var list []searchAsked
	if os.IsNotExist(err) {
		for a := range known {
			list = append(list, a)
		}
		return list
	}
	if err != nil {
		t.Fatal(err)
	}
	for i, line := range strings.Split(strings.TrimSpace(string(text)), "\n") {
		c := strings.Split(line, "\t")
		if i == 0 {
			continue
		}
		for index := range strings.SplitSeq(c[1], ",") {
			list = append(list, searchAsked{c[0], strings.Fields(index)[0]})
		}
	}
	return list
}

// What a query string finds is what the evaluator of the language says of the documents that are answered.
func TestSearchesAreTrueOfTheirDocuments(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("it takes long")
	}
	s := searchedServer(t)
	setup := &store.SearchSetup{Now: time.Now()}
	indexes, err := store.NewSearchIndexes(setup)
	if err != nil {
		t.Fatal(err)
	}
	all := map[string][]map[string]any{}
	for _, index := range indexes {
		var documents []map[string]any
		s.post("/v2025/search?limit=10000", fmt.Sprintf(`{"indices": [%q], "query": {"query": "*"}}`, index.Name)).
			demand(http.StatusOK, &documents)
		all[index.Name] = documents
	}
	now := time.Now()
	for _, a := range documentedSearches(t, knownSearches(t)) {
		if strings.HasPrefix(a.query, "{") || strings.Contains(a.query, "now") || strings.Contains(a.query, "02/12/2024") {
			continue
		}
		for _, index := range indexes {
			if a.index != "*" && a.index != index.Name {
				continue
			}
			query, err := searchql.ParseQuery(a.query, index.Schema, searchql.Options{Now: now})
			if err != nil {
				t.Errorf("%s on %s: %v", a.query, index.Name, err)
				continue
			}
			want := []string{}
			for _, document := range all[index.Name] {
				if query.Eval(document) {
					want = append(want, document["id"].(string))
				}
			}
			body, err := json.Marshal(map[string]any{"indices": []string{index.Name}, "sort": []string{"id"},
				"query": map[string]string{"query": a.query}, "queryResultFilter": map[string][]string{"includes": {"id"}}})
			if err != nil {
				t.Fatal(err)
			}
			var documents []struct{ ID string }
			s.post("/v2025/search?limit=10000", string(body)).demand(http.StatusOK, &documents)
			got := []string{}
			for _, d := range documents {
				got = append(got, d.ID)
			}
			slices.Sort(want)
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("%s on %s: -evaluated +found\n%s", a.query, index.Name, diff)
			}
		}
	}
}
