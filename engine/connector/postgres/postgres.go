package postgres

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"hash/maphash"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/muster-engine/muster/engine/attribute"
	"github.com/muster-engine/muster/engine/connector"
	"github.com/muster-engine/muster/engine/connector/secret"
)

// connectTimeout is the longest time for connecting.
const connectTimeout = 15 * time.Second

// overlap is how far the cursor of a reading lies before its beginning. So the next reading finds rows that were
// written before the reading and committed during it.
const overlap = 5 * time.Minute

type settings struct {
	Connection  string            `json:"connection"`
	Table       string            `json:"table"`
	Memberships []membership      `json:"memberships"`
	Groups      map[string]string `json:"groups"`
	Modified    string            `json:"modified"`
	// StableIdentityColumn has what identifies an account whatever its native identity is; "" for none.
	StableIdentityColumn string `json:"stableIdentityColumn"`
}

// membership is a table with the values of a multi-valued attribute.
type membership struct {
	Attribute string `json:"attribute"`
	Table     string `json:"table"`
	Account   string `json:"account"` // the column with the native identity
	Value     string `json:"value"`   // the column with the value
}

// New makes the connector of a source whose accounts are the rows of a table. It is a [connector.Factory]. It needs an
// account schema, which says what columns to read.
func New(_ context.Context, config connector.Config) (connector.Connector, error) {
	t := &tables{schemas: config.Schemas, account: connector.AccountSchema(config.Schemas)}
	if err := json.Unmarshal(config.Attributes, &t.settings); err != nil {
		return nil, fmt.Errorf("connectorAttributes: %w", err)
	}
	s := &t.settings
	switch {
	case s.Connection == "" || s.Table == "":
		return nil, errors.New("connectorAttributes: connection, a reference to a URL, and table are expected")
	case t.account == nil || t.account.IdentityAttribute == "" || len(t.account.Attributes) == 0:
		return nil, errors.New("the source needs an account schema with an identityAttribute and attributes, " +
			"which are the columns of the table")
	}
	if _, _, err := secret.Parse(s.Connection); err != nil {
		return nil, fmt.Errorf("connectorAttributes.connection: %w", err)
	}
	for i, m := range s.Memberships {
		a := t.account.Attribute(m.Attribute)
		if a == nil || !a.IsMulti || m.Table == "" || m.Account == "" || m.Value == "" {
			return nil, fmt.Errorf("connectorAttributes.memberships[%d]: a multi-valued attribute of the account "+
				"schema, a table, and the columns account and value are expected", i)
		}
	}
	url, err := config.Secret(s.Connection)
	if err != nil {
		return nil, err
	}
	if t.config, err = pgx.ParseConfig(url); err != nil {
		return nil, errors.New("connectorAttributes.connection does not refer to the URL of a PostgreSQL database")
	}
	t.config.ConnectTimeout = connectTimeout
	return t, nil
}

// tables is the connector.
type tables struct {
	settings settings
	schemas  []connector.Schema
	account  *connector.Schema
	config   *pgx.ConnConfig
	conn     *pgx.Conn
	notes    []string          // on the last reading
	types    map[string]string // of the columns of the accounts' table, after the first query for them
}

// connected returns the connection. It connects on first use, and again if the connection was lost.
func (t *tables) connected(ctx context.Context) (*pgx.Conn, error) {
	if t.conn != nil && !t.conn.IsClosed() {
		return t.conn, nil
	}
	conn, err := pgx.ConnectConfig(ctx, t.config)
	if err != nil {
		return nil, plain(err)
	}
	t.conn = conn
	return conn, nil
}

// Close implements [connector.Connector].
func (t *tables) Close() error {
	if t.conn == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), connectTimeout)
	defer cancel()
	return t.conn.Close(ctx)
}

