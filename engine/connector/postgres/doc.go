// Package postgres reads accounts from the tables of a PostgreSQL database, and writes to them.
//
// The rows of one table are the accounts, its columns their attributes, by the same names. A multi-valued attribute is
// a column of an array type, or a table of its own with a row for each account and value:
//
//	connector: postgres
//	connectorAttributes:
//	  connection: env:CRM_URL              # a reference: the URL has a password in it
//	  table: crm.users
//	  memberships: [{attribute: groups, table: crm.user_groups, account: login, value: group_key}]
//	  groups: {group: crm.groups}          # the table of each schema of groups
//	  modified: changed_at                 # a timestamptz column, if changes are to be read
//
// Values are parameters of statements, never part of their text; names of tables and columns are quoted. Each operation
// is one transaction. The column that holds the native identity must be unique.
package postgres
