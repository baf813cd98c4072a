package store

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	sq "github.com/Masterminds/squirrel"
	"github.com/jackc/pgx/v5"
)

// The sources of role assignments that the engine knows.
const (
	AssignedByMembership = "ROLE_MEMBERSHIP"
	AssignedByRequest    = "ACCESS_REQUEST"
)

// Membership is a membership criterion for SQL: a comparison, or a group of others. The operations are those of the
// published criteria; package criteria says what they mean.
type Membership struct {
	Operation string
	SourceID  ID // the attribute is one of the identity's accounts on the source; zero for an attribute of the identity
	Attribute string
	Keyed     bool   // identities are found by the attribute
	Value     string // folded
	Number    string // set where numbers are compared
	Children  []Membership
	// Equal is set where values are entitlements that SQL cannot compare, such as distinguished names: it reports
	// whether an entitlement of the attribute equals the value.
	Equal func(value string) bool
	equal []ID // the entitlements that equal it
}

// findEqual finds the entitlements that SQL cannot compare, before the conditions are written.
func (s *Store) findEqual(ctx context.Context, q Querier, m *Membership) error {
	if m == nil {
		return nil
	}
	for i := range m.Children {
		if err := s.findEqual(ctx, q, &m.Children[i]); err != nil {
			return err
		}
	}
	if m.Equal == nil {
		return nil
	}
	known, err := s.Entitlements(ctx, q, m.SourceID)
	if err != nil {
		return err
	}
	m.equal = []ID{}
	for i := range known {
		if known[i].Attribute == m.Attribute && m.Equal(known[i].Value) {
			m.equal = append(m.equal, known[i].ID)
		}
	}
	return nil
}

// decimalSQL is the pattern of numbers, the same as that of package criteria.
const decimalSQL = `'^[ \t]*[+-]?[0-9]{1,100}(\.[0-9]{1,100})?[ \t]*$'`

// where returns the condition on the identity i.
func (m *Membership) where() (sq.Sqlizer, error) {
	switch m.Operation {
	case "AND", "OR":
		if len(m.Children) == 0 {
			return nil, fmt.Errorf("%s has no children", m.Operation)
		}
		parts := make([]sq.Sqlizer, len(m.Children))
		for i := range m.Children {
			part, err := m.Children[i].where()
			if err != nil {
				return nil, err
			}
			parts[i] = part
		}
		if m.Operation == "AND" {
			return sq.And(parts), nil
		}
		return sq.Or(parts), nil
	case "NOT_EQUALS":
		return m.not("EQUALS")
	case "DOES_NOT_CONTAIN":
		return m.not("CONTAINS")
	}
	if m.Equal != nil {
		return sq.Expr(`i.id IN (SELECT o.identity_id FROM muster.account_entitlements k
			JOIN muster.accounts o ON o.id = k.account_id
			WHERE k.entitlement_id = ANY (?::uuid[]) AND o.identity_id IS NOT NULL)`, m.equal), nil
	}
	if m.Keyed && m.SourceID.IsZero() && len(m.Value) < KeyLengthMax/2 {
		if byKey := m.byKey(); byKey != nil {
			return byKey, nil
		}
	}
	condition, arguments, err := m.comparison()
	if err != nil {
		return nil, err
	}
	// A value that is no list counts as a list of one. An absent value gives null, which satisfies nothing.
	const values = `jsonb_array_elements_text(CASE jsonb_typeof(o.attributes -> ?::text)
		WHEN 'array' THEN o.attributes -> ?::text ELSE jsonb_build_array(o.attributes -> ?::text) END) e (value)`
	arguments = append([]any{m.Attribute, m.Attribute, m.Attribute}, arguments...)
	if m.SourceID.IsZero() {
		return sq.Expr(`EXISTS (SELECT 1 FROM (SELECT i.attributes) o, `+values+` WHERE `+condition+`)`,
			arguments...), nil
	}
	arguments = append(arguments, m.SourceID)
	return sq.Expr(`i.id IN (SELECT o.identity_id FROM muster.accounts o, `+values+
		` WHERE `+condition+` AND o.source_id = ? AND o.identity_id IS NOT NULL)`, arguments...), nil
}

func (m *Membership) not(positive string) (sq.Sqlizer, error) {
	inner := *m
	inner.Operation = positive
	condition, err := inner.where()
	if err != nil {
		return nil, err
	}
	return sq.Expr(`NOT (?)`, condition), nil
}

