package engine_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/muster-engine/muster/engine"
	"github.com/muster-engine/muster/engine/connector"
	"github.com/muster-engine/muster/engine/connector/delimited"
	"github.com/muster-engine/muster/engine/enginetest"
)

// target is a company with a source of files that its access is provisioned to.
type target struct {
	*fixture
	folder string
	// fails, when it is set, is what every operation ends with, before or after it was carried out.
	fails  atomic.Pointer[failure]
	counts atomic.Int64 // operations that reached the connector
	during func() error // if set, called while an operation is carried out
	finds  bool         // the connector can look for single accounts
}

type failure struct {
	err   error
	after bool // the operation was carried out
}

// targetConfig grants access to people in Sales, and disables whom the company left.
const targetConfig = `
sources:
  - name: Files
    connector: delimited-file
    connectorAttributes:
      folder: %q
      accountStatus: {attribute: status, enabled: active, disabled: locked}
    schemas:
      - name: account
        identityAttribute: login
        displayAttribute: full
        attributes: [{name: login}, {name: full}, {name: mail}, {name: dept}, {name: status},
                     {name: groups, isMulti: true, isEntitlement: true}]
    accountCorrelationConfig:
      attributeAssignments: [{property: uid, value: login, operation: EQ}]
    attributeSyncConfig:
      attributes:
        - {name: displayName, enabled: true, target: full}
        - {name: email, enabled: true, target: mail}
        - {name: department, enabled: false, target: dept}
    provisioningPolicies:
      - name: Account
        usageType: CREATE
        fields:
          - {name: login, isRequired: true, transform: {type: identityAttribute, attributes: {name: uid}}}
          - {name: full, transform: {type: identityAttribute, attributes: {name: displayName}}}
          - {name: mail, transform: {type: identityAttribute, attributes: {name: email}}}
          - {name: dept, transform: {type: identityAttribute, attributes: {name: department}}}
          - {name: status, transform: {type: static, attributes: {value: active}}}
accessProfiles:
  - name: CRM
    source: {type: SOURCE, name: Files}
    entitlements: [{attribute: groups, value: crm}, {value: sales}]
roles:
  - name: Seller
    enabled: true
    accessProfiles: [{type: ACCESS_PROFILE, name: CRM}]
    membership:
      type: STANDARD
      criteria: {operation: EQUALS, key: {type: IDENTITY, property: attribute.department}, stringValue: Sales}
  - name: Manager on duty
    enabled: true
    entitlements: [{source: {name: Files}, value: sales}]
identityProfiles: []
lifecycleStates:
  - name: Inactive
    technicalName: inactive
    identityState: INACTIVE_SHORT_TERM
    identityProfile: {name: Employees}
    accountActions: [{action: DISABLE, sourceIds: [Files]}]
  - name: Active
    technicalName: active
    identityProfile: {name: Employees}
    accountActions: [{action: ENABLE, sourceIds: [Files]}]
`

const targetHeader = "login,full,mail,dept,status,groups\n"

func newTarget(t *testing.T, accounts string) *target {
	t.Helper()
	f := &target{folder: t.TempDir()}
	f.setUp(t, engine.Config{})
	f.write(targetHeader + accounts)
	return f
}

// setUp makes the company, and reads the file once while it is empty.
func (f *target) setUp(t *testing.T, config engine.Config) {
	t.Helper()
	config.BatchSize, config.Workers, config.Guard = 3, 1, engine.Guard{Off: true}
	config.Connectors = map[string]connector.Factory{"delimited-file": f.open}
	f.fixture = newFixtureWith(t, config)
	f.write(targetHeader)
	f.ApplyText(enginetest.Documents)
	f.ApplyText(f.targetDocuments())
	// The source was read once: no account is created before that.
	if _, err := f.AggregateSource(t.Context(), "Files", engine.AggregateOptions{}); err != nil {
		t.Fatal(err)
	}
}

func (f *target) targetDocuments() string { return fmt.Sprintf(targetConfig, f.folder) }

// open makes the connector of the files, in which operations can be made to fail.
func (f *target) open(ctx context.Context, config connector.Config) (connector.Connector, error) {
	inner, err := delimited.New(ctx, config)
	if f.finds {
		return finding{&failing{inner, f}}, err
	}
	return &failing{inner, f}, err
}

