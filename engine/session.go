package engine

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/muster-engine/muster/engine/fault"
	"github.com/muster-engine/muster/store"
)

// The limits of a [Session].
const (
	// SessionIdle is how long a session is good after it was used last: 30 minutes.
	SessionIdle = 30 * time.Minute
	// SessionMax is how long it is good at most, however much it is used: 12 hours.
	SessionMax = 12 * time.Hour
	// SessionNoteMax is the longest note, in bytes.
	SessionNoteMax = 4096
	// SessionLevelsMax is how many user levels a session has at most, each of 64 bytes at most.
	SessionLevelsMax = 100
)

// sessionTouch is how much older than the session's use its recorded time may be: most uses write nothing.
const sessionTouch = time.Minute

// Session is the session of a person who is signed in to a face of the engine, such as the console. Any process of the
// tenant serves it. The engine decides nothing by it: what its levels allow is the face's to say.
type Session struct {
	UserID   string    // what the face knows the person by; the ID of an identity where it is one
	UserName string    // defaults to UserID; stored as the name of an [Actor] is
	Levels   []string  // the user levels
	Note     string    // what the face keeps for the next page; see [Engine.NoteSession]
	Created  time.Time // set by [Engine.OpenSession], as Expires is
	// Expires is when the session ends unless it is used before. It is never later than [SessionMax] after Created.
	Expires time.Time
}

// OpenSession opens a session for a person whom the face has identified, and returns its token: 256 random bits, of
// which the database keeps only the SHA-256. The token is to be kept like a password. It removes sessions that have
// expired. It is Forbidden for an identity whose sign-in is disabled ([Engine.DisableSignIn]).
func (e *Engine) OpenSession(ctx context.Context, s Session) (token string, err error) {
	return e.openSession(s).run(ctx)
}

// OpenSessionTx is [Engine.OpenSession] in the caller's transaction.
func (e *Engine) OpenSessionTx(ctx context.Context, tx pgx.Tx, s Session) (token string, err error) {
	return e.openSession(s).runIn(ctx, tx)
}

func (e *Engine) openSession(s Session) writeOf[string] {
	const op = "open the session"
	return writeOf[string]{e, op, "", func(ctx context.Context, tx pgx.Tx) (string, error) {
		// Names are what sources say: an odd one keeps nobody out.
		name := store.Actor{Name: s.UserName}.Clean().Name
		row := store.Session{UserID: s.UserID, UserName: name, Levels: s.Levels, Note: s.Note}
		if row.UserName == "" {
			row.UserName = row.UserID
		}
		if err := checkSession(op, &row); err != nil {
			return "", err
		}
		now := e.tenant.Now()
		if _, err := e.tenant.Store.PurgeSessions(ctx, tx, now); err != nil {
			return "", err
		}
		if err := e.tenant.Store.PurgeFormKeys(ctx, tx, now); err != nil {
			return "", err
		}
		// An erasure finds the sessions of an identity by its ID as the engine writes it.
		if id, is := store.IDOf(row.UserID); is {
			row.UserID = id.String()
			if err := e.demandSignIn(ctx, tx, op, id); err != nil {
				return "", err
			}
		}
		var secret [32]byte
		rand.Read(secret[:]) // never fails
		token := base64.RawURLEncoding.EncodeToString(secret[:])
		row.Digest, row.Created, row.Seen, row.Expires = digestOf(token), now, now, now.Add(SessionIdle)
		return token, e.tenant.Store.AddSession(ctx, tx, &row)
	}}
}

func checkSession(op string, row *store.Session) error {
	for member, text := range map[string]string{"UserID": row.UserID, "UserName": row.UserName} {
		if text == "" || len(text) > ActorNameMax || !store.Storable(text) {
			return fault.Invalidf(op, member, "a text of 1 to %d bytes without NUL is expected", ActorNameMax)
		}
	}
	if len(row.Levels) > SessionLevelsMax {
		return fault.Invalidf(op, "Levels", "%d are given where %d are allowed", len(row.Levels), SessionLevelsMax)
	}
	for _, level := range row.Levels {
		if level == "" || len(level) > 64 || !store.Storable(level) {
			return fault.Invalidf(op, "Levels", "1 to 64 bytes without NUL are expected")
		}
	}
	return checkNote(op, row.Note)
}

