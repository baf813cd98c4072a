package httpapi

import (
	"context"
	"crypto"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/MicahParks/jwkset"
	"github.com/MicahParks/keyfunc/v3"
	"github.com/golang-jwt/jwt/v5"
	"golang.org/x/time/rate"
)

// JWTConfig says how to verify tokens. Set exactly one of JWKSFile, JWKSURL and Secret.
type JWTConfig struct {
	// Audience, if set, must be one of the token's audiences.
	Audience string

	// Issuer, if set, must be the token's issuer.
	Issuer string

	// JWKSFile is a file with the JSON Web Key Set that tokens are signed with. It is read again when it changes.
	JWKSFile string

	// JWKSURL is the URL of the JSON Web Key Set. It is fetched at the start, then every [JWKSRefresh], and for a token
	// with an unknown key, at most every minute. A key that it no longer has is not accepted any more.
	JWKSURL string

	// Leeway is the allowed difference between the clocks of the issuer and of this machine. Defaults to none.
	Leeway time.Duration

	// Logger receives errors of updates of the keys, and a warning where a key set is used without Issuer or Audience.
	// Defaults to no logging.
	Logger *slog.Logger

	// Now is the clock. Defaults to [time.Now].
	Now func() time.Time

	// Secret is a shared secret that tokens are signed with, for development: everyone who can verify such a token can
	// also make one. It has at least 32 bytes.
	Secret []byte
}

// SecretLengthMin is the least bytes of a shared secret: the digest size of the shortest algorithm.
const SecretLengthMin = 32

// The accepted algorithms. With public keys the algorithms of a shared secret are never accepted, so that nobody can
// sign with a public key as the secret. "none" is never accepted.
var (
	publicAlgorithms = []string{"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512",
		"EdDSA"}
	secretAlgorithms = []string{"HS256", "HS384", "HS512"}
)

// JWT authenticates requests by their JSON Web Token. It is safe for concurrent use. Make it with [NewJWT].
type JWT struct {
	parser *jwt.Parser
	keys   jwt.Keyfunc
}

// NewJWT returns an authenticator. It updates a key set with a URL in the background until the context ends. NewJWT
// fails if it cannot get the key set.
func NewJWT(ctx context.Context, config JWTConfig) (*JWT, error) {
	given := 0
	for _, is := range []bool{config.JWKSFile != "", config.JWKSURL != "", config.Secret != nil} {
		if is {
			given++
		}
	}
	if given != 1 {
		return nil, fmt.Errorf("httpapi: one of JWKSFile, JWKSURL and Secret is expected, %d are given", given)
	}
	if config.Logger == nil {
		config.Logger = slog.New(slog.DiscardHandler)
	}
	algorithms := publicAlgorithms
	a := &JWT{}
	switch {
	case config.Secret != nil:
		if len(config.Secret) < SecretLengthMin {
			return nil, fmt.Errorf("httpapi: Secret must have %d bytes or more, it has %d", SecretLengthMin,
				len(config.Secret))
		}
		algorithms = secretAlgorithms
		a.keys = func(*jwt.Token) (any, error) { return config.Secret, nil }
	case config.JWKSFile != "":
		file := &keyFile{name: config.JWKSFile, logger: config.Logger}
		if err := file.read(); err != nil {
			return nil, fmt.Errorf("httpapi: %w", err)
		}
		a.keys = file.key
	default:
		set, err := keyfunc.NewDefaultOverrideCtx(ctx, []string{config.JWKSURL}, fetching(config.Logger))
		if err != nil {
			return nil, fmt.Errorf("httpapi: fetch the key set: %w", err)
		}
		a.keys = func(token *jwt.Token) (any, error) { return keyOf(ctx, set.Storage(), token) }
	}
	if config.Secret == nil {
		warnOfStrangers(ctx, &config)
	}
	a.keys = understood(a.keys)
	options := []jwt.ParserOption{jwt.WithValidMethods(algorithms), jwt.WithExpirationRequired(),
		jwt.WithLeeway(config.Leeway)}
	if config.Now != nil {
		options = append(options, jwt.WithTimeFunc(config.Now))
	}
	if config.Audience != "" {
		options = append(options, jwt.WithAudience(config.Audience))
	}
	if config.Issuer != "" {
		options = append(options, jwt.WithIssuer(config.Issuer))
	}
	a.parser = jwt.NewParser(options...)
	return a, nil
}

