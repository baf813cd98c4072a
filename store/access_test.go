package store_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/muster-engine/muster/store"
	"github.com/muster-engine/muster/store/storetest"
)

var now = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// people inserts identities with nothing but a name and returns their IDs.
func people(t *testing.T, pool *pgxpool.Pool, names ...string) []store.ID {
	t.Helper()
	ids := make([]store.ID, len(names))
	for i, name := range names {
		ids[i] = store.NewID()
		_, err := pool.Exec(t.Context(), `
			INSERT INTO muster.identities (id, name, name_key, alias, alias_key, correlated, created, modified)
			VALUES ($1, $2, $3, $2, $3, true, $4, $4)`, ids[i], name, store.Fold(name), now)
		if err != nil {
			t.Fatal(err)
		}
	}
	return ids
}

// inTx runs work in a transaction and returns its error, after which the transaction is rolled back.
func inTx(t *testing.T, pool *pgxpool.Pool, work func(ctx context.Context, tx pgx.Tx) error) error {
	t.Helper()
	return pgx.BeginFunc(t.Context(), pool, func(tx pgx.Tx) error { return work(t.Context(), tx) })
}

func demandConflict(t *testing.T, err error, constraint string) {
	t.Helper()
	var conflict *store.ConflictError
	if !errors.As(err, &conflict) || conflict.Constraint != constraint {
		t.Errorf("got %v, want a conflict with %s", err, constraint)
	}
}

func TestRoleAssignments(t *testing.T) {
	t.Parallel()
	pool, s := storetest.Pool(t), newStore(t)
	ids := people(t, pool, "Ann", "Bob")
	roles := []store.Role{
		{ID: store.NewID(), Name: "Engineer", Enabled: true, Document: []byte(`{}`), Created: now, Modified: now},
		{ID: store.NewID(), Name: "Auditor", Document: []byte(`{}`), Created: now, Modified: now},
	}
	comment, later := "please", now.Add(time.Hour)
	assignments := []store.RoleAssignment{
		{ID: store.NewID(), IdentityID: ids[0], RoleID: roles[0].ID, Source: "ROLE_MEMBERSHIP", AddedDate: now},
		{
			ID: store.NewID(), IdentityID: ids[0], RoleID: roles[1].ID, Source: "ACCESS_REQUEST", AssignerID: ids[1], Comments: &comment,
			Document: []byte(`{"assignedDimensions": []}`), AddedDate: later, StartDate: &now, RemoveDate: &later,
		},
	}
	err := inTx(t, pool, func(ctx context.Context, tx pgx.Tx) error {
		for _, r := range roles {
			if err := s.PutRole(ctx, tx, r); err != nil {
				return err
			}
		}
		for _, a := range assignments {
			if err := s.AddRoleAssignment(ctx, tx, a); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		filter store.RoleAssignmentFilter
		want   []int
	}{
		{store.RoleAssignmentFilter{}, []int{0, 1}},
		{store.RoleAssignmentFilter{RoleID: roles[1].ID}, []int{1}},
		{store.RoleAssignmentFilter{RoleName: "engineer"}, []int{0}},
		{store.RoleAssignmentFilter{RoleID: roles[1].ID, RoleName: "engineer"}, nil},
	} {
		got, err := s.RoleAssignments(t.Context(), pool, ids[0], test.filter)
		if err != nil || len(got) != len(test.want) {
			t.Fatalf("got %+v: %v, %v, want err == nil && len(got) == len(test.want)", test.filter, got, err)
		}
		for i, at := range test.want {
			if got[i].ID != assignments[at].ID || got[i].RoleName == "" || got[i].AssignerID != assignments[at].AssignerID {
				t.Errorf("got %+v: %+v, want got[i].ID == assignments[at].ID && got[i].RoleName != \"\" && got[i].AssignerID == assignments[at].AssignerID", test.filter, got[i])
			}
		}
	}
	if _, err := s.RoleAssignment(t.Context(), pool, ids[1], assignments[0].ID); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("an assignment of somebody else: %v", err)
	}
	again := assignments[0]
	again.ID = store.NewID()
	add := func(a store.RoleAssignment) error {
		return inTx(t, pool, func(ctx context.Context, tx pgx.Tx) error { return s.AddRoleAssignment(ctx, tx, a) })
	}
	demandConflict(t, add(again), "role_assignments_unique")
	demandConflict(t, add(store.RoleAssignment{ID: store.NewID(), IdentityID: store.NewID(), RoleID: roles[0].ID, Source: "x", AddedDate: now}),
		"role_assignments_identity_fkey")
	demandConflict(t, add(store.RoleAssignment{
		ID: store.NewID(), IdentityID: ids[1], RoleID: roles[0].ID, Source: "x", AddedDate: now, StartDate: &later, RemoveDate: &now,
	}), "role_assignments_dates")
	err = inTx(t, pool, func(ctx context.Context, tx pgx.Tx) error {
		if err := s.DeleteRoleAssignment(ctx, tx, ids[0], assignments[0].ID); err != nil {
			return err
		}
		if err := s.DeleteRoleAssignment(ctx, tx, ids[0], assignments[0].ID); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("deleted twice: %v", err)
		}
		return s.RemoveObjects(ctx, tx, &store.RemovedObjects{Roles: []store.ID{roles[1].ID}})
	})
	if err != nil {
		t.Fatal(err)
	}
	if left, err := s.RoleAssignments(t.Context(), pool, ids[0], store.RoleAssignmentFilter{}); err != nil || len(left) != 0 {
		t.Errorf("left: %v, %v", left, err)
	}
	if left, err := s.Roles(t.Context(), pool); err != nil || len(left) != 1 || left[0].Name != "Engineer" || !left[0].Enabled {
		t.Errorf("roles: %v, %v", left, err)
	}
}

