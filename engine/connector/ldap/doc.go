// Package ldap reads accounts and groups from an LDAP directory, and writes to it.
//
// The entries below one base are the accounts; their DN is the native identity, as the attribute dn. What an account is
// a member of is an attribute too, memberOf, whether the directory keeps it or only the groups know their members:
//
//	connector: ldap
//	connectorAttributes:
//	  url: ldaps://ldap.example.com
//	  caFile: /etc/ssl/company.pem       # if the system does not trust the directory's certificate
//	  bindDN: cn=muster,dc=example,dc=com
//	  password: env:LDAP_PASSWORD        # a reference
//	  userBase: ou=people,dc=example,dc=com
//	  rdn: uid                           # names new accounts: uid=...,ou=people,...
//	  groupBase: ou=groups,dc=example,dc=com
//
// An account is created with a dn that its policy makes, or else below userBase by the attribute that rdn names,
// whatever characters its value has. An entitlement is the DN of a group: adding it makes the account a member of the
// group. DNs are read in one spelling, with a backslash before the characters that need one: cn=Smith\, Ann.
package ldap
