package postgres

import (
	"context"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/muster-engine/muster/engine/connector"
)

// lock locks and returns the row of an operation's account, or nil if there is none. An account that has a stable
// identity is found by that, so that the transaction never writes to another one that has its name by now.
func (t *tables) lock(ctx context.Context, tx pgx.Tx, o *connector.Operation) (*connector.Object, error) {
	name, value := t.account.IdentityAttribute, o.NativeIdentity
	if t.settings.StableIdentityColumn != "" && o.StableIdentity != "" {
		name, value = t.settings.StableIdentityColumn, o.StableIdentity
	}
	rows, err := tx.Query(ctx, `SELECT `+t.selection()+` FROM `+quoted(t.settings.Table)+` a WHERE a.`+
		column(name)+` = `+t.parameter(name, 1)+` LIMIT 2 FOR UPDATE OF a`, value)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var object connector.Object
	count := 0
	for ; rows.Next(); count++ {
		if err := t.scan(rows, &object); err != nil {
			return nil, err
		}
	}
	switch {
	case rows.Err() != nil:
		return nil, rows.Err()
	case count == 0:
		return nil, nil
	case count > 1:
		return nil, connector.Permanent(fmt.Errorf("several rows have the same value of %q, which identifies the "+
			"account", name))
	case object.Fault != "":
		return nil, connector.Permanent(fmt.Errorf("the row of the account cannot be read: %s", object.Fault))
	}
	return &object, nil
}

// Find implements [connector.Finder]. Letter case is that of the database's lower().
func (t *tables) Find(ctx context.Context, query *connector.Query, each func(*connector.Object) error) error {
	var conditions []string
	var arguments []any
	if query.NativeIdentity != "" {
		arguments = append(arguments, query.NativeIdentity)
		conditions = append(conditions, fmt.Sprintf("a.%s::text = $%d", column(t.account.IdentityAttribute),
			len(arguments)))
	}
	for _, v := range query.Values {
		a := t.account.Attribute(v.Attribute)
		if a == nil {
			continue // an attribute that the schema does not have is read of no account
		}
		arguments = append(arguments, v.Value)
		compared := fmt.Sprintf("v.x = $%d::text", len(arguments))
		if !v.Exact {
			compared += fmt.Sprintf(" OR lower(v.x) = lower($%d::text)", len(arguments))
		}
		list := t.expression(a)
		if !a.IsMulti {
			list = "ARRAY[" + list + "]"
		}
		conditions = append(conditions, "EXISTS (SELECT FROM unnest("+list+") v (x) WHERE "+compared+")")
	}
	if len(conditions) == 0 {
		return nil
	}
	conn, err := t.connected(ctx)
	if err != nil {
		return err
	}
	rows, err := conn.Query(ctx, `SELECT `+t.selection()+` FROM `+quoted(t.settings.Table)+` a WHERE `+
		strings.Join(conditions, " OR "), arguments...)
	if err != nil {
		return plain(err)
	}
	defer rows.Close()
	var object connector.Object
	for rows.Next() {
		if err := t.scan(rows, &object); err != nil {
			return plain(err)
		}
		if err := each(&object); err != nil {
			return err
		}
	}
	return plain(rows.Err())
}
