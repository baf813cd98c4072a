package configuration

import (
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"net/url"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/muster-engine/muster/engine/connector"
	"github.com/muster-engine/muster/engine/connector/secret"
	"github.com/muster-engine/muster/filterql/jsontext"
)

// Allow is what the settings of connectors may name of the machine on which an engine runs, and of its network. It is
// the operator's, who runs the engine, and not that of those who configure the tenant: a source with a host of theirs
// and a reference to a secret of the operator's would send them the secret. The zero Allow allows nothing. It must not
// be changed while an engine has it.
type Allow struct {
	// Folders are absolute paths of the folders that files may be in: in the folder, or below it.
	Folders []string
	// Hosts are the hosts that may be reached: a name as ldap.example.com, *.example.com for all names below it, or an
	// address as 10.0.0.5. With a port behind it, as ldap.example.com:636, only that port is allowed.
	Hosts []string
	// Secrets are the references that may be given: env:LDAP_PASSWORD, env:MUSTER_* for all variables that begin so,
	// file:/run/secrets/ldap, or file:/run/secrets/* for all files in a folder or below it. A file with certificates
	// counts as file:PATH.
	Secrets []string
}

// Validate returns the first entry that has no meaning. Its error names the field.
func (a *Allow) Validate() error {
	for i, folder := range a.Folders {
		if !filepath.IsAbs(folder) {
			return fmt.Errorf("Folders[%d]: %q is no absolute path", i, folder)
		}
	}
	for i, host := range a.Hosts {
		name, port := splitHost(host)
		if bare := strings.TrimPrefix(name, "*."); bare == "" || strings.Contains(bare, "*") ||
			strings.ContainsAny(host, "/@ ") {
			return fmt.Errorf("Hosts[%d]: %q is no host, such as ldap.example.com, *.example.com or "+
				"ldap.example.com:636", i, host)
		}
		if n, err := strconv.Atoi(port); port != "" && (err != nil || n < 1 || n > 65535) {
			return fmt.Errorf("Hosts[%d]: %q has no port from 1 to 65535", i, host)
		}
	}
	for i, text := range a.Secrets {
		scheme, name, err := secret.Parse(text)
		switch {
		case err != nil:
			return fmt.Errorf("Secrets[%d]: env:NAME or file:PATH is expected", i)
		case strings.Contains(strings.TrimSuffix(name, "*"), "*"), scheme == "file" && strings.HasSuffix(name, "*") &&
			!strings.HasSuffix(name, "/*"):
			return fmt.Errorf("Secrets[%d]: %q: a * stands at the end of a variable's name, or for the files of a "+
				"folder", i, text)
		case scheme == "file" && !filepath.IsAbs(name):
			return fmt.Errorf("Secrets[%d]: %q is no absolute path", i, text)
		}
	}
	return nil
}

// naming is what the text of a setting names outside of the tenant.
type naming uint8

const (
	namesNothing naming = iota
	namesHost           // as a URL, or as a name
	namesFolder
	namesFile // of certificates
)

// CheckSource returns an error with a line for each setting of a source that names what is not allowed: the setting,
// and what it names. It names no secret: a reference is none. connected says that the program has a connector of the
// source's. It is for package engine.
func (a *Allow) CheckSource(s *Source, connected bool) error {
	shape := settingsShape(s.Connector)
	if !connected && (shape == unknownShape || shape == delimitedShape) || isNone(s.ConnectorAttributes) {
		return nil // nothing opens it
	}
	tree, err := decodeTree(s.ConnectorAttributes)
	if err != nil {
		return errors.New("connectorAttributes: an object is expected")
	}
	if shape == delimitedShape {
		shape = nil // a connector of the host's reads it
	}
	c := allowCheck{allow: a}
	c.value(shape, nil, "", tree, []step{{member: "connectorAttributes"}})
	return errors.Join(c.faults...)
}

// allowCheck walks over the settings of a source.
type allowCheck struct {
	allow  *Allow
	faults []error
}

// value checks the value of a setting, and what is in it. m is the setting's place in a table, or nil.
func (c *allowCheck) value(shape *Shape, m *Member, name string, value any, steps []step) {
	switch v := value.(type) {
	case map[string]any:
		for _, inner := range slices.Sorted(maps.Keys(v)) {
			at := append(steps[:len(steps):len(steps)], step{member: inner})
			if shape == nil {
				c.value(nil, nil, inner, v[inner], at)
				continue
			}
			known := shape.member(inner)
			var next *Shape
			if known != nil {
				next = known.Shape
			}
			c.value(next, known, inner, v[inner], at)
		}
	case []any:
		for i, element := range v {
			c.value(shape, m, name, element, append(steps[:len(steps):len(steps)], step{at: i}))
		}
	case string:
		if err := c.text(m, name, v); err != nil {
			path, _ := paths(steps)
			c.faults = append(c.faults, fmt.Errorf("%s: %w", path, err))
		}
	}
}