func TestOwnedObjects(t *testing.T) {
	t.Parallel()
	pool, s := storetest.Pool(t), newStore(t)
	ids := people(t, pool, "Ann", "Bob")
	put := func(kind, id, name string, owner store.ID) error {
		return inTx(t, pool, func(ctx context.Context, tx pgx.Tx) error {
			_, err := s.PutOwnedObject(ctx, tx, store.OwnedObject{Kind: kind, ObjectID: id, Name: name, OwnerID: owner, Created: now, Modified: now})
			return err
		})
	}
	for _, err := range []error{put("app", "2", "Mail", ids[0]), put("app", "1", "Chat", ids[0]), put("campaign", "1", "Spring", ids[1]), put("app", "1", "Talk", ids[0])} {
		if err != nil {
			t.Fatal(err)
		}
	}
	demandConflict(t, put("app", "3", "x", store.NewID()), "owned_objects_owner_fkey")
	_, err := pool.Exec(t.Context(), `DELETE FROM muster.identities WHERE id = $1`, ids[0])
	if err == nil {
		t.Error("an owner was deleted")
	}
	owned, err := s.OwnedObjects(t.Context(), pool, ids[0])
	if err != nil || len(owned) != 2 || owned[0].Name != "Talk" || owned[1].Name != "Mail" {
		t.Errorf("got %+v, %v, want err == nil && len(owned) == 2 && owned[0].Name == \"Talk\" && owned[1].Name == \"Mail\"", owned, err)
	}
	err = inTx(t, pool, func(ctx context.Context, tx pgx.Tx) error {
		if n, err := s.ReassignOwnedObjects(ctx, tx, ids[0], ids[1], now); err != nil || n != 2 {
			t.Errorf("%d reassigned, %v", n, err)
		}
		if _, err := s.DeleteOwnedObject(ctx, tx, "app", "9"); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("an unknown object: %v", err)
		}
		_, err := s.DeleteOwnedObject(ctx, tx, "campaign", "1")
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if owned, err := s.OwnedObjects(t.Context(), pool, ids[1]); err != nil || len(owned) != 2 {
		t.Errorf("got %+v, %v, want err == nil && len(owned) == 2", owned, err)
	}
}

func TestEntitlements(t *testing.T) {
	t.Parallel()
	pool, s := storetest.Pool(t), newStore(t)
	source := store.Object{ID: store.NewID(), Name: "HR", Document: []byte(`{}`), Created: now, Modified: now}
	err := inTx(t, pool, func(ctx context.Context, tx pgx.Tx) error {
		if err := s.PutSource(ctx, tx, source); err != nil {
			return err
		}
		values := []store.EntitlementValue{{Attribute: "groups", Value: "b"}, {Attribute: "groups", Value: "a"}}
		if n, err := s.AddEntitlements(ctx, tx, source.ID, values, now); err != nil || n != 2 {
			t.Errorf("got %d, %v, want err == nil && n == 2", n, err)
		}
		n, err := s.AddEntitlements(ctx, tx, source.ID, append(values, store.EntitlementValue{Attribute: "groups", Value: "A"}), now)
		if n != 1 {
			t.Errorf("%d were new", n)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	list, err := s.Entitlements(t.Context(), pool, source.ID)
	if err != nil || len(list) != 3 || list[0].Value != "A" || list[2].Name != "b" {
		t.Errorf("got %+v, %v, want err == nil && len(list) == 3 && list[0].Value == \"A\" && list[2].Name == \"b\"", list, err)
	}
	other := source
	other.ID, other.Name = store.NewID(), "hr"
	demandConflict(t, inTx(t, pool, func(ctx context.Context, tx pgx.Tx) error { return s.PutSource(ctx, tx, other) }), "sources_name_unique")
}

// Constraints that have no text of their own would be shown to people by their names.
func TestEveryConstraintHasAText(t *testing.T) {
	t.Parallel()
	pool := storetest.Pool(t)
	for _, name := range storetest.Texts(t, pool, `
		SELECT conname FROM pg_constraint c JOIN pg_namespace n ON n.oid = c.connamespace
		WHERE n.nspname = 'muster' AND conrelid <> 'muster.goose_db_version'::regclass`) {
		if text := (&store.ConflictError{Constraint: name}).Error(); text == "contradicts the rule "+name {
			t.Errorf("%s has no text", name)
		}
	}
}
