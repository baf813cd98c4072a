package ldap

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"time"

	ldap "github.com/go-ldap/ldap/v3"

	"github.com/muster-engine/muster/engine/connector"
	"github.com/muster-engine/muster/engine/connector/secret"
)

// The limits of a connection to a directory.
const (
	connectTimeout  = 15 * time.Second
	requestTimeout  = time.Minute
	pageSizeDefault = 500
	pageSizeMax     = 10_000
)

// dnAttribute is the attribute of accounts that holds their DN.
const dnAttribute = "dn"

type settings struct {
	URL      string `json:"url"` // ldap:// or ldaps://
	StartTLS bool   `json:"startTLS"`
	CAFile   string `json:"caFile"` // PEM
	BindDN   string `json:"bindDN"`
	Password string `json:"password"` // a reference

	UserBase    string   `json:"userBase"`
	UserFilter  string   `json:"userFilter"`  // defaults to (objectClass=inetOrgPerson)
	UserClasses []string `json:"userClasses"` // of new accounts; defaults to inetOrgPerson
	RDN         string   `json:"rdn"`         // defaults to uid

	GroupBase   string `json:"groupBase"`   // "" to ignore groups
	GroupFilter string `json:"groupFilter"` // defaults to (objectClass=groupOfNames)
	Member      string `json:"member"`      // of groups; defaults to member
	// MemberOf is the attribute of accounts with the DNs of their groups. Defaults to memberOf. With ServerMemberOf the
	// directory maintains it; otherwise the connector makes it from the groups.
	MemberOf       string `json:"memberOf"`
	ServerMemberOf bool   `json:"serverMemberOf"`
	// EmptyMember replaces the last member in groups that must have one.
	EmptyMember string `json:"emptyMember"`

	PageSize uint32 `json:"pageSize"`
	// IgnoreReferrals reads what this server has where it refers to others for parts of the tree. Otherwise that is an
	// error, since the accounts there would count as vanished.
	IgnoreReferrals bool `json:"ignoreReferrals"`
}

func (s *settings) withDefaults() {
	for _, d := range []struct {
		member *string
		value  string
	}{
		{&s.UserFilter, "(objectClass=inetOrgPerson)"}, {&s.RDN, "uid"}, {&s.GroupFilter, "(objectClass=groupOfNames)"},
		{&s.Member, "member"}, {&s.MemberOf, "memberOf"},
	} {
		if *d.member == "" {
			*d.member = d.value
		}
	}
	if len(s.UserClasses) == 0 {
		s.UserClasses = []string{"inetOrgPerson"}
	}
	if s.PageSize == 0 {
		s.PageSize = pageSizeDefault
	}
}

func (s *settings) validate() error {
	address, err := url.Parse(s.URL)
	switch {
	case err != nil || address.Scheme != "ldap" && address.Scheme != "ldaps" || address.Host == "":
		return errors.New("url: one such as ldaps://ldap.example.com is expected")
	case s.StartTLS && address.Scheme == "ldaps":
		return errors.New("startTLS: ldaps:// is encrypted already")
	case s.UserBase == "":
		return errors.New("userBase is missing: the DN below which the accounts are")
	case s.PageSize > pageSizeMax:
		return fmt.Errorf("pageSize: at most %d is allowed", pageSizeMax)
	}
	for name, text := range map[string]string{"userBase": s.UserBase, "groupBase": s.GroupBase, "bindDN": s.BindDN,
		"emptyMember": s.EmptyMember} {
		if _, err := ldap.ParseDN(text); err != nil {
			return fmt.Errorf("%s: %q is no DN", name, text)
		}
	}
	for name, text := range map[string]string{"userFilter": s.UserFilter, "groupFilter": s.GroupFilter} {
		if _, err := ldap.CompileFilter(text); err != nil {
			return fmt.Errorf("%s: %q is no filter of LDAP: %w", name, text, err)
		}
	}
	if s.Password != "" {
		if _, _, err := secret.Parse(s.Password); err != nil {
			return fmt.Errorf("password: %w", err)
		}
	}
	return nil
}

// New makes the connector of a source in a directory. It is a [connector.Factory].
func New(_ context.Context, config connector.Config) (connector.Connector, error) {
	d := &directory{schema: connector.AccountSchema(config.Schemas)}
	s := &d.settings
	if err := json.Unmarshal(config.Attributes, s); err != nil {
		return nil, fmt.Errorf("connectorAttributes: %w", err)
	}
	s.withDefaults()
	if err := s.validate(); err != nil {
		return nil, fmt.Errorf("connectorAttributes.%w", err)
	}
	if d.schema == nil || len(d.schema.Attributes) == 0 {
		return nil, errors.New("the source needs an account schema, whose attributes are those of the entries")
	}
	if s.Password != "" {
		password, err := config.Secret(s.Password)
		if err != nil {
			return nil, err
		}
		d.password = password
	}
	address, err := url.Parse(s.URL)
	if err != nil {
		return nil, err
	}
	d.tls = &tls.Config{ServerName: address.Hostname(), MinVersion: tls.VersionTLS12}
	if s.CAFile != "" {
		pem, err := os.ReadFile(s.CAFile)
		if err != nil {
			return nil, fmt.Errorf("connectorAttributes.caFile: %w", err)
		}
		d.tls.RootCAs = x509.NewCertPool()
		if !d.tls.RootCAs.AppendCertsFromPEM(pem) {
			return nil, errors.New("connectorAttributes.caFile: there is no certificate in it, in the form PEM")
		}
	}
	return d, nil
}

// connected returns the connection. It connects on first use, and again if the connection was lost.
func (d *directory) connected() (*ldap.Conn, error) {
	if d.conn != nil && !d.conn.IsClosing() {
		return d.conn, nil
	}
	conn, err := ldap.DialURL(d.settings.URL, ldap.DialWithTLSConfig(d.tls),
		ldap.DialWithDialer(&net.Dialer{Timeout: connectTimeout}))
	if err != nil {
		return nil, plain(err)
	}
	conn.SetTimeout(requestTimeout)
	if d.settings.StartTLS {
		if err := conn.StartTLS(d.tls); err != nil {
			return nil, errors.Join(plain(err), conn.Close())
		}
	}
	if d.settings.BindDN != "" {
		if err := conn.Bind(d.settings.BindDN, d.password); err != nil {
			return nil, errors.Join(fmt.Errorf("sign in to the directory: %w", retryable(plain(err))), conn.Close())
		}
	}
	d.conn = conn
	return conn, nil
}

// retryable removes the mark of [connector.Permanent]: someone may correct a wrong password in its store.
func retryable(err error) error { return errors.New(err.Error()) }