type failing struct {
	connector.Connector
	f *target
}

func (c *failing) Apply(ctx context.Context, o *connector.Operation) (connector.Result, error) {
	c.f.counts.Add(1)
	if c.f.during != nil {
		if err := c.f.during(); err != nil {
			return connector.Result{}, err
		}
	}
	if failure := c.f.fails.Load(); failure != nil {
		if failure.after {
			if result, err := c.Connector.Apply(ctx, o); err != nil {
				return result, err
			}
		}
		return connector.Result{}, failure.err
	}
	return c.Connector.Apply(ctx, o)
}

func (f *target) path() string { return filepath.Join(f.folder, "accounts.csv") }

func (f *target) write(text string) {
	f.t.Helper()
	if err := os.WriteFile(f.path(), []byte(text), 0o600); err != nil {
		f.t.Fatal(err)
	}
}

// demandFile demands what the file has in it, without its header.
func (f *target) demandFile(want string) {
	f.t.Helper()
	text, err := os.ReadFile(f.path())
	if err != nil {
		f.t.Fatal(err)
	}
	if got := strings.TrimPrefix(string(text), targetHeader); got != want {
		f.t.Errorf("the file has\n%swant\n%s", got, want)
	}
}

func (f *target) provision() engine.ProvisionResult {
	f.t.Helper()
	result, err := f.ProvisionPending(f.t.Context())
	if err != nil {
		f.t.Fatal(err)
	}
	return result
}

// settle processes and provisions until nothing is left to do.
func (f *target) settle() {
	f.t.Helper()
	for range 10 {
		if f.Process().Identities == 0 && f.provision().Done == 0 {
			return
		}
		f.provision()
	}
	f.t.Fatal("it does not come to rest")
}

// operations returns the operations in a state as "KIND native attribute=value".
func (f *target) operations(state string) string {
	f.t.Helper()
	list, err := f.Operations(f.t.Context(), engine.OperationQuery{States: []string{state}})
	if err != nil {
		f.t.Fatal(err)
	}
	var texts []string
	for i := len(list) - 1; i >= 0; i-- {
		text := list[i].Kind + " " + list[i].NativeIdentity
		for name, value := range list[i].Attributes.All() {
			text += " " + name + "=" + value.Text()
		}
		texts = append(texts, text)
	}
	return strings.Join(texts, "; ")
}

func TestJoinerMoverLeaver(t *testing.T) {
	t.Parallel()
	f := newTarget(t, "")
	f.AggregateText("HR", enginetest.People, engine.AggregateOptions{})
	f.settle()
	// Bob is on leave, and gets what the role gives all the same; Dee has left: her account is created and disabled.
	f.demandFile("ayse,\"Ünal, Ayşe\",ayse@example.com,Sales,active,crm;sales\n" +
		"bob,Bob Twain,bob@example.com,Sales,active,crm;sales\n" +
		"dee,Dee Strauß,dee@example.com,Sales,locked,crm;sales\n")
	before := f.counts.Load()
	if _, err := f.ProcessAll(t.Context()); err != nil {
		t.Fatal(err)
	}
	if result := f.Process(); result.Changed != 0 || result.Operations != 0 || f.provision().Done != 0 || f.counts.Load() != before {
		t.Errorf("a second run does something: %+v", result)
	}
	// What is provisioned is what an aggregation finds.
	result, err := f.AggregateSource(t.Context(), "files", engine.AggregateOptions{})
	if err != nil || result.Changed != 0 || result.Added != 0 || result.Unchanged != 3 {
		t.Errorf("got %+v and the error %v, want Changed 0, Added 0 and Unchanged 3", result, err)
	}
	if n := f.CountRows("muster.accounts WHERE manually_correlated"); n != 3 {
		t.Errorf("%d accounts are correlated by provisioning, want 3", n)
	}

	// A mover, a leaver who is renamed, and one who comes back.
	moved := strings.NewReplacer("Sales,ann,33,active", "Board,ann,33,active", "bob,Bob Twain,Bob,Twain,bob@example.com,Sales,ayse,41,leave",
		"bob,Bob Thorne,Bob,Thorne,thorne@example.com,Sales,ayse,41,inactive", "Sales,ayse,25,inactive", "Sales,ayse,25,active").Replace(enginetest.People)
	f.AggregateText("HR", moved, engine.AggregateOptions{})
	f.settle()
	f.demandFile("ayse,\"Ünal, Ayşe\",ayse@example.com,Sales,active,\n" +
		"bob,Bob Thorne,thorne@example.com,Sales,locked,crm;sales\n" +
		"dee,Dee Strauß,dee@example.com,Sales,active,crm;sales\n")
	if n := f.CountRows("muster.access_grants"); n != 4 {
		t.Errorf("%d grants are kept, want 4", n)
	}
	history, err := f.History(t.Context(), f.Identity("ayse").ID, "", 100)
	if err != nil {
		t.Fatal(err)
	}
	provisioned := 0
	for i := range history {
		provisioned += len(history[i].Detail.Provisioned)
	}
	if provisioned != 5 { // created, two added, two removed
		t.Errorf("%d operations are in the history", provisioned)
	}
}

