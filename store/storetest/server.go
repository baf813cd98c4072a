package storetest

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"sync"
	"time"

	"github.com/peterldowns/pgtestdb"

	"github.com/muster-engine/muster/store/pglocal"
)

// The variables of the environment that choose the server.
const (
	databaseURLVariable = "MUSTER_TEST_DATABASE_URL"
	containersVariable  = "MUSTER_TEST_CONTAINERS"
)

// containerPackage is what a test imports so that containers are possible.
const containerPackage = "github.com/muster-engine/muster/store/storetest/container"

// The time limits of a server. A container's includes pulling its image.
const (
	startTimeout = 5 * time.Minute
	stopTimeout  = time.Minute
)

// server is the PostgreSQL that the tests of one package share.
type server struct {
	config    pgtestdb.Config
	stop      func(context.Context) error
	originals originals
	pooler    *pooler // before it; nil for none
}

// StartFunc starts a PostgreSQL. It returns the URL of a superuser, and a function that stops the server. Where it
// fails it leaves nothing behind.
type StartFunc func(ctx context.Context) (url string, stop func(context.Context) error, err error)

// startInContainer is what [RegisterContainer] was given.
var startInContainer StartFunc

// RegisterContainer says how a server is started in a container. Package storetest/container calls it while it is
// initialized; a host calls it, in an init function, for a container of its own kind.
func RegisterContainer(start StartFunc) { startInContainer = start }

// shared is the server of this process, which the first test that needs it starts.
var shared struct {
	sync.Mutex
	started bool
	server  *server
	err     error
}

func sharedServer() (*server, error) {
	shared.Lock()
	defer shared.Unlock()
	if !shared.started {
		// Not the context of the test that happens to be the first: the server outlives it.
		ctx, cancel := context.WithTimeout(context.Background(), startTimeout)
		defer cancel()
		shared.started = true
		shared.server, shared.err = startPooledServer(ctx)
	}
	return shared.server, shared.err
}

func stopSharedServer() error {
	shared.Lock()
	defer shared.Unlock()
	if shared.server == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), stopTimeout)
	defer cancel()
	return errors.Join(shared.server.dropOriginals(), shared.server.pooler.stop(), shared.server.stop(ctx))
}

// startPooledServer starts the server, and the pooler before it where one is asked for.
func startPooledServer(ctx context.Context) (*server, error) {
	s, err := startServer(ctx)
	if err != nil {
		return nil, err
	}
	if s.pooler, err = startPooler(ctx, s.config.URL()); err != nil {
		return nil, errors.Join(err, s.stop(ctx))
	}
	return s, nil
}

func startServer(ctx context.Context) (*server, error) {
	if text := os.Getenv(databaseURLVariable); text != "" {
		config, err := configOf(text)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", databaseURLVariable, err)
		}
		return &server{config: config, stop: func(context.Context) error { return nil }}, nil
	}
	switch value := os.Getenv(containersVariable); value {
	case "", "0":
		return startLocal(ctx)
	case "1":
		return startContainer(ctx)
	default:
		return nil, fmt.Errorf("%s is %q where 1 or 0 is allowed", containersVariable, value)
	}
}

func startLocal(ctx context.Context) (*server, error) {
	local, err := pglocal.Start(ctx, pglocal.Config{TempDir: memoryFolder()})
	if err != nil {
		return nil, fmt.Errorf("start a PostgreSQL for the tests: %w\n(%s=1 uses a container, %s=URL a running server)",
			err, containersVariable, databaseURLVariable)
	}
	config, err := configOf(local.ConnString("postgres"))
	if err != nil {
		return nil, errors.Join(err, local.Stop(ctx))
	}
	return &server{config: config, stop: local.Stop}, nil
}

func startContainer(ctx context.Context) (*server, error) {
	if startInContainer == nil {
		return nil, fmt.Errorf("%s=1 runs PostgreSQL in a container, and the tests do not import what can do so: add\n"+
			"\timport _ %q", containersVariable, containerPackage)
	}
	url, stop, err := startInContainer(ctx)
	if err != nil {
		return nil, err
	}
	config, err := configOf(url)
	if err != nil {
		return nil, errors.Join(err, stop(ctx))
	}
	return &server{config: config, stop: stop}, nil
}

// configOf takes the URL of a server apart. Its text may hold a password, so no error repeats it.
func configOf(text string) (pgtestdb.Config, error) {
	u, err := url.Parse(text)
	if err != nil || (u.Scheme != "postgres" && u.Scheme != "postgresql") {
		return pgtestdb.Config{}, errors.New(
			"it is no URL like postgres://user:password@host:port/database?option=value")
	}
	config := pgtestdb.Config{
		DriverName: "pgx", Host: u.Hostname(), Port: u.Port(), Database: "postgres", Options: u.RawQuery,
		User: url.User(u.User.Username()).String(),
	}
	if password, ok := u.User.Password(); ok {
		config.Password = url.User(password).String()
	}
	if config.Port == "" && config.Host != "" {
		config.Port = "5432"
	}
	if len(u.Path) > 1 {
		config.Database = u.Path[1:]
	}
	return config, nil
}
