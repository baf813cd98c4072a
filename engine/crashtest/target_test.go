//go:build crash

package crashtest

import (
	"bytes"
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"os"
	"slices"

	ldap "github.com/go-ldap/ldap/v3"
	"github.com/jackc/pgx/v5"
)

// changedTargets are the targets whose accounts are changed behind the back of the engine.
var changedTargets = []string{"Files", "Database", "Directory"}

// What becomes of an account at its target.
const (
	changeName     = "rename"
	changePlace    = "move" // to another unit of the directory, with its name
	changeDelete   = "delete"
	changeRecreate = "create again" // with the name that it had, and without its groups
)

var changeKinds = []string{changeName, changePlace, changeDelete, changeRecreate}

// change is what becomes of the account of a person at a target. Somebody who has no account there is left alone.
type change struct{ target, kind, person, name string }

// fileColumns are the columns of the file.
var fileColumns = []string{"login", "emp", "full", "mail", "status", "groups"}

// changeTarget changes an account as the people of its target do.
func (r *run) changeTarget(ctx context.Context, c *change) error {
	switch c.target {
	case "Files":
		return r.changeFile(c)
	case "Database":
		return r.changeTable(ctx, c)
	case "Directory":
		return r.directory.change(c)
	}
	return fmt.Errorf("nobody changes %s", c.target)
}

func (r *run) changeFile(c *change) error {
	text, err := os.ReadFile(r.targetFile())
	if err != nil {
		return err
	}
	rows, err := csv.NewReader(bytes.NewReader(text)).ReadAll()
	if err != nil {
		return err
	}
	at := slices.IndexFunc(rows, func(row []string) bool { return row[1] == c.person })
	if at < 0 {
		return nil
	}
	switch c.kind {
	case changeName:
		rows[at][0] = c.name
	case changeDelete:
		rows = slices.Delete(rows, at, at+1)
	case changeRecreate:
		rows[at][4], rows[at][5] = "active", ""
	}
	file := round{files: map[string][]byte{r.targetFile(): table(rows)}}
	return file.write()
}

// databaseTables are the tables of the target that is a database. An account has an ID that stays when it is renamed.
const databaseTables = `
	CREATE TABLE users (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, login text NOT NULL UNIQUE, emp text,
		"full" text, mail text, status text);
	CREATE TABLE user_groups (login text NOT NULL REFERENCES users (login) ON UPDATE CASCADE, name text NOT NULL,
		PRIMARY KEY (login, name))`

func (r *run) changeTable(ctx context.Context, c *change) error {
	conn, err := pgx.Connect(ctx, r.databaseURL())
	if err != nil {
		return err
	}
	err = pgx.BeginFunc(ctx, conn, func(tx pgx.Tx) error {
		if c.kind == changeName {
			_, err := tx.Exec(ctx, `UPDATE users SET login = $2 WHERE emp = $1`, c.person, c.name)
			return err
		}
		if _, err := tx.Exec(ctx, `DELETE FROM user_groups WHERE login = (SELECT login FROM users WHERE emp = $1)`,
			c.person); err != nil {
			return err
		}
		statement := `DELETE FROM users WHERE emp = $1`
		if c.kind == changeRecreate {
			if _, err := tx.Exec(ctx, `CREATE TEMP TABLE former ON COMMIT DROP AS SELECT * FROM users WHERE emp = $1`,
				c.person); err != nil {
				return err
			}
			if _, err := tx.Exec(ctx, `DELETE FROM users WHERE emp = $1`, c.person); err != nil {
				return err
			}
			statement = `INSERT INTO users (login, emp, "full", mail, status)
				SELECT login, emp, "full", mail, 'active' FROM former WHERE emp = $1`
		}
		_, err := tx.Exec(ctx, statement, c.person)
		return err
	})
	return errors.Join(err, conn.Close(ctx))
}