// Access that is there for another reason stays when a role goes.
func TestAccessForAnotherReason(t *testing.T) {
	t.Parallel()
	f := newTarget(t, "ayse,\"Ünal, Ayşe\",ayse@example.com,Sales,active,crm\ndee,Dee,,,active,\n")
	f.AggregateText("HR", enginetest.People, engine.AggregateOptions{})
	if _, err := f.AggregateSource(t.Context(), "Files", engine.AggregateOptions{}); err != nil {
		t.Fatal(err)
	}
	f.settle()
	ann, ayse := f.Identity("ann").ID, f.Identity("ayse").ID
	if _, err := f.AssignRole(t.Context(), engine.AssignRoleParams{Identity: ayse, Role: "Manager on duty"}); err != nil {
		t.Fatal(err)
	}
	f.settle()
	f.AggregateText("HR", strings.ReplaceAll(enginetest.People, "Sales", "Legal"), engine.AggregateOptions{})
	f.settle()
	// crm was there before, sales is granted by the other role; of the others everything goes.
	f.demandFile("ayse,\"Ünal, Ayşe\",ayse@example.com,Sales,active,crm;sales\n" +
		"dee,Dee Strauß,dee@example.com,,locked,\nbob,Bob Twain,bob@example.com,Sales,active,\n")
	if _, err := f.AssignRole(t.Context(), engine.AssignRoleParams{Identity: ann, Role: "Manager on duty"}); err != nil {
		t.Fatal(err)
	}
	f.settle()
	held, err := f.RoleAssignments(t.Context(), ayse, engine.RoleAssignmentQuery{RoleName: "manager on duty"})
	if err != nil || len(held) != 1 {
		t.Fatalf("got %+v and the error %v, want 1 of them", held, err)
	}
	if err := f.RevokeRole(t.Context(), ayse, held[0].ID); err != nil {
		t.Fatal(err)
	}
	f.settle()
	f.demandFile("ayse,\"Ünal, Ayşe\",ayse@example.com,Sales,active,crm\ndee,Dee Strauß,dee@example.com,,locked,\n" +
		"bob,Bob Twain,bob@example.com,Sales,active,\nann,Ann Boss,ann@example.com,Board,active,sales\n")
}

// A source that was down is made up for by what comes after.
func TestSourceDown(t *testing.T) {
	t.Parallel()
	f := newTarget(t, "")
	f.fails.Store(&failure{err: errors.New("connection refused")})
	f.AggregateText("HR", enginetest.People, engine.AggregateOptions{})
	f.Process()
	if result := f.provision(); result.Done != 0 || result.Failed != 3 || result.Open != 3 {
		t.Errorf("got %+v, want Done 0, Failed 3 and Open 3", result)
	}
	f.demandFile("")
	if n := f.CountRows("muster.provisioning_operations WHERE error = 'connection refused' AND begun IS NOT NULL"); n != 3 {
		t.Errorf("%d operations say why, want 3", n)
	}
	if _, err := f.ProcessAll(t.Context()); err != nil {
		t.Fatal(err)
	}
	if result := f.Process(); result.Operations != 0 {
		t.Errorf("%d operations were opened beside those that are open", result.Operations)
	}
	f.fails.Store(nil)
	f.settle()
	if got := f.operations("OPEN"); got != "" {
		t.Errorf("%s are open, want %q", got, "")
	}
	// What is given up is shown, and the next processing tries it again.
	f.fails.Store(&failure{err: connector.Permanent(errors.New("the value is not allowed"))})
	f.AggregateText("HR", strings.ReplaceAll(enginetest.People, "Ayşe,Ünal,ayse@", "Ayşe,Ünal,a.unal@"), engine.AggregateOptions{})
	f.Process()
	f.provision()
	if got, want := f.operations("FAILED"), "SET_ATTRIBUTES ayse mail=a.unal@example.com"; got != want {
		t.Errorf("given up are %q, want %q", got, want)
	}
	if n := f.dueLater(); n != 1 {
		t.Errorf("%d identities are due for another try, want 1", n)
	}
	f.fails.Store(nil)
	if _, err := f.ProcessIdentities(t.Context(), []string{f.Identity("ayse").ID}); err != nil {
		t.Fatal(err)
	}
	f.settle()
	if got := f.operations("FAILED"); got != "" {
		t.Errorf("%s is still given up, want %q", got, "")
	}
	if got, want := f.operations("RETRIED"), "SET_ATTRIBUTES ayse mail=a.unal@example.com"; got != want {
		t.Errorf("tried again are %q, want %q", got, want)
	}
}

