package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/spf13/cobra"
	"go.opentelemetry.io/contrib/instrumentation/net/http/otelhttp"

	"github.com/muster-engine/muster/engine"
	"github.com/muster-engine/muster/engine/connector/secret"
	"github.com/muster-engine/muster/engine/httpapi"
	"github.com/muster-engine/muster/engine/httpapi/devtoken"
)

// The limits of the server, such as the longest times for sending a request and for reading its answer.
const (
	headerTimeout = 10 * time.Second
	readTimeout   = 30 * time.Second
	writeTimeout  = time.Minute
	idleTimeout   = 2 * time.Minute
	headerMax     = 64 << 10 // bytes
)

// server is the flags of serve.
type server struct {
	listen            string
	certificate, key  string
	clients           []string
	origins           []string
	tokenKey          string
	cursorKey         string
	verify            httpapi.JWTConfig
	rateLimit         string
	logJSON, noWorker bool
	console           string // auto, on or off
	metrics           string // the address
	externalURL       string
	addressHeader     string
	registration      string // on or off
	development       bool   // people may sign in to the console by the development login
	oidc              oidcFlags
}

func (a *app) serveCommand() *cobra.Command {
	var s server
	cmd := &cobra.Command{
		Use: "serve", Short: "Serve the Identities API and the console, with workers and the schedule",
		Args: exactArgs(0, "no argument"),
		Long: `Serve answers the Identities API over HTTP, carries out tasks, and processes by schedule at 08:00 and
20:00 in the tenant's time zone. On an interrupt it finishes the running requests and batches, and ends.

On a loopback address without a key set it also serves the console, below /console/, and prints a link by which the
one who started it signs in there once. Each --dev-client may sign in by its id and secret. Registered people sign in by
their account or e-mail address and their password, also elsewhere, where --external-url is an https address. With
--oidc-issuer they sign in at an OpenID provider, too, where ADDRESS/console/login/return and ADDRESS/console/login are
to be registered for the client. It need not be there when the server starts.

Below /register/ and /password/ it serves the pages on which people register and set passwords. The links in messages
lead there where neither --invitation-url and --verification-url nor the tenant's settings say another page.

It verifies tokens with the keys of --jwks-url or --jwks-file. Without either it accepts development tokens. "muster
token" makes them, and so does the endpoint POST /oauth/token for the clients of --dev-client.

It serves /metrics for Prometheus, with --metrics-listen on an address of its own only, and
sends traces to the destination in the standard variables of OpenTelemetry
(OTEL_TRACES_EXPORTER, OTEL_EXPORTER_OTLP_ENDPOINT). It sends invitations and verifications with --smtp-host and its
other flags, or logs them with --mail-log.

It waits for a database that is not there yet, says once a minute what it waits for, and starts a private PostgreSQL
again that died. Other commands with the same --data work on the same private PostgreSQL; the last one stops it.`,
		RunE: func(cmd *cobra.Command, _ []string) error { return a.serve(cmd.Context(), &s) },
	}
	flags := cmd.Flags()
	flags.StringVar(&s.listen, "listen", "127.0.0.1:8080", "address to listen on; port 0 means any free port")
	flags.StringVar(&s.certificate, "tls-cert", "", "file with the certificate, for HTTPS")
	flags.StringVar(&s.key, "tls-key", "", "file with the certificate's key")
	flags.StringVar(&s.verify.JWKSURL, "jwks-url", "", "URL of the JSON Web Key Set to verify tokens with")
	flags.StringVar(&s.verify.JWKSFile, "jwks-file", "", "file with that key set")
	flags.StringVar(&s.verify.Issuer, "issuer", "", "issuer that tokens must have")
	flags.StringVar(&s.verify.Audience, "audience", "", "audience that tokens must have")
	flags.DurationVar(&s.verify.Leeway, "leeway", 0, "allowed difference between the clocks of issuer and server")
	flags.StringArrayVar(&s.clients, "dev-client", nil,
		"development client id:secret[:AUTHORITY,...] that may get tokens from /oauth/token; may be repeated")
	flags.StringVar(&s.tokenKey, "token-key", "", tokenKeyUsage)
	flags.StringArrayVar(&s.origins, "cors-origin", nil, "origin, such as https://admin.example.com, whose pages may "+
		"call the API from a browser, or *; may be repeated")
	flags.StringVar(&s.cursorKey, "cursor-key", "", "reference to the secret that seals the cursors of lists, "+
		"env:NAME or file:PATH; several servers need the same one (default: one of this process)")
	flags.StringVar(&s.rateLimit, "rate-limit", "100/10s", "most requests of each client in a time, or off")
	flags.StringVar(&s.console, "console", consoleAuto, "serve the console: auto (where its sign-in allows), on or off")
	flags.StringVar(&s.externalURL, "external-url", "",
		"address at which browsers reach the server, such as https://people.example.com/: where a proxy changes it, "+
			"and for the links in messages")
	flags.StringVar(&s.registration, "registration", consoleOn,
		"serve the pages on which people register and set passwords: on or off")
	flags.StringVar(&s.addressHeader, "address-header", "", "header in which a proxy says the client's address, as "+
		"X-Forwarded-For, of which the last one counts: it limits attempts to sign in (default: the connection's)")
	flags.BoolVar(&s.logJSON, "log-json", false, "log as JSON")
	flags.BoolVar(&s.noWorker, "no-worker", false, "leave tasks, messages and the schedule to other processes")
	metricsFlag(cmd, &s.metrics)
	s.oidc.register(cmd)
	a.mail.register(cmd)
	return cmd
}