// plain replaces a database's message, which may contain values. Errors of the data are permanent.
func plain(err error) error {
	var pgErr *pgconn.PgError
	switch {
	case err == nil, connector.IsPermanent(err), errors.Is(err, context.Canceled),
		errors.Is(err, context.DeadlineExceeded):
		return err
	case !errors.As(err, &pgErr):
		var connect *pgconn.ConnectError
		var scan pgx.ScanArgError
		switch {
		case errors.As(err, &connect):
			return errors.New("the database cannot be reached")
		case errors.As(err, &scan):
			return fmt.Errorf("the value of the column %d of the query cannot be read", scan.ColumnIndex+1)
		}
		return err
	}
	text := "the database refused it with SQLSTATE " + pgErr.Code
	if pgErr.ConstraintName != "" {
		text += " by the constraint " + pgErr.ConstraintName
	}
	if pgErr.ColumnName != "" {
		text += " for the column " + pgErr.ColumnName
	}
	switch pgErr.Code[:2] {
	case "22", "23", "42", "44":
		return connector.Permanent(errors.New(text))
	}
	return errors.New(text)
}

// quoted returns the name of a table, which may be qualified, in SQL.
func quoted(table string) string { return pgx.Identifier(strings.Split(table, ".")).Sanitize() }

func column(name string) string { return pgx.Identifier{name}.Sanitize() }

func (t *tables) membership(name string) *membership {
	for i := range t.settings.Memberships {
		if t.settings.Memberships[i].Attribute == name {
			return &t.settings.Memberships[i]
		}
	}
	return nil
}

// expression returns the SQL expression for an attribute. The accounts' table has the alias a.
func (t *tables) expression(a *connector.SchemaAttribute) string {
	if m := t.membership(a.Name); m != nil {
		return fmt.Sprintf(`ARRAY(SELECT m.%s::text FROM %s m WHERE m.%s::text = a.%s::text ORDER BY 1)`,
			column(m.Value), quoted(m.Table), column(m.Account), column(t.account.IdentityAttribute))
	}
	if a.IsMulti {
		return "a." + column(a.Name) + "::text[]"
	}
	return "a." + column(a.Name) + "::text"
}

// selection returns the select list for accounts: the native identity, the stable one, and the attributes in their
// order.
func (t *tables) selection() string {
	list := []string{"a." + column(t.account.IdentityAttribute) + "::text", "NULL::text"}
	if name := t.settings.StableIdentityColumn; name != "" {
		list[1] = "a." + column(name) + "::text"
	}
	for _, a := range t.readable() {
		list = append(list, t.expression(a))
	}
	return strings.Join(list, ", ")
}

// readable returns the attributes that are read: all but those that hold passwords or binary data.
func (t *tables) readable() []*connector.SchemaAttribute {
	var attributes []*connector.SchemaAttribute
	for i := range t.account.Attributes {
		if a := &t.account.Attributes[i]; !connector.HoldsPassword(a.Name) && !isBinary(t.types[a.Name]) {
			attributes = append(attributes, a)
		}
	}
	return attributes
}

// isBinary reports whether the values of a type are no text.
func isBinary(typ string) bool { return strings.TrimSuffix(typ, "[]") == "bytea" }

// Notes implements [connector.Noter].
func (t *tables) Notes() []string { return t.notes }

// loadTypes reads the types of the columns of the accounts' table, once. Where that fails nothing is kept: without
// types the statements of later operations would be wrong, and be taken for refused.
func (t *tables) loadTypes(ctx context.Context, conn *pgx.Conn) error {
	if t.types != nil {
		return nil
	}
	types, _, err := columnTypes(ctx, conn, t.settings.Table)
	if err != nil {
		return err
	}
	t.types = types
	return nil
}

// Test implements [connector.Connector].
func (t *tables) Test(ctx context.Context) error {
	conn, err := t.connected(ctx)
	if err != nil {
		return err
	}
	_, err = conn.Exec(ctx, `SELECT `+t.selection()+` FROM `+quoted(t.settings.Table)+` a LIMIT 1`)
	if err != nil {
		return plain(err)
	}
	for _, table := range t.settings.Groups {
		if _, err := conn.Exec(ctx, `SELECT FROM `+quoted(table)+` LIMIT 1`); err != nil {
			return plain(err)
		}
	}
	return nil
}