// warnOfStrangers warns where tokens that are not meant for this API are accepted: one issuer's keys often sign tokens
// for many programs.
func warnOfStrangers(ctx context.Context, config *JWTConfig) {
	if config.Issuer == "" {
		config.Logger.WarnContext(ctx, "tokens of every issuer are accepted that the key set signs: name one")
	}
	if config.Audience == "" {
		config.Logger.WarnContext(ctx, "tokens for every audience are accepted that the key set signs: name one")
	}
}

// errCritical says that a token has a header that must be understood, and is not.
var errCritical = errors.New("a critical header is not understood")

// understood refuses tokens with the header crit, whose parameters a receiver must understand: this one knows none.
func understood(keys jwt.Keyfunc) jwt.Keyfunc {
	return func(token *jwt.Token) (any, error) {
		if _, given := token.Header["crit"]; given {
			return nil, errCritical
		}
		return keys(token)
	}
}

// keyOf returns the keys of a set that may have signed a token: those with its key ID, or all if it names none.
func keyOf(ctx context.Context, set jwkset.Storage, token *jwt.Token) (any, error) {
	id, named := token.Header[jwkset.HeaderKID].(string)
	if _, given := token.Header[jwkset.HeaderKID]; given && !named {
		return nil, errors.New("the key ID is no text")
	}
	if named {
		// Where the set is fetched, this fetches it again for a key that is not known.
		if _, err := set.KeyRead(ctx, id); err != nil {
			return nil, err
		}
	}
	all, err := set.KeyReadAll(ctx)
	if err != nil {
		return nil, err
	}
	var keys jwt.VerificationKeySet
	for _, key := range all {
		if is := key.Marshal(); named && is.KID != id || !verifies(&is, token.Method.Alg()) {
			continue
		}
		public := key.Key()
		if private, ok := public.(interface{ Public() crypto.PublicKey }); ok {
			public = private.Public()
		}
		keys.Keys = append(keys.Keys, public)
	}
	return keys, nil
}

// verifies reports whether a key is meant to verify the signatures of an algorithm, and not, for example, to encrypt.
func verifies(key *jwkset.JWKMarshal, algorithm string) bool {
	return (key.USE == "" || key.USE == jwkset.UseSig) &&
		(len(key.KEYOPS) == 0 || slices.Contains(key.KEYOPS, jwkset.KeyOpsVerify)) &&
		(key.ALG == "" || string(key.ALG) == algorithm)
}

// A token with an unknown key fetches the key set, at most once in fetchEvery, and waits for it at most fetchTimeout.
// Further such tokens are refused at once; one of them may wait if the next fetch is allowed within fetchTimeout.
const (
	fetchEvery   = time.Minute
	fetchTimeout = 5 * time.Second
)

// JWKSRefresh is the time between two fetches of a key set: so long is a key accepted after it was removed.
const JWKSRefresh = 2 * time.Minute

// fetching returns the options for updates of a key set.
func fetching(logger *slog.Logger) keyfunc.Override {
	failAtStart := false
	return keyfunc.Override{
		NoErrorReturnFirstHTTPReq: &failAtStart,
		RefreshInterval:           JWKSRefresh,
		RefreshUnknownKID:         rate.NewLimiter(rate.Every(fetchEvery), 1),
		RateLimitWaitMax:          fetchTimeout,
		RefreshErrorHandlerFunc: func(string) func(context.Context, error) {
			return func(ctx context.Context, err error) {
				logger.ErrorContext(ctx, "the key set could not be fetched", "error", err)
			}
		},
	}
}

// keyFile is a key set in a file. It is read again when it changes.
type keyFile struct {
	name   string
	logger *slog.Logger

	mu     sync.Mutex
	looked time.Time
	info   os.FileInfo // of the file when set was read
	set    keyfunc.Keyfunc
}

// keyFileLook is the time between checks for a change of a key file.
const keyFileLook = time.Second

// key returns the key of a token. If the file becomes unreadable, its last keys stay valid.
func (f *keyFile) key(token *jwt.Token) (any, error) {
	f.mu.Lock()
	if time.Since(f.looked) >= keyFileLook {
		if err := f.readLocked(); err != nil {
			f.logger.Error("the key set could not be read again", "error", err)
		}
	}
	set := f.set
	f.mu.Unlock()
	return keyOf(context.Background(), set.Storage(), token)
}