func checkNote(op, note string) error {
	if len(note) > SessionNoteMax || !store.Storable(note) {
		return fault.Invalidf(op, "Note", "a text of at most %d bytes without NUL is expected", SessionNoteMax)
	}
	return nil
}

// digestOf is what is stored of a text that must not be read: a token, or a key that is made of names.
func digestOf(text string) []byte {
	digest := sha256.Sum256([]byte(text))
	return digest[:]
}

// Session returns the session of a token, and records that it is used. A token that is not known, or whose session has
// ended, is not found.
func (e *Engine) Session(ctx context.Context, token string) (Session, error) {
	const op = "find the session"
	row, err := e.tenant.Store.FindSession(ctx, e.tenant.Pool, digestOf(token))
	now := e.tenant.Now()
	if errors.Is(err, store.ErrNotFound) || err == nil && !now.Before(row.Expires) {
		return Session{}, noSession(op)
	}
	if err != nil {
		return Session{}, fault.Wrap(op, "", err)
	}
	if now.Sub(row.Seen) >= sessionTouch {
		row.Expires = now.Add(SessionIdle)
		if end := row.Created.Add(SessionMax); row.Expires.After(end) {
			row.Expires = end
		}
		if err := e.tenant.Store.TouchSession(ctx, e.tenant.Pool, row.Digest, now, row.Expires); err != nil {
			return Session{}, fault.Wrap(op, "", err)
		}
	}
	return Session{UserID: row.UserID, UserName: row.UserName, Levels: row.Levels, Note: row.Note,
		Created: row.Created.UTC(), Expires: row.Expires.UTC()}, nil
}

func noSession(op string) error {
	return &Error{Kind: NotFound, Op: op, Err: fmt.Errorf("the session has ended: sign in again")}
}

// NoteSession replaces the note of a session, which [Engine.Session] returns: what an action has to say on the page
// that follows it. It should tell of nobody, because an erasure does not look into it.
func (e *Engine) NoteSession(ctx context.Context, token, note string) error {
	return e.noteSession(token, note).run(ctx)
}

// NoteSessionTx is [Engine.NoteSession] in the caller's transaction.
func (e *Engine) NoteSessionTx(ctx context.Context, tx pgx.Tx, token, note string) error {
	return e.noteSession(token, note).runIn(ctx, tx)
}

func (e *Engine) noteSession(token, note string) write {
	const op = "note something for the session"
	return write{e, op, "", func(ctx context.Context, tx pgx.Tx) error {
		if err := checkNote(op, note); err != nil {
			return err
		}
		err := e.tenant.Store.SetSessionNote(ctx, tx, digestOf(token), note)
		if errors.Is(err, store.ErrNotFound) {
			return noSession(op)
		}
		return err
	}}
}

// EndSession ends the session of a token. One that has ended already is none to end, and no error.
func (e *Engine) EndSession(ctx context.Context, token string) error {
	return e.endSession(token).run(ctx)
}

// EndSessionTx is [Engine.EndSession] in the caller's transaction.
func (e *Engine) EndSessionTx(ctx context.Context, tx pgx.Tx, token string) error {
	return e.endSession(token).runIn(ctx, tx)
}

func (e *Engine) endSession(token string) write {
	return write{e, "end the session", "", func(ctx context.Context, tx pgx.Tx) error {
		return e.tenant.Store.DeleteSession(ctx, tx, digestOf(token))
	}}
}

// EndSessions ends all sessions of a user, everywhere, and returns how many.
func (e *Engine) EndSessions(ctx context.Context, user string) (int, error) {
	return e.endSessions(user).run(ctx)
}

// EndSessionsTx is [Engine.EndSessions] in the caller's transaction.
func (e *Engine) EndSessionsTx(ctx context.Context, tx pgx.Tx, user string) (int, error) {
	return e.endSessions(user).runIn(ctx, tx)
}

func (e *Engine) endSessions(user string) writeOf[int] {
	return writeOf[int]{e, "end the sessions", "", func(ctx context.Context, tx pgx.Tx) (int, error) {
		if id, is := store.IDOf(user); is {
			user = id.String()
		}
		if !store.Storable(user) {
			return 0, nil
		}
		return e.tenant.Store.DeleteSessionsOf(ctx, tx, user)
	}}
}