// change changes an entry. Groups follow, as in a directory that keeps its references.
func (d *directory) change(c *change) error {
	return d.as(func(conn *ldap.Conn) error {
		found, err := conn.Search(ldap.NewSearchRequest(peopleBase, ldap.ScopeWholeSubtree, ldap.NeverDerefAliases, 0, 0,
			false, "(employeeNumber="+c.person+")", []string{"*"}, nil))
		if err != nil || len(found.Entries) == 0 {
			return err
		}
		entry := found.Entries[0]
		after := ""
		switch c.kind {
		case changeName:
			parsed, err := ldap.ParseDN(entry.DN)
			if err != nil {
				return err
			}
			parent := ldap.DN{RDNs: parsed.RDNs[1:]}
			after = "uid=" + c.name + "," + parent.String()
			err = conn.ModifyDN(ldap.NewModifyDNRequest(entry.DN, "uid="+c.name, true, ""))
			if err != nil {
				return err
			}
		case changePlace:
			rdn := "uid=" + entry.GetAttributeValue("uid")
			parent := fieldBase
			if entry.DN == rdn+","+fieldBase {
				parent = peopleBase
			}
			after = rdn + "," + parent
			if err := conn.ModifyDN(ldap.NewModifyDNRequest(entry.DN, rdn, true, parent)); err != nil {
				return err
			}
		default:
			if err := conn.Del(ldap.NewDelRequest(entry.DN, nil)); err != nil {
				return err
			}
		}
		if err := d.refer(conn, entry.DN, after); err != nil || c.kind != changeRecreate {
			return err
		}
		again := ldap.NewAddRequest(entry.DN, nil)
		for _, a := range entry.Attributes {
			values := a.Values
			if a.Name == "employeeType" {
				values = []string{"active"}
			}
			again.Attribute(a.Name, values)
		}
		return conn.Add(again)
	})
}

// refer puts another name of an entry into the groups that have one, and takes it out for "".
func (d *directory) refer(conn *ldap.Conn, from, to string) error {
	groups, err := conn.Search(ldap.NewSearchRequest(groupsBase, ldap.ScopeSingleLevel, ldap.NeverDerefAliases, 0, 0, false,
		"(member="+ldap.EscapeFilter(from)+")", []string{"1.1"}, nil))
	if err != nil {
		return err
	}
	for _, group := range groups.Entries {
		request := ldap.NewModifyRequest(group.DN, nil)
		request.Delete("member", []string{from})
		if to != "" {
			request.Add("member", []string{to})
		}
		if err := conn.Modify(request); err != nil {
			return err
		}
	}
	return nil
}

// holding is an account at a target with the groups that it has there.
type holding struct {
	person, name string
	groups       []string
}

// holdings reads what the accounts of the targets really hold, by the target.
func (r *run) holdings(ctx context.Context) (map[string][]holding, error) {
	list := map[string][]holding{}
	text, err := os.ReadFile(r.targetFile())
	if err != nil {
		return nil, err
	}
	rows, err := csv.NewReader(bytes.NewReader(text)).ReadAll()
	if err != nil {
		return nil, err
	}
	for _, row := range rows[1:] {
		h := holding{person: row[1], name: row[0]}
		for group := range bytes.SplitSeq([]byte(row[5]), []byte(";")) {
			if len(group) > 0 {
				h.groups = append(h.groups, string(group))
			}
		}
		list["Files"] = append(list["Files"], h)
	}
	b, err := r.ledger.load()
	if err != nil {
		return nil, err
	}
	for _, native := range b.natives {
		account := b.accounts[native]
		list["Ledger"] = append(list["Ledger"], holding{account.Get("emp").Text(), native, account.Get("groups").Strings()})
	}
	if list["Directory"], err = r.directory.holdings(); err != nil {
		return nil, err
	}
	conn, err := pgx.Connect(ctx, r.databaseURL())
	if err != nil {
		return nil, err
	}
	found, err := conn.Query(ctx, `SELECT coalesce(emp, ''), login,
		ARRAY (SELECT g.name FROM user_groups g WHERE g.login = u.login) FROM users u`)
	if err == nil {
		list["Database"], err = pgx.CollectRows(found, func(row pgx.CollectableRow) (h holding, err error) {
			return h, row.Scan(&h.person, &h.name, &h.groups)
		})
	}
	return list, errors.Join(err, conn.Close(ctx))
}

// holdings reads the entries, and the members of groups that are no entries any more: these have a name and no person.
func (d *directory) holdings() (list []holding, err error) {
	err = d.as(func(conn *ldap.Conn) error {
		people, err := conn.Search(ldap.NewSearchRequest(peopleBase, ldap.ScopeWholeSubtree, ldap.NeverDerefAliases, 0, 0,
			false, "(objectClass=inetOrgPerson)", []string{"employeeNumber"}, nil))
		if err != nil {
			return err
		}
		groups, err := conn.Search(ldap.NewSearchRequest(groupsBase, ldap.ScopeSingleLevel, ldap.NeverDerefAliases, 0, 0,
			false, "(objectClass=groupOfNames)", []string{"member"}, nil))
		if err != nil {
			return err
		}
		members := map[string][]string{}
		for _, group := range groups.Entries {
			for _, member := range group.GetAttributeValues("member") {
				if member != nobody {
					members[member] = append(members[member], group.DN)
				}
			}
		}
		for _, entry := range people.Entries {
			list = append(list, holding{entry.GetAttributeValue("employeeNumber"), entry.DN, members[entry.DN]})
			delete(members, entry.DN)
		}
		for name, of := range members {
			list = append(list, holding{"", name, of})
		}
		return nil
	})
	return list, err
}
