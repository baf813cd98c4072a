package postgres

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/muster-engine/muster/engine/attribute"
	"github.com/muster-engine/muster/engine/connector"
)

// uniqueViolation is the SQLSTATE of a value that another row has.
const uniqueViolation = "23505"

// Apply implements [connector.Connector].
func (t *tables) Apply(ctx context.Context, operation *connector.Operation) (connector.Result, error) {
	if operation.Kind == connector.SetPassword || operation.Password != "" {
		return connector.Result{}, connector.Permanent(errors.New("passwords are not written into tables"))
	}
	if _, err := connector.ParseKind(string(operation.Kind)); err != nil {
		return connector.Result{}, connector.Unsupported(operation.Kind)
	}
	if err := connector.RefusePasswords(operation); err != nil {
		return connector.Result{}, err
	}
	conn, err := t.connected(ctx)
	if err != nil {
		return connector.Result{}, err
	}
	if err := t.loadTypes(ctx, conn); err != nil {
		return connector.Result{}, err
	}
	result := connector.Result{NativeIdentity: operation.NativeIdentity}
	err = pgx.BeginFunc(ctx, conn, func(tx pgx.Tx) error {
		switch operation.Kind {
		case connector.Create:
			native, err := t.create(ctx, tx, operation)
			if err != nil {
				return err
			}
			result.NativeIdentity = native
			created, err := t.lock(ctx, tx, &connector.Operation{NativeIdentity: native})
			if err == nil && created != nil {
				result.StableIdentity = created.StableIdentity
			}
			return err
		case connector.Delete:
			return t.remove(ctx, tx, operation)
		case connector.SetAttributes, connector.AddValues, connector.RemoveValues, connector.Enable, connector.Disable,
			connector.Unlock:
			native, err := t.change(ctx, tx, operation)
			result.NativeIdentity = native
			return err
		}
		return connector.Unsupported(operation.Kind)
	})
	return result, plain(err)
}

// parameter returns a placeholder for a text, with a cast to the type of a column.
func (t *tables) parameter(name string, number int) string {
	typ := t.types[name]
	if strings.HasSuffix(typ, "[]") {
		return fmt.Sprintf("$%d::text[]::%s", number, typ)
	}
	return fmt.Sprintf("$%d::text::%s", number, typ)
}

// argument returns the argument of [tables.parameter].
func argument(a *connector.SchemaAttribute, value attribute.Value) (any, error) {
	switch {
	case value.IsNull():
		return nil, nil
	case a.IsMulti:
		return value.Strings(), nil
	case value.Len() > 1:
		return nil, connector.Permanent(fmt.Errorf("the column %q holds one value only", a.Name))
	}
	return value.Strings()[0], nil
}

func (t *tables) create(ctx context.Context, tx pgx.Tx, o *connector.Operation) (string, error) {
	attributes := o.Attributes.Clone()
	identity := t.account.IdentityAttribute
	if o.NativeIdentity != "" {
		attributes.Put(identity, attribute.String(o.NativeIdentity))
	}
	var columns, parameters []string
	var arguments []any
	for name, value := range attributes.All() {
		if t.membership(name) != nil {
			continue
		}
		a, err := t.known(name)
		if err != nil {
			return "", err
		}
		given, err := argument(a, value)
		if err != nil {
			return "", err
		}
		arguments, columns = append(arguments, given), append(columns, column(name))
		parameters = append(parameters, t.parameter(name, len(arguments)))
	}
	if len(columns) == 0 {
		return "", connector.Permanent(errors.New("the new account has no attributes"))
	}
	var native string
	err := tx.QueryRow(ctx, `INSERT INTO `+quoted(t.settings.Table)+` (`+strings.Join(columns, ", ")+`) VALUES (`+
		strings.Join(parameters, ", ")+`) ON CONFLICT DO NOTHING RETURNING `+column(identity)+`::text`,
		arguments...).Scan(&native)
	if errors.Is(err, pgx.ErrNoRows) {
		native = attributes.Get(identity).Text()
		return native, t.same(ctx, tx, native, &attributes, o.Volatile)
	}
	if err != nil {
		return "", err
	}
	for name, value := range attributes.All() {
		if m := t.membership(name); m != nil {
			if err := t.add(ctx, tx, m, native, value.Strings()); err != nil {
				return "", err
			}
		}
	}
	return native, nil
}

