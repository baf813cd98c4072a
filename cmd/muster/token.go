package main

import (
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/spf13/cobra"

	"github.com/muster-engine/muster/engine/connector/secret"
	"github.com/muster-engine/muster/engine/httpapi/devtoken"
	"github.com/muster-engine/muster/engine/right"
)

const tokenKeyUsage = "reference to the secret that signs development tokens, env:NAME or file:PATH " +
	"(default: a file beside --data, made if it is missing)"

func (a *app) tokenCommand() *cobra.Command {
	grant := devtoken.Grant{TTL: devtoken.TTLDefault}
	var key string
	cmd := &cobra.Command{
		Use: "token", Short: "Make a development token for muster serve", Args: exactArgs(0, "no argument"),
		Long: `Token prints a JSON Web Token that "muster serve" on the same --data accepts, to try out the API:

  curl -H "Authorization: Bearer $(muster token --authority ORG_ADMIN)" http://127.0.0.1:8080/beta/identities`,
		RunE: func(*cobra.Command, []string) error {
			if err := demandLevels("--authority", grant.Authorities); err != nil {
				return err
			}
			issuer, err := a.tokenIssuer(key)
			if err != nil {
				return err
			}
			token, err := issuer.Mint(grant, time.Now())
			if err != nil {
				return usageError{err}
			}
			fmt.Fprintln(a.stdout, token)
			return nil
		},
	}
	flags := cmd.Flags()
	flags.StringSliceVar(&grant.Authorities, "authority", nil,
		"user level of the bearer, such as ORG_ADMIN or HELPDESK")
	flags.StringVar(&grant.ClientID, "client", "muster", "client that the token is for")
	flags.StringVar(&grant.IdentityID, "identity", "", "ID of the identity that the client acts for")
	flags.StringSliceVar(&grant.Scopes, "scope", nil, "scope of the token (default "+devtoken.ScopeAll+")")
	flags.DurationVar(&grant.TTL, "ttl", devtoken.TTLDefault, "how long the token is valid")
	flags.StringVar(&key, "token-key", "", tokenKeyUsage)
	return cmd
}

// demandLevels refuses what is no user level: a token with it would be good for nothing.
func demandLevels(flag string, levels []string) error {
	known := []string{string(right.User), string(right.API)}
	for _, level := range right.Administrators() {
		known = append(known, string(level))
	}
	for _, level := range levels {
		if !slices.Contains(known, level) {
			return usage("%s: %q is no user level: %s is expected", flag, level, orList(known))
		}
	}
	return nil
}

// tokenIssuer returns the issuer of development tokens. Its key comes from a reference, or else from the file beside
// --data: then each tenant has a key of its own, which is derived from that of the file.
func (a *app) tokenIssuer(reference string) (*devtoken.Issuer, error) {
	var key []byte
	if reference != "" {
		text, err := secret.Read(reference)
		if err != nil {
			return nil, usage("--token-key: %w", err)
		}
		key = []byte(text)
	} else {
		dir, err := a.dataFolder()
		if err != nil {
			return nil, err
		}
		if key, err = ownTokenKey(dir + ".token-key"); err != nil {
			return nil, err
		}
		tenant, err := a.tenantName()
		if err != nil {
			return nil, err
		}
		if key, err = hkdf.Key(sha256.New, key, nil, "muster development tokens of "+tenant, 32); err != nil {
			return nil, fmt.Errorf("derive the key of development tokens: %w", err)
		}
	}
	issuer, err := devtoken.New(key)
	if err != nil {
		return nil, usage("--token-key: %w", err)
	}
	return issuer, nil
}

// tenantName names the tenant that the flags and the environment say, by its database and its schema.
func (a *app) tenantName() (string, error) {
	place := "the private PostgreSQL"
	if a.databaseURL != "" {
		config, err := pgx.ParseConfig(a.databaseURL)
		if err != nil {
			return "", fmt.Errorf("read the URL of the database: %w", err) // pgx removes the password
		}
		place = fmt.Sprintf("%s:%d/%s", config.Host, config.Port, config.Database)
	}
	return place + "/" + a.schemas.WithDefaults().Schema, nil
}

// ownTokenKey reads a key, and makes it if it is missing. The key is beside the folder of the private PostgreSQL: that
// folder belongs to the server alone, and may have another owner.
func ownTokenKey(name string) ([]byte, error) {
	text, err := readTokenKey(name)
	if err == nil {
		return []byte(strings.TrimSpace(string(text))), nil
	}
	if !errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("read the key of development tokens: %w", err)
	}
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		return nil, fmt.Errorf("store the key of development tokens: %w", err)
	}
	var bits [32]byte
	if _, err := rand.Read(bits[:]); err != nil {
		panic(err) // cannot fail
	}
	key := base64.RawURLEncoding.EncodeToString(bits[:])
	// Write the whole file or nothing, and never replace the key of another process that was faster.
	part, err := os.CreateTemp(filepath.Dir(name), ".token-key-*")
	if err != nil {
		return nil, fmt.Errorf("store the key of development tokens: %w", err)
	}
	defer os.Remove(part.Name())
	_, err = fmt.Fprintln(part, key)
	if err = errors.Join(err, part.Close()); err == nil {
		err = os.Link(part.Name(), name)
	}
	if errors.Is(err, os.ErrExist) {
		return ownTokenKey(name)
	}
	if err != nil {
		return nil, fmt.Errorf("store the key of development tokens: %w", err)
	}
	return []byte(key), nil
}

// tokenKeyMax is the most bytes of a file with a key.
const tokenKeyMax = 4096

// readTokenKey reads a file with a key. It refuses one that somebody else made or can read: in a folder that others can
// write to, such as /tmp, they could choose the key beforehand.
func readTokenKey(name string) ([]byte, error) {
	info, err := os.Lstat(name)
	if err != nil {
		return nil, err
	}
	if err := demandOwn(name, info); err != nil {
		return nil, err
	}
	file, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	opened, err := file.Stat()
	if err != nil {
		return nil, err
	}
	if !os.SameFile(info, opened) {
		return nil, fmt.Errorf("%s was replaced while it was read: try again", name)
	}
	return io.ReadAll(io.LimitReader(file, tokenKeyMax))
}