func (a *app) serve(ctx context.Context, s *server) (err error) {
	limit, err := parseRateLimit(s.rateLimit)
	if err != nil {
		return err
	}
	if (s.certificate == "") != (s.key == "") {
		return usage("--tls-cert and --tls-key belong together: one is given")
	}
	cursorKey, err := s.readCursorKey()
	if err != nil {
		return err
	}
	// The verifier of development tokens has a key set too.
	s.development = s.forDevelopment()
	issuer, clients, err := a.developers(s)
	if err != nil {
		return err
	}
	hasConsole, noConsole, err := s.checkConsole()
	if err != nil {
		return err
	}
	if err := s.checkRegistration(); err != nil {
		return err
	}
	a.mail.pages = s.pageLinks()
	a.daemonLog(s.logJSON)
	login, err := a.provider(s, hasConsole, noConsole)
	if err != nil {
		return err
	}
	if noConsole != "" {
		a.log.Info("the console is off: " + noConsole)
	}
	a.collectMetrics()
	flush, err := a.traces(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, flush(context.WithoutCancel(ctx))) }()
	return a.withDaemon(ctx, func(d *database, eng *engine.Engine) (err error) {
		// It outlives the interrupt, so that running requests and batches can finish.
		// Nothing that it does is done by the user who began it.
		running, cancel := context.WithCancel(engine.WithActor(context.WithoutCancel(ctx), engine.Actor{}))
		defer cancel()
		if !s.noWorker {
			a.sayWhetherMessagesWait()
		}
		s.verify.Logger = a.log
		verifier, err := httpapi.NewJWT(running, s.verify)
		if err != nil {
			return err
		}
		metrics := newMetrics(d.pool, a.collector)
		a.collector.Follow(eng)
		stop, err := a.serveMetrics(running, s.metrics, metrics)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, stop()) }()
		api, err := httpapi.New(eng, httpapi.Config{Authenticator: verifier, Logger: a.log, Observe: metrics.observe,
			RateLimit: limit, CORS: httpapi.CORS{Origins: s.origins}, CursorKey: cursorKey})
		if err != nil {
			return usageError{err}
		}
		root := s.beside(api, metrics, issuer, clients)
		var ui *pages
		if hasConsole {
			if ui, err = a.console(s, eng, clients, login); err != nil {
				return err
			}
		}
		handler, err := a.registration(s, eng, hasConsole, root)
		if err != nil {
			return err
		}
		if ui != nil {
			handler = ui.beside(handler)
		}
		if login != nil {
			// It need not be there yet: the login has said so in the log, and asks again when somebody comes.
			_ = login.Ready(running)
		}
		return a.listen(ctx, running, s, eng, ui, otelhttp.NewHandler(handler, "muster"))
	})
}

// readCursorKey returns the secret that seals cursors, nil for one of this process.
func (s *server) readCursorKey() ([]byte, error) {
	if s.cursorKey == "" {
		return nil, nil
	}
	text, err := secret.Read(s.cursorKey)
	if err != nil {
		return nil, usage("--cursor-key: %w", err)
	}
	return []byte(text), nil
}

// beside returns the API with what else the server has by its flags.
func (s *server) beside(api http.Handler, m *metrics, issuer *devtoken.Issuer, clients []devtoken.Client) beside {
	root := beside{api: api}
	if s.metrics == "" {
		root.metrics = m.handler()
	}
	if len(clients) > 0 {
		root.token = issuer.Endpoint(clients)
	}
	return root
}

