package devtoken

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"mime"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// The limits of the endpoint.
const (
	bodyMax = 64 << 10
	// GuessesMax is how many wrong secrets of a client are answered at once; then it is one in each GuessEvery. Until
	// then no secret of the client is looked at, not even the right one: else a flood of guesses would find it.
	GuessesMax = 5
	GuessEvery = time.Minute
)

// Endpoint returns an OAuth 2.0 token endpoint for the client credentials grant. Clients send their credentials as a
// form, as JSON, as multipart, or with HTTP Basic. After [GuessesMax] wrong secrets a client has to wait.
func (i *Issuer) Endpoint(clients []Client) http.Handler {
	e := &endpoint{issuer: i, clients: clients, guesses: map[string]*rate.Limiter{unknownClient: newGuesses()}}
	for _, client := range clients {
		e.guesses[client.ID] = newGuesses()
	}
	return e
}

type endpoint struct {
	issuer  *Issuer
	clients []Client

	mu sync.Mutex // held while a secret is looked at, so that no guess overtakes the count of another one
	// guesses are the wrong secrets that each client has left. Those of clients that do not exist are counted
	// together, in the same way: so nobody learns who exists.
	guesses map[string]*rate.Limiter
}

// unknownClient stands for all clients that do not exist. No client has it as its ID.
const unknownClient = ""

func newGuesses() *rate.Limiter { return rate.NewLimiter(rate.Every(GuessEvery), GuessesMax) }

// identify returns the client with an ID and a secret, or nil where they are wrong. If its secret was guessed too
// often, it returns the time to wait instead.
func (e *endpoint) identify(id, secret string) (found *Client, wait time.Duration) {
	e.mu.Lock()
	defer e.mu.Unlock()
	guesses := e.guesses[id]
	if guesses == nil {
		guesses = e.guesses[unknownClient]
	}
	now := time.Now()
	if left := guesses.TokensAt(now); left < 1 {
		return nil, max(time.Second, time.Duration((1-left)*float64(GuessEvery)))
	}
	if found = e.client(id, secret); found == nil {
		guesses.AllowN(now, 1)
	}
	return found, 0
}

// oauthError is an error of RFC 6749.
type oauthError struct {
	status      int
	retryAfter  time.Duration
	Code        string `json:"error"`
	Description string `json:"error_description"`
}

func refused(status int, code, description string) *oauthError {
	return &oauthError{status: status, Code: code, Description: description}
}

type tokenResponse struct {
	AccessToken string `json:"access_token"`
	TokenType   string `json:"token_type"`
	ExpiresIn   int    `json:"expires_in"` // seconds
	Scope       string `json:"scope"`
}

// ServeHTTP implements [http.Handler].
func (e *endpoint) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	response, failure := e.grant(w, r)
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	var answer any = response
	if failure != nil {
		switch failure.status {
		case http.StatusUnauthorized:
			w.Header().Set("WWW-Authenticate", `Basic realm="muster"`)
		case http.StatusMethodNotAllowed:
			w.Header().Set("Allow", http.MethodPost)
		case http.StatusTooManyRequests:
			w.Header().Set("Retry-After", strconv.Itoa(int(math.Ceil(failure.retryAfter.Seconds()))))
		}
		w.WriteHeader(failure.status)
		answer = failure
	}
	// If the client does not read its answer, there is no one to tell.
	_ = json.NewEncoder(w).Encode(answer)
}

func (e *endpoint) grant(w http.ResponseWriter, r *http.Request) (*tokenResponse, *oauthError) {
	if r.Method != http.MethodPost {
		return nil, refused(http.StatusMethodNotAllowed, "invalid_request", "POST is expected")
	}
	r.Body = http.MaxBytesReader(w, r.Body, bodyMax)
	given, err := parameters(r)
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		return nil, refused(http.StatusRequestEntityTooLarge, "invalid_request",
			fmt.Sprintf("the body has more than %d bytes", bodyMax))
	case err != nil:
		return nil, refused(http.StatusBadRequest, "invalid_request", err.Error())
	}
	if kind := given.Get("grant_type"); kind != "client_credentials" {
		return nil, refused(http.StatusBadRequest, "unsupported_grant_type",
			"grant_type: client_credentials is expected")
	}
	id, secret := given.Get("client_id"), given.Get("client_secret")
	if name, password, ok := r.BasicAuth(); ok {
		id, secret = name, password
	}
	client, wait := e.identify(id, secret)
	switch {
	case wait > 0:
		return nil, &oauthError{status: http.StatusTooManyRequests, retryAfter: wait, Code: "slow_down",
			Description: "too many wrong secrets: wait, as Retry-After says"}
	case client == nil:
		return nil, refused(http.StatusUnauthorized, "invalid_client", "the client or its secret is wrong")
	}
	scopes := strings.Fields(given.Get("scope"))
	if len(scopes) == 0 {
		scopes = []string{ScopeAll}
	}
	token, err := e.issuer.Mint(Grant{ClientID: client.ID, Authorities: client.Authorities, Scopes: scopes}, time.Now())
	if err != nil {
		return nil, refused(http.StatusBadRequest, "invalid_request", err.Error())
	}
	return &tokenResponse{token, "bearer", int(TTLDefault.Seconds()), strings.Join(scopes, " ")}, nil
}

// client returns the client with an ID and a secret. Its duration reveals neither.
func (e *endpoint) client(id, secret string) *Client {
	gotID, gotSecret := sha256.Sum256([]byte(id)), sha256.Sum256([]byte(secret))
	var found *Client
	for i := range e.clients {
		c := &e.clients[i]
		wantID, wantSecret := sha256.Sum256([]byte(c.ID)), sha256.Sum256([]byte(c.Secret))
		sameID := subtle.ConstantTimeCompare(gotID[:], wantID[:])
		sameSecret := subtle.ConstantTimeCompare(gotSecret[:], wantSecret[:])
		if sameID&sameSecret == 1 {
			found = c
		}
	}
	return found
}

// parameters reads the body of a request, and its query, which some clients use. The body takes precedence.
func parameters(r *http.Request) (url.Values, error) {
	kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil && r.Header.Get("Content-Type") != "" {
		return nil, errors.New("the Content-Type could not be read")
	}
	switch kind {
	case "application/json":
		text, err := io.ReadAll(r.Body)
		if err != nil {
			return nil, unreadable{kind, err}
		}
		var members map[string]string
		if err := json.Unmarshal(text, &members); err != nil {
			return nil, errors.New("the body is no JSON object of strings")
		}
		values := r.URL.Query()
		for name, value := range members {
			values.Set(name, value)
		}
		return values, nil
	case "multipart/form-data":
		err = r.ParseMultipartForm(bodyMax)
	default:
		err = r.ParseForm()
	}
	if err != nil {
		return nil, unreadable{kind, err}
	}
	return r.Form, nil
}

// unreadable says that a body could not be read. It does not quote the body.
type unreadable struct {
	kind  string
	cause error
}

func (u unreadable) Error() string { return "the body could not be read as " + u.kind }
func (u unreadable) Unwrap() error { return u.cause }
