package console

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"net/url"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// LinkLifetime is how long a link of [Development.Link] is good: 10 minutes, for one use.
const LinkLifetime = 10 * time.Minute

// Attempts at the form of the development login: a few at once, then one every two seconds, for all visitors together.
const (
	attemptsBurst = 10
	attemptsEvery = 2 * time.Second
)

// Development lets people sign in to the console of a machine for development: by a link that the program prints, which
// is good once, and by the name and the secret of an account. It answers only where the browser names this machine or
// the console's external address. It is not for production, where the host identifies people by an [Authenticator]. It
// is safe for concurrent use.
type Development struct {
	accounts []Account
	attempts *rate.Limiter

	mu    sync.Mutex
	links map[[sha256.Size]byte]link
}

// Account is a name and a secret by which somebody signs in.
type Account struct {
	Principal

	Secret string
}

type link struct {
	principal Principal
	expires   time.Time
}

// NewDevelopment returns a login for accounts. Without any there is no form, and the links alone let people in.
func NewDevelopment(accounts ...Account) *Development {
	return &Development{accounts: accounts, attempts: rate.NewLimiter(rate.Every(attemptsEvery), attemptsBurst),
		links: map[[sha256.Size]byte]link{}}
}

// Link returns the reference, below the console's mount, of a page that signs somebody in. It is good once and for
// [LinkLifetime], in this process: whoever has it is that person.
func (d *Development) Link(p Principal) string {
	token := rand.Text()
	d.mu.Lock()
	defer d.mu.Unlock()
	for digest, l := range d.links {
		if time.Now().After(l.expires) {
			delete(d.links, digest)
		}
	}
	d.links[sha256.Sum256([]byte(token))] = link{p, time.Now().Add(LinkLifetime)}
	return "login?" + url.Values{"link": {token}}.Encode()
}

// follow takes the principal of a link, which is good no more.
func (d *Development) follow(token string) (Principal, bool) {
	digest := sha256.Sum256([]byte(token))
	d.mu.Lock()
	defer d.mu.Unlock()
	l, found := d.links[digest]
	delete(d.links, digest)
	return l.principal, found && time.Now().Before(l.expires)
}

// check returns the principal of a name and a secret. It compares all accounts, so that its time tells nothing.
func (d *Development) check(name, secret string) (principal Principal, good bool) {
	given := sha256.Sum256([]byte(secret))
	for i := range d.accounts {
		a := &d.accounts[i]
		want := sha256.Sum256([]byte(a.Secret))
		if same := subtle.ConstantTimeCompare(given[:], want[:]) == 1; same && name == a.ID {
			principal, good = a.Principal, true
		}
	}
	return principal, good
}