// byKey returns the condition that uses the index of the keys, nil where that does not help.
func (m *Membership) byKey() sq.Sqlizer {
	key := m.Attribute + "=" + m.Value
	switch m.Operation {
	case "EQUALS":
		return sq.Expr(`i.id IN (SELECT k.identity_id FROM muster.identity_keys k WHERE k.key = ?)`, key)
	case "STARTS_WITH":
		if above, ok := successor(key); ok {
			return sq.Expr(`i.id IN (SELECT k.identity_id FROM muster.identity_keys k WHERE k.key >= ? AND k.key < ?)`,
				key, above)
		}
	}
	return nil
}

// successor returns the least text that is greater than all texts that begin with a prefix.
func successor(prefix string) (string, bool) {
	last, size := utf8.DecodeLastRuneInString(prefix)
	switch last {
	case utf8.RuneError, utf8.MaxRune:
		return "", false
	case 0xD7FF:
		last = 0xE000 // the surrogates in between are no characters
	default:
		last++
	}
	return prefix[:len(prefix)-size] + string(last), true
}

// comparison returns the condition on one value, e.value.
func (m *Membership) comparison() (string, []any, error) {
	folded := foldSQL("e.value")
	switch m.Operation {
	case "EQUALS":
		return folded + ` = ?`, []any{m.Value}, nil
	case "CONTAINS":
		return `strpos(` + folded + `, ?) > 0`, []any{m.Value}, nil
	case "STARTS_WITH":
		return `starts_with(` + folded + `, ?)`, []any{m.Value}, nil
	case "ENDS_WITH":
		return `right(` + folded + `, char_length(?)) = ?`, []any{m.Value, m.Value}, nil
	}
	operator, known := map[string]string{
		"GREATER_THAN": ">", "LESS_THAN": "<", "GREATER_THAN_EQUALS": ">=", "LESS_THAN_EQUALS": "<=",
	}[m.Operation]
	if !known {
		return "", nil, fmt.Errorf("the operation %q is unknown", m.Operation)
	}
	if m.Number == "" {
		return folded + ` ` + operator + ` ?`, []any{m.Value}, nil
	}
	number := `CASE WHEN e.value ~ ` + strings.ReplaceAll(decimalSQL, "?", "??") + ` THEN e.value::numeric END`
	return `(` + number + `) ` + operator + ` ?::text::numeric`, []any{m.Number}, nil
}

// IdentitiesWithMembership returns the identities for which a criterion holds, by ID.
func (s *Store) IdentitiesWithMembership(ctx context.Context, q Querier, m *Membership) ([]ID, error) {
	if err := s.findEqual(ctx, q, m); err != nil {
		return nil, err
	}
	condition, err := m.where()
	if err != nil {
		return nil, err
	}
	text, arguments, err := sq.Select("i.id").From("muster.identities i").Where(condition).OrderBy("i.id").
		PlaceholderFormat(sq.Dollar).ToSql()
	if err != nil {
		return nil, err
	}
	return collect(ctx, q, s.dynamic(text), pgx.RowTo[ID], arguments...)
}

// RoleMembers says who is a member of a role: the identities for which the criterion holds, or those that are listed.
// Without either, nobody is.
type RoleMembers struct {
	Criterion  *Membership
	Identities []ID
}

// concernedByRole selects the identities that must gain or lose a role by its membership, with everybody including
// those that are long-term inactive.
func concernedByRole(role ID, members RoleMembers, everybody bool) (sq.Sqlizer, error) {
	var condition sq.Sqlizer
	var err error
	switch {
	case members.Criterion != nil && members.Identities != nil:
		return nil, errors.New("a role has a criterion or a list of members")
	case members.Criterion != nil:
		if condition, err = members.Criterion.where(); err != nil {
			return nil, err
		}
	case len(members.Identities) > 0:
		condition = sq.Expr(`i.id = ANY (?::uuid[])`, members.Identities)
	default:
		condition = sq.Expr(`false`)
	}
	whom := notLongTermInactive
	if everybody {
		whom = `true`
	}
	const assigned = `EXISTS (SELECT 1 FROM muster.role_assignments a WHERE a.role_id = ? AND a.identity_id = i.id
		AND a.assignment_source = '` + AssignedByMembership + `')`
	gaining := sq.Select("i.id").From("muster.identities i").Where(condition).
		Where(sq.Expr(`NOT `+assigned, role)).Where(whom)
	losing := sq.Select("i.id").From("muster.role_assignments b").Join("muster.identities i ON i.id = b.identity_id").
		Where(sq.Expr(`b.role_id = ? AND b.assignment_source = '`+AssignedByMembership+`'`, role)).
		Where(sq.Expr(`NOT (?)`, condition)).Where(whom)
	return sq.Expr(`? UNION ?`, gaining, losing), nil
}

