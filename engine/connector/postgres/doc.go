// Package postgres reads accounts from the tables of a PostgreSQL database, and writes to them.
//
// The rows of one table are the accounts, and its columns are their attributes, with the same names. A multi-valued
// attribute is a column of an array type, or a table of its own with one row for each account and value:
//
//	connector: postgres
//	connectorAttributes:
//	  connection: env:CRM_URL              # a reference, because the URL contains a password
//	  table: crm.users
//	  memberships: [{attribute: groups, table: crm.user_groups, account: login, value: group_key}]
//	  groups: {group: crm.groups}          # the table of each schema of groups
//	  modified: changed_at                 # a timestamptz column, to read only changes
//
// Values are parameters of statements, never part of their text. Names of tables and columns are quoted. Each operation
// is one transaction. The column with the native identity must be unique. Columns that hold passwords by their names,
// and those of the type bytea, are not read.
package postgres
