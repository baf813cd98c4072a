package main

import (
	"context"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/muster-engine/muster/engine"
	"github.com/muster-engine/muster/engine/attribute"
	"github.com/muster-engine/muster/engine/enginetest"
	"github.com/muster-engine/muster/engine/transform"
	"github.com/muster-engine/muster/store/storetest"
	_ "github.com/muster-engine/muster/store/storetest/container" // MUSTER_TEST_CONTAINERS=1 runs the tests in containers
)

func TestMain(m *testing.M) { storetest.Main(m) }

// The service starts on an empty database, knows who asks, and ends in order.
func TestService(t *testing.T) {
	t.Parallel()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := listener.Addr().String()
	if err := listener.Close(); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- run(ctx, storetest.EmptyConnString(t), address) }()
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(50 * time.Millisecond) {
		if response, err := http.Get("http://" + address + "/"); err == nil {
			_ = response.Body.Close()
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("the service does not answer")
		}
	}
	for _, test := range []struct {
		path, user, group string
		status            int
		text              string
	}{
		{"/", "", "", http.StatusOK, "/admin/people/"},
		{"/api/beta/identities", "", "", http.StatusUnauthorized, ""},
		{"/api/beta/identities", "ann", "", http.StatusOK, "[]"},
		{"/admin/people/", "", "", http.StatusUnauthorized, ""},
		{"/admin/people/identities/", "ann", "identity-admins", http.StatusOK, "There is no identity yet"},
		{"/admin/people/configuration/propose", "bob", "", http.StatusForbidden, ""},
	} {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+address+test.path, nil)
		if err != nil {
			t.Fatal(err)
		}
		if test.user != "" {
			request.Header.Set("Acme-User", test.user)
			request.Header.Set("Acme-Group", test.group)
		}
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(response.Body)
		_ = response.Body.Close()
		if err != nil || response.StatusCode != test.status || !strings.Contains(string(body), test.text) {
			t.Errorf("%s for %q: %d, %v, want %d and %q:\n%s", test.path, test.user, response.StatusCode, err, test.status,
				test.text, body)
		}
	}
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

// The rule takes part in the calculation of attributes.
func TestCostCentre(t *testing.T) {
	t.Parallel()
	c := enginetest.NewEmpty(t, enginetest.WithConfig(config()))
	c.ApplyText(strings.Replace(enginetest.Documents, "identityAttributes:",
		"identityAttributes:\n  - {name: costCentre, displayName: Cost centre, type: string}", 1))
	c.ApplyText(strings.Replace(enginetest.Documents, "      attributeTransforms:", `      attributeTransforms:
        - identityAttributeName: costCentre
          transformDefinition:
            type: rule
            attributes: {name: Cost centre, input: {type: identityAttribute, attributes: {name: department}}}`, 1))
	c.AggregateText("HR", enginetest.People, engine.AggregateOptions{})
	c.Process()
	for alias, want := range map[string]string{"bob": "4100", "cy": "9000"} {
		if got := c.Identity(alias).Attributes.Get("costCentre").Text(); got != want {
			t.Errorf("the cost centre of %s is %q, want %q", alias, got, want)
		}
	}
	if value, err := costCentre(&transform.RuleInput{Value: attribute.Value{}}); err != nil || !value.IsNull() {
		t.Errorf("without a department: %v, %v", value, err)
	}
}
