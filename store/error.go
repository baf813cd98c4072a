package store

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"regexp"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// ErrNotFound says that there is no such row.
var ErrNotFound = errors.New("not found")

// ConflictError says that a write contradicts the rows that exist. Constraint is the name of the rule, to be shown: it
// decides nothing. What the engine decides on it asks for under a lock, and a constraint is the last guard.
type ConflictError struct {
	Constraint string
	Err        error
}

func (e *ConflictError) Error() string {
	if text, known := constraintTexts[e.Constraint]; known {
		return text
	}
	if strings.HasSuffix(e.Constraint, "_pkey") {
		return "a row with this key exists already"
	}
	return fmt.Sprintf("contradicts the rule %s", e.Constraint)
}

// Unwrap returns the database's error.
func (e *ConflictError) Unwrap() error { return e.Err }

// UnavailableError says that the database could not be asked; the same call may work later.
type UnavailableError struct{ Err error }

func (e *UnavailableError) Error() string { return "the database is not available: " + e.Err.Error() }

// Unwrap returns the cause.
func (e *UnavailableError) Unwrap() error { return e.Err }

// TimeoutError says that the database ended a statement or a transaction, because it took longer than the settings
// allow, or because somebody cancelled it. The same call may work later, or with less to do.
type TimeoutError struct{ Err error }

func (e *TimeoutError) Error() string {
	return "the database ended a statement that took longer than it allows: " + e.Err.Error()
}

// Unwrap returns the database's error.
func (e *TimeoutError) Unwrap() error { return e.Err }

// TextError says that the database cannot store a text: it stores UTF-8 without NUL characters.
type TextError struct{ Err error }

func (e *TextError) Error() string { return "a text is no UTF-8, or has a NUL character in it" }

// Unwrap returns the database's error.
func (e *TextError) Unwrap() error { return e.Err }

// RetryableError says that the transaction lost against another one. It can be run again from its start.
type RetryableError struct{ Err error }

func (e *RetryableError) Error() string {
	return "the transaction lost against another one: " + e.Err.Error()
}

// Unwrap returns the database's error.
func (e *RetryableError) Unwrap() error { return e.Err }

// constraintTexts says in words what each constraint demands. The database's own message is not passed on, because its
// detail repeats values.
var constraintTexts = map[string]string{
	"access_profiles_name_unique":            "another access profile has this name",
	"access_grants_identity_fkey":            "the identity does not exist",
	"account_demands_account_fkey":           "the account does not exist",
	"account_demands_identity_fkey":          "the identity does not exist",
	"account_demands_kind":                   "an account can be asked to be enabled, disabled or unlocked",
	"provisioning_operations_kind":           "the kind of the operation is unknown",
	"provisioning_operations_awaits":         "only a parked operation awaits something",
	"provisioning_operations_parked":         "a parked operation has a time and a cause, and no other has",
	"provisioning_operations_state":          "the state of the operation is unknown",
	"synchronizations_identity_fkey":         "the identity does not exist",
	"source_aggregations_source_fkey":        "the source does not exist",
	"one_time_tokens_identity_fkey":          "the identity does not exist",
	"one_time_tokens_purpose":                "the purpose of the token is unknown",
	"one_time_tokens_digest":                 "a token's digest has 32 bytes",
	"attempts_identity_fkey":                 "the identity does not exist",
	"attempts_key":                           "the key of attempts has 32 bytes",
	"credentials_identity_fkey":              "the identity does not exist",
	"configuration_jobs_kind":                "the kind of the job is unknown",
	"configuration_jobs_status":              "the status of the job is unknown",
	"form_keys_digest":                       "a form key's digest has 32 bytes",
	"sessions_digest":                        "a session's digest has 32 bytes",
	"notifications_identity_fkey":            "the identity does not exist",
	"notifications_task_fkey":                "the task does not exist",
	"notifications_state":                    "the state of the message is unknown",
	"sources_name_unique":                    "another source has this name",
	"transforms_name_unique":                 "another transform has this name",
	"identity_profiles_name_unique":          "another identity profile has this name",
	"identity_profiles_source_unique":        "another identity profile has this authoritative source",
	"identity_profiles_source_fkey":          "the authoritative source does not exist, or is still in use",
	"lifecycle_states_technical_name_unique": "another lifecycle state of the profile has this technical name",
	"roles_name_unique":                      "another role has this name",
	"entitlements_source_fkey":               "the source does not exist",
	"accounts_source_fkey":                   "the source does not exist, or still has accounts",
	"accounts_native_identity_unique":        "another account of the source has this native identity",
	"account_entitlements_account_fkey":      "the account does not exist",
	"account_keys_account_fkey":              "the account does not exist",
	"accounts_identity_fkey":                 "the identity does not exist",
	"identities_profile_fkey":                "the identity profile does not exist, or still has identities",
	"identities_manager_fkey":                "the manager does not exist",
	"identities_not_own_manager":             "nobody is their own manager",
	"identities_email_key":                   "an e-mail address and its folded form come together",
	"identities_cloud_status":                "the identity status is not one of those published",
	"identities_processing_state":            "the processing state is not one of those published",
	"identities_identity_state":              "the identity state is not one of those published",
	"identity_keys_identity_fkey":            "the identity does not exist",
	"identity_lookups_reader_fkey":           "the identity does not exist",
	"refresh_state_identity_fkey":            "the identity does not exist",
	"refresh_watermark_singleton":            "there is one watermark",
	"configuration_singleton":                "there is one configuration",
	"event_positions_singleton":              "there is one place of the positions of events",
	"entitlements_value_unique":              "another entitlement of the source has this attribute and value",
	"lifecycle_states_profile_fkey":          "the identity profile does not exist",
	"role_assignments_unique":                "the identity has this role from this source of assignment already",
	"role_assignments_identity_fkey":         "the identity does not exist",
	"role_assignments_role_fkey":             "the role does not exist",
	"role_assignments_dates":                 "the remove date must be after the start date",
	"tasks_completion_status":                "the completion status is not one of those published",
	"tasks_completed":                        "a task that has ended has a completion status, and no other has",
	"task_parts_request":                     "a part of requests is surveyed, and has a range of numbers",
	"errands_task_fkey":                      "the task does not exist",
	"errand_texts_task_fkey":                 "the task does not exist",
	"task_parts_task_fkey":                   "the task does not exist",
	"task_messages_task_fkey":                "the task does not exist",
	"task_messages_count":                    "a message counts at least once, and no less than it has examples",
	"task_messages_type":                     "the type of a message is INFO, WARN or ERROR",
	"owned_objects_owner_fkey":               "the owner does not exist, or still owns objects",
}