func (f *keyFile) read() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.readLocked()
}

func (f *keyFile) readLocked() error {
	f.looked = time.Now()
	info, err := os.Stat(f.name)
	if err != nil {
		return fmt.Errorf("read the key set: %w", err)
	}
	if f.info != nil && os.SameFile(info, f.info) && info.ModTime().Equal(f.info.ModTime()) &&
		info.Size() == f.info.Size() {
		return nil
	}
	text, err := os.ReadFile(f.name)
	if err != nil {
		return fmt.Errorf("read the key set: %w", err)
	}
	set, err := keyfunc.NewJWKSetJSON(text)
	if err != nil {
		return fmt.Errorf("read the key set %s: it is no JSON Web Key Set", f.name) // the cause may quote keys
	}
	f.set, f.info = set, info
	return nil
}

// words is a claim that is a list of texts, or one text separated by blanks.
type words []string

func (w *words) UnmarshalJSON(data []byte) error {
	var list []string
	if json.Unmarshal(data, &list) == nil {
		*w = list
		return nil
	}
	var text string
	if err := json.Unmarshal(data, &text); err != nil {
		return err
	}
	*w = strings.Fields(text)
	return nil
}

// claims are the claims of the published tokens.
type claims struct {
	jwt.RegisteredClaims
	ClientID    string
	IdentityID  string
	UserName    string
	Authorities words
	Scope       words
}

// UnmarshalJSON reads the claims by their exact names. The decoder alone would ignore the case of letters, so that EXP
// could stand for exp.
func (c *claims) UnmarshalJSON(data []byte) error {
	var members map[string]json.RawMessage
	if err := json.Unmarshal(data, &members); err != nil {
		return err
	}
	into := map[string]any{
		"aud": &c.Audience, "exp": &c.ExpiresAt, "iat": &c.IssuedAt, "iss": &c.Issuer, "jti": &c.ID,
		"nbf": &c.NotBefore, "sub": &c.Subject, "client_id": &c.ClientID, "identity_id": &c.IdentityID,
		"user_name": &c.UserName, "authorities": &c.Authorities, "scope": &c.Scope,
	}
	for name, target := range into {
		if value, given := members[name]; given {
			if err := json.Unmarshal(value, target); err != nil {
				return err
			}
		}
	}
	return nil
}

// Authenticate implements [Authenticator].
func (a *JWT) Authenticate(r *http.Request) (*Principal, error) {
	token, err := bearer(r)
	if err != nil {
		return nil, err
	}
	var c claims
	if _, err := a.parser.ParseWithClaims(token, &c, a.keys); err != nil {
		return nil, &UnauthorizedError{refusedToken(err)}
	}
	p := &Principal{ClientID: c.ClientID, IdentityID: c.IdentityID, UserName: c.UserName, Authorities: c.Authorities,
		Scopes: c.Scope}
	if p.ClientID == "" && p.IdentityID == "" && p.UserName == "" {
		p.IdentityID = c.Subject
	}
	if p.ClientID == "" && p.IdentityID == "" && p.UserName == "" {
		return nil, &UnauthorizedError{"JWT names no client_id and no user"}
	}
	return p, nil
}

// refusedToken says why a token is refused. It does not quote the token.
func refusedToken(err error) string {
	for _, fault := range []struct {
		is   error
		text string
	}{
		{errCritical, "JWT has a critical header that is not understood"},
		{jwt.ErrTokenMalformed, "JWT is malformed"},
		{jwt.ErrTokenSignatureInvalid, "JWT signature is invalid"},
		{jwt.ErrTokenUnverifiable, "JWT is signed by a key that is not known"},
		{jwt.ErrTokenExpired, "JWT is expired"},
		{jwt.ErrTokenNotValidYet, "JWT is not valid yet"},
		{jwt.ErrTokenUsedBeforeIssued, "JWT is not valid yet"},
		{jwt.ErrTokenInvalidIssuer, "JWT has another issuer"},
		{jwt.ErrTokenInvalidAudience, "JWT is for another audience"},
		{jwt.ErrTokenRequiredClaimMissing, "JWT lacks a claim that is required"},
	} {
		if errors.Is(err, fault.is) {
			return fault.text
		}
	}
	return "JWT is invalid"
}
