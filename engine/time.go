package engine

import "time"

// utc is a time in UTC, as published shapes have it.
func utc(t *time.Time) *time.Time {
	if t == nil {
		return nil
	}
	inUTC := t.UTC()
	return &inUTC
}

// micro is a time at the precision that PostgreSQL stores.
func micro(t *time.Time) *time.Time {
	if t == nil {
		return nil
	}
	cut := t.UTC().Truncate(time.Microsecond)
	return &cut
}
