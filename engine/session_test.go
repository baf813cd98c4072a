package engine_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"

	"github.com/muster-engine/muster/engine"
	"github.com/muster-engine/muster/engine/enginetest"
)

// sessions is an engine whose time a test sets, and a session of Ann's.
func sessions(t *testing.T) (c *enginetest.Company, clock *enginetest.Clock, token string) {
	t.Helper()
	clock = enginetest.NewClock(time.Date(2026, time.June, 1, 8, 0, 0, 0, time.UTC))
	c = enginetest.New(t, enginetest.WithClock(clock))
	token, err := c.OpenSession(t.Context(), engine.Session{UserID: c.ID("ann"), UserName: "Ann Boss",
		Levels: []string{"ORG_ADMIN"}, Note: "hello"})
	if err != nil {
		t.Fatal(err)
	}
	return c, clock, token
}

// ended fails the test unless a token has no session.
func ended(t *testing.T, c *enginetest.Company, token string) {
	t.Helper()
	if s, err := c.Session(t.Context(), token); engine.KindOf(err) != engine.NotFound || err == nil {
		t.Errorf("the session is %+v, %v, want that it is not found", s, err)
	}
}

func TestSession(t *testing.T) {
	t.Parallel()
	c, clock, token := sessions(t)
	want := engine.Session{UserID: c.ID("ann"), UserName: "Ann Boss", Levels: []string{"ORG_ADMIN"}, Note: "hello",
		Created: clock.Now().UTC(), Expires: clock.Now().UTC().Add(engine.SessionIdle)}
	got, err := c.Session(t.Context(), token)
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Errorf("%v, the session (-want +got): %s", err, diff)
	}
	if err := c.NoteSession(t.Context(), token, ""); err != nil {
		t.Error(err)
	}
	if got, err = c.Session(t.Context(), token); got.Note != "" || err != nil {
		t.Errorf("the note is %q, %v, want none", got.Note, err)
	}
	// Nobody who reads the database can use it.
	if n := c.CountRows("muster.sessions s WHERE strpos(s::text, $1) > 0", token); n != 0 {
		t.Error("the token is stored")
	}
	ended(t, c, token+"A")
	ended(t, c, "")
	if err := c.EndSession(t.Context(), token); err != nil {
		t.Error(err)
	}
	ended(t, c, token)
	if err := c.NoteSession(t.Context(), token, "x"); engine.KindOf(err) != engine.NotFound {
		t.Errorf("a note for a session that has ended: %v", err)
	}
	if err := c.EndSession(t.Context(), token); err != nil {
		t.Errorf("ended again: %v", err)
	}
}

// A session ends half an hour after it was used last, and after twelve hours however much it is used.
func TestSessionExpires(t *testing.T) {
	t.Parallel()
	c, clock, token := sessions(t)
	begun := clock.Now()
	for clock.Now().Sub(begun) < engine.SessionMax-20*time.Minute {
		clock.Advance(20 * time.Minute)
		if _, err := c.Session(t.Context(), token); err != nil {
			t.Fatalf("after %s: %v", clock.Now().Sub(begun), err)
		}
	}
	clock.Set(begun.Add(engine.SessionMax))
	ended(t, c, token)
	other, err := c.OpenSession(t.Context(), engine.Session{UserID: "op"})
	if err != nil {
		t.Fatal(err)
	}
	if n := c.CountRows("muster.sessions"); n != 1 {
		t.Errorf("%d sessions are kept, want the one that was opened", n)
	}
	clock.Advance(engine.SessionIdle - time.Second)
	if s, err := c.Session(t.Context(), other); err != nil || s.UserName != "op" {
		t.Errorf("the session is %+v, %v, before it has expired", s, err)
	}
	clock.Advance(engine.SessionIdle)
	ended(t, c, other)
	if purged, err := c.Purge(t.Context(), engine.PurgeOptions{}); err != nil || purged.Sessions != 1 {
		t.Errorf("the purge is %+v, %v, want that it removes the session", purged, err)
	}
}

// All sessions of a user end at once: when that is asked for, with a reset, and with an erasure.
func TestSessionsEnd(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(c *enginetest.Company, ann string) error{
		"asked": func(c *enginetest.Company, ann string) error {
			n, err := c.EndSessions(t.Context(), strings.ToUpper(ann))
			if n != 2 && err == nil {
				t.Errorf("%d sessions ended, want 2", n)
			}
			return err
		},
		"reset": func(c *enginetest.Company, ann string) error { return c.ResetIdentity(t.Context(), ann) },
		"erased": func(c *enginetest.Company, ann string) error {
			_, err := c.EraseIdentity(t.Context(), ann, engine.EraseOptions{Accounts: true})
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c, _, first := sessions(t)
			ann := c.ID("ann")
			second, err := c.OpenSession(t.Context(), engine.Session{UserID: ann})
			if err != nil {
				t.Fatal(err)
			}
			bob, err := c.OpenSession(t.Context(), engine.Session{UserID: c.ID("bob"), UserName: "Bob Twain"})
			if err != nil {
				t.Fatal(err)
			}
			if err := end(c, ann); err != nil {
				t.Fatal(err)
			}
			ended(t, c, first)
			ended(t, c, second)
			if _, err := c.Session(t.Context(), bob); err != nil {
				t.Errorf("the session of somebody else has ended: %v", err)
			}
		})
	}
}

func TestSessionInCallersTransaction(t *testing.T) {
	t.Parallel()
	c, _, token := sessions(t)
	rollback := errors.New("rolled back")
	var inside string
	err := pgx.BeginFunc(t.Context(), c.Pool, func(tx pgx.Tx) error {
		var err error
		if inside, err = c.OpenSessionTx(t.Context(), tx, engine.Session{UserID: "x"}); err != nil {
			return err
		}
		if err := c.NoteSessionTx(t.Context(), tx, token, "gone"); err != nil {
			return err
		}
		if err := c.EndSessionTx(t.Context(), tx, inside); err != nil {
			return err
		}
		if n, err := c.EndSessionsTx(t.Context(), tx, c.ID("ann")); n != 1 || err != nil {
			t.Errorf("%d ended, %v", n, err)
		}
		return rollback
	})
	if !errors.Is(err, rollback) {
		t.Fatal(err)
	}
	ended(t, c, inside)
	if s, err := c.Session(t.Context(), token); err != nil || s.Note != "hello" {
		t.Errorf("the session is %+v, %v, want it as it was", s, err)
	}
}

func TestSessionIsChecked(t *testing.T) {
	t.Parallel()
	c, _, token := sessions(t)
	for name, s := range map[string]engine.Session{
		"nobody": {}, "long": {UserID: strings.Repeat("x", 257)}, "nul": {UserID: "a\x00"},
		"level": {UserID: "a", Levels: []string{""}}, "levels": {UserID: "a", Levels: make([]string, 101)},
		"note": {UserID: "a", Note: strings.Repeat("x", engine.SessionNoteMax+1)},
	} {
		if _, err := c.OpenSession(t.Context(), s); engine.KindOf(err) != engine.Invalid {
			t.Errorf("%s: %v, want invalid", name, err)
		}
	}
	if err := c.NoteSession(t.Context(), token, "\x00"); engine.KindOf(err) != engine.Invalid {
		t.Errorf("a note with NUL: %v", err)
	}
}