// same returns an error if the native identity belongs to another account, one with other attributes. An account with
// the same attributes was created by an earlier attempt.
func (t *tables) same(ctx context.Context, tx pgx.Tx, native string, attributes *attribute.Set,
	volatile []string,
) error {
	object, err := t.lock(ctx, tx, &connector.Operation{NativeIdentity: native})
	if err != nil {
		return err
	}
	if object == nil {
		return connector.Permanent(errors.New("another row has a value that must be unique"))
	}
	for name, value := range attributes.All() {
		if !slices.Contains(volatile, name) && !connector.HoldsPassword(name) &&
			!slices.Equal(object.Attributes.Get(name).Strings(), value.Strings()) {
			return connector.ErrExists
		}
	}
	return nil
}

// known returns the attribute of that name if it is a column of the accounts' table.
func (t *tables) known(name string) (*connector.SchemaAttribute, error) {
	a := t.account.Attribute(name)
	if a == nil || t.types[name] == "" {
		return nil, connector.Permanent(fmt.Errorf("the table has no column %q that is an attribute of the schema",
			name))
	}
	return a, nil
}

func (t *tables) change(ctx context.Context, tx pgx.Tx, o *connector.Operation) (string, error) {
	object, err := t.lock(ctx, tx, o)
	if err != nil {
		return "", err
	}
	if object == nil {
		return "", connector.ErrNoAccount
	}
	native := object.NativeIdentity
	after := connector.Applied(&object.Attributes, o, t.account)
	for name, value := range o.Attributes.All() {
		if m := t.membership(name); m != nil {
			if err := t.changeValues(ctx, tx, m, o.Kind, native, value.Strings()); err != nil {
				return "", err
			}
			continue
		}
		a, err := t.known(name)
		if err != nil {
			return "", err
		}
		given, err := argument(a, after.Get(name))
		if err != nil {
			return "", err
		}
		identity := t.account.IdentityAttribute
		if name == identity && after.Get(name).Text() == "" {
			return "", connector.Nameless(name)
		}
		_, err = tx.Exec(ctx, `UPDATE `+quoted(t.settings.Table)+` SET `+column(name)+` = `+t.parameter(name, 2)+
			` WHERE `+column(identity)+` = `+t.parameter(identity, 1), native, given)
		var refused *pgconn.PgError
		if name == identity && errors.As(err, &refused) && refused.Code == uniqueViolation {
			return "", connector.ErrExists
		}
		if err != nil {
			return "", err
		}
		if name == identity {
			native = after.Get(name).Text()
		}
	}
	return native, nil
}

func (t *tables) changeValues(ctx context.Context, tx pgx.Tx, m *membership, kind connector.Kind, native string,
	values []string,
) error {
	switch kind {
	case connector.AddValues:
		return t.add(ctx, tx, m, native, values)
	case connector.RemoveValues:
		_, err := tx.Exec(ctx, `DELETE FROM `+quoted(m.Table)+` WHERE `+column(m.Account)+`::text = $1 AND `+
			column(m.Value)+`::text = ANY ($2::text[])`, native, values)
		return err
	}
	if _, err := tx.Exec(ctx, `DELETE FROM `+quoted(m.Table)+` WHERE `+column(m.Account)+`::text = $1`,
		native); err != nil {
		return err
	}
	return t.add(ctx, tx, m, native, values)
}

// add inserts the missing values of an account. The caller has locked the account's row, so no other process does the
// same.
func (t *tables) add(ctx context.Context, tx pgx.Tx, m *membership, native string, values []string) error {
	types, _, err := columnTypes(ctx, tx.Conn(), m.Table)
	if err != nil {
		return err
	}
	for _, value := range values {
		_, err := tx.Exec(ctx, fmt.Sprintf(`INSERT INTO %[1]s (%[2]s, %[3]s) SELECT $1::text::%[4]s, $2::text::%[5]s
			WHERE NOT EXISTS (SELECT FROM %[1]s WHERE %[2]s::text = $1 AND %[3]s::text = $2)`, quoted(m.Table),
			column(m.Account), column(m.Value), types[m.Account], types[m.Value]), native, value)
		if err != nil {
			return err
		}
	}
	return nil
}

func (t *tables) remove(ctx context.Context, tx pgx.Tx, o *connector.Operation) error {
	native := o.NativeIdentity
	if o.StableIdentity != "" {
		object, err := t.lock(ctx, tx, o)
		if err != nil || object == nil {
			return err // gone, whoever has its name
		}
		native = object.NativeIdentity
	}
	for _, m := range t.settings.Memberships {
		if _, err := tx.Exec(ctx, `DELETE FROM `+quoted(m.Table)+` WHERE `+column(m.Account)+`::text = $1`,
			native); err != nil {
			return err
		}
	}
	identity := t.account.IdentityAttribute
	_, err := tx.Exec(ctx, `DELETE FROM `+quoted(t.settings.Table)+` WHERE `+column(identity)+` = `+
		t.parameter(identity, 1), native)
	return err
}
