// The program provider is the example server of zitadel/oidc as an OpenID provider of the tests: with a client for the
// console, which may send people back to its page after they have signed out, and with users of a file.
//
//	provider ADDRESS REDIRECT LOGOUT USERS
//
// ADDRESS is where it listens, REDIRECT and LOGOUT are the console's pages, and USERS is a file with JSON.
package main

import (
	"context"
	"log"
	"log/slog"
	"net/http"
	"os"

	"github.com/zitadel/oidc/v3/example/server/exampleop"
	"github.com/zitadel/oidc/v3/example/server/storage"
	"github.com/zitadel/oidc/v3/pkg/op"
)

func main() {
	if len(os.Args) != 5 {
		log.Fatal("usage: provider ADDRESS REDIRECT LOGOUT USERS")
	}
	address, redirect, logout, file := os.Args[1], os.Args[2], os.Args[3], os.Args[4]
	users, err := storage.StoreFromFile(file)
	if err != nil {
		log.Fatal(err)
	}
	storage.RegisterClients(storage.WebClient("muster", "secret", redirect))
	kept := registered{storage.NewStorage(users), logout}
	logger := slog.New(slog.NewTextHandler(os.Stderr, nil))
	handler := exampleop.SetupServer("http://"+address+"/", kept, logger, false)
	log.Fatal(http.ListenAndServe(address, handler))
}

// registered is the example's storage with an address to which people come after signing out, which the example's
// clients cannot have.
type registered struct {
	*storage.Storage

	logout string
}

// GetClientByClientID implements [op.Storage].
func (r registered) GetClientByClientID(ctx context.Context, id string) (op.Client, error) {
	client, err := r.Storage.GetClientByClientID(ctx, id)
	if err != nil {
		return nil, err
	}
	return signingOut{client, r.logout}, nil
}

// signingOut is a client with that address.
type signingOut struct {
	op.Client

	logout string
}

// PostLogoutRedirectURIs implements [op.Client].
func (c signingOut) PostLogoutRedirectURIs() []string { return []string{c.logout} }
