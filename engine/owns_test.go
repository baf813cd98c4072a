package engine_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/muster-engine/muster/engine"
)

// owns returns what an identity owns, as JSON in which the IDs of configured objects are their names.
func (f *fixture) owns(id string) string {
	f.t.Helper()
	owned, err := f.Owns(f.t.Context(), id)
	if err != nil {
		f.t.Fatal(err)
	}
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetIndent("", " ")
	if err := encoder.Encode(owned); err != nil {
		f.t.Fatal(err)
	}
	rows, err := f.Pool.Query(f.t.Context(), `
		SELECT replace(id::text, '-', ''), name FROM muster.sources UNION ALL
		SELECT replace(id::text, '-', ''), name FROM muster.roles UNION ALL
		SELECT replace(id::text, '-', ''), name FROM muster.access_profiles UNION ALL
		SELECT replace(id::text, '-', ''), name FROM muster.identity_profiles`)
	if err != nil {
		f.t.Fatal(err)
	}
	named := text.String()
	var object, name string
	if _, err := pgx.ForEachRow(rows, []any{&object, &name}, func() error {
		named = strings.ReplaceAll(named, object, "<"+name+">")
		return nil
	}); err != nil {
		f.t.Fatal(err)
	}
	return named
}

const ownsNothing = `{
 "accessProfiles": [],
 "apps": [],
 "entitlements": [],
 "fallbackApprover": false,
 "governanceGroups": [],
 "roles": [],
 "sources": [],
 "others": []
}
`

const ownsMuch = `{
 "accessProfiles": [
  {
   "id": "<CRM>",
   "name": "CRM"
  }
 ],
 "apps": [
  {
   "id": "a1",
   "name": "Wiki"
  },
  {
   "id": "a2",
   "name": ""
  }
 ],
 "entitlements": [
  {
   "id": "e1",
   "name": "admins"
  }
 ],
 "fallbackApprover": true,
 "governanceGroups": [
  {
   "id": "g1",
   "name": "Board"
  }
 ],
 "roles": [
  {
   "id": "<Lead>",
   "name": "Lead"
  }
 ],
 "sources": [
  {
   "id": "<Badges>",
   "name": "Badges"
  }
 ],
 "others": [
  {
   "type": "IDENTITY_PROFILE",
   "id": "<Guests>",
   "name": "Guests"
  },
  {
   "type": "CAMPAIGN",
   "id": "c1",
   "name": "Spring"
  },
  {
   "type": "FALLBACK_APPROVER",
   "id": "tenant"
  }
 ]
}
`

