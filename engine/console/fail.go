package console

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"

	"github.com/muster-engine/muster/engine"
)

// pageError is an error that a page of its own tells.
type pageError struct {
	status    int
	key       string // what is wrong: an English text
	arguments []any
	detail    string // the engine's own words, in English; "" for none
	again     bool   // the page that the form was on is to be looked at again
	login     bool   // the visitor may sign in again
	history   string // the identity whose history is still there
}

func (e *pageError) Error() string { return fmt.Sprintf(e.key, e.arguments...) }

// failure is what the page of an error shows.
type failure struct {
	*visit

	Status   int
	Problem  string
	Detail   string
	Again    bool
	Login    bool
	History  string
	Retry    bool
	Tracking string
}

// fail answers with the page of an error. The words of an unexpected one are only for the log.
func (v *visit) fail(err error) {
	page := v.failureOf(err)
	shown := &failure{visit: v, Status: page.status, Problem: v.T(page.key, page.arguments...), Detail: page.detail,
		Again: page.again, Login: page.login, History: page.history,
		Retry:    page.status == http.StatusServiceUnavailable,
		Tracking: v.tracking}
	if page.status >= http.StatusInternalServerError {
		v.h.config.Logger.LogAttrs(v.r.Context(), slog.LevelError, "console: a page failed",
			slog.String("error", engine.Reason(err)), slog.String("tracking", v.tracking))
	}
	v.status = page.status
	if err := v.render("fail", shown); err != nil {
		v.h.config.Logger.LogAttrs(v.r.Context(), slog.LevelError, "console: the page of an error failed",
			slog.String("error", err.Error()), slog.String("tracking", v.tracking))
		http.Error(v.w, http.StatusText(http.StatusInternalServerError), http.StatusInternalServerError)
	}
}

func (v *visit) failureOf(err error) *pageError {
	var page *pageError
	var failed *engine.Error
	switch {
	case errors.As(err, &page):
		return page
	case errors.Is(err, context.DeadlineExceeded):
		return &pageError{status: http.StatusServiceUnavailable,
			key: "Reading this takes longer than %s: narrow it down, or try again.", arguments: []any{
				v.h.config.StatementTimeout.String()}}
	case !errors.As(err, &failed):
		return &pageError{status: http.StatusInternalServerError, key: "Something went wrong."}
	}
	detail := ""
	if failed.Err != nil {
		detail = failed.Err.Error()
	}
	switch failed.Kind {
	case engine.NotFound:
		return &pageError{status: http.StatusNotFound, key: "This does not exist, or not any more.", detail: detail}
	case engine.Invalid:
		return &pageError{status: http.StatusBadRequest, key: "This cannot be asked for.", detail: detail}
	case engine.Conflict:
		return &pageError{status: http.StatusConflict, key: "This contradicts how things are: nothing was changed.",
			detail: detail}
	case engine.RateLimited:
		return &pageError{status: http.StatusTooManyRequests, key: "This was asked for a moment ago.", detail: detail}
	case engine.Forbidden:
		return &pageError{status: http.StatusForbidden, key: "You may not do this.", detail: detail}
	case engine.Unavailable:
		return &pageError{status: http.StatusServiceUnavailable,
			key: "The database cannot be asked right now: nothing was changed. Try again."}
	default:
		return &pageError{status: http.StatusInternalServerError, key: "Something went wrong."}
	}
}