// MapError maps errors of the database that come from the queue or the migrations, as this package maps its own.
func MapError(err error) error { return mapError(err) }

// shardSuffix is what the name of a constraint has behind it on a cluster: the number of the shard.
var shardSuffix = regexp.MustCompile(`_[0-9]+$`)

// quoted are the names in a message of the server, in the quotation marks of any language.
var quoted = regexp.MustCompile(`["„“”«»]([a-z0-9_]+)["„“”«»]`)

// constraintOf returns the constraint that a name of the server stands for, without the suffix of a shard.
func constraintOf(name string) (constraint string, known bool) {
	for _, constraint := range []string{name, shardSuffix.ReplaceAllString(name, "")} {
		if _, known := constraintTexts[constraint]; known || strings.HasSuffix(constraint, "_pkey") {
			return constraint, true
		}
	}
	return name, false
}

// conflictOf returns the conflict that an error of the server stands for, nil for none. A cluster that copies rows to a
// shard passes on the message of a constraint alone, as an internal error.
func conflictOf(err *pgconn.PgError) *ConflictError {
	if err.ConstraintName != "" && strings.HasPrefix(err.Code, "23") {
		constraint, _ := constraintOf(err.ConstraintName)
		return &ConflictError{constraint, err}
	}
	if err.Code != "XX000" {
		return nil
	}
	for _, name := range quoted.FindAllStringSubmatch(err.Message, -1) {
		if constraint, known := constraintOf(name[1]); known {
			return &ConflictError{constraint, err}
		}
	}
	return nil
}

// mapError maps errors of the database to those of this package, by their SQLSTATE. It never passes on the detail of an
// error, which repeats values.
func mapError(err error) error {
	if err == nil {
		return nil
	}
	if errors.Is(err, pgx.ErrNoRows) {
		return ErrNotFound
	}
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	var pgErr *pgconn.PgError
	if !errors.As(err, &pgErr) {
		var netErr net.Error
		var connectErr *pgconn.ConnectError
		// The stream ends where the server ended without a word.
		if errors.As(err, &netErr) || errors.As(err, &connectErr) || pgconn.SafeToRetry(err) ||
			errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			return &UnavailableError{err}
		}
		return err
	}
	conflict := conflictOf(pgErr)
	switch {
	case pgErr.Code == "40001" || pgErr.Code == "40P01":
		return &RetryableError{pgErr}
	case conflict != nil:
		return conflict
	case pgErr.Code == "22021", pgErr.Code == "22P05":
		return &TextError{pgErr}
	case slices.Contains(timeouts, pgErr.Code):
		return &TimeoutError{pgErr}
	case pgErr.Code == "26000" || pgErr.Code == "42P05":
		return &UnavailableError{fmt.Errorf("%w: %w", errPreparedElsewhere, pgErr)}
	case unavailable(pgErr.Code):
		return &UnavailableError{pgErr}
	}
	return err
}

// errPreparedElsewhere is behind the SQLSTATEs of a prepared statement that is not there, or that another client made:
// a connection of pgx prepares each of its statements once, and a pooler gave it another connection of the server.
var errPreparedElsewhere = errors.New("a pooler in transaction mode stands before the database: use the mode " +
	"cache_describe of pgx (default_query_exec_mode in the URL; the commands have --pooler)")

// timeouts are the SQLSTATEs of statement_timeout (and of a cancelled statement), lock_timeout,
// idle_in_transaction_session_timeout and transaction_timeout.
var timeouts = []string{"57014", "55P03", "25P03", "25P04"}

// unavailable reports whether an SQLSTATE says that the server cannot answer any statement now: there is no connection,
// it lacks memory, disk or connections, it shuts down, its system failed, or it is a standby.
func unavailable(code string) bool {
	for _, class := range []string{"08", "53", "57P", "58", "25006"} {
		if strings.HasPrefix(code, class) {
			return true
		}
	}
	return false
}

// Reason says why the database refused something, in words that repeat no value.
func Reason(err error) string {
	var conflict *ConflictError
	var text *TextError
	var timeout *TimeoutError
	var pgErr *pgconn.PgError
	switch {
	case errors.As(err, &timeout):
		return "the database ended it, because it took longer than it allows"
	case errors.As(err, &conflict):
		return conflict.Error()
	case errors.As(err, &text):
		return text.Error()
	case errors.Is(err, errPreparedElsewhere):
		return errPreparedElsewhere.Error()
	case errors.As(err, &pgErr):
		return "the database refused it with SQLSTATE " + pgErr.Code
	}
	return err.Error()
}
