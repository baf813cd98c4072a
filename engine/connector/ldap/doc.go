// Package ldap reads accounts and groups from an LDAP directory, and writes to it.
//
// The entries below one base are the accounts. Their DN is the native identity and the attribute dn. The groups of an
// account are the attribute memberOf, whether the directory maintains it or only the groups know their members:
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
// The stable identity of an account is entryUUID, objectGUID (as text), ipaUniqueID or nsUniqueId: the first of them
// that the entry has. It stays when the entry is renamed or moved.
//
// A reading is whole or an error: values in ranges are read to the last, and limits, repeated pages and references to
// other servers are not taken for the end. Passwords and binary attributes are not requested.
//
// A new account gets the dn of its policy. Without one, it is created below userBase and named by the attribute in rdn;
// the value may contain any character. An entitlement is the DN of a group: adding it makes the account a member of the
// group. The connector reads all DNs in one spelling, with a backslash before the characters that need one:
// cn=Smith\, Ann.
package ldap
