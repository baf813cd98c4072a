// Package id is the identifier of everything that is stored: one type for every package, the pure ones too. It imports
// of the database's driver only the types in which a driver exchanges a UUID.
package id

import (
	"bufio"
	"bytes"
	"crypto/rand"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgtype"
)

// ID identifies a row: a UUID of version 7, shown as 32 lower-case hexadecimal digits. The zero ID stands for none and
// is NULL in the database.
type ID [16]byte

// New returns a new ID. IDs made later by the same process are greater.
func New() ID { return ID(uuid.Must(uuid.NewV7())) }

// First returns the ID before all others with a time, to the millisecond. An ID has no time before 1970: for such a
// time it is the first of all.
func First(t time.Time) ID {
	first := ID{6: 0x70, 8: 0x80}
	if t.Unix() < 0 {
		return first
	}
	return first.withTime(steps(t.Truncate(time.Millisecond)))
}

// steps returns a time as it stands in an ID.
func steps(t time.Time) int64 {
	milliseconds := t.UnixMilli()
	return milliseconds<<12 | (t.UnixNano()-milliseconds*int64(time.Millisecond))<<12/int64(time.Millisecond)
}

func (id ID) steps() int64 {
	return int64(binary.BigEndian.Uint64(id[:8])>>16<<12 | uint64(binary.BigEndian.Uint16(id[6:8])&0xfff))
}

func (id ID) withTime(steps int64) ID {
	binary.BigEndian.PutUint64(id[:8], uint64(steps)>>12<<16|0x7000|uint64(steps)&0xfff)
	return id
}

// Time returns when the ID was made, to the millisecond.
func (id ID) Time() time.Time { return time.UnixMilli(id.steps() >> 12).UTC() }

// Clock makes IDs with times of the caller's clock: later ones are greater, also where the clock stands still or goes
// back. It is for many goroutines. The zero Clock is ready.
type Clock struct{ last atomic.Int64 }

// At returns a new ID with a time, in steps of a 4,096th of a millisecond, or with the first one after that of every
// ID that the clock has made.
func (c *Clock) At(t time.Time) ID {
	for {
		last, next := c.last.Load(), steps(t)
		next = max(next, last+1)
		if c.last.CompareAndSwap(last, next) {
			made := New()
			return made.withTime(next)
		}
	}
}

// Source makes IDs like [New], and asks the system for random bytes less often. It is for one goroutine.
type Source struct{ random *bufio.Reader }

// NewSource returns a source of IDs.
func NewSource() *Source { return &Source{bufio.NewReader(rand.Reader)} }

// Next returns a new ID.
func (s *Source) Next() (ID, error) {
	id, err := uuid.NewV7FromReader(s.random)
	return ID(id), err
}

// Parse reads an ID in either spelling: 32 hexadecimal digits, or 36 characters with dashes.
func Parse(text string) (ID, error) {
	if len(text) == 32 || len(text) == 36 {
		if id, err := uuid.Parse(text); err == nil {
			return ID(id), nil
		}
	}
	return ID{}, fmt.Errorf("%q is no identifier: 32 hexadecimal digits are", text)
}

// Compare orders IDs as the database does: byte by byte, so that an earlier one comes first.
func (id ID) Compare(other ID) int { return bytes.Compare(id[:], other[:]) }

// IsZero reports whether id stands for none.
func (id ID) IsZero() bool { return id == ID{} }

// String returns the 32 digits, or the empty string for the zero ID.
func (id ID) String() string {
	if id.IsZero() {
		return ""
	}
	return hex.EncodeToString(id[:])
}

// Dashed returns the 36 characters of the other spelling, for an ID that is not zero.
func (id ID) Dashed() string { return uuid.UUID(id).String() }

// MarshalText implements [encoding.TextMarshaler].
func (id ID) MarshalText() ([]byte, error) { return []byte(id.String()), nil }

// UnmarshalText implements [encoding.TextUnmarshaler].
func (id *ID) UnmarshalText(text []byte) error {
	if len(text) == 0 {
		*id = ID{}
		return nil
	}
	parsed, err := Parse(string(text))
	if err != nil {
		return err
	}
	*id = parsed
	return nil
}

// UUIDValue implements [pgtype.UUIDValuer].
func (id ID) UUIDValue() (pgtype.UUID, error) {
	return pgtype.UUID{Bytes: id, Valid: !id.IsZero()}, nil
}

// ScanUUID implements [pgtype.UUIDScanner].
func (id *ID) ScanUUID(v pgtype.UUID) error {
	if !v.Valid {
		*id = ID{}
		return nil
	}
	*id = v.Bytes
	return nil
}