// An operation that was carried out, but not recorded, is not done twice.
func TestKilledBeforeNoting(t *testing.T) {
	t.Parallel()
	f := newTarget(t, "")
	f.fails.Store(&failure{err: errors.New("killed"), after: true})
	f.AggregateText("HR", enginetest.People, engine.AggregateOptions{})
	f.Process()
	f.provision()
	f.fails.Store(nil)
	f.settle()
	f.demandFile("ayse,\"Ünal, Ayşe\",ayse@example.com,Sales,active,crm;sales\n" +
		"bob,Bob Twain,bob@example.com,Sales,active,crm;sales\ndee,Dee Strauß,dee@example.com,Sales,locked,crm;sales\n")
}

// Without its connector a source is kept by people: what they do is seen by aggregation.
func TestManualSource(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.ApplyText(enginetest.Documents)
	f.ApplyText(fmt.Sprintf(targetConfig, "x"))
	f.AggregateText("HR", enginetest.People, engine.AggregateOptions{})
	f.Process()
	list, err := f.Operations(t.Context(), engine.OperationQuery{States: []string{"MANUAL"}, Source: "Files"})
	if err != nil || len(list) != 3 {
		t.Fatalf("got %+v and the error %v, want 3 of them", list, err)
	}
	if result, err := f.ProvisionPending(t.Context()); err != nil || result != (engine.ProvisionResult{}) {
		t.Errorf("got %+v, %v, want err == nil && result == (engine.ProvisionResult{})", result, err)
	}
	f.AggregateText("Files", targetHeader+"ayse,\"Ünal, Ayşe\",ayse@example.com,Sales,active,crm\n", engine.AggregateOptions{})
	f.Process()
	if list, err = f.Operations(t.Context(), engine.OperationQuery{Identity: f.Identity("ayse").ID}); err != nil || len(list) != 2 ||
		list[0].State != "MANUAL" || list[0].Kind != "ADD_ENTITLEMENT" || list[1].State != "DONE" || list[1].Kind != "CREATE" {
		t.Errorf("got %+v, %v, want err == nil && len(list) == 2 && list[0].State == \"MANUAL\" && list[0].Kind == \"ADD_ENTITLEMENT\" && list[1].State == \"DONE\" && list[1].Kind == \"CREATE\"", list, err)
	}
}

