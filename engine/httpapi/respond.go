package httpapi

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/text/language"

	"github.com/muster-engine/muster/engine"
)

// The headers of answers. The tracking ID of every response is in one, because some published bodies have no member for
// it.
const (
	trackingHeader = "SLPT-Request-ID"
	totalHeader    = "X-Total-Count"
	// cursorHeader has the cursor of the page behind a full one, for the parameter after.
	cursorHeader = "X-Next-Cursor"
)

// errorResponse is the published body of a failure.
type errorResponse struct {
	DetailCode string         `json:"detailCode"`
	TrackingID string         `json:"trackingId"`
	Messages   []errorMessage `json:"messages"`
	Causes     []errorMessage `json:"causes"`
}

type errorMessage struct {
	Locale       string `json:"locale"`
	LocaleOrigin string `json:"localeOrigin"` // DEFAULT or REQUEST
	Text         string `json:"text"`
}

// failure is a status with its published code.
type failure struct {
	status int
	code   string
	text   string
}

func (f *failure) Error() string { return f.text }

// with returns the failure with a text of its own.
func (f *failure) with(text string) *failure { return &failure{f.status, f.code, text} }

// The published codes, with their published texts if they have one.
var (
	badSyntax      = &failure{400, "400.0 Bad request syntax", "The request could not be parsed."}
	badContent     = &failure{400, "400.1 Bad request content", ""}
	dataMissing    = &failure{400, "400.1.0 Required data missing or empty", ""}
	illegalValue   = &failure{400, "400.1.3 Illegal value", ""}
	limitViolation = &failure{400, "400.1.4 Limit violation", ""}
	noReferenced   = &failure{400, "400.1.404 Referenced object not found", ""}
	forbidden      = &failure{403, "403 Forbidden", "The server understood the request but refuses to authorize it."}
	noResource     = &failure{404, "404 Not found",
		"The server did not find a current representation for the target resource."}
	methodRefused = &failure{405, "405 Method not allowed", ""}
	bodyTooLarge  = &failure{413, "413 Payload too large", ""}
	codingRefused = &failure{415, "415 Unsupported media type",
		"The body is coded, and is not taken so: send it as it is, without the header Content-Encoding."}
	internalFault = &failure{500, "500.0 Internal Fault", "An internal fault occurred."}
	unavailable   = &failure{503, "503 Service unavailable", "The database cannot be asked now: try again later."}
)

// unavailableFor is the time that a client is asked to wait if the database cannot be reached.
const unavailableFor = 5 * time.Second

// The languages of texts, and the default language.
var (
	textLanguage = language.AmericanEnglish
	textMatcher  = language.NewMatcher([]language.Tag{textLanguage})
)

// requestLocale returns the best supported locale for a request, or "und" if it does not ask for one.
func requestLocale(r *http.Request) string {
	wanted, _, err := language.ParseAcceptLanguage(r.Header.Get("Accept-Language"))
	if err != nil || len(wanted) == 0 {
		return language.Und.String()
	}
	_, at, _ := textMatcher.Match(wanted...)
	return []language.Tag{textLanguage}[at].String()
}

// writeFailure writes a failure in the published shape.
func writeFailure(w http.ResponseWriter, r *http.Request, f *failure, trackingID string) {
	writeJSON(w, f.status, errorResponse{
		DetailCode: f.code, TrackingID: trackingID, Causes: []errorMessage{},
		Messages: []errorMessage{
			{Locale: textLanguage.String(), LocaleOrigin: "DEFAULT", Text: f.text},
			{Locale: requestLocale(r), LocaleOrigin: "REQUEST", Text: f.text},
		},
	})
}

func (c *call) fail(f *failure) { writeFailure(c.w, c.Request, f, c.trackingID) }

// encode encodes a body. That fails only for an identity with values that the database cannot store.
func encode(body any) []byte {
	var encoded bytes.Buffer
	encoder := json.NewEncoder(&encoded)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(body); err != nil {
		panic(err)
	}
	return encoded.Bytes()
}

// writeJSON writes a small body, which is never compressed and has no tag: that of a failure, for one.
func writeJSON(w http.ResponseWriter, status int, body any) {
	data := encode(body)
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Length", strconv.Itoa(len(data)))
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	// If the client does not read its answer, there is no one to tell.
	_, _ = w.Write(data)
}

func notFound(w http.ResponseWriter, r *http.Request) {
	refuse(w, r, noResource)
}

// refuse answers a request without an operation, and returns the answer's tracking ID.
func refuse(w http.ResponseWriter, r *http.Request, f *failure) (trackingID string) {
	trackingID = newTrackingID()
	w.Header().Set(trackingHeader, trackingID)
	writeFailure(w, r, f, trackingID)
	return trackingID
}

// wrongMethod answers a method that the path does not support.
func wrongMethod(w http.ResponseWriter, r *http.Request, allowed ...string) {
	if slices.Contains(allowed, http.MethodGet) {
		allowed = append(allowed, http.MethodHead)
	}
	slices.Sort(allowed)
	list := strings.Join(slices.Compact(allowed), ", ")
	w.Header().Set("Allow", list)
	refuse(w, r, methodRefused.with("The method "+r.Method+" is not allowed here: "+list+" are."))
}

// answerError answers a request that failed. It returns a text for the log, which has no value from the caller or the
// database.
func (h *Handler) answerError(c *call, err error) string {
	var refused *UnauthorizedError
	var known *engine.Error
	var published *failure
	switch {
	case errors.As(err, &refused):
		c.w.Header().Set("WWW-Authenticate", "Bearer")
		writeJSON(c.w, http.StatusUnauthorized, map[string]string{"error": "JWT validation failed: " + refused.Reason})
		return ""
	case errors.As(err, &published):
		c.fail(published)
		return published.code
	case errors.Is(err, context.DeadlineExceeded):
		retryAfter(c.w.Header(), unavailableFor)
		c.fail(unavailable.with("The request took too long: try again later."))
		return "the request timed out"
	case errors.Is(err, context.Canceled):
		c.fail(unavailable.with("The request was given up."))
		return "the client went away"
	case errors.As(err, &known):
		return h.answerKind(c, known)
	default:
		c.fail(internalFault)
		return engine.Reason(err)
	}
}

func (h *Handler) answerKind(c *call, err *engine.Error) string {
	switch err.Kind {
	case engine.RateLimited:
		retryAfter(c.w.Header(), err.RetryAfter)
		writeJSON(c.w, http.StatusTooManyRequests, map[string]string{"message": " Rate Limit Exceeded "})
		return ""
	case engine.Forbidden:
		c.fail(forbidden)
		return ""
	case engine.NotFound:
		c.fail(noResource.with(sentence(err)))
		return ""
	case engine.Invalid:
		c.fail(detailFailure(err.Detail).with(sentence(err)))
		return ""
	case engine.Conflict:
		c.fail(badContent.with(sentence(err)))
		return ""
	case engine.Unavailable:
		retryAfter(c.w.Header(), unavailableFor)
		c.fail(unavailable)
		return engine.Reason(err)
	default:
		c.fail(internalFault)
		return engine.Reason(err)
	}
}

func detailFailure(d engine.Detail) *failure {
	switch d {
	case engine.Malformed:
		return badSyntax
	case engine.Missing:
		return dataMissing
	case engine.TooMany:
		return limitViolation
	default:
		return illegalValue
	}
}

// sentence returns the text of an error for the caller: its subject, and what is wrong.
func sentence(err *engine.Error) string {
	if err.Subject == "" {
		return err.Err.Error()
	}
	return err.Subject + ": " + err.Err.Error()
}