func TestOwns(t *testing.T) {
	t.Parallel()
	f := company(t)
	ann, bob := f.Identity("ann").ID, f.Identity("bob").ID
	if got := f.owns(bob); got != ownsNothing {
		t.Errorf("Bob owns %s", got)
	}
	f.ApplyText(strings.ReplaceAll(`
sources:
  - {name: Badges, connector: delimited-file, owner: {type: IDENTITY, id: BOB}, schemas: [{name: account, identityAttribute: id, attributes: [{name: id}]}]}
identityProfiles: [{name: Guests, authoritativeSource: {name: Badges}, owner: {type: IDENTITY, id: BOB}}]
roles: [{name: Lead, enabled: true, owner: {type: IDENTITY, id: BOB}}]
accessProfiles: [{name: CRM, source: {name: Directory}, owner: {type: IDENTITY, id: BOB}, entitlements: []}]`, "BOB", bob))
	for _, o := range []engine.OwnedObject{
		{Kind: engine.OwnedApplication, ID: "a2"}, {Kind: engine.OwnedApplication, ID: "a1", Name: "Wiki"},
		{Kind: engine.OwnedEntitlement, ID: "e1", Name: "admins"}, {Kind: engine.OwnedGovernanceGroup, ID: "g1", Name: "Board"},
		{Kind: engine.OwnedFallbackApprover, ID: "tenant"}, {Kind: "CAMPAIGN", ID: "c1", Name: "Spring"},
	} {
		o.Owner = bob
		if err := f.RegisterOwned(t.Context(), o); err != nil {
			t.Fatal(err)
		}
	}
	if got := f.owns(bob); got != ownsMuch {
		t.Errorf("Bob owns %s", got)
	}
	if got := f.owns(ann); got != ownsNothing {
		t.Errorf("Ann owns %s", got)
	}
	// What it owns is also what keeps it from being deleted, the fallback approver too.
	const blocks = "ACCESS_PROFILE_OWNER: CRM; APPLICATION_OWNER: Wiki, ; CAMPAIGN_OWNER: Spring; ENTITLEMENT_OWNER: admins; " +
		"FALLBACK_APPROVER_OWNER: ; GOVERNANCE_GROUP_OWNER: Board; IDENTITY_PROFILE_OWNER: Guests; ROLE_OWNER: Lead; SOURCE_OWNER: Badges"
	if got := f.associations(bob); got != blocks {
		t.Errorf("what blocks is %q", got)
	}
	if err := f.RegisterOwned(t.Context(), engine.OwnedObject{Kind: engine.OwnedFallbackApprover, ID: "tenant", Owner: ann}); err != nil {
		t.Fatal(err)
	}
	demandKind(t, f.DeleteIdentity(t.Context(), ann), engine.Conflict, "1 as FALLBACK_APPROVER_OWNER")
	if count, err := f.ReassignOwned(t.Context(), bob, ann); err != nil || count != 9 {
		t.Errorf("%d objects are reassigned, %v", count, err)
	}
	if got := f.owns(ann); got != ownsMuch {
		t.Errorf("Ann owns %s", got)
	}
	if got := f.owns(bob); got != ownsNothing {
		t.Errorf("Bob owns %s", got)
	}
	for _, nobody := range []string{"x", "0123456789abcdef0123456789abcdef"} {
		_, err := f.Owns(t.Context(), nobody)
		demandKind(t, err, engine.NotFound, "no identity")
	}
}

