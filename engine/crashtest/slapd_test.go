//go:build crash

package crashtest

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	ldap "github.com/go-ldap/ldap/v3"

	"github.com/muster-engine/muster/store/storetest"
)

// The names in the directory.
const (
	directorySuffix   = "dc=example,dc=com"
	directoryAdmin    = "cn=admin," + directorySuffix
	directoryPassword = "s3cret"
	peopleBase        = "ou=people," + directorySuffix
	fieldBase         = "ou=field," + peopleBase
	groupsBase        = "ou=groups," + directorySuffix
	nobody            = "cn=nobody," + directorySuffix
)

// groupDN returns the DN of a group.
func groupDN(name string) string { return "cn=" + name + "," + groupsBase }

// directory is a real slapd of a run. It is not disturbed, but by those who are disturbed while they write to it.
type directory struct{ url string }

// startDirectory starts a directory with its groups and without people, and ends it with the test.
func startDirectory(t *testing.T) *directory {
	t.Helper()
	program, err := exec.LookPath("slapd")
	if err != nil {
		program = "/usr/sbin/slapd" // which is in nobody's path but root's
	}
	folder := storetest.DataDir(t)
	data, config := filepath.Join(folder, "data"), filepath.Join(folder, "slapd.conf")
	if err := errors.Join(os.Mkdir(data, 0o700), os.WriteFile(config, []byte(slapdConfig(data)), 0o600)); err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	d := &directory{"ldap://" + listener.Addr().String()}
	if err := listener.Close(); err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	server := exec.Command(program, "-f", config, "-h", d.url, "-d", "0")
	server.Stdout, server.Stderr = &log, &log
	if err := server.Start(); err != nil {
		t.Fatalf("%v: make crash installs slapd", err)
	}
	t.Cleanup(func() {
		_ = server.Process.Kill()
		_ = server.Wait()
	})
	for attempt := 1; ; attempt++ {
		if err = d.as(d.fill); err == nil {
			return d
		}
		if attempt == 400 {
			t.Fatalf("slapd does not answer: %v\n%s", err, &log)
		}
		time.Sleep(25 * time.Millisecond)
	}
}

func slapdConfig(data string) string {
	schemas, modules := "/etc/ldap/schema", "/usr/lib/ldap"
	if _, err := os.Stat(schemas); err != nil {
		schemas = "/etc/openldap/schema"
	}
	var b strings.Builder
	for _, name := range []string{"core", "cosine", "inetorgperson"} {
		fmt.Fprintf(&b, "include %s/%s.schema\n", schemas, name)
	}
	if _, err := os.Stat(modules); err == nil {
		fmt.Fprintf(&b, "modulepath %s\nmoduleload back_mdb\n", modules)
	}
	fmt.Fprintf(&b, "database mdb\nmaxsize 104857600\nsuffix %q\nrootdn %q\nrootpw %q\ndirectory %s\n"+
		"index objectClass,uid,member,entryUUID,employeeNumber eq\n", directorySuffix, directoryAdmin, directoryPassword, data)
	return b.String()
}

// as does something as the directory's administrator.
func (d *directory) as(do func(conn *ldap.Conn) error) error {
	conn, err := ldap.DialURL(d.url)
	if err != nil {
		return err
	}
	if err = conn.Bind(directoryAdmin, directoryPassword); err == nil {
		err = do(conn)
	}
	return errors.Join(err, conn.Close())
}

func (d *directory) fill(conn *ldap.Conn) error {
	type values = map[string][]string
	unit := func(name string) values { return values{"objectClass": {"organizationalUnit"}, "ou": {name}} }
	entries := []struct {
		dn         string
		attributes values
	}{
		{directorySuffix, values{"objectClass": {"dcObject", "organization"}, "dc": {"example"}, "o": {"Example"}}},
		{peopleBase, unit("people")}, {fieldBase, unit("field")}, {groupsBase, unit("groups")},
	}
	names := []string{mailGroup, "forecast", "duty"}
	for _, department := range departments {
		names = append(names, strings.ToLower(department))
	}
	for _, name := range names {
		entries = append(entries, struct {
			dn         string
			attributes values
		}{groupDN(name), values{"objectClass": {"groupOfNames"}, "cn": {name}, "member": {nobody}}})
	}
	for _, entry := range entries {
		request := ldap.NewAddRequest(entry.dn, nil)
		for name, of := range entry.attributes {
			request.Attribute(name, of)
		}
		if err := conn.Add(request); err != nil {
			return fmt.Errorf("%s: %w", entry.dn, err)
		}
	}
	return nil
}
