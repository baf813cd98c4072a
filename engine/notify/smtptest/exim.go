//go:build unix

package smtptest

import (
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/muster-engine/muster/store/storetest"
)

// Exim is a mail server that runs for one test. What it accepts waits in its queue until somebody looks into the
// mailbox. It knows the user muster with the password s3cret, and refuses mail to refused@ any domain.
type Exim struct {
	Dir           string // of its files, its log-main among them
	Port, TLSPort int    // for STARTTLS, and for TLS from the first byte on
	Pool          *x509.CertPool

	program, config string
	account         *syscall.Credential // nil for that of the test
	process         *exec.Cmd
	log             *os.File // what the program says
}

const eximConfig = `
keep_environment =
primary_hostname = mail.example.com
local_interfaces = 127.0.0.1
daemon_smtp_ports = %[2]d : %[3]d
tls_on_connect_ports = %[3]d
spool_directory = %[1]s/spool
log_file_path = %[1]s/log-%%s
exim_path = %[5]s
deliver_drop_privilege = true
queue_only = true
host_lookup =
%[4]s
acl_smtp_rcpt = recipient

begin acl

recipient:
  deny   message = authentication required
         encrypted = *
         !authenticated = *
  deny   message = there is no mailbox for $local_part@$domain
         local_parts = refused
  accept

begin routers

mailbox:
  driver = accept
  transport = mailbox

begin transports

mailbox:
  driver = appendfile
  directory = %[1]s/mail
  maildir_format
  create_directory
  envelope_to_add

begin authenticators

plain:
  driver = plaintext
  public_name = PLAIN
  server_prompts = :
  server_condition = ${if and{{eq{$auth2}{muster}}{eq{$auth3}{s3cret}}}}
  server_set_id = $auth2
`

// StartExim starts a server. Who comes without encryption need not sign in. Without encrypted it offers none.
func StartExim(t testing.TB, encrypted bool) *Exim {
	t.Helper()
	s := &Exim{Dir: storetest.DataDir(t), Port: freePort(t), TLSPort: freePort(t)}
	for _, name := range []string{"exim4", "/usr/sbin/exim4", "exim", "/usr/sbin/exim"} {
		if path, err := exec.LookPath(name); err == nil {
			s.program = path
			break
		}
	}
	if s.program == "" {
		t.Fatal("Exim is not installed: apt-get install exim4-daemon-light")
	}
	log, err := os.Create(filepath.Join(s.Dir, "output"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = log.Close() })
	s.log = log
	der, key, pool := Certificate(t)
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	s.Pool, s.config = pool, filepath.Join(s.Dir, "exim.conf")
	encryption := "tls_advertise_hosts ="
	if encrypted {
		encryption = fmt.Sprintf("tls_advertise_hosts = *\ntls_certificate = %[1]s/cert.pem\n"+
			"tls_privatekey = %[1]s/key.pem", s.Dir)
	}
	for name, text := range map[string][]byte{
		"exim.conf": fmt.Appendf(nil, eximConfig, s.Dir, s.Port, s.TLSPort, encryption, s.program),
		"cert.pem":  pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}),
		"key.pem":   pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER}),
	} {
		if err := os.WriteFile(filepath.Join(s.Dir, name), text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	s.dropRoot(t)
	s.Up(t)
	return s
}

// dropRoot gives the server's folder to the account that Exim has for itself, where the tests are root's: as that it
// runs with the tests' configuration and no privileges.
func (s *Exim) dropRoot(t testing.TB) {
	t.Helper()
	if os.Getuid() != 0 {
		return
	}
	account, err := user.Lookup("Debian-exim")
	if err != nil {
		if account, err = user.Lookup("exim"); err != nil {
			t.Fatal(err)
		}
	}
	uid, err := strconv.ParseUint(account.Uid, 10, 32)
	if err != nil {
		t.Fatal(err)
	}
	gid, err := strconv.ParseUint(account.Gid, 10, 32)
	if err != nil {
		t.Fatal(err)
	}
	s.account = &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
	for _, name := range []string{".", "exim.conf", "cert.pem", "key.pem"} {
		if err := os.Chown(filepath.Join(s.Dir, name), int(uid), int(gid)); err != nil {
			t.Fatal(err)
		}
	}
}

func freePort(t testing.TB) int {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	return listener.Addr().(*net.TCPAddr).Port
}

// output is what the program said.
func (s *Exim) output(t testing.TB) string {
	t.Helper()
	text, err := os.ReadFile(s.log.Name())
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func (s *Exim) command(args ...string) *exec.Cmd {
	command := exec.Command(s.program, append([]string{"-C", s.config}, args...)...)
	command.Dir, command.Stdout, command.Stderr = s.Dir, s.log, s.log
	command.SysProcAttr = &syscall.SysProcAttr{Credential: s.account}
	return command
}

// Up starts the program and waits until it answers.
func (s *Exim) Up(t testing.TB) {
	t.Helper()
	process := s.command("-bdf")
	if err := process.Start(); err != nil {
		t.Fatal(err)
	}
	s.process = process
	t.Cleanup(func() {
		_ = process.Process.Kill()
		_ = process.Wait()
	})
	for range 200 {
		if conn, err := net.Dial("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(s.TLSPort))); err == nil {
			_ = conn.Close()
			return
		}
		time.Sleep(25 * time.Millisecond)
	}
	t.Fatalf("Exim does not answer: %s", s.output(t))
}

// Down ends the program.
func (s *Exim) Down(t testing.TB) {
	t.Helper()
	if err := s.process.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	_ = s.process.Wait()
}

// Mail lets the server deliver what it has accepted, takes it out of the mailbox and returns it, the earliest first.
func (s *Exim) Mail(t testing.TB) []string {
	t.Helper()
	if err := s.command("-qf").Run(); err != nil {
		t.Fatalf("%v: %s", err, s.output(t))
	}
	files, err := filepath.Glob(filepath.Join(s.Dir, "mail", "new", "*"))
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(files)
	var texts []string
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		texts = append(texts, string(text))
		if err := os.Remove(file); err != nil {
			t.Fatal(err)
		}
	}
	return texts
}

// One is Mail that must be one message.
func (s *Exim) One(t testing.TB) string {
	t.Helper()
	mail := s.Mail(t)
	if len(mail) != 1 {
		t.Fatalf("%d messages are in the mailbox: %q", len(mail), mail)
	}
	return mail[0]
}
