package store_test

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/jackc/pgx/v5"
	"pgregory.net/rapid"

	"github.com/muster-engine/muster/store"
	"github.com/muster-engine/muster/store/storetest"
)

// titles are values of an attribute that is one value, by the names by which a failed test shows them.
var titles = map[string]any{"text": "Boss", "number": 7, "boolean": true, "as a group": "a",
	"too long for an entitlement": strings.Repeat("x", store.KeyLengthMax+1)}

// groupsOf draws the attributes of an account: groups as a list, which may repeat a value, as a text, or as none, and a
// title that is no entitlement unless it is marked.
func groupsOf(r *rapid.T) map[string]any {
	title := rapid.SampledFrom(slices.Sorted(maps.Keys(titles))).Draw(r, "title")
	attributes := map[string]any{"title": titles[title]}
	groups := rapid.SliceOfN(rapid.SampledFrom([]string{"a", "A", "b", "é", ""}), 0, 3).Draw(r, "groups")
	switch rapid.SampledFrom([]string{"list", "text", "none"}).Draw(r, "shape") {
	case "list":
		attributes["groups"] = groups
	case "text":
		if len(groups) > 0 {
			attributes["groups"] = groups[0]
		}
	}
	return attributes
}

// holding returns a staged account with other attributes, which count in its fingerprint.
func holding(a store.StagedAccount, attributes map[string]any) store.StagedAccount {
	text, err := json.Marshal(attributes)
	if err != nil {
		panic(err) // it has texts only
	}
	a.Attributes = text
	for i, c := range text {
		a.Fingerprint[i%len(a.Fingerprint)] = a.Fingerprint[i%len(a.Fingerprint)]*31 + c
	}
	return a
}

// valuesOf returns the values of marked attributes, as the engine finds them.
func (k *keyed) valuesOf(source store.ID, document []byte) []store.EntitlementValue {
	var attributes map[string]any
	if err := json.Unmarshal(document, &attributes); err != nil {
		panic(err) // it was marshalled
	}
	var values []store.EntitlementValue
	for _, name := range k.marked[source] {
		list, isList := attributes[name].([]any)
		if !isList && attributes[name] != nil {
			list = []any{attributes[name]}
		}
		for _, value := range list {
			if text := fmt.Sprint(value); len(text) <= store.KeyLengthMax {
				values = append(values, store.EntitlementValue{Attribute: name, Value: text})
			}
		}
	}
	return values
}

// marks returns the marked attributes of all sources.
func (k *keyed) marks() []store.Mark {
	var marks []store.Mark
	for source, names := range k.marked {
		for _, name := range names {
			marks = append(marks, store.Mark{SourceID: source, Attribute: name})
		}
	}
	return marks
}

// entitle does what an aggregation does for the entitlements of the accounts that it read.
func (k *keyed) entitle(ctx context.Context, count *store.Staged, changed []store.ID, accounts []store.StagedAccount) error {
	var values []store.EntitlementValue
	for i := range accounts {
		values = append(values, k.valuesOf(count.Source, accounts[i].Attributes)...)
	}
	if _, err := k.s.AddEntitlements(ctx, k.tx, count.Source, values, now); err != nil {
		return err
	}
	if err := k.s.AddNewAccountEntitlements(ctx, k.tx, count, k.marked[count.Source]); err != nil {
		return err
	}
	return k.s.WriteAccountEntitlements(ctx, k.tx, changed, k.marks())
}

// hold gives an account that an operation leaves its attributes.
func (k *keyed) hold(a *store.ProvisionedAccount, attributes map[string]any) {
	text, err := json.Marshal(attributes)
	if err != nil {
		panic(err) // it has texts only
	}
	a.Attributes, a.Entitlements = text, k.valuesOf(a.SourceID, text)
	for _, name := range k.marked[a.SourceID] {
		a.Marks = append(a.Marks, store.Mark{SourceID: a.SourceID, Attribute: name})
	}
}

// entitlementDiff returns how the rows differ from the values of the accounts. It reads these by itself.
func (k *keyed) entitlementDiff(ctx context.Context) (string, error) {
	var want []string
	rows, err := k.tx.Query(ctx, `SELECT id, source_id, attributes::text FROM muster.accounts`)
	if err != nil {
		return "", err
	}
	var id, source store.ID
	var document string
	if _, err := pgx.ForEachRow(rows, []any{&id, &source, &document}, func() error {
		for _, v := range k.valuesOf(source, []byte(document)) {
			want = append(want, fmt.Sprintf("%s %s=%s", id, v.Attribute, v.Value))
		}
		return nil
	}); err != nil {
		return "", err
	}
	got, err := rowsOf(ctx, k.tx, `
		SELECT replace(k.account_id::text, '-', '') || ' ' || e.attribute || '=' || e.value
		FROM muster.account_entitlements k
		JOIN muster.entitlements e ON e.id = k.entitlement_id
		JOIN muster.accounts a ON a.id = k.account_id AND a.source_id = e.source_id`)
	slices.Sort(want)
	slices.Sort(got)
	if n, err := rowsOf(ctx, k.tx, `SELECT count(*)::text FROM muster.account_entitlements`); err != nil || n[0] != fmt.Sprint(len(got)) {
		return fmt.Sprintf("%s rows, %d of them with an entitlement of the source", n, len(got)), err
	}
	untrue, err2 := k.s.UntrueEntitlements(ctx, k.tx, k.marks())
	if len(untrue) > 0 || err2 != nil {
		return fmt.Sprintf("the doctor finds %v", untrue), err2
	}
	return cmp.Diff(slices.Compact(want), got, cmpopts.EquateEmpty()), err
}

