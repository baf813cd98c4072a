package filterql_test

import (
	"testing"

	"github.com/muster-engine/muster/filterql"
)

// withinSchema has a field with the values of a subquery, and an ID of which a beginning is enough.
func withinSchema(t *testing.T) *filterql.Schema {
	t.Helper()
	role := filterql.Field{Name: "role", Type: filterql.String, Column: "r.role", Fold: filterql.Fold,
		Within: "u.id IN (SELECT r.user_id FROM roles r WHERE"}
	id := filterql.Field{Name: "id", Type: filterql.ID, Column: "u.id", NotNull: true, Convert: parseUUID,
		Prefix: uuidPrefix}
	active := filterql.Field{Name: "active", Type: filterql.Boolean, NotNull: true,
		Column: "EXISTS (SELECT 1 FROM sessions s WHERE s.user_id = u.id)"}
	role.Ops, id.Ops, active.Ops = filterql.AllOps(role), filterql.AllOps(id), filterql.AllOps(active)
	return mustSchema(t, role, id, active)
}

func TestWithinAndPrefixSQL(t *testing.T) {
	const rows = "u.id IN (SELECT r.user_id FROM roles r WHERE "
	for text, want := range map[string]string{
		`role eq "A"`:              rows + "r.role = ?)",
		`role ne "A"`:              "(" + rows + "r.role = ?)) IS NOT TRUE",
		`not role ne "A"`:          rows + "r.role = ?)",
		`role in ("A","B")`:        rows + "r.role = ANY (?))",
		`pr role`:                  rows + "TRUE)",
		`role isnull`:              "(" + rows + "TRUE)) IS NOT TRUE",
		`not role isnull`:          rows + "TRUE)",
		`id sw "0190"`:             "u.id >= ? AND u.id <= ?",
		`not id sw "0190"`:         "(u.id >= ? AND u.id <= ?) IS NOT TRUE",
		`id sw "nobody"`:           "FALSE",
		`not id sw "nobody"`:       "TRUE",
		`active eq true`:           "EXISTS (SELECT 1 FROM sessions s WHERE s.user_id = u.id)",
		`active eq false`:          "NOT EXISTS (SELECT 1 FROM sessions s WHERE s.user_id = u.id)",
		`active ne true`:           "NOT EXISTS (SELECT 1 FROM sessions s WHERE s.user_id = u.id)",
		`not active ne true`:       "EXISTS (SELECT 1 FROM sessions s WHERE s.user_id = u.id)",
		`not (not active eq true)`: "EXISTS (SELECT 1 FROM sessions s WHERE s.user_id = u.id)",
	} {
		filter, err := filterql.ParseFilter(text, withinSchema(t))
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		if got, _, err := filter.Where().ToSql(); err != nil || got != want {
			t.Errorf("%s: got %s and the error %v, want %s", text, got, err, want)
		}
	}
}

func TestWithinEval(t *testing.T) {
	row := map[string]any{"role": []string{"Auditor", "Boss"}, "id": "0190a1b2-c3d4-7e8f-90a1-b2c3d4e5f601"}
	for text, want := range map[string]bool{
		`role eq "boss"`: true, `role ne "boss"`: false, `role eq "clerk"`: false, `role sw "AUD" and role sw "b"`: true,
		`pr role`: true, `role isnull`: false, `id sw "0190A1B2-C"`: true, `id sw ""`: true, `id sw "1"`: false,
	} {
		filter, err := filterql.ParseFilter(text, withinSchema(t))
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		if got := filter.Eval(func(name string) any { return row[name] }); got != want {
			t.Errorf("%s: got %v, want %v", text, got, want)
		}
	}
}

func TestWithinRefuses(t *testing.T) {
	for name, field := range map[string]filterql.Field{
		"sorted":     {Name: "a", Column: "a", Within: "x IN (", Sortable: true},
		"multi":      {Name: "a", Column: "a", Within: "x IN (", Multi: true},
		"not an id":  {Name: "a", Column: "a", Prefix: uuidPrefix},
		"no convert": {Name: "a", Column: "a", Type: filterql.ID, Prefix: uuidPrefix},
		"no prefix":  {Name: "a", Column: "a", Type: filterql.ID, Ops: filterql.OpsOf(filterql.Sw)},
	} {
		if _, err := filterql.NewSchema(field); err == nil {
			t.Errorf("%s: the field is accepted", name)
		}
	}
}
