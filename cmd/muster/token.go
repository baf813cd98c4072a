package main

import (
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/muster-engine/muster/engine/connector/secret"
	"github.com/muster-engine/muster/engine/httpapi/devtoken"
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

// tokenIssuer returns the issuer of development tokens. Its key comes from a reference, or else from the file beside
// --data.
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
	}
	issuer, err := devtoken.New(key)
	if err != nil {
		return nil, usage("--token-key: %w", err)
	}
	return issuer, nil
}

// ownTokenKey reads a key, and makes it if it is missing. The key is beside the folder of the private PostgreSQL: that
// folder belongs to the server alone, and may have another owner.
func ownTokenKey(name string) ([]byte, error) {
	text, err := os.ReadFile(name)
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
