package badges

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/muster-engine/muster/engine"
	"github.com/muster-engine/muster/engine/attribute"
	"github.com/muster-engine/muster/engine/connector"
	"github.com/muster-engine/muster/engine/connector/connectortest"
	"github.com/muster-engine/muster/engine/enginetest"
	"github.com/muster-engine/muster/store/storetest"
	_ "github.com/muster-engine/muster/store/storetest/container" // MUSTER_TEST_CONTAINERS=1 runs the tests in containers
)

func TestMain(m *testing.M) { storetest.Main(m) }

// system is the badge system of the tests.
type system struct {
	mutex  sync.Mutex
	badges map[string]json.RawMessage
	hidden int // how many badges an answer has fewer than it says
}

func (s *system) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	if r.Header.Get("Authorization") != "Bearer open sesame" {
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	id := strings.TrimPrefix(strings.TrimPrefix(r.URL.Path, "/badges"), "/")
	old, found := s.badges[id]
	switch {
	case id == "":
		list := []json.RawMessage{}
		for _, badge := range s.badges {
			list = append(list, badge)
		}
		_ = json.NewEncoder(w).Encode(map[string]any{"count": len(list) + s.hidden, "badges": list})
	case r.Method == http.MethodPut && found && r.Header.Get("If-None-Match") == "*":
		w.WriteHeader(http.StatusPreconditionFailed)
	case r.Method == http.MethodPut:
		var badge json.RawMessage
		if err := json.NewDecoder(r.Body).Decode(&badge); err != nil {
			w.WriteHeader(http.StatusUnprocessableEntity)
			return
		}
		s.badges[id] = badge
	case !found:
		w.WriteHeader(http.StatusNotFound)
	case r.Method == http.MethodDelete:
		delete(s.badges, id)
	default:
		_, _ = w.Write(old)
	}
}

// start serves a badge system, and returns the settings of a source that reads it.
func start(t *testing.T, s *system) string {
	t.Helper()
	s.badges = map[string]json.RawMessage{}
	server := httptest.NewServer(s)
	t.Cleanup(server.Close)
	return fmt.Sprintf(`{"url": %q, "token": "env:BADGES_TOKEN"}`, server.URL)
}

func secret(string) (string, error) { return "open sesame", nil }

func open(t *testing.T, settings string) connector.Connector {
	t.Helper()
	c, err := New(t.Context(), connector.Config{Source: "Doors", Attributes: json.RawMessage(settings), Secret: secret})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// The engine relies on the rules that connectortest checks.
func TestRules(t *testing.T) {
	t.Parallel()
	settings := start(t, &system{})
	connectortest.Run(t, &connectortest.Source{
		Open: func(t *testing.T) connector.Connector { t.Helper(); return open(t, settings) },
		Account: func(n int) (string, attribute.Set) {
			return fmt.Sprintf("b%d", n), attribute.SetOf(map[string]attribute.Value{
				"name": attribute.String(fmt.Sprintf("Person %d", n)), "active": attribute.Bool(true)})
		},
		Single: "name", Entitlement: "doors", Values: [3]string{"cellar", "roof", "lab / 2"},
		Enabled:  attribute.SetOf(map[string]attribute.Value{"active": attribute.Bool(true)}),
		Disabled: attribute.SetOf(map[string]attribute.Value{"active": attribute.Bool(false)}),
		Partial: map[string]func(*testing.T) connector.Connector{
			"fewer badges than there are": func(t *testing.T) connector.Connector {
				t.Helper()
				return open(t, start(t, &system{hidden: 1}))
			},
		},
	})
}

const doors = `
sources:
  - name: Doors
    connector: badges
    connectorAttributes: %s
    schemas:
      - name: account
        identityAttribute: id
        attributes: [{name: id}, {name: name}, {name: doors, isMulti: true, isEntitlement: true},
                     {name: active, type: BOOLEAN}]
    accountCorrelationConfig:
      attributeAssignments: [{property: identificationNumber, value: id, operation: EQ}]
    provisioningPolicies:
      - usageType: CREATE
        fields:
          - {name: id, transform: {type: identityAttribute, attributes: {name: identificationNumber}}}
          - {name: name, transform: {type: identityAttribute, attributes: {name: displayName}}}
accessProfiles:
  - name: Cellar
    source: {type: SOURCE, name: Doors}
    entitlements: [{attribute: doors, value: cellar}]
roles:
  - name: Sales
    enabled: true
    accessProfiles: [{type: ACCESS_PROFILE, name: Cellar}]
    membership:
      type: STANDARD
      criteria: {operation: EQUALS, key: {type: IDENTITY, property: attribute.department}, stringValue: Sales}
`

// Whoever gets the role gets a badge that opens the cellar.
func TestRoleOpensTheCellar(t *testing.T) {
	t.Parallel()
	s := &system{}
	settings := start(t, s)
	c := enginetest.New(t, enginetest.WithConfig(engine.Config{Secret: secret,
		Connectors: map[string]connector.Factory{"badges": New}}))
	c.ApplyText(fmt.Sprintf(doors, settings))
	if _, err := c.AggregateSource(t.Context(), "Doors", engine.AggregateOptions{}); err != nil {
		t.Fatal(err)
	}
	c.Process()
	// Making a badge and giving it the door are two operations, the second after the first.
	for range 2 {
		if _, err := c.ProvisionPending(t.Context()); err != nil {
			t.Fatal(err)
		}
		c.Process()
	}
	s.mutex.Lock()
	defer s.mutex.Unlock()
	var ayse attribute.Set
	if err := json.Unmarshal(s.badges["ayse"], &ayse); err != nil {
		t.Fatalf("the badge of Ayşe is %s: %v", s.badges["ayse"], err)
	}
	if ayse.Get("doors").Text() != "cellar" || ayse.Get("name").Text() != "Ünal, Ayşe" {
		t.Errorf("the badge of Ayşe is %s", s.badges["ayse"])
	}
	if _, found := s.badges["cy"]; found {
		t.Error("Cy, who is in another department, has a badge")
	}
}