func TestSynchronize(t *testing.T) {
	t.Parallel()
	f := newTarget(t, "bob,Robert,old@example.com,,active,crm;sales\nayse,\"Ünal, Ayşe\",ayse@example.com,Sales,active,crm;sales\n"+
		"dee,Dee Strauß,dee@example.com,Sales,locked,crm;sales\n")
	f.AggregateText("HR", strings.Replace(enginetest.People, "leave", "active", 1), engine.AggregateOptions{})
	if _, err := f.AggregateSource(t.Context(), "Files", engine.AggregateOptions{}); err != nil {
		t.Fatal(err)
	}
	f.Process()
	// Nothing was done yet when he goes on leave: on entering the state he is synchronized once more.
	f.AggregateText("HR", enginetest.People, engine.AggregateOptions{})
	f.settle()
	f.demandFile("bob,Bob Twain,bob@example.com,,active,crm;sales\nayse,\"Ünal, Ayşe\",ayse@example.com,Sales,active,crm;sales\n" +
		"dee,Dee Strauß,dee@example.com,Sales,locked,crm;sales\n")
	// Drift: of the one on leave it stays until somebody asks.
	f.write(targetHeader + "bob,Robert,,,active,crm;sales\nayse,Ayse,,Sales,active,crm;sales\ndee,Dee Strauß,dee@example.com,Sales,locked,crm;sales\n")
	if _, err := f.AggregateSource(t.Context(), "Files", engine.AggregateOptions{}); err != nil {
		t.Fatal(err)
	}
	f.settle()
	f.demandFile("bob,Robert,,,active,crm;sales\nayse,\"Ünal, Ayşe\",ayse@example.com,Sales,active,crm;sales\n" +
		"dee,Dee Strauß,dee@example.com,Sales,locked,crm;sales\n")
	bob := f.Identity("bob").ID
	job, err := f.SynchronizeAttributes(t.Context(), bob)
	if err != nil || job.Status != "QUEUED" || job.Payload.Type != "SYNCHRONIZE_IDENTITY_ATTRIBUTES" ||
		job.Payload.DataJSON != `{"identityId":"`+bob+`"}` {
		t.Errorf("got %+v, %v, want err == nil && job.Status == \"QUEUED\" && job.Payload.Type == \"SYNCHRONIZE_IDENTITY_ATTRIBUTES\" && job.Payload.DataJSON == `{\"identityId\":\"` + bob + `\"}`", job, err)
	}
	_, err = f.SynchronizeAttributes(t.Context(), bob)
	demandKind(t, err, engine.RateLimited, "less than 10s ago")
	var limited *engine.Error
	if !errors.As(err, &limited) || limited.RetryAfter <= 0 || limited.RetryAfter > engine.SynchronizeInterval {
		t.Errorf("the time to wait is %v", limited.RetryAfter)
	}
	f.settle()
	if job, err = f.SyncJob(t.Context(), job.ID); err != nil || job.Status != "SUCCESS" {
		t.Errorf("got %+v and the error %v, want Status \"SUCCESS\"", job, err)
	}
	f.demandFile("bob,Bob Twain,bob@example.com,,active,crm;sales\nayse,\"Ünal, Ayşe\",ayse@example.com,Sales,active,crm;sales\n" +
		"dee,Dee Strauß,dee@example.com,Sales,locked,crm;sales\n")
	// Null propagates.
	f.AggregateText("HR", strings.ReplaceAll(enginetest.People, "ayse@example.com", ""), engine.AggregateOptions{})
	f.settle()
	text, err := os.ReadFile(f.path())
	if err != nil || !strings.Contains(string(text), "ayse,\"Ünal, Ayşe\",,Sales") {
		t.Errorf("got %s, %v, want err == nil && strings.Contains(string(text), \"ayse,\\\"Ünal, Ayşe\\\",,Sales\")", text, err)
	}
	config, err := f.AttributeSyncConfig(t.Context(), "files")
	if err != nil || config.Source.Name != "Files" || fmt.Sprint(config.Attributes) !=
		"[{uid false login} {displayName true full} {email true mail} {department false dept}]" {
		t.Errorf("got %+v, %v, want err == nil && config.Source.Name == \"Files\" && fmt.Sprint(config.Attributes) == \"[{uid false login} {displayName true full} {email true mail} {department false dept}]\"", config, err)
	}
	job, err = f.SynchronizeSource(t.Context(), "FILES")
	if err != nil || job.Payload.Type != "SYNCHRONIZE_SOURCE_ATTRIBUTES" {
		t.Errorf("got %+v and the error %v, want Payload.Type \"SYNCHRONIZE_SOURCE_ATTRIBUTES\"", job, err)
	}
	if result := f.Process(); result.Identities != 3 {
		t.Errorf("got %+v, want Identities 3", result)
	}
}

