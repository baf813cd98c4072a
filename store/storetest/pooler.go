package storetest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/peterldowns/pgtestdb"
)

// poolerVariable puts PgBouncer before the server of the tests. Its value is the mode of the pools.
const poolerVariable = "MUSTER_TEST_POOLER"

// The modes of pools: a connection of the server belongs to a client for one transaction, or for as long as the client
// is connected.
const (
	poolTransaction = "transaction"
	poolSession     = "session"
)

// poolerPort is the port in the name of the pooler's socket, which is in a folder of its own.
const poolerPort = "6432"

// PollOnly reports whether the tests reach their databases through pools in transaction mode, so that an engine needs
// the field PollOnly of its Config.
func PollOnly() bool { return os.Getenv(poolerVariable) == poolTransaction }

// pooler is a PgBouncer before the server of the tests. The nil pooler stands for none.
type pooler struct {
	mode, folder string
	process      *exec.Cmd
	ended        chan struct{}
}

// startPooler starts the pooler that the environment asks for; it returns nil where it asks for none. url is that of a
// superuser of the server.
func startPooler(ctx context.Context, text string) (p *pooler, err error) {
	mode := os.Getenv(poolerVariable)
	switch mode {
	case "":
		return nil, nil
	case poolTransaction, poolSession:
	default:
		return nil, fmt.Errorf("%s is %q where %s or %s is allowed", poolerVariable, mode, poolTransaction, poolSession)
	}
	program, err := exec.LookPath("pgbouncer")
	if err != nil {
		if program = "/usr/sbin/pgbouncer"; !executable(program) {
			return nil, errors.New("pgbouncer is not installed: apt-get install pgbouncer")
		}
	}
	u, err := url.Parse(text)
	if err != nil {
		return nil, errors.New("the URL of the server of the tests cannot be read")
	}
	p = &pooler{mode: mode, ended: make(chan struct{})}
	if p.folder, err = os.MkdirTemp("", "pooler-"); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.RemoveAll(p.folder))
		}
	}()
	host, port := u.Query().Get("host"), u.Query().Get("port")
	if host == "" {
		host, port = u.Hostname(), u.Port()
	}
	config := filepath.Join(p.folder, "pgbouncer.ini")
	users := filepath.Join(p.folder, "users.txt")
	// The owner of a test's database has its usual name and password. A server connection that has nothing to do is
	// closed at once, so that many databases do not use up those of the server.
	// In session mode a test's engines, with a pool each, hold all that their pools have.
	size := poolMax
	if mode == poolSession {
		size = 3 * poolMax
	}
	settings := []string{
		"[databases]", "* = host=" + host + " port=" + port, "[pgbouncer]", "pool_mode = " + mode,
		"listen_port = " + poolerPort, "unix_socket_dir = " + p.folder, "auth_type = trust", "auth_file = " + users,
		"logfile = " + filepath.Join(p.folder, "log"), "max_client_conn = 2000",
		fmt.Sprintf("default_pool_size = %d", size), "server_idle_timeout = 1",
		"ignore_startup_parameters = extra_float_digits", "",
	}
	password, _ := u.User.Password()
	for name, content := range map[string]string{
		config: strings.Join(settings, "\n"),
		users: fmt.Sprintf("%q %q\n%q %q\n", pgtestdb.DefaultRoleUsername, pgtestdb.DefaultRolePassword,
			u.User.Username(), password),
	} {
		if err := os.WriteFile(name, []byte(content), 0o600); err != nil {
			return nil, err
		}
	}
	p.process = exec.Command(program, config)
	if err := p.actAs(host); err != nil {
		return nil, err
	}
	var output bytes.Buffer
	p.process.Stdout, p.process.Stderr = &output, &output
	if err := p.process.Start(); err != nil {
		return nil, err
	}
	go func() {
		_ = p.process.Wait() // what it says stands in its log
		close(p.ended)
	}()
	if err := p.await(ctx, p.through(text)); err != nil {
		return nil, errors.Join(fmt.Errorf("pgbouncer does not answer: %w\n%s", err, &output), p.stop())
	}
	return p, nil
}

func executable(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode()&0o111 != 0
}

// await returns when the pooler answers, when it has ended, or when ctx ends.
func (p *pooler) await(ctx context.Context, text string) error {
	for {
		conn, err := pgx.Connect(ctx, text)
		if err == nil {
			return conn.Close(ctx)
		}
		select {
		case <-p.ended:
			return errors.New("it has ended")
		case <-ctx.Done():
			return err
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// through returns the URL of the same database through the pooler.
func (p *pooler) through(text string) string {
	u, err := url.Parse(text)
	if p == nil || err != nil {
		return text
	}
	query := u.Query()
	query.Set("host", p.folder)
	query.Set("port", poolerPort)
	query.Set("sslmode", "disable")
	if p.mode == poolTransaction {
		query.Set("default_query_exec_mode", "cache_describe")
	}
	u.Host, u.RawQuery = "", query.Encode()
	return u.String()
}

// stop ends the pooler, and removes its folder.
func (p *pooler) stop() error {
	if p == nil {
		return nil
	}
	_ = p.process.Process.Kill() // it may have ended; nobody reads what it still has
	<-p.ended
	return os.RemoveAll(p.folder)
}