// text checks a text. Of a setting that a table lists, the table says what it names. Of any other, its form and its
// name do: what may be meant is asked for.
func (c *allowCheck) text(m *Member, name, text string) error {
	if text == "" {
		return nil
	}
	if m != nil && m.Use != Read {
		return nil // nothing reads it
	}
	if scheme, named, err := secret.Parse(text); err == nil && (m == nil || m.Secret) {
		return c.allow.checkSecret(scheme, named)
	}
	if m != nil {
		switch m.names {
		case namesHost:
			return c.allow.checkHost(text)
		case namesFolder:
			return c.allow.checkFolder(text)
		case namesFile:
			return c.allow.checkSecret("file", text)
		}
		return nil
	}
	if parsed, err := url.Parse(text); err == nil && parsed.Host != "" {
		return c.allow.checkHost(text)
	}
	switch namingOf(name) {
	case namesHost:
		return c.allow.checkHost(text)
	case namesFolder:
		return c.allow.checkFolder(text)
	}
	return nil
}

// The words that end the name of a setting which names a host or a folder, where no table says what the setting is.
var (
	hostWords   = []string{"host", "hosts", "hostname", "hostnames", "server", "servers", "endpoint", "url", "uri"}
	folderWords = []string{"folder", "folders", "directory", "dir", "path", "file", "files", "filename"}
)

// namingOf returns what the text of a setting may name, by the setting's name.
func namingOf(name string) naming {
	words := connector.NameWords(name)
	switch {
	case len(words) == 0:
		return namesNothing
	case slices.Contains(hostWords, words[len(words)-1]):
		return namesHost
	case slices.Contains(folderWords, words[len(words)-1]):
		return namesFolder
	}
	return namesNothing
}

// CheckSecret returns an error if a reference to a secret is not allowed. It is for package engine.
func (a *Allow) CheckSecret(reference string) error {
	scheme, name, err := secret.Parse(reference)
	if err != nil {
		return errors.New("a reference that is neither env:NAME nor file:PATH is not allowed")
	}
	return a.checkSecret(scheme, name)
}

func (a *Allow) checkSecret(scheme, name string) error {
	for _, entry := range a.Secrets {
		kind, allowed, err := secret.Parse(entry)
		if err != nil || kind != scheme {
			continue
		}
		prefix, open := strings.CutSuffix(allowed, "*")
		switch {
		case scheme == "env" && (name == allowed || open && strings.HasPrefix(name, prefix)):
			return nil
		case scheme == "file" && open && within(name, filepath.Clean(prefix)),
			scheme == "file" && filepath.IsAbs(name) && filepath.Clean(name) == filepath.Clean(allowed):
			return nil
		}
	}
	return notAllowed("the reference "+strconv.Quote(clipped(scheme+":"+name)), "Secrets", "--allow-secret")
}

func (a *Allow) checkFolder(folder string) error {
	for _, allowed := range a.Folders {
		if filepath.Clean(folder) == filepath.Clean(allowed) || within(folder, allowed) {
			return nil
		}
	}
	what := "the folder " + strconv.Quote(clipped(folder))
	if !filepath.IsAbs(folder) {
		what += ", which is no absolute path,"
	}
	return notAllowed(what, "Folders", "--allow-folder")
}

// within reports whether an absolute path leads below a folder.
func within(path, folder string) bool {
	if !filepath.IsAbs(path) {
		return false
	}
	rest, err := filepath.Rel(filepath.Clean(folder), filepath.Clean(path))
	return err == nil && rest != "." && filepath.IsLocal(rest)
}

// defaultPorts are the ports of URLs that name none.
var defaultPorts = map[string]string{"ldap": "389", "ldaps": "636", "http": "80", "https": "443", "postgres": "5432",
	"postgresql": "5432", "ftp": "21", "sftp": "22", "ssh": "22"}

// checkHost checks a URL, or a host with or without a port.
func (a *Allow) checkHost(text string) error {
	name, port := splitHost(text)
	if parsed, err := url.Parse(text); err == nil && parsed.Host != "" {
		name, port = normalHost(parsed.Hostname()), parsed.Port()
		if port == "" {
			port = defaultPorts[strings.ToLower(parsed.Scheme)]
		}
	}
	for _, entry := range a.Hosts {
		allowed, only := splitHost(entry)
		if only != "" && only != port {
			continue
		}
		if below, wild := strings.CutPrefix(allowed, "*"); name == allowed || wild && strings.HasSuffix(name, below) {
			return nil
		}
	}
	if port != "" {
		name += ":" + port
	}
	return notAllowed("the host "+strconv.Quote(clipped(name)), "Hosts", "--allow-host")
}

// splitHost returns the host of a text, in the form in which hosts are compared, and its port, or "".
func splitHost(text string) (name, port string) {
	name = text
	if at := strings.LastIndexByte(text, ':'); at >= 0 && (strings.Count(text, ":") == 1 || text[0] == '[') &&
		at > strings.LastIndexByte(text, ']') {
		name, port = text[:at], text[at+1:]
	}
	return normalHost(strings.TrimSuffix(strings.TrimPrefix(name, "["), "]")), port
}

// normalHost returns a host in the form in which hosts are compared.
func normalHost(name string) string {
	name = strings.TrimSuffix(strings.ToLower(name), ".")
	if address, err := netip.ParseAddr(name); err == nil {
		return address.Unmap().String()
	}
	return name
}

// notAllowed says that something is not allowed, and where the operator would allow it.
func notAllowed(what, field, flag string) error {
	return fmt.Errorf("%s is not allowed: who runs the engine lists what sources may name (%s, or Config.Allow.%s)",
		jsontext.Printable(what), flag, field)
}
