package store

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
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
		"no connection":              {&pgconn.ConnectError{}, &unavailable},
		"connection reset":           {&net.OpError{Op: "read", Err: errors.New("connection reset by peer")}, &unavailable},
		"killed without a word":      {fmt.Errorf("receive: %w", io.ErrUnexpectedEOF), &unavailable},
		"end of the stream":          {io.EOF, &unavailable},
		"terminated":                 {&pgconn.PgError{Code: "57P01"}, &unavailable},
		"crashed":                    {&pgconn.PgError{Code: "57P02"}, &unavailable},
		"disk full":                  {&pgconn.PgError{Code: "53100"}, &unavailable},
		"out of memory":              {&pgconn.PgError{Code: "53200"}, &unavailable},
		"too many connections":       {&pgconn.PgError{Code: "53300"}, &unavailable},
		"read error of the disk":     {&pgconn.PgError{Code: "58030"}, &unavailable},
		"a standby":                  {&pgconn.PgError{Code: "25006"}, &unavailable},
		"a statement's time-out":     {&pgconn.PgError{Code: "57014"}, &timeout},
		"a lock's time-out":          {&pgconn.PgError{Code: "55P03"}, &timeout},
		"an idle transaction":        {&pgconn.PgError{Code: "25P03"}, &timeout},
		"a transaction's time-out":   {&pgconn.PgError{Code: "25P04"}, &timeout},
		"serialization":              {&pgconn.PgError{Code: "40001"}, &retryable},
		"deadlock":                   {&pgconn.PgError{Code: "40P01"}, &retryable},
		"constraint":                 {&pgconn.PgError{Code: "23505", ConstraintName: "sources_name_unique"}, &conflict},
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
	if got := MapError(pgx.ErrNoRows); !errors.Is(got, ErrNotFound) || MapError(nil) != nil {
		t.Errorf("no rows are %v", got)
	}
}