// A source that marks nothing costs no row, and whatever is wrong with the rows is found and mended.
func TestMendAccountEntitlements(t *testing.T) {
	t.Parallel()
	pool, s := storetest.Pool(t), newStore(t)
	groups := func(values ...string) map[string]any { return map[string]any{"groups": values, "title": "Boss"} }
	for name, harm := range map[string]string{
		"a row is missing": `DELETE FROM muster.account_entitlements
			WHERE entitlement_id = (SELECT id FROM muster.entitlements WHERE value = 'g1')`,
		"a row too many": `INSERT INTO muster.account_entitlements
			SELECT a.id, e.id FROM muster.accounts a, muster.entitlements e WHERE e.value = 'g3' ON CONFLICT DO NOTHING`,
		"an entitlement is missing":   `DELETE FROM muster.entitlements WHERE value = 'g2'`,
		"an entitlement has no value": `UPDATE muster.entitlements SET value = 'g9' WHERE value = 'g1'`,
		"no row at all":               `TRUNCATE muster.account_entitlements`,
		"a row without an account": `ALTER TABLE muster.account_entitlements DROP CONSTRAINT account_entitlements_account_fkey;
			UPDATE muster.account_entitlements SET account_id = '00000000-0000-0000-0000-000000000009'
			WHERE entitlement_id = (SELECT id FROM muster.entitlements WHERE value = 'g3')`,
	} {
		t.Run(name, func(t *testing.T) {
			ctx := t.Context()
			tx, err := pool.Begin(ctx)
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = tx.Rollback(ctx) }()
			k, err := newKeyed(ctx, s, tx)
			if err != nil {
				t.Fatal(err)
			}
			if err := k.aggregate(ctx, k.hr, holding(staged("x"), groups("g1"))); err != nil {
				t.Fatal(err)
			}
			if err := k.aggregate(ctx, k.badges, holding(staged("a"), groups("g1", "g2")), holding(staged("b"), groups("g3"))); err != nil {
				t.Fatal(err)
			}
			if n, err := s.CountAccountEntitlements(ctx, tx, []store.ID{account(t, tx, "x")}); n != 0 || err != nil {
				t.Errorf("the account of a source that marks nothing has %d rows, %v", n, err)
			}
			if diff, err := k.entitlementDiff(ctx); err != nil || diff != "" {
				t.Fatal(diff, err)
			}
			if _, err := tx.Conn().PgConn().Exec(ctx, harm).ReadAll(); err != nil {
				t.Fatal(err)
			}
			if diff, err := k.entitlementDiff(ctx); err != nil || diff == "" {
				t.Fatalf("the harm is not found, %v", err)
			}
			if n, err := s.MendAccountEntitlements(ctx, tx, k.marks(), now); err != nil || n == 0 {
				t.Errorf("%d accounts were mended, %v", n, err)
			}
			if diff, err := k.entitlementDiff(ctx); err != nil || diff != "" {
				t.Errorf("after the repair: %s, %v", diff, err)
			}
			if n, err := s.MendAccountEntitlements(ctx, tx, k.marks(), now); err != nil || n != 0 {
				t.Errorf("%d accounts were mended a second time, %v", n, err)
			}
		})
	}
}

// More accounts than are compared at once are all compared.
func TestWriteManyAccountEntitlements(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("it takes long")
	}
	pool, s := storetest.Pool(t), newStore(t)
	const many = 10_003
	if err := inTx(t, pool, func(ctx context.Context, tx pgx.Tx) error {
		k, err := newKeyed(ctx, s, tx)
		if err != nil {
			return err
		}
		for _, group := range []string{"old", "new"} {
			accounts := make([]store.StagedAccount, many)
			for i := range accounts {
				accounts[i] = holding(staged(fmt.Sprint("u", i)), map[string]any{"groups": []string{group, "all"}})
			}
			if err := k.aggregate(ctx, k.badges, accounts...); err != nil {
				return err
			}
			got, err := rowsOf(ctx, tx, `SELECT e.value || ' ' || count(*) FROM muster.account_entitlements k
				JOIN muster.entitlements e ON e.id = k.entitlement_id GROUP BY e.value ORDER BY 1`)
			want := []string{fmt.Sprint("all ", many), fmt.Sprint(group, " ", many)}
			slices.Sort(want)
			if err != nil || !slices.Equal(got, want) {
				t.Errorf("got %v, want %v, %v", got, want, err)
			}
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
}

// A stable identity that changes changes the account, and one that the source no longer tells is null.
func TestStableIdentityIsStored(t *testing.T) {
	t.Parallel()
	pool, s := storetest.Pool(t), newStore(t)
	if err := inTx(t, pool, func(ctx context.Context, tx pgx.Tx) error {
		k, err := newKeyed(ctx, s, tx)
		if err != nil {
			return err
		}
		for _, stable := range []string{"s1", "s2", "", "s3"} {
			a := staged("a", "k="+stable)
			a.StableIdentity = stable
			if err := k.aggregate(ctx, k.badges, a, staged("b")); err != nil {
				return err
			}
			got, err := rowsOf(ctx, tx, `SELECT native_identity || ' ' || coalesce(stable_identity, 'null') FROM muster.accounts ORDER BY 1`)
			want := []string{"a " + stable, "b null"}
			if stable == "" {
				want[0] = "a null"
			}
			if err != nil || !slices.Equal(got, want) {
				t.Errorf("got %v, want %v, %v", got, want, err)
			}
			found, err := s.FindAccount(ctx, tx, account(t, tx, "a"))
			if err != nil || found.StableIdentity != stable {
				t.Errorf("the account has %q, want %q, %v", found.StableIdentity, stable, err)
			}
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
}
