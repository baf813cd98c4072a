package ldap

import ldap "github.com/go-ldap/ldap/v3"

// Complete reads the values of an entry that its directory left out, as a reading does.
func Complete(conn *ldap.Conn, entry *ldap.Entry) error { return (&directory{}).complete(conn, entry) }