// columnTypes returns the types of the columns of a table, and their names in order.
func columnTypes(ctx context.Context, conn *pgx.Conn, table string) (types map[string]string, names []string,
	err error,
) {
	rows, err := conn.Query(ctx, `
		SELECT attname::text, format_type(atttypid, atttypmod)
		FROM pg_attribute
		WHERE attrelid = $1::text::regclass AND attnum > 0 AND NOT attisdropped
		ORDER BY attnum`, quoted(table))
	if err != nil {
		return nil, nil, plain(err)
	}
	types = map[string]string{}
	var name, typ string
	_, err = pgx.ForEachRow(rows, []any{&name, &typ}, func() error {
		types[name] = typ
		names = append(names, name)
		return nil
	})
	if err != nil {
		return nil, nil, plain(err)
	}
	return types, names, nil
}

// Discover implements [connector.Connector].
func (t *tables) Discover(ctx context.Context) ([]connector.Schema, error) {
	conn, err := t.connected(ctx)
	if err != nil {
		return nil, err
	}
	discover := func(name, table, identity string) (connector.Schema, error) {
		schema := connector.Schema{Name: name, IdentityAttribute: identity}
		types, names, err := columnTypes(ctx, conn, table)
		for _, column := range names {
			if connector.HoldsPassword(column) || isBinary(types[column]) {
				continue
			}
			a := connector.SchemaAttribute{Name: column, Type: "STRING"}
			base, isMulti := strings.CutSuffix(types[column], "[]")
			a.IsMulti = isMulti
			switch {
			case base == "boolean":
				a.Type = "BOOLEAN"
			case slices.Contains([]string{"smallint", "integer", "bigint"}, base):
				a.Type = "LONG"
			}
			schema.Attributes = append(schema.Attributes, a)
		}
		if identity == "" && len(names) > 0 {
			schema.IdentityAttribute = names[0]
		}
		return schema, err
	}
	account, err := discover(connector.AccountObject, t.settings.Table, t.account.IdentityAttribute)
	if err != nil {
		return nil, err
	}
	account.StableIdentityAttribute = t.settings.StableIdentityColumn
	for _, m := range t.settings.Memberships {
		if account.Attribute(m.Attribute) == nil {
			account.Attributes = append(account.Attributes, connector.SchemaAttribute{Name: m.Attribute, Type: "STRING",
				IsMulti: true, IsEntitlement: true})
		}
	}
	schemas := []connector.Schema{account}
	for name, table := range t.settings.Groups {
		schema, err := discover(name, table, t.groupKey(name))
		if err != nil {
			return nil, err
		}
		schemas = append(schemas, schema)
	}
	return schemas, nil
}

func (t *tables) schema(name string) *connector.Schema {
	for i := range t.schemas {
		if t.schemas[i].Name == name {
			return &t.schemas[i]
		}
	}
	return nil
}

func (t *tables) groupKey(name string) string {
	if schema := t.schema(name); schema != nil {
		return schema.IdentityAttribute
	}
	return ""
}

// Read implements [connector.Connector]. The cursor is a time: if the table has a column with the time of a row's last
// change, Read can select the later rows. Only a whole reading finds deleted rows.
func (t *tables) Read(ctx context.Context, since string, each func(*connector.Object) error) (string, error) {
	if since != "" && t.settings.Modified == "" {
		return "", connector.ErrNoChanges
	}
	conn, err := t.connected(ctx)
	if err != nil {
		return "", err
	}
	t.types, t.notes = nil, nil // the table may have changed
	if err := t.loadTypes(ctx, conn); err != nil {
		return "", err
	}
	for i := range t.account.Attributes {
		if name := t.account.Attributes[i].Name; isBinary(t.types[name]) {
			t.notes = append(t.notes, fmt.Sprintf("the column %q holds binary data: it is not read", name))
		}
	}
	cursor := ""
	err = pgx.BeginTxFunc(ctx, conn, pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly},
		func(tx pgx.Tx) error {
			if t.settings.Modified != "" {
				if err := tx.QueryRow(ctx, `SELECT (clock_timestamp() - $1::interval)::text`, overlap).Scan(
					&cursor); err != nil {
					return err
				}
			}
			if err := t.readGroups(ctx, tx, each); err != nil {
				return err
			}
			return t.readAccounts(ctx, tx, since, each)
		})
	if err != nil {
		return "", plain(err)
	}
	return cursor, nil
}

