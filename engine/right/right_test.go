package right_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/muster-engine/muster/engine/right"
)

// The table is in order, or operations are not found; and each of its rows opens something to somebody.
func TestTable(t *testing.T) {
	t.Parallel()
	byID := func(a, b right.Operation) int { return strings.Compare(a.ID, b.ID) }
	all, actions := right.Operations(), right.Actions()
	if !slices.IsSortedFunc(all, byID) || !slices.IsSortedFunc(actions, byID) {
		t.Error("the table is not ordered by ID")
	}
	for _, o := range slices.Concat(all, actions) {
		if right.Of(o.ID) == nil {
			t.Errorf("%s is not found", o.ID)
		}
		for _, edition := range []right.Edition{right.Before2024, right.Since2024} {
			for _, grant := range o.In(edition) {
				if len(grant.Levels) == 0 || grant.Range == right.Nobody {
					t.Errorf("%s: the grant %+v opens it to nobody", o.ID, grant)
				}
				if grant.Named && len(grant.Scopes) == 0 {
					t.Errorf("%s: the grant %+v demands a scope and names none", o.ID, grant)
				}
			}
			if len(o.In(edition)) == 0 {
				t.Errorf("%s has no grants", o.ID)
			}
		}
	}
}

func TestDecide(t *testing.T) {
	t.Parallel()
	const (
		all, read = right.ScopeAll, "idn:identity:read"
		reports   = "idn:identity-direct-report:read"
		manage    = "idn:identity:manage"
	)
	for _, test := range []struct {
		name, operation string
		edition         right.Edition
		levels, scopes  []string
		want            right.Decision
	}{
		{"an administrator deletes", "deleteIdentity", 0, []string{"ORG_ADMIN"}, []string{all},
			right.Decision{Range: right.Everybody}},
		{"a client deletes", "deleteIdentity", 0, []string{"API"}, []string{manage},
			right.Decision{Range: right.Everybody}},
		{"another level does not", "deleteIdentity", 0, []string{"CERT_ADMIN", "HELPDESK"}, []string{all, manage},
			right.Decision{Reason: right.ReasonLevel}},
		{"a user does not", "deleteIdentity", 0, nil, []string{manage}, right.Decision{Reason: right.ReasonLevel}},
		{"a scope in other letters is another", "deleteIdentity", 0, []string{"ORG_ADMIN"},
			[]string{"IDN:IDENTITY:MANAGE"}, right.Decision{Reason: right.ReasonScope}},
		{"a level in other letters is another", "deleteIdentity", 0, []string{"org_admin"}, []string{all},
			right.Decision{Reason: right.ReasonLevel}},
		{"API beside a level is no client", "deleteIdentity", 0, []string{"API", "HELPDESK"}, []string{all},
			right.Decision{Reason: right.ReasonLevel}},
		{"a client has no rights of users", "listIdentities", 0, []string{"API"}, []string{read},
			right.Decision{Reason: right.ReasonApplication}},
		{"a level reads by every right of it", "listIdentities", 0, []string{"REPORT_ADMIN"}, []string{all},
			right.Decision{Range: right.Everybody}},
		{"a level reads by the scope", "listIdentities", 0, []string{"REPORT_ADMIN"}, []string{read},
			right.Decision{Range: right.Everybody}},
		{"a user reads by the scope", "listIdentities", 0, []string{"USER"}, []string{read},
			right.Decision{Range: right.Everybody}},
		{"a user has no level whose rights they were", "listIdentities", 0, nil, []string{all},
			right.Decision{Reason: right.ReasonNoLevel}},
		{"a manager reads of reports", "getRoleAssignments", 0, nil, []string{reports},
			right.Decision{Range: right.Reports}},
		{"that is every right of a user", "getRoleAssignments", 0, nil, []string{all},
			right.Decision{Range: right.Reports}},
		{"an administrator with that scope reads of reports", "getRoleAssignments", 0, []string{"ORG_ADMIN"},
			[]string{reports}, right.Decision{Range: right.Reports}},
		{"the widest range counts", "getRoleAssignments", 0, nil, []string{reports, read},
			right.Decision{Range: right.Everybody}},
		{"a scope of another edition", "resetIdentity", right.Since2024, []string{"HELPDESK"},
			[]string{"idn:identity:update"}, right.Decision{Reason: right.ReasonScope}},
		{"that of the edition", "resetIdentity", right.Since2024, []string{"HELPDESK"}, []string{manage},
			right.Decision{Range: right.Everybody}},
		{"no scope is needed", "synchronizeAttributesForIdentity", right.Since2024, []string{"ORG_ADMIN"}, nil,
			right.Decision{Range: right.Everybody}},
		{"an operation without rights", "formatDisk", 0, []string{"ORG_ADMIN"}, []string{all},
			right.Decision{Reason: right.ReasonUnknown}},
	} {
		got := right.Decide(test.operation, test.edition, right.Caller{Levels: test.levels, Scopes: test.scopes})
		if got != test.want {
			t.Errorf("%s: got %+v, want %+v", test.name, got, test.want)
		}
	}
}

func TestUserLevels(t *testing.T) {
	t.Parallel()
	for operation, want := range map[string][]right.Level{
		"deleteIdentity":          {right.OrgAdmin},
		"listIdentities":          right.Administrators(), // users only where the token names the scope
		"getRoleAssignments":      right.Administrators(), // managers only of their reports
		"startIdentityProcessing": {right.OrgAdmin, right.Helpdesk},
		"getPublicIdentities":     {right.User},
	} {
		if got := right.Of(operation).UserLevels(right.Since2024); !slices.Equal(got, want) {
			t.Errorf("%s: %q, want %q", operation, got, want)
		}
	}
}
