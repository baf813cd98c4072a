package engine_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/muster-engine/muster/engine"
	"github.com/muster-engine/muster/engine/enginetest"
)

// associations returns what an identity owns as "KIND: name, name".
func (f *fixture) associations(id string) string {
	f.t.Helper()
	list, err := f.Ownership(f.t.Context(), id)
	if err != nil {
		f.t.Fatal(err)
	}
	var texts []string
	for _, a := range list {
		var names []string
		for _, entity := range a.Entities {
			names = append(names, entity.IdentityEntity.Name)
		}
		texts = append(texts, a.AssociationType+": "+strings.Join(names, ", "))
	}
	return strings.Join(texts, "; ")
}

func TestOwnershipKeepsFromDeletion(t *testing.T) {
	t.Parallel()
	f := company(t)
	ann, bob := f.Identity("ann").ID, f.Identity("bob").ID
	dashed := fmt.Sprintf("%s-%s-%s-%s-%s", bob[:8], bob[8:12], bob[12:16], bob[16:20], bob[20:])
	f.ApplyText(fmt.Sprintf(`
roles: [{name: Lead, enabled: true, owner: {type: IDENTITY, id: %s}}]
accessProfiles: [{name: CRM, source: {name: Directory}, owner: {type: IDENTITY, id: %s}, entitlements: []}]`, bob, strings.ToUpper(dashed)))
	f.Process()
	for _, o := range []engine.OwnedObject{{Kind: "CAMPAIGN", ID: "c1", Name: "Spring", Owner: bob}, {Kind: "APPLICATION", ID: "a1", Name: "Wiki", Owner: bob}} {
		if err := f.RegisterOwned(t.Context(), o); err != nil {
			t.Fatal(err)
		}
	}
	const all = "ACCESS_PROFILE_OWNER: CRM; APPLICATION_OWNER: Wiki; CAMPAIGN_OWNER: Spring; ROLE_OWNER: Lead"
	if got := f.associations(bob); got != all {
		t.Errorf("Bob owns %q", got)
	}
	err := f.DeleteIdentity(t.Context(), bob)
	demandKind(t, err, engine.Conflict, "owner of following resources: 1 as ACCESS_PROFILE_OWNER")
	var blocked *engine.AssociationsError
	if !errors.As(err, &blocked) || len(blocked.Associations) != 4 {
		t.Errorf("got %+v, want errors.As(err, &blocked) && len(blocked.Associations) == 4", blocked)
	}
	// One by one, then all at once.
	_, err = f.ReassignOwned(t.Context(), bob, ann, engine.Reference{Type: "CAMPAIGN", ID: "c1"}, engine.Reference{Type: "CAMPAIGN", ID: "c2"})
	demandKind(t, err, engine.NotFound, "owns no CAMPAIGN with this ID")
	if got := f.associations(bob); got != all {
		t.Errorf("after what was refused Bob owns %q", got)
	}
	count, err := f.ReassignOwned(t.Context(), bob, ann, engine.Reference{Type: "CAMPAIGN", ID: "c1"})
	if err != nil || count != 1 || f.associations(ann) != "CAMPAIGN_OWNER: Spring" {
		t.Errorf("%d, %v, Ann owns %q", count, err, f.associations(ann))
	}
	count, err = f.ReassignOwned(t.Context(), bob, ann)
	if err != nil || count != 3 || f.associations(ann) != all || f.associations(bob) != "" {
		t.Errorf("%d, %v, Ann owns %q", count, err, f.associations(ann))
	}
	if err := f.ProtectIdentity(t.Context(), bob, true); err != nil {
		t.Fatal(err)
	}
	err = f.DeleteIdentity(t.Context(), bob)
	demandKind(t, err, engine.Conflict, "protected")
	if !errors.As(err, &blocked) || len(blocked.Associations) != 0 {
		t.Errorf("got %+v, want errors.As(err, &blocked) && len(blocked.Associations) == 0", blocked)
	}
	if err := f.ProtectIdentity(t.Context(), bob, false); err != nil {
		t.Fatal(err)
	}
	if err := f.DeleteIdentity(t.Context(), bob); err != nil {
		t.Fatal(err)
	}
	demandKind(t, f.DeleteIdentity(t.Context(), bob), engine.NotFound, "no identity")
	demandKind(t, f.ProtectIdentity(t.Context(), bob, true), engine.NotFound, "no identity")
	_, err = f.Ownership(t.Context(), bob)
	demandKind(t, err, engine.NotFound, "no identity")
	demandKind(t, f.RegisterOwned(t.Context(), engine.OwnedObject{Kind: "X", ID: "1", Owner: bob}), engine.NotFound, "no identity")
	demandKind(t, f.RegisterOwned(t.Context(), engine.OwnedObject{Kind: "X", Owner: ann}), engine.Invalid, "ID")
	if err := f.ForgetOwned(t.Context(), "CAMPAIGN", "c1"); err != nil {
		t.Error(err)
	}
	demandKind(t, f.ForgetOwned(t.Context(), "CAMPAIGN", "c1"), engine.NotFound, "no such object")
}