func (t *tables) readAccounts(ctx context.Context, tx pgx.Tx, since string, each func(*connector.Object) error) error {
	query := `SELECT ` + t.selection() + ` FROM ` + quoted(t.settings.Table) + ` a`
	arguments := []any{}
	if since != "" {
		query += ` WHERE a.` + column(t.settings.Modified) + ` >= $1::text::timestamptz`
		arguments = append(arguments, since)
	}
	rows, err := tx.Query(ctx, query, arguments...)
	if err != nil {
		return err
	}
	defer rows.Close()
	var object connector.Object
	seed, seen := maphash.MakeSeed(), map[uint64]struct{}{}
	for rows.Next() {
		if err := t.scan(rows, &object); err != nil {
			return err
		}
		before := len(seen)
		if seen[maphash.String(seed, object.NativeIdentity)] = struct{}{}; len(seen) == before &&
			object.NativeIdentity != "" {
			// Which of the rows came first would decide, and that may be another one each time.
			return fmt.Errorf("two rows have the same value of the column %q, which must be unique: nothing was read",
				t.account.IdentityAttribute)
		}
		if err := each(&object); err != nil {
			return err
		}
	}
	return rows.Err()
}

// scan fills object with the account of a row.
func (t *tables) scan(row pgx.Row, object *connector.Object) error {
	attributes := object.Attributes
	attributes.Reset()
	*object = connector.Object{}
	var native, stable *string
	targets := []any{&native, &stable}
	attributesRead := t.readable()
	for _, a := range attributesRead {
		if a.IsMulti {
			targets = append(targets, &[]*string{})
		} else {
			targets = append(targets, new(*string))
		}
	}
	if err := row.Scan(targets...); err != nil {
		return err
	}
	if native == nil {
		object.Fault = "the row has no native identity"
		return nil
	}
	object.NativeIdentity = *native
	if stable != nil {
		object.StableIdentity = *stable
	}
	for i, a := range attributesRead {
		value, err := scanned(a, targets[i+2])
		if err != nil {
			object.Fault = fmt.Sprintf("column %q: %v", a.Name, err)
			return nil
		}
		if !value.IsNull() {
			attributes.Put(a.Name, value)
		}
		if a.Name == t.account.DisplayAttribute {
			object.Name = value.Text()
		}
	}
	object.Attributes = attributes
	return nil
}

// scanned returns the value of a column that was read as text.
func scanned(a *connector.SchemaAttribute, target any) (attribute.Value, error) {
	if list, isMulti := target.(*[]*string); isMulti {
		var values []string
		for _, text := range *list {
			if text != nil && *text != "" {
				values = append(values, *text)
			}
		}
		if values == nil {
			return attribute.Null, nil
		}
		return attribute.List(values), nil
	}
	text, _ := target.(**string)
	if *text == nil {
		return attribute.Null, nil
	}
	return connector.ParseValue(a.Type, **text)
}

func (t *tables) readGroups(ctx context.Context, tx pgx.Tx, each func(*connector.Object) error) error {
	for name, table := range t.settings.Groups {
		key, label := t.groupKey(name), ""
		if schema := t.schema(name); schema != nil {
			label = schema.DisplayAttribute
		}
		if key == "" {
			return connector.Permanent(fmt.Errorf("the schema %q has no identityAttribute", name))
		}
		if label == "" {
			label = key
		}
		rows, err := tx.Query(ctx, `SELECT `+column(key)+`::text, coalesce(`+column(label)+`::text, '') FROM `+
			quoted(table)+` WHERE `+column(key)+` IS NOT NULL`)
		if err != nil {
			return err
		}
		object := connector.Object{Type: name}
		if _, err := pgx.ForEachRow(rows, []any{&object.NativeIdentity, &object.Name}, func() error {
			return each(&object)
		}); err != nil {
			return err
		}
	}
	return nil
}
