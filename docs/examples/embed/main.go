// Command embed is a service of a company that has Muster linked in. It migrates the tables, starts the workers, and
// has the API and the console in its own mux, behind its own sign-in.
//
//	DATABASE_URL=postgres://localhost/acme go run ./docs/examples/embed
package main

import (
	"context"
	"errors"
	"log"
	"log/slog"
	"net/http"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/muster-engine/muster/engine"
	"github.com/muster-engine/muster/engine/attribute"
	"github.com/muster-engine/muster/engine/connector"
	"github.com/muster-engine/muster/engine/connector/delimited"
	"github.com/muster-engine/muster/engine/console"
	"github.com/muster-engine/muster/engine/httpapi"
	"github.com/muster-engine/muster/engine/transform"
	"github.com/muster-engine/muster/migrations"
)

// stopTimeout is how long requests and batches that run may take to end.
const stopTimeout = 30 * time.Second

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Getenv("DATABASE_URL"), "localhost:8080"); err != nil {
		log.Fatal(err)
	}
}

// run serves until the context ends.
func run(ctx context.Context, url, address string) (err error) {
	pool, err := pgxpool.New(ctx, url)
	if err != nil {
		return err
	}
	defer pool.Close()
	if _, err := migrations.Up(ctx, pool, migrations.Config{}); err != nil {
		return err
	}
	eng, err := engine.New(ctx, pool, config())
	if err != nil {
		return err
	}
	mux, ui, err := newMux(eng)
	if err != nil {
		return err
	}

	// The end of ctx would end the batches that run. Stop lets them finish.
	lasting := context.WithoutCancel(ctx)
	if err := eng.Start(lasting); err != nil {
		return err
	}
	server := &http.Server{Addr: address, Handler: mux, ReadHeaderTimeout: 10 * time.Second}
	server.RegisterOnShutdown(ui.Close) // its streams would hold up the end
	failed := make(chan error, 1)
	go func() { failed <- server.ListenAndServe() }()
	select {
	case err = <-failed:
	case <-ctx.Done():
		ending, cancel := context.WithTimeout(lasting, stopTimeout)
		defer cancel()
		err = server.Shutdown(ending)
	}
	ending, cancel := context.WithTimeout(lasting, stopTimeout)
	defer cancel()
	return errors.Join(err, eng.Stop(ending))
}

// config is what the service gives the engine: connectors of its sources, and a rule that its transforms name.
func config() engine.Config {
	return engine.Config{
		Connectors: map[string]connector.Factory{"delimited-file": delimited.New},
		Logger:     slog.Default(),
		Rules:      map[string]transform.Rule{"Cost centre": costCentre},
	}
}

// costCentre is a calculation of the company's own: the cost centre of a department. A transform names it so:
//
//	{type: rule, attributes: {name: Cost centre, input: {type: identityAttribute, attributes: {name: department}}}}
func costCentre(in *transform.RuleInput) (attribute.Value, error) {
	switch department := strings.ToLower(in.Value.Text()); {
	case department == "":
		return attribute.Value{}, nil // no department, no cost centre
	case strings.HasPrefix(department, "sales"):
		return attribute.String("4100"), nil
	default:
		return attribute.String("9000"), nil
	}
}

// newMux returns the service's mux: its own pages, the API, and the console, which works below any path.
func newMux(eng *engine.Engine) (*http.ServeMux, *console.Handler, error) {
	caller := httpapi.AuthenticatorFunc(func(r *http.Request) (*httpapi.Principal, error) {
		person := signedIn(r)
		if person == nil {
			return nil, &httpapi.UnauthorizedError{Reason: "sign in first"}
		}
		return &httpapi.Principal{ClientID: person.name, UserName: person.name, Authorities: []string{person.level},
			Scopes: []string{"sp:scopes:all"}}, nil
	})
	api, err := httpapi.New(eng, httpapi.Config{Logger: slog.Default(), Authenticator: caller})
	if err != nil {
		return nil, nil, err
	}
	visitor := console.AuthenticatorFunc(func(r *http.Request) (*console.Principal, error) {
		person := signedIn(r)
		if person == nil {
			return nil, nil // nobody: the console says that a sign-in is needed
		}
		return &console.Principal{ID: person.name, Name: person.name, Levels: []string{person.level}}, nil
	})
	ui, err := console.New(eng, console.Config{Logger: slog.Default(), Name: "Acme", Authenticator: visitor})
	if err != nil {
		return nil, nil, err
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write([]byte("Acme: people are at /admin/people/\n")) // the client may have gone
	})
	mux.Handle("/admin/people/", http.StripPrefix("/admin/people", ui))
	mux.Handle("/", httpapi.Under("/api", api, http.NotFoundHandler()))
	return mux, ui, nil
}

// person is who is signed in to the service.
type person struct{ name, level string }

// signedIn returns who sends a request; nil for nobody. Here the gateway before the service tells it by headers that it
// takes from clients: put your own session in its place.
func signedIn(r *http.Request) *person {
	name := r.Header.Get("Acme-User")
	if name == "" {
		return nil
	}
	if r.Header.Get("Acme-Group") == "identity-admins" {
		return &person{name, "ORG_ADMIN"}
	}
	return &person{name, "HELPDESK"}
}