func TestDeleteIdentity(t *testing.T) {
	t.Parallel()
	f := company(t)
	f.AggregateText("Directory", enginetest.DirectoryHeader+"ayseu,,ayse,,true\n", engine.AggregateOptions{})
	f.ApplyText("roles: [{name: Lead, enabled: true}]")
	f.Process()
	ayse := f.Identity("ayse").ID // the manager of Bob and Dee
	if _, err := f.AssignRole(t.Context(), engine.AssignRoleParams{Identity: ayse, Role: "Lead"}); err != nil {
		t.Fatal(err)
	}
	if f.Identity("bob").ManagerRef == nil {
		t.Fatal("Bob has no manager")
	}
	rolledBack := errors.New("no")
	err := pgx.BeginFunc(t.Context(), f.Pool, func(tx pgx.Tx) error {
		if err := f.DeleteIdentityTx(t.Context(), tx, ayse); err != nil {
			return err
		}
		return rolledBack
	})
	if !errors.Is(err, rolledBack) {
		t.Fatal(err)
	}
	f.Identity("ayse")
	if err := f.DeleteIdentity(t.Context(), ayse); err != nil {
		t.Fatal(err)
	}
	if result := f.Process(); result.Identities != 2 { // those who reported to her
		t.Errorf("got %+v, want result.Identities == 2", result)
	}
	if f.Identity("bob").ManagerRef != nil || f.Identity("dee").ManagerRef != nil {
		t.Error("somebody has a manager who is gone")
	}
	if n := f.CountRows("muster.accounts WHERE identity_id IS NULL"); n != 2 {
		t.Errorf("%d accounts are uncorrelated, want 2", n)
	}
	history, err := f.History(t.Context(), ayse, "", 1)
	if err != nil || len(history) != 1 || !history[0].Is(engine.EventDeleted) ||
		history[0].Detail.Deleted.Attributes.Get("email").Text() != "ayse@example.com" {
		t.Errorf("got %+v, %v, want her deletion with her address", history, err)
	}
	if n := f.number("SELECT (SELECT count(*) FROM muster.refresh_requests) + (SELECT count(*) FROM muster.role_assignments)"); n != 0 {
		t.Errorf("%d rows of hers are left, want 0", n)
	}
	// The account on the authoritative source is still there: with the next aggregation she comes back.
	f.AggregateText("HR", enginetest.People, engine.AggregateOptions{})
	f.Process()
	if back := f.Identity("ayse"); back.ID == ayse || f.Identity("bob").ManagerRef == nil {
		t.Errorf("got %+v, want back.ID != ayse && f.Identity(\"bob\").ManagerRef != nil", back)
	}
}

// Deletion, registration of owned objects and processing at the same time: everyone who owns something is there.
func TestDeleteAndRegisterAtOnce(t *testing.T) {
	t.Parallel()
	f := company(t)
	var ids []string
	for _, alias := range []string{"ann", "bob", "ayse", "cy", "dee"} {
		ids = append(ids, f.Identity(alias).ID)
	}
	if _, err := f.ProcessAll(t.Context()); err != nil {
		t.Fatal(err)
	}
	var group sync.WaitGroup
	for i, id := range ids {
		group.Go(func() {
			if err := f.DeleteIdentity(t.Context(), id); err != nil && engine.KindOf(err) != engine.Conflict {
				t.Error(err)
			}
		})
		group.Go(func() {
			o := engine.OwnedObject{Kind: "APPLICATION", ID: fmt.Sprint(i), Owner: id}
			if err := f.RegisterOwned(t.Context(), o); err != nil && engine.KindOf(err) != engine.NotFound {
				t.Error(err)
			}
		})
	}
	group.Go(func() {
		if _, err := f.ProcessPending(t.Context(), engine.ProcessOptions{}); err != nil {
			t.Error(err)
		}
	})
	group.Wait()
	f.Process()
	if left, owned := f.CountRows("muster.identities"), f.CountRows("muster.owned_objects"); left != owned {
		t.Errorf("%d identities are left, and %d objects", left, owned)
	}
}

// awaitLock returns when somebody waits for a lock, and fails when what should has ended instead.
func (f *fixture) awaitLock(ended <-chan error) {
	f.t.Helper()
	const waiting = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
	for f.number(waiting) == 0 {
		select {
		case err := <-ended:
			f.t.Fatalf("it did not wait, and ended with %v", err)
		default:
		}
	}
}

// A deletion that waits for somebody who makes the identity an owner is refused as one of an owner.
func TestDeleteWhileIdentityBecomesOwner(t *testing.T) {
	t.Parallel()
	f := company(t)
	ann := f.Identity("ann").ID
	tx, err := f.Pool.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = tx.Rollback(context.WithoutCancel(t.Context())) }()
	if err := f.RegisterOwnedTx(t.Context(), tx, engine.OwnedObject{Kind: "APPLICATION", ID: "1", Name: "Wiki", Owner: ann}); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- f.DeleteIdentity(t.Context(), ann) }()
	f.awaitLock(ended)
	if err := tx.Commit(t.Context()); err != nil {
		t.Fatal(err)
	}
	err = <-ended
	demandKind(t, err, engine.Conflict, "owner of following resources: 1 as APPLICATION_OWNER")
	var owns *engine.AssociationsError
	if !errors.As(err, &owns) {
		t.Errorf("%v tells no associations", err)
	}
}

// An aggregation whose account finds an identity that is being deleted waits, and leaves the account to nobody.
func TestAggregateWhileIdentityIsDeleted(t *testing.T) {
	t.Parallel()
	f := company(t)
	ann := f.Identity("ann").ID
	tx, err := f.Pool.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = tx.Rollback(context.WithoutCancel(t.Context())) }()
	if err := f.DeleteIdentityTx(t.Context(), tx, ann); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	var result engine.AggregateResult
	go func() {
		var err error
		result, err = f.Aggregate(t.Context(), "Directory", onlyReader{strings.NewReader(enginetest.DirectoryHeader + "annb,,ann,,true\n")},
			engine.AggregateOptions{})
		ended <- err
	}()
	f.awaitLock(ended)
	if err := tx.Commit(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := <-ended; err != nil || result.Added != 1 || result.Correlated != 0 {
		t.Errorf("got %+v and the error %v, want Added 1 and Correlated 0", result, err)
	}
}