// What is done in a host's transaction is there inside it, and gone when that is rolled back.
func TestWritesInAHostsTransaction(t *testing.T) {
	t.Parallel()
	f, box, _ := registering(t, engine.Config{})
	ann, bob := f.Identity("ann").ID, f.Identity("bob").ID
	if err := f.RegisterOwned(t.Context(), engine.OwnedObject{Kind: "CAMPAIGN", ID: "c1", Name: "Spring", Owner: bob}); err != nil {
		t.Fatal(err)
	}
	f.ApplyText(fmt.Sprintf("roles: [{name: Lead, enabled: true, owner: {type: IDENTITY, id: %s}}]", bob))
	if err := f.SetUserLevels(t.Context(), bob, []string{"HELPDESK"}); err != nil {
		t.Fatal(err)
	}
	if _, err := f.InviteIdentities(t.Context(), engine.InviteParams{IDs: []string{bob}}); err != nil {
		t.Fatal(err)
	}
	f.send()
	token := box.take()[0].Token
	// state is what the transactions below change.
	const state = `
		SELECT concat_ws(' ', (SELECT string_agg(kind || ':' || object_id || ':' || (owner_id = i.id), ',' ORDER BY object_id) FROM muster.owned_objects),
		       (SELECT (document -> 'owner' ->> 'id' = replace(i.id::text, '-', ''))::text FROM muster.roles), protected, user_levels, cloud_status)
		FROM muster.identities i WHERE i.alias = 'bob'`
	read := func(row pgx.Row) (text string) {
		t.Helper()
		if err := row.Scan(&text); err != nil {
			t.Fatal(err)
		}
		return text
	}
	const before = "CAMPAIGN:c1:true true f {HELPDESK} PENDING"
	rolledBack := errors.New("no")
	for _, test := range []struct {
		name   string
		write  func(tx pgx.Tx) error
		inside string
	}{
		{"register", func(tx pgx.Tx) error {
			return f.RegisterOwnedTx(t.Context(), tx, engine.OwnedObject{Kind: "CAMPAIGN", ID: "c2", Owner: ann})
		}, "CAMPAIGN:c1:true,CAMPAIGN:c2:false true f {HELPDESK} PENDING"},
		{"forget", func(tx pgx.Tx) error { return f.ForgetOwnedTx(t.Context(), tx, "CAMPAIGN", "c1") }, "true f {HELPDESK} PENDING"},
		{"reassign", func(tx pgx.Tx) error {
			count, err := f.ReassignOwnedTx(t.Context(), tx, bob, ann)
			if count != 2 {
				t.Errorf("%d objects are reassigned", count)
			}
			return err
		}, "CAMPAIGN:c1:false false f {HELPDESK} PENDING"},
		{"protect", func(tx pgx.Tx) error { return f.ProtectIdentityTx(t.Context(), tx, bob, true) }, "CAMPAIGN:c1:true true t {HELPDESK} PENDING"},
		{"set the levels", func(tx pgx.Tx) error {
			return f.SetUserLevelsTx(t.Context(), tx, bob, []string{"ORG_ADMIN", "HELPDESK"})
		}, "CAMPAIGN:c1:true true f {ORG_ADMIN,HELPDESK} PENDING"},
		{"redeem", func(tx pgx.Tx) error {
			who, err := f.RedeemInvitationTx(t.Context(), tx, token)
			if err == nil && (who.ID != bob || who.IdentityStatus != "REGISTERED") {
				t.Errorf("%+v is registered", who)
			}
			return err
		}, "CAMPAIGN:c1:true true f {HELPDESK} REGISTERED"},
	} {
		err := pgx.BeginFunc(t.Context(), f.Pool, func(tx pgx.Tx) error {
			if err := test.write(tx); err != nil {
				return err
			}
			if got := read(tx.QueryRow(t.Context(), state)); got != test.inside {
				t.Errorf("%s: inside there is %q, want %q", test.name, got, test.inside)
			}
			return rolledBack
		})
		if !errors.Is(err, rolledBack) {
			t.Errorf("got %s: %v, want errors.Is(err, rolledBack)", test.name, err)
		}
		if got := read(f.Pool.QueryRow(t.Context(), state)); got != before {
			t.Errorf("%s: after the rollback there is %q", test.name, got)
		}
	}
	// The token whose redemption was rolled back is good.
	if who, err := f.RedeemInvitation(t.Context(), token); err != nil || who.IdentityStatus != "REGISTERED" {
		t.Errorf("got %+v and the error %v, want IdentityStatus \"REGISTERED\"", who, err)
	}
	for name, write := range map[string]func(tx pgx.Tx) error{
		"forget":         func(tx pgx.Tx) error { return f.ForgetOwnedTx(t.Context(), tx, "CAMPAIGN", "c9") },
		"protect":        func(tx pgx.Tx) error { return f.ProtectIdentityTx(t.Context(), tx, "x", true) },
		"set the levels": func(tx pgx.Tx) error { return f.SetUserLevelsTx(t.Context(), tx, "x", nil) },
		"reassign": func(tx pgx.Tx) error {
			_, err := f.ReassignOwnedTx(t.Context(), tx, bob, "x")
			return err
		},
	} {
		if err := pgx.BeginFunc(t.Context(), f.Pool, write); engine.KindOf(err) != engine.NotFound {
			t.Errorf("got %s: %v, want engine.KindOf(err) == engine.NotFound", name, err)
		}
	}
	err := pgx.BeginFunc(t.Context(), f.Pool, func(tx pgx.Tx) error {
		_, err := f.RedeemInvitationTx(t.Context(), tx, token)
		return err
	})
	demandKind(t, err, engine.Forbidden, "used already")
}