// beside is the API with what else the server has. It is no http.ServeMux, which would redirect paths with two slashes
// before the API could answer them.
type beside struct{ api, metrics, token http.Handler }

func (b beside) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch {
	case r.URL.Path == "/metrics" && b.metrics != nil:
		b.metrics.ServeHTTP(w, r)
	case r.URL.Path == "/oauth/token" && b.token != nil:
		b.token.ServeHTTP(w, r)
	default:
		b.api.ServeHTTP(w, r)
	}
}

// developers returns the issuer of development tokens and the clients that may get them. With a key set there are none.
func (a *app) developers(s *server) (*devtoken.Issuer, []devtoken.Client, error) {
	if s.verify.JWKSFile != "" && s.verify.JWKSURL != "" {
		return nil, nil, usage("--jwks-url and --jwks-file exclude each other")
	}
	if s.verify.JWKSFile != "" || s.verify.JWKSURL != "" {
		if len(s.clients) > 0 || s.tokenKey != "" {
			return nil, nil, usage("--dev-client and --token-key are for development: they exclude a key set")
		}
		return nil, nil, nil
	}
	if s.verify.Issuer != "" || s.verify.Audience != "" {
		return nil, nil, usage("--issuer and --audience belong to --jwks-url or --jwks-file")
	}
	if err := s.demandPrivate(); err != nil {
		return nil, nil, err
	}
	var clients []devtoken.Client
	for _, text := range s.clients {
		client, err := devtoken.ParseClient(text)
		if err != nil {
			return nil, nil, usage("--dev-client: %w", err)
		}
		if err := demandLevels("--dev-client", client.Authorities); err != nil {
			return nil, nil, err
		}
		clients = append(clients, client)
	}
	issuer, err := a.tokenIssuer(s.tokenKey)
	if err != nil {
		return nil, nil, err
	}
	leeway := s.verify.Leeway
	s.verify = issuer.Verifier()
	s.verify.Leeway = leeway
	return issuer, clients, nil
}

// demandPrivate returns an error where development tokens would travel in the clear to other machines.
func (s *server) demandPrivate() error {
	if s.certificate != "" {
		return nil
	}
	address, err := net.ResolveTCPAddr("tcp", s.listen)
	if err != nil {
		return usage("--listen: %w", err)
	}
	if !address.IP.IsLoopback() {
		return usage("--listen %s: development tokens are for this machine: give --tls-cert and --tls-key, a key set "+
			"(--jwks-url, --jwks-file), or an address such as 127.0.0.1:8080", s.listen)
	}
	return nil
}

// listen serves until ctx ends, and then finishes the running requests and batches. ui is nil for no console.
func (a *app) listen(ctx, running context.Context, s *server, eng *engine.Engine, ui *pages,
	handler http.Handler,
) error {
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", s.listen)
	if err != nil {
		return fmt.Errorf("--listen: %w", err)
	}
	web := &http.Server{
		Handler: handler, BaseContext: func(net.Listener) context.Context { return running },
		ReadHeaderTimeout: headerTimeout, ReadTimeout: readTimeout, WriteTimeout: writeTimeout,
		IdleTimeout: idleTimeout, MaxHeaderBytes: headerMax,
		ErrorLog:  slog.NewLogLogger(a.log.Handler(), slog.LevelWarn),
		TLSConfig: &tls.Config{MinVersion: tls.VersionTLS12},
	}
	if !s.noWorker {
		if err := eng.Start(running); err != nil {
			return errors.Join(err, listener.Close())
		}
	}
	ended := make(chan error, 1)
	scheme := "http"
	if s.certificate != "" {
		scheme = "https"
		go func() { ended <- web.ServeTLS(listener, s.certificate, s.key) }()
	} else {
		go func() { ended <- web.Serve(listener) }()
	}
	fmt.Fprintf(a.stdout, "listening on %s://%s\n", scheme, listener.Addr())
	if ui != nil {
		web.RegisterOnShutdown(ui.Close)
	}
	if ui != nil && ui.login != nil {
		a.announce(ui, scheme, listener.Addr())
	}
	select {
	case err = <-ended: // the server failed
	case <-ctx.Done():
	}
	stopping, cancel := context.WithTimeout(running, stopTimeout)
	defer cancel()
	err = errors.Join(err, web.Shutdown(stopping))
	if !s.noWorker {
		err = errors.Join(err, stopWorkers(stopping, eng))
	}
	return err
}
