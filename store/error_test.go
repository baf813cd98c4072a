package store

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

func TestMapError(t *testing.T) {
	t.Parallel()
	var unavailable *UnavailableError
	var retryable *RetryableError
	var conflict *ConflictError
	var timeout *TimeoutError
	for name, test := range map[string]struct {
		err  error
		want any
	}{
		"no connection":            {&pgconn.ConnectError{}, &unavailable},
		"connection reset":         {&net.OpError{Op: "read", Err: errors.New("connection reset by peer")}, &unavailable},
		"killed without a word":    {fmt.Errorf("receive: %w", io.ErrUnexpectedEOF), &unavailable},
		"end of the stream":        {io.EOF, &unavailable},
		"terminated":               {&pgconn.PgError{Code: "57P01"}, &unavailable},
		"crashed":                  {&pgconn.PgError{Code: "57P02"}, &unavailable},
		"disk full":                {&pgconn.PgError{Code: "53100"}, &unavailable},
		"out of memory":            {&pgconn.PgError{Code: "53200"}, &unavailable},
		"too many connections":     {&pgconn.PgError{Code: "53300"}, &unavailable},
		"read error of the disk":   {&pgconn.PgError{Code: "58030"}, &unavailable},
		"a standby":                {&pgconn.PgError{Code: "25006"}, &unavailable},
		"a statement's time-out":   {&pgconn.PgError{Code: "57014"}, &timeout},
		"a lock's time-out":        {&pgconn.PgError{Code: "55P03"}, &timeout},
		"an idle transaction":      {&pgconn.PgError{Code: "25P03"}, &timeout},
		"a transaction's time-out": {&pgconn.PgError{Code: "25P04"}, &timeout},
		"prepared by another":      {&pgconn.PgError{Code: "42P05"}, &unavailable},
		"prepared elsewhere":       {&pgconn.PgError{Code: "26000"}, &unavailable},
		"serialization":            {&pgconn.PgError{Code: "40001"}, &retryable},
		"deadlock":                 {&pgconn.PgError{Code: "40P01"}, &retryable},
		"constraint":               {&pgconn.PgError{Code: "23505", ConstraintName: "sources_name_unique"}, &conflict},
		"constraint of a shard":    {&pgconn.PgError{Code: "23503", ConstraintName: "owned_objects_owner_fkey_102024"}, &conflict},
		"constraint of a copy": {&pgconn.PgError{Code: "XX000",
			Message: `duplicate key value violates unique constraint "accounts_native_identity_unique_102031"`}, &conflict},
		"another internal error":     {&pgconn.PgError{Code: "XX000", Message: `cache lookup failed for "accounts"`}, nil},
		"a value that is no number":  {&pgconn.PgError{Code: "22P02"}, nil},
		"a context that has ended":   {context.Canceled, nil},
		"a deadline that has passed": {context.DeadlineExceeded, nil},
	} {
		got := MapError(test.err)
		switch {
		case test.want == nil && got != test.err: //nolint:errorlint // it is passed on as it is
			t.Errorf("%s: %T", name, got)
		case test.want != nil && !errors.As(got, test.want):
			t.Errorf("%s: %T, want %T", name, got, test.want)
		}
	}
	if got := Reason(MapError(&pgconn.PgError{Code: "26000"})); !strings.Contains(got, "--pooler") {
		t.Errorf("a statement that is not there is told as %q", got)
	}
	if got := MapError(pgx.ErrNoRows); !errors.Is(got, ErrNotFound) || MapError(nil) != nil {
		t.Errorf("no rows are %v", got)
	}
}

// The name of a constraint is the same on a cluster, where each shard has one of its own.
func TestConstraintOfShard(t *testing.T) {
	t.Parallel()
	for _, err := range []*pgconn.PgError{
		{Code: "23503", ConstraintName: "owned_objects_owner_fkey"},
		{Code: "23503", ConstraintName: "owned_objects_owner_fkey_102024"},
		{Code: "XX000", Message: `update or delete on table "identities_102020" violates foreign key constraint ` +
			`"owned_objects_owner_fkey_102024" on table "owned_objects_102024"`},
		{Code: "XX000", Message: `Aktualisieren in Tabelle „identities_102020“ verletzt Fremdschlüssel „owned_objects_owner_fkey_102024“`},
	} {
		var conflict *ConflictError
		if got := MapError(err); !errors.As(got, &conflict) || conflict.Constraint != "owned_objects_owner_fkey" ||
			Reason(got) != constraintTexts["owned_objects_owner_fkey"] {
			t.Errorf("%s %s: got %v", err.ConstraintName, err.Message, got)
		}
	}
	var conflict *ConflictError
	if got := MapError(&pgconn.PgError{Code: "23505", ConstraintName: "accounts_pkey_102008"}); !errors.As(got, &conflict) ||
		conflict.Error() != "a row with this key exists already" {
		t.Errorf("got %v", got)
	}
}
