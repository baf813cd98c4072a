//go:build ldap

// These tests need the program slapd of OpenLDAP. "make test-ldap" runs them.

package ldap_test

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	goldap "github.com/go-ldap/ldap/v3"

	"github.com/muster-engine/muster/engine/attribute"
	"github.com/muster-engine/muster/engine/connector"
	"github.com/muster-engine/muster/engine/connector/connectortest"
	"github.com/muster-engine/muster/engine/connector/ldap"
)

const (
	suffix    = "dc=example,dc=com"
	people    = "ou=people," + suffix
	groups    = "ou=groups," + suffix
	nobody    = "cn=nobody," + suffix
	admin     = "cn=admin," + suffix
	adminPass = "s3cret admin"
)

// server is a directory that runs for one test.
type server struct {
	plain, secure string // URLs
	caFile        string
	port          string
	dir           string
	process       *exec.Cmd
	log           *bytes.Buffer
}

func freePort(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	_, port, err := net.SplitHostPort(listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	return port
}

// certificate writes a certificate for 127.0.0.1 and its key.
func certificate(t *testing.T, dir string) (certFile, keyFile string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour),
		NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	certFile, keyFile = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	for file, block := range map[string]*pem.Block{certFile: {Type: "CERTIFICATE", Bytes: der}, keyFile: {Type: "PRIVATE KEY", Bytes: keyDER}} {
		if err := os.WriteFile(file, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return certFile, keyFile
}

func start(t *testing.T) *server {
	t.Helper()
	return startLimited(t, "unlimited")
}

// startLimited starts a directory that gives nobody but the administrator more entries than that in one search, in all
// its pages together.
func startLimited(t *testing.T, entries string) *server {
	t.Helper()
	program, err := exec.LookPath("slapd")
	if err != nil {
		if program = "/usr/sbin/slapd"; !exists(program) {
			t.Fatal("slapd is not installed: apt-get install slapd")
		}
	}
	dir := t.TempDir()
	certFile, keyFile := certificate(t, dir)
	data := filepath.Join(dir, "data")
	if err := os.Mkdir(data, 0o700); err != nil {
		t.Fatal(err)
	}
	schemaDir := "/etc/ldap/schema"
	if !exists(schemaDir) {
		schemaDir = "/etc/openldap/schema"
	}
	var text strings.Builder
	for _, name := range []string{"core", "cosine", "inetorgperson"} {
		fmt.Fprintf(&text, "include %s/%s.schema\n", schemaDir, name)
	}
	if exists("/usr/lib/ldap") {
		text.WriteString("modulepath /usr/lib/ldap\nmoduleload back_mdb\n")
	}
	fmt.Fprintf(&text, "TLSCertificateFile %s\nTLSCertificateKeyFile %s\nsizelimit 100\n", certFile, keyFile)
	fmt.Fprintf(&text, "database mdb\nmaxsize 104857600\nsuffix %q\nrootdn %q\nrootpw %q\ndirectory %s\nlimits * size.prtotal=%s\n"+
		"index objectClass,uid,member eq\n", suffix, admin, adminPass, data, entries)
	config := filepath.Join(dir, "slapd.conf")
	if err := os.WriteFile(config, []byte(text.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	s := &server{port: freePort(t), caFile: certFile, dir: dir, log: &bytes.Buffer{}}
	secure := freePort(t)
	s.plain, s.secure = "ldap://127.0.0.1:"+s.port, "ldaps://127.0.0.1:"+secure
	s.run(t, program, config)
	s.fill(t)
	return s
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// run starts the program and waits until it answers.
func (s *server) run(t *testing.T, program, config string) {
	t.Helper()
	s.process = exec.Command(program, "-f", config, "-h", s.plain+" "+s.secure, "-d", "0")
	s.process.Stdout, s.process.Stderr = s.log, s.log
	if err := s.process.Start(); err != nil {
		t.Fatal(err)
	}
	process := s.process
	t.Cleanup(func() {
		_ = process.Process.Kill()
		_ = process.Wait()
	})
	for range 200 {
		if conn, err := goldap.DialURL(s.plain); err == nil {
			_ = conn.Close()
			return
		}
		time.Sleep(25 * time.Millisecond)
	}
	t.Fatalf("slapd does not answer: %s", s.log)
}

func (s *server) admin(t *testing.T) *goldap.Conn {
	t.Helper()
	conn, err := goldap.DialURL(s.plain)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	if err := conn.Bind(admin, adminPass); err != nil {
		t.Fatal(err)
	}
	return conn
}

// fill makes the tree, with three groups that have nobody in them.
func (s *server) fill(t *testing.T) {
	t.Helper()
	conn := s.admin(t)
	add := func(dn string, attributes map[string][]string) {
		t.Helper()
		request := goldap.NewAddRequest(dn, nil)
		for name, values := range attributes {
			request.Attribute(name, values)
		}
		if err := conn.Add(request); err != nil {
			t.Fatalf("%s: %v", dn, err)
		}
	}
	add(suffix, map[string][]string{"objectClass": {"dcObject", "organization"}, "dc": {"example"}, "o": {"Example"}})
	add(people, map[string][]string{"objectClass": {"organizationalUnit"}, "ou": {"people"}})
	add(groups, map[string][]string{"objectClass": {"organizationalUnit"}, "ou": {"groups"}})
	for _, name := range groupNames {
		add("cn="+goldap.EscapeDN(name)+","+groups, map[string][]string{"objectClass": {"groupOfNames"}, "cn": {name}, "member": {nobody}})
	}
}

var groupNames = []string{"Sales", "Söhne, Müller + Co", "all staff"}

func (s *server) attributes(more map[string]any) []byte {
	settings := map[string]any{"url": s.secure, "caFile": s.caFile, "bindDN": admin, "password": "env:ADMIN", "userBase": people,
		"groupBase": groups, "emptyMember": nobody, "pageSize": 7}
	for name, value := range more {
		settings[name] = value
	}
	text, err := json.Marshal(settings)
	if err != nil {
		panic(err)
	}
	return text
}

var schemas = []connector.Schema{{Name: "account", IdentityAttribute: "dn", DisplayAttribute: "cn", Attributes: []connector.SchemaAttribute{
	{Name: "dn"}, {Name: "uid"}, {Name: "cn"}, {Name: "sn"}, {Name: "mail", IsMulti: true}, {Name: "description"}, {Name: "employeeType"},
	{Name: "memberOf", IsMulti: true, IsEntitlement: true},
}}}

func (s *server) open(t *testing.T, more map[string]any) connector.Connector {
	t.Helper()
	c, err := ldap.New(t.Context(), connector.Config{Source: "Directory", Schemas: schemas, Attributes: s.attributes(more),
		Secret: func(string) (string, error) { return adminPass, nil }})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func set(values map[string]attribute.Value) attribute.Set { return attribute.SetOf(values) }

func person(uid string) attribute.Set {
	return set(map[string]attribute.Value{"uid": attribute.String(uid), "cn": attribute.String("Person " + uid),
		"sn": attribute.String("Person"), "employeeType": attribute.String("active")})
}

func TestConformance(t *testing.T) {
	s := start(t)
	var values [3]string
	for i, name := range groupNames {
		values[i] = "cn=" + goldap.EscapeDN(name) + "," + groups
	}
	connectortest.Run(t, &connectortest.Source{
		Open: func(t *testing.T) connector.Connector { t.Helper(); return s.open(t, nil) },
		Account: func(n int) (string, attribute.Set) {
			uid := fmt.Sprintf("Zoë, \"%d\" +#=", n)
			return "uid=" + goldap.EscapeDN(uid) + "," + people, person(uid)
		},
		Single: "description", Entitlement: "memberOf", Values: values,
		Enabled:   set(map[string]attribute.Value{"employeeType": attribute.String("active")}),
		Disabled:  set(map[string]attribute.Value{"employeeType": attribute.String("locked")}),
		Passwords: true, Many: 120, // more than the directory returns at once
	})
}

func apply(t *testing.T, c connector.Connector, kind connector.Kind, native string, values map[string]attribute.Value) string {
	t.Helper()
	result, err := c.Apply(t.Context(), &connector.Operation{Key: "k", Kind: kind, NativeIdentity: native, Attributes: set(values)})
	if err != nil {
		t.Fatalf("%s: %v", kind, err)
	}
	return result.NativeIdentity
}

// A renamed account keeps its groups, and the renaming may be tried again.
func TestRename(t *testing.T) {
	s := start(t)
	c := s.open(t, nil)
	defer c.Close()
	result, err := c.Apply(t.Context(), &connector.Operation{Key: "k", Kind: connector.Create, Attributes: person("ann"), Password: "first"})
	if err != nil || result.NativeIdentity != "uid=ann,"+people {
		t.Fatalf("got %+v, %v, want err == nil && result.NativeIdentity == \"uid=ann,\" + people", result, err)
	}
	stable := func() (identity string) {
		t.Helper()
		if _, err := c.Read(t.Context(), "", func(o *connector.Object) error {
			if o.Type == "" {
				identity = o.StableIdentity
			}
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		return identity
	}
	before := stable()
	group := "cn=Sales," + groups
	apply(t, c, connector.AddValues, result.NativeIdentity, map[string]attribute.Value{"memberOf": attribute.List([]string{group})})
	change := map[string]attribute.Value{"uid": attribute.String("ann, marie"), "description": attribute.String("renamed")}
	for range 2 {
		renamed := apply(t, c, connector.SetAttributes, result.NativeIdentity, change)
		if parsed, err := goldap.ParseDN(renamed); err != nil || parsed.RDNs[0].Attributes[0].Value != "ann, marie" {
			t.Errorf("it is named %q now", renamed)
		}
	}
	if after := stable(); len(before) != 36 || after != before {
		t.Errorf("the stable identity was %q and is %q", before, after)
	}
	if found, err := c.Discover(t.Context()); err != nil || connector.AccountSchema(found).StableIdentityAttribute != "entryUUID" {
		t.Errorf("discovered %+v, %v, want entryUUID", found, err)
	}
	count := 0
	if _, err := c.Read(t.Context(), "", func(o *connector.Object) error {
		if o.Type == "" {
			count++
			if o.Attributes.Get("memberOf").Text() != group || o.Attributes.Get("description").Text() != "renamed" || o.Name != "Person ann" {
				t.Errorf("got %+v, want o.Attributes.Get(\"memberOf\").Text() == group && o.Attributes.Get(\"description\").Text() == \"renamed\" && o.Name == \"Person ann\"", o)
			}
		}
		return nil
	}); err != nil || count != 1 {
		t.Errorf("%d accounts, %v", count, err)
	}
	// The password of the creation works, and so does a new one.
	sign := func(password string) error {
		conn, err := goldap.DialURL(s.plain)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		return conn.Bind(`uid=ann\, marie,`+people, password)
	}
	if err := sign("first"); err != nil {
		t.Error(err)
	}
	native := `uid=ann\, marie,` + people
	if _, err := c.Apply(t.Context(), &connector.Operation{Key: "p", Kind: connector.SetPassword, NativeIdentity: native, Password: "second"}); err != nil {
		t.Error(err)
	}
	if sign("first") == nil || sign("second") != nil {
		t.Error("the password was not set")
	}
	// Deleted, it is in no group any more.
	apply(t, c, connector.Delete, native, nil)
	found, err := s.admin(t).Search(goldap.NewSearchRequest(group, goldap.ScopeBaseObject, goldap.NeverDerefAliases, 0, 0, false,
		"(objectClass=*)", []string{"member"}, nil))
	if err != nil || strings.Join(found.Entries[0].GetAttributeValues("member"), "|") != nobody {
		t.Errorf("got %+v, %v, want err == nil && strings.Join(found.Entries[0].GetAttributeValues(\"member\"), \"|\") == nobody", found, err)
	}
}

// Entries are moved by somebody else, and the directory does not follow in its groups. Whatever is done to such an
// account next, its memberships come along: what is taken away is gone under both names.
func TestMovedBySomebodyElse(t *testing.T) {
	s := start(t)
	c := s.open(t, nil)
	defer c.Close()
	admin := s.admin(t)
	unit := goldap.NewAddRequest("ou=staff,"+people, nil)
	unit.Attribute("objectClass", []string{"organizationalUnit"})
	unit.Attribute("ou", []string{"staff"})
	if err := admin.Add(unit); err != nil {
		t.Fatal(err)
	}
	sales, all := "cn=Sales,"+groups, "cn=all staff,"+groups
	members := func(group string) string {
		t.Helper()
		found, err := admin.Search(goldap.NewSearchRequest(group, goldap.ScopeBaseObject, goldap.NeverDerefAliases, 0, 0, false,
			"(objectClass=*)", []string{"member"}, nil))
		if err != nil {
			t.Fatal(err)
		}
		names := slices.Sorted(slices.Values(found.Entries[0].GetAttributeValues("member")))
		return strings.ReplaceAll(strings.Join(slices.DeleteFunc(names, func(dn string) bool { return dn == nobody }), "|"), people, "P")
	}
	for _, test := range []struct {
		uid        string
		kind       connector.Kind
		group      string
		sales, all string
	}{
		{"ann", connector.RemoveValues, sales, "", ""},
		{"bob", connector.AddValues, all, "uid=bob,ou=staff,P", "uid=bob,ou=staff,P"},
		{"cy", connector.Delete, "", "uid=bob,ou=staff,P", "uid=bob,ou=staff,P"},
	} {
		native := "uid=" + test.uid + "," + people
		result, err := c.Apply(t.Context(), &connector.Operation{Key: "k", Kind: connector.Create, Attributes: person(test.uid)})
		if err != nil || result.StableIdentity == "" {
			t.Fatalf("got %+v, %v", result, err)
		}
		apply(t, c, connector.AddValues, native, map[string]attribute.Value{"memberOf": attribute.List([]string{sales})})
		if err := admin.ModifyDN(goldap.NewModifyDNRequest(native, "uid="+test.uid, false, "ou=staff,"+people)); err != nil {
			t.Fatal(err)
		}
		if _, err := c.Read(t.Context(), "", func(*connector.Object) error { return nil }); err != nil {
			t.Fatal(err)
		}
		if notes := strings.Join(c.(connector.Noter).Notes(), "|"); !strings.Contains(notes, "its former name still has the access (1 times)") {
			t.Errorf("%s was moved, and the notes are %s", test.uid, notes)
		}
		o := &connector.Operation{Key: "o", Kind: test.kind, NativeIdentity: native, StableIdentity: result.StableIdentity}
		if test.group != "" {
			o.Attributes = set(map[string]attribute.Value{"memberOf": attribute.List([]string{test.group})})
		}
		if _, err := c.Apply(t.Context(), o); err != nil {
			t.Fatal(err)
		}
		if got := members(sales); got != test.sales {
			t.Errorf("after %s of %s Sales has %q, want %q", test.kind, test.uid, got, test.sales)
		}
		if got := members(all); got != test.all {
			t.Errorf("after %s of %s all staff has %q, want %q", test.kind, test.uid, got, test.all)
		}
		if _, err := c.Read(t.Context(), "", func(*connector.Object) error { return nil }); err != nil {
			t.Fatal(err)
		}
		if notes := strings.Join(c.(connector.Noter).Notes(), "|"); strings.Contains(notes, "former name") {
			t.Errorf("after %s of %s the notes are %s", test.kind, test.uid, notes)
		}
	}
}

func TestConnections(t *testing.T) {
	s := start(t)
	for name, more := range map[string]map[string]any{
		"plain":     {"url": s.plain, "caFile": ""},
		"start TLS": {"url": s.plain, "startTLS": true},
		"TLS":       {},
	} {
		c := s.open(t, more)
		if err := c.Test(t.Context()); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		c.Close()
	}
	for name, test := range map[string]struct {
		more map[string]any
		want string
	}{
		"a certificate that nobody trusts": {map[string]any{"caFile": ""}, "cannot be asked"},
		"start TLS with such a one":        {map[string]any{"url": s.plain, "startTLS": true, "caFile": ""}, "cannot be asked"},
		"a wrong name":                     {map[string]any{"bindDN": "cn=nobody," + suffix}, "sign in to the directory"},
		"a base that is not there":         {map[string]any{"userBase": "ou=none," + suffix}, `the base "ou=none`},
		"a server that is not there":       {map[string]any{"url": "ldap://127.0.0.1:" + freePort(t)}, "cannot be asked"},
	} {
		c := s.open(t, test.more)
		err := c.Test(t.Context())
		if err == nil || !strings.Contains(err.Error(), test.want) || strings.Contains(err.Error(), adminPass) {
			t.Errorf("got %s: %v, want err != nil && strings.Contains(err.Error(), test.want) && !strings.Contains(err.Error(), adminPass)", name, err)
		}
		c.Close()
	}
	c := s.open(t, nil)
	defer c.Close()
	schemas, err := c.Discover(t.Context())
	if err != nil || len(schemas) != 2 {
		t.Fatalf("got %+v and the error %v, want 2 of them", schemas, err)
	}
	if a := schemas[0].Attribute("employeeNumber"); a == nil || a.IsMulti {
		t.Errorf("employeeNumber is %+v", a)
	}
	if a := schemas[0].Attribute("memberOf"); a == nil || !a.IsMulti || !a.IsEntitlement {
		t.Errorf("memberOf is %+v", a)
	}
}

// A connection that was lost is made again.
func TestServerRestarts(t *testing.T) {
	s := start(t)
	c := s.open(t, nil)
	defer c.Close()
	apply(t, c, connector.Create, "", map[string]attribute.Value{"uid": attribute.String("u"), "cn": attribute.String("U"), "sn": attribute.String("U")})
	if err := s.process.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = s.process.Wait()
	operation := &connector.Operation{Key: "k", Kind: connector.SetAttributes, NativeIdentity: "uid=u," + people,
		Attributes: set(map[string]attribute.Value{"description": attribute.String("x")})}
	if _, err := c.Apply(context.Background(), operation); err == nil || connector.IsPermanent(err) {
		t.Errorf("a server that is away: %v", err)
	}
	s.run(t, s.process.Path, filepath.Join(s.dir, "slapd.conf"))
	for range 2 { // the first may find that the connection is lost
		if _, err := c.Apply(t.Context(), operation); err == nil {
			return
		}
	}
	t.Error("the connection is not made again")
}

// The attribute that names an entry is changed by renaming, whatever the name has in it, and cannot be taken away.
func TestNamingAttribute(t *testing.T) {
	s := start(t)
	c := s.open(t, nil)
	defer c.Close()
	create := func(native, uid string) {
		t.Helper()
		if _, err := c.Apply(t.Context(), &connector.Operation{Key: "k", Kind: connector.Create, NativeIdentity: native,
			Attributes: person(uid)}); err != nil {
			t.Fatal(err)
		}
	}
	write := func(native string, values map[string]attribute.Value) (string, error) {
		result, err := c.Apply(t.Context(), &connector.Operation{Key: "k", Kind: connector.SetAttributes, NativeIdentity: native,
			Attributes: set(values)})
		return result.NativeIdentity, err
	}
	native := "uid=bea," + people
	create("", "bea")
	for _, gone := range []attribute.Value{attribute.Null, attribute.String("")} {
		_, err := write(native, map[string]attribute.Value{"uid": gone, "description": attribute.String("lost")})
		if err == nil || !connector.IsPermanent(err) || !strings.Contains(err.Error(), `"uid" names the account`) {
			t.Errorf("the naming attribute becomes null: %v, want a permanent error", err)
		}
	}
	for _, name := range []string{"Bea", "böse, \"x\" + y = #z", " blank ", "#hash", "日本", "<;>\\", "bea"} {
		for range 2 { // again after a crash
			renamed, err := write(native, map[string]attribute.Value{"UID": attribute.String(name)})
			if err != nil {
				t.Fatalf("%q: %v", name, err)
			}
			parsed, err := goldap.ParseDN(renamed)
			if err != nil || parsed.RDNs[0].Attributes[0].Value != name {
				t.Errorf("renamed to %q it is %q", name, renamed)
			}
			if _, err := write(renamed, map[string]attribute.Value{"uid": attribute.String(name)}); err != nil {
				t.Errorf("%q a second time: %v", name, err)
			}
		}
		native = "uid=" + goldap.EscapeDN(name) + "," + people
	}
	// Two attributes name an entry; one of them changes, and then both.
	create("cn=Person cy+uid=cy,"+people, "cy")
	both, err := write("cn=Person cy+uid=cy,"+people, map[string]attribute.Value{"uid": attribute.String("c+y"),
		"description": attribute.String("half")})
	if err != nil || both != `cn=Person cy+uid=c\+y,`+people {
		t.Errorf("renamed to %q, %v", both, err)
	}
	both, err = write(both, map[string]attribute.Value{"uid": attribute.String("cc"), "cn": attribute.String("Cy, the second")})
	if err != nil || both != `cn=Cy\, the second+uid=cc,`+people {
		t.Errorf("renamed to %q, %v", both, err)
	}
	if _, err := write(both, map[string]attribute.Value{"cn": attribute.Null}); !connector.IsPermanent(err) {
		t.Errorf("one of two naming attributes becomes null: %v, want a permanent error", err)
	}
	// Of several values, one names the entry; the others come and go.
	for _, values := range [][]string{{"cc", "c2"}, {"c2", "c3"}, {"c3"}} {
		if both, err = write(both, map[string]attribute.Value{"uid": attribute.List(values)}); err != nil {
			t.Fatalf("%q: %v", values, err)
		}
	}
	found, err := s.admin(t).Search(goldap.NewSearchRequest(both, goldap.ScopeBaseObject, goldap.NeverDerefAliases, 0, 0, false,
		"(objectClass=*)", nil, nil))
	if err != nil || len(found.Entries) != 1 || strings.Join(found.Entries[0].GetAttributeValues("uid"), "|") != "c3" ||
		found.Entries[0].GetAttributeValue("cn") != "Cy, the second" || found.Entries[0].GetAttributeValue("description") != "half" {
		t.Errorf("%q is %+v, %v", both, found, err)
	}
	if _, err := write(both, map[string]attribute.Value{"uid": attribute.String("bea"), "cn": attribute.String("x")}); err != nil {
		t.Errorf("a name that is free: %v", err)
	}
	create("", "taken")
	_, err = write(native, map[string]attribute.Value{"uid": attribute.String("taken")})
	if !errors.Is(err, connector.ErrExists) {
		t.Errorf("a name that another has: %v", err)
	}
}

// A person with a picture and a password is read without them, and a password is never proposed.
func TestUnreadOnDirectory(t *testing.T) {
	s := start(t)
	request := goldap.NewAddRequest("uid=pic,"+people, nil)
	for name, values := range map[string][]string{"objectClass": {"inetOrgPerson"}, "uid": {"pic"}, "cn": {"Pic"}, "sn": {"P"},
		"jpegPhoto": {"\xff\xd8\xff\xe0\x00\x10JFIF"}, "userPassword": {"{SSHA}geheim"}, "description;lang-de": {"Bild"}} {
		request.Attribute(name, values)
	}
	if err := s.admin(t).Add(request); err != nil {
		t.Fatal(err)
	}
	c := s.open(t, nil)
	defer c.Close()
	proposed, err := c.Discover(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	account := connector.AccountSchema(proposed)
	for _, name := range []string{"userPassword", "jpegPhoto", "photo", "audio", "userCertificate", "userSMIMECertificate", "userPKCS12",
		"x500UniqueIdentifier"} {
		if account.Attribute(name) != nil {
			t.Errorf("%s is proposed", name)
		}
	}
	for _, name := range []string{"uid", "cn", "mail", "employeeNumber", "telephoneNumber", "facsimileTelephoneNumber"} {
		if account.Attribute(name) == nil {
			t.Errorf("%s is not proposed", name)
		}
	}
	account.Attributes = append(account.Attributes, connector.SchemaAttribute{Name: "userPassword"},
		connector.SchemaAttribute{Name: "jpegPhoto"}, connector.SchemaAttribute{Name: "2.5.4.35"})
	all, err := ldap.New(t.Context(), connector.Config{Source: "Directory", Schemas: proposed, Attributes: s.attributes(nil),
		Secret: func(string) (string, error) { return adminPass, nil }})
	if err != nil {
		t.Fatal(err)
	}
	defer all.Close()
	count := 0
	if _, err := all.Read(t.Context(), "", func(o *connector.Object) error {
		if o.Type != "" {
			return nil
		}
		count++
		for name, value := range o.Attributes.All() {
			if strings.Contains(value.Text(), "SSHA") || name == "jpegPhoto" || o.Fault != "" {
				t.Errorf("%s is read: %+v", name, o)
			}
		}
		return nil
	}); err != nil || count != 1 {
		t.Errorf("%d accounts, %v", count, err)
	}
	notes := strings.Join(all.(connector.Noter).Notes(), "\n")
	if !strings.Contains(notes, `"jpegPhoto" holds binary data`) || !strings.Contains(notes, `"description;lang-de" in the schema`) {
		t.Errorf("the notes are %s", notes)
	}
}

// A part of the tree on another server, or more entries than the directory gives, is an error and not the end.
func TestPartialOnDirectory(t *testing.T) {
	s := startLimited(t, "100")
	conn := s.admin(t)
	referral := goldap.NewAddRequest("ou=emea,"+people, []goldap.Control{goldap.NewControlManageDsaIT(true)})
	referral.Attribute("objectClass", []string{"referral", "extensibleObject"})
	referral.Attribute("ou", []string{"emea"})
	referral.Attribute("ref", []string{"ldap://emea.example.com/ou=emea," + people})
	if err := conn.Add(referral); err != nil {
		t.Fatal(err)
	}
	read := func(c connector.Connector) error {
		defer c.Close()
		_, err := c.Read(t.Context(), "", func(*connector.Object) error { return nil })
		return err
	}
	if err := read(s.open(t, nil)); err == nil || !strings.Contains(err.Error(), "refers to 1 parts of the tree") {
		t.Errorf("a reference: %v", err)
	}
	if err := read(s.open(t, map[string]any{"ignoreReferrals": true})); err != nil {
		t.Errorf("a reference that is allowed: %v", err)
	}
	if err := read(s.open(t, map[string]any{"userBase": "ou=emea," + people, "groupBase": ""})); err == nil ||
		!strings.Contains(err.Error(), "LDAP result 10") {
		t.Errorf("a base elsewhere: %v", err)
	}
	anonymous := map[string]any{"bindDN": "", "password": "", "ignoreReferrals": true, "groupBase": ""}
	for n := range 120 {
		if n == 90 {
			if err := read(s.open(t, anonymous)); err != nil {
				t.Errorf("%d entries: %v", n, err)
			}
		}
		request := goldap.NewAddRequest(fmt.Sprintf("uid=m%d,%s", n, people), nil)
		for name, values := range map[string][]string{"objectClass": {"inetOrgPerson"}, "uid": {fmt.Sprintf("m%d", n)}, "cn": {"M"}, "sn": {"M"}} {
			request.Attribute(name, values)
		}
		if err := conn.Add(request); err != nil {
			t.Fatal(err)
		}
	}
	if err := read(s.open(t, anonymous)); err == nil || !strings.Contains(err.Error(), "LDAP result 4") {
		t.Errorf("120 entries: %v, want the size limit", err)
	}
}