// Two sources, and a switched order of what is wanted, in two runs: what was not tried is replaced.
func TestUntriedOperationIsReplaced(t *testing.T) {
	t.Parallel()
	f := newTarget(t, "")
	f.AggregateText("HR", enginetest.People, engine.AggregateOptions{})
	f.Process()
	if got := f.operations("OPEN"); strings.Count(got, "CREATE") != 3 {
		t.Errorf("open are %q", got)
	}
	f.AggregateText("HR", strings.ReplaceAll(enginetest.People, "Sales", "Legal"), engine.AggregateOptions{})
	f.Process()
	if got := f.operations("OPEN"); got != "" {
		t.Errorf("open are %q, want %q", got, "")
	}
	if got := f.operations("CANCELLED"); strings.Count(got, "CREATE") != 3 {
		t.Errorf("cancelled are %q", got)
	}
	f.provision()
	f.demandFile("")
}

func TestAccessConfigurationFaults(t *testing.T) {
	t.Parallel()
	f := newTarget(t, "")
	for text, want := range map[string]string{
		`accessProfiles: [{name: A, source: {name: Nowhere}, entitlements: []}]`:                                              `there is no source "Nowhere"`,
		`accessProfiles: [{name: A, source: {name: Files}, entitlements: [{value: x, attribute: mail}]}]`:                     `"mail" is no entitlement attribute`,
		`accessProfiles: [{name: A, source: {name: Files}, entitlements: [{name: x}]}]`:                                       `0 entitlements of the source "Files"`,
		`accessProfiles: [{name: A, source: {name: Files}, provisioningCriteria: {operation: LIKE}}]`:                         `"LIKE" is unknown`,
		`roles: [{name: R, accessProfiles: [{name: B}]}]`:                                                                     `there is no access profile "B"`,
		`roles: [{name: R, entitlements: [{value: x}]}]`:                                                                      `source is missing`,
		`sources: [{name: S, connector: x, connectorAttributes: {password: hunter2}}]`:                                        `a secret is not written into the configuration`,
		`sources: [{name: S, connector: x, connectorAttributes: {connection: "postgres://a:hunter2@db/x"}}]`:                  `a secret is not written into the configuration`,
		`sources: [{name: S, connector: x, connectorAttributes: {accountStatus: {attribute: a}}}]`:                            `different values for enabled and disabled`,
		`sources: [{name: S, connector: x, provisioningPolicies: [{fields: [{transform: {type: uper}}]}]}]`:                   `provisioningPolicies: fields[0]`,
		`sources: [{name: S, connector: x, attributeSyncConfig: {attributes: [{name: email, target: mail, enabled: true}]}}]`: `cannot be synchronized: what can is none yet`,
		`sources: [{name: S, connector: x, schedules: [{type: ACCOUNT_AGGREGATION, cronExpression: "61 * * * *"}]}]`:          `cannot be read`,
		`lifecycleStates: [{name: L, technicalName: l, identityProfile: {name: Employees}, accountActions: [{action: X}]}]`:   `ENABLE, DISABLE and DELETE are known`,
		`lifecycleStates: [{name: L, technicalName: l, identityProfile: {name: Employees}, accessProfileIds: [no]}]`:          `there is no access profile "no"`,
	} {
		documents, err := engine.ReadDocuments("access.yaml", strings.NewReader(text))
		if err != nil {
			t.Fatal(err)
		}
		_, err = f.Apply(t.Context(), documents)
		demandKind(t, err, engine.Invalid, want)
		if err != nil && strings.Contains(err.Error(), "hunter2") {
			t.Errorf("the error repeats a secret: %v", err)
		}
	}
}

// An account that is created while its identity is deleted is nobody's.
func TestCreatedForSomebodyDeleted(t *testing.T) {
	t.Parallel()
	f, o := untried(t)
	f.during = func() error { return f.DeleteIdentity(t.Context(), o.Identity.ID) }
	if result := f.provision(); result.Done != 1 || result.Open != 0 {
		t.Errorf("got %+v, want Done 1 and Open 0", result)
	}
	f.demandFile("ann,Ann Boss,ann@example.com,Board,active,\n")
	if n := f.CountRows(`muster.accounts a JOIN muster.sources s ON s.id = a.source_id
		WHERE s.name = 'Files' AND identity_id IS NULL AND NOT manually_correlated`); n != 1 {
		t.Errorf("%d accounts were recorded as nobody's, want 1", n)
	}
	if got := f.operations("CANCELLED"); !strings.HasPrefix(got, "CREATE") {
		t.Errorf("cancelled are %q", got)
	}
}
