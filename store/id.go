package store

import "github.com/muster-engine/muster/store/id"

// ID identifies a row. It is the one type of identifiers, of package id.
type ID = id.ID

// NewID returns a new ID. IDs made later by the same process are greater.
func NewID() ID { return id.New() }

// ParseID reads an ID in either spelling: 32 hexadecimal digits, or 36 characters with dashes.
func ParseID(text string) (ID, error) { return id.Parse(text) }

// IDOf is [ParseID] for callers that treat a text which is not an ID as not found. The zero ID is none: no row has it,
// and queries take it for an ID that is not given.
func IDOf(text string) (id ID, ok bool) {
	id, err := ParseID(text)
	return id, err == nil && !id.IsZero()
}
