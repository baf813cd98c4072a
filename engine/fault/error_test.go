package fault_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/muster-engine/muster/engine/fault"
	"github.com/muster-engine/muster/filterql"
	"github.com/muster-engine/muster/store"
)

func TestWrapGivesTheKindOfTheCause(t *testing.T) {
	for _, test := range []struct {
		name   string
		cause  error
		kind   fault.Kind
		detail fault.Detail
	}{
		{"not found", store.ErrNotFound, fault.NotFound, fault.Illegal},
		{"conflict", new(store.ConflictError), fault.Conflict, fault.Illegal},
		{"unavailable", &store.UnavailableError{Err: errors.New("x")}, fault.Unavailable, fault.Illegal},
		{"retryable", &store.RetryableError{Err: errors.New("x")}, fault.Unavailable, fault.Illegal},
		{"timeout", &store.TimeoutError{Err: errors.New("x")}, fault.Unavailable, fault.Illegal},
		{"text", &store.TextError{Err: errors.New("x")}, fault.Invalid, fault.Illegal},
		{"syntax", &filterql.Error{Kind: filterql.Syntax}, fault.Invalid, fault.Malformed},
		{"limit", &filterql.Error{Kind: filterql.Limit}, fault.Invalid, fault.TooMany},
		{"another filter", &filterql.Error{Kind: filterql.Illegal}, fault.Invalid, fault.Illegal},
		{"anything else", errors.New("x"), fault.Internal, fault.Illegal},
	} {
		var got *fault.Error
		if err := fault.Wrap("op", "subject", fmt.Errorf("outside: %w", test.cause)); !errors.As(err, &got) {
			t.Errorf("%s: %v is no Error", test.name, err)
			continue
		}
		if got.Kind != test.kind || got.Detail != test.detail || got.Op != "op" || got.Subject != "subject" {
			t.Errorf("%s: %+v, want the kind %s and the detail %d", test.name, got, test.kind, test.detail)
		}
		if !errors.Is(got, test.cause) {
			t.Errorf("%s: the error does not wrap its cause", test.name)
		}
	}
}

func TestWrapLeavesErrorsAndEndedContexts(t *testing.T) {
	inner := fault.NoIdentity("find", "4711")
	for _, err := range []error{nil, inner, fmt.Errorf("outside: %w", inner), context.Canceled,
		fmt.Errorf("outside: %w", context.DeadlineExceeded)} {
		if got := fault.Wrap("op", "subject", err); got != err { //nolint:errorlint // the same error, not one around it
			t.Errorf("%v becomes %v, want it unchanged", err, got)
		}
	}
	if kind := fault.KindOf(fmt.Errorf("outside: %w", inner)); kind != fault.NotFound {
		t.Errorf("the kind is %s, want %s", kind, fault.NotFound)
	}
	if kind := fault.KindOf(context.Canceled); kind != fault.Internal {
		t.Errorf("the kind of an ended context is %s, want %s", kind, fault.Internal)
	}
}

func TestErrorText(t *testing.T) {
	for _, test := range []struct {
		err  error
		want string
	}{
		{fault.Invalidf("apply", "c.yaml:1", "%q is unknown", "x"), `apply c.yaml:1: "x" is unknown`},
		{&fault.Error{Op: "list", Err: errors.New("no")}, "list: no"},
		{&fault.Error{Op: "list", Kind: fault.Unavailable}, "list: unavailable"},
	} {
		if got := test.err.Error(); got != test.want {
			t.Errorf("the text is %q, want %q", got, test.want)
		}
	}
}

func TestReasonHasNoSubject(t *testing.T) {
	err := &fault.Error{Op: "find", Subject: "ann@example.com", Err: errors.New("gone")}
	if got := fault.Reason(fmt.Errorf("outside: %w", err)); got != "gone" {
		t.Errorf("the reason is %q, want %q", got, "gone")
	}
}

func TestKindsHaveWords(t *testing.T) {
	seen := map[string]bool{}
	for kind := fault.Internal; kind <= fault.Unavailable; kind++ {
		if seen[kind.String()] {
			t.Errorf("%d has the words of another kind, %q", kind, kind)
		}
		seen[kind.String()] = true
	}
}