// RoleChange is a role that gets other members. Access says that it grants something else than before, which concerns
// everyone who has it.
type RoleChange struct {
	Role    ID
	Members RoleMembers
	Access  bool
}

// ConcernedByRoles returns, by ID, the identities that processing may change after roles have changed: those that must
// gain or lose one of the roles, those that have one that grants something else, those whose processing is requested,
// and those that are due at a time.
func (s *Store) ConcernedByRoles(ctx context.Context, q Querier, changes []RoleChange, due time.Time) ([]ID, error) {
	concerned := sq.Expr(`SELECT identity_id AS id FROM muster.refresh_requests
		UNION SELECT identity_id FROM muster.refresh_state WHERE due <= ?::timestamptz`, due)
	for _, change := range changes {
		if err := s.findEqual(ctx, q, change.Members.Criterion); err != nil {
			return nil, err
		}
		members, err := concernedByRole(change.Role, change.Members, true)
		if err != nil {
			return nil, err
		}
		concerned = sq.Expr(`? UNION ?`, concerned, members)
		if change.Access {
			concerned = sq.Expr(`? UNION SELECT identity_id FROM muster.role_assignments WHERE role_id = ?`, concerned,
				change.Role)
		}
	}
	text, arguments, err := sq.Expr(`SELECT id FROM (?) concerned ORDER BY id`, concerned).ToSql()
	if err != nil {
		return nil, err
	}
	if text, err = sq.Dollar.ReplacePlaceholders(text); err != nil {
		return nil, err
	}
	return collect(ctx, q, s.dynamic(text), pgx.RowTo[ID], arguments...)
}

// RequestRoleRefresh requests the processing of the identities that must gain or lose a role by its membership, but not
// of those that are long-term inactive, nor of those that need no change.
func (s *Store) RequestRoleRefresh(ctx context.Context, tx pgx.Tx, role ID, members RoleMembers, reason string,
	cause Cause,
) error {
	if err := s.findEqual(ctx, tx, members.Criterion); err != nil {
		return err
	}
	concerned, err := concernedByRole(role, members, false)
	if err != nil {
		return err
	}
	text, arguments, err := sq.Expr(`
		WITH concerned AS MATERIALIZED (?)
		INSERT INTO muster.refresh_requests (request_id, number, identity_id, task_id, reason, requested_at)
		SELECT ?::uuid, row_number() OVER (), id, ?::uuid, ?::text, ?::timestamptz FROM concerned`,
		concerned, NewID(), cause.Task, reason, cause.At).ToSql()
	if err != nil {
		return err
	}
	if text, err = sq.Dollar.ReplacePlaceholders(text); err != nil {
		return err
	}
	_, err = tx.Exec(ctx, s.dynamic(text), arguments...)
	return mapError(err)
}

// RequestHolderRefresh requests the processing of the identities that have a role, whatever assigned it, but not of
// those that are long-term inactive.
func (s *Store) RequestHolderRefresh(ctx context.Context, tx pgx.Tx, role ID, reason string, cause Cause) error {
	const statement = `
		WITH holders AS MATERIALIZED (
		    SELECT DISTINCT a.identity_id
		    FROM muster.role_assignments a
		    JOIN muster.identities i ON i.id = a.identity_id
		    WHERE a.role_id = $1 AND ` + notLongTermInactive + `
		)
		INSERT INTO muster.refresh_requests (request_id, number, identity_id, task_id, reason, requested_at)
		SELECT $5::uuid, row_number() OVER (), identity_id, $2::uuid, $3::text, $4::timestamptz FROM holders`
	_, err := tx.Exec(ctx, s.sql(statement), role, cause.Task, reason, cause.At, NewID())
	return mapError(err)
}

// notLongTermInactive leaves out the identities that only aggregation and processing by hand concern.
const notLongTermInactive = `i.identity_state IS DISTINCT FROM 'INACTIVE_LONG_TERM'`
