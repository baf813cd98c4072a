package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/muster-engine/muster/engine/enginetest"
	"github.com/muster-engine/muster/engine/notify"
)

// mailed is a shell on a database whose people have addresses, but for the last one.
func mailed(t *testing.T) *shell {
	t.Helper()
	s := newShell(t)
	s.run(exitOK, "", "migrate", "up")
	s.run(exitOK, enginetest.Documents, "apply", "-f", "-")
	s.run(exitOK, "id,name,mail,mgr\nann,Ann,ann@example.com,\nbob,Bob,bob@example.com,ann\ncem,Cem,,ann\n", "aggregate", "HR", "--file", "-")
	return s
}

// anyID and took stand for what differs each time.
var (
	anyID = regexp.MustCompile(`[0-9a-f]{32}`)
	took  = regexp.MustCompile(`(?m)^took .*\n`)
)

func plainTask(out string) string {
	return took.ReplaceAllString(anyID.ReplaceAllString(out, "ID"), "")
}

func (s *shell) status(alias string) string {
	s.t.Helper()
	out, _ := s.run(exitOK, "", "identities", "get", alias)
	var identity struct{ IdentityStatus string }
	if err := json.Unmarshal([]byte(out), &identity); err != nil {
		s.t.Fatal(err)
	}
	return identity.IdentityStatus
}

// launcher returns how tasks show who runs the tests.
func launcher() string {
	actor := osActor()
	return actorText(&actor)
}

func TestInviteCommand(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("it takes long")
	}
	s := mailed(t)
	out, errOut := s.run(exitOK, "", "identities", "invite", "ann")
	if want := "task      ID\n          Invite 1 identity, launched by " + launcher() + "\nstatus    WAITING, 0 %: Waiting\n" +
		"messages  0 sent, 0 could not be sent, 1 still to be sent\n"; plainTask(out) != want {
		t.Errorf("got %q", plainTask(out))
	}
	demand(t, errOut, "The messages wait for a command that has a mail server")
	if status := s.status("ann"); status != "UNREGISTERED" {
		t.Errorf("a message that waits makes her %s, want %q", status, "UNREGISTERED")
	}
	// A server that is away: the message is tried again.
	out, errOut = s.run(exitFailed, "", append([]string{"identities", "invite", "bob", "-o", "json"}, unreachable...)...)
	demand(t, out, `"progress": "Waiting"`)
	demand(t, errOut, "1 messages could not be sent. They are tried again")
	// With --wait, what waits is sent too.
	out, errOut = s.run(exitOK, "", "identities", "invite", "--uninvited", "--wait", "--mail-log")
	if want := "task      ID\n          Invite 1 identity, launched by " + launcher() + "\nstatus    WARNING, 100 %: Completed\n" +
		"messages  0 sent, 1 could not be sent, 0 still to be sent\nERROR the message could not be sent: the identity has no address for LINK_WORK (Cem, ID)\n"; plainTask(out) != want {
		t.Errorf("got %q", plainTask(out))
	}
	if demand(t, errOut, "purpose=INVITATION"); strings.Count(errOut, "a message would be sent") != 2 || strings.Contains(errOut, "@example.com") {
		t.Errorf("the log is %s", errOut)
	}
	if got := s.status("ann") + s.status("bob") + s.status("cem"); got != "PENDINGPENDINGUNREGISTERED" {
		t.Errorf("the statuses are %s, want %q", got, "PENDINGPENDINGUNREGISTERED")
	}
	_, errOut = s.run(exitFailed, "", "identities", "invite", "nobody")
	demand(t, errOut, "no identity")
}

// unreachable are flags of a mail server that nobody reaches.
var unreachable = []string{"--wait", "--smtp-host", "127.0.0.1", "--smtp-port", "1", "--smtp-from", "muster@example.com",
	"--invitation-url", "https://example.com/register?token={token}", "--verification-url", "https://example.com/password?token={token}"}

func TestVerifyCommand(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("it takes long")
	}
	s := mailed(t)
	out, errOut := s.run(exitOK, "", "identities", "verify", "ann", "--via", "EMAIL_WORK")
	if want := "task      ID\n          Send a verification, launched by " + launcher() + "\nstatus    WAITING, 0 %: Waiting\n" +
		"messages  0 sent, 0 could not be sent, 1 still to be sent\n"; plainTask(out) != want {
		t.Errorf("got %q", plainTask(out))
	}
	demand(t, errOut, "The messages wait")
	_, errOut = s.run(exitFailed, "", append([]string{"identities", "verify", "bob", "--via", "LINK_WORK", "--source", "hr", "--verbose"}, unreachable...)...)
	demand(t, errOut, "1 messages could not be sent", "the mail server cannot be reached")
	id := anyID.FindString(func() string { out, _ := s.run(exitOK, "", "identities", "get", "bob"); return out }())
	dashed := strings.ToUpper(fmt.Sprintf("%s-%s-%s-%s-%s", id[:8], id[8:12], id[12:16], id[16:20], id[20:]))
	out, errOut = s.run(exitOK, "", "identities", "verify", dashed, "--via", "LINK_WORK", "--source", "HR", "--wait", "--mail-log")
	demand(t, out, "SUCCESS, 100 %: Completed", "1 sent, 0 could not be sent")
	demand(t, errOut, "via=EMAIL_WORK", "via=LINK_WORK")
	_, errOut = s.run(exitFailed, "", "identities", "verify", "ann", "--via", "LINK_PERSONAL")
	demand(t, errOut, "no address for LINK_PERSONAL")
	_, errOut = s.run(exitUsage, "", "identities", "verify", "ann", "--via", "PIGEON")
	demand(t, errOut, "EMAIL_WORK, EMAIL_PERSONAL, LINK_WORK and LINK_PERSONAL are known")
}

func TestMailFlags(t *testing.T) {
	t.Parallel()
	s := mailed(t)
	for _, test := range []struct {
		want string
		args []string
	}{
		{"--wait sends the messages: it needs --smtp-host", []string{"--wait"}},
		{"--smtp-host: the name of the mail server", []string{"--smtp-from", "a@example.com"}},
		{"--smtp-from: an address is expected", []string{"--smtp-host", "mail"}},
		{"--invitation-url: an address with {token} in it", []string{"--smtp-host", "mail", "--smtp-from", "a@example.com",
			"--verification-url", "https://example.com/{token}"}},
		{"--verification-url: an address with {token} in it", []string{"--smtp-host", "mail", "--smtp-from", "a@example.com",
			"--invitation-url", "https://example.com/{token}", "--verification-url", "https://example.com/"}},
		{"--smtp-port: 70000 is given", []string{"--smtp-host", "mail", "--smtp-from", "a@example.com", "--smtp-port", "70000"}},
		{"--smtp-tls: \"none\" is unknown: starttls or tls", []string{"--smtp-tls", "none"}},
		{"--smtp-username and --smtp-password go together", []string{"--smtp-username", "muster"}},
		{"--smtp-password: a secret is not written", []string{"--smtp-username", "muster", "--smtp-password", "hunter2"}},
		{"--mail-log sends nothing", []string{"--mail-log", "--smtp-host", "mail"}},
	} {
		_, errOut := s.run(exitUsage, "", append([]string{"identities", "invite", "ann"}, test.args...)...)
		if demand(t, errOut, test.want); strings.Contains(errOut, "hunter2") {
			t.Errorf("the password is shown: %s", errOut)
		}
	}
	_, errOut := s.run(exitFailed, "", "worker", "--smtp-username", "muster", "--smtp-password", "file:/no/such/file")
	demand(t, errOut, "--smtp-password: a secret cannot be read")
	for _, args := range [][]string{{}, {"ann", "--uninvited"}, {"ann", "-o", "csv"}} {
		s.run(exitUsage, "", append([]string{"identities", "invite"}, args...)...)
	}
	out, _ := s.run(exitOK, "", "tasks", "--pending", "-o", "json")
	if strings.TrimSpace(out) != "[]" {
		t.Errorf("something was launched: %s", out)
	}
}

func TestMailConfig(t *testing.T) {
	t.Parallel()
	password := filepath.Join(t.TempDir(), "password")
	if err := os.WriteFile(password, []byte("s3cret\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	m := mailFlags{host: "mail.example.com", port: 2525, from: "Muster <muster@example.com>", username: "muster", password: "file:" + password,
		encryption: "tls", invitationURL: "https://example.com/i/{token}", verificationURL: "https://example.com/v/{token}"}
	got, err := m.config()
	want := notify.SMTPConfig{Host: "mail.example.com", Port: 2525, From: "Muster <muster@example.com>", Username: "muster", Password: "s3cret",
		Encryption: notify.TLS, Links: notify.Links{Invitation: "https://example.com/i/{token}", Verification: "https://example.com/v/{token}"}}
	if err != nil || got != want {
		t.Errorf("got %+v, %v, want err == nil && got == want", got, err)
	}
	a := app{mail: m}
	n, err := a.notifier()
	if _, isSMTP := n.(*notify.SMTP); err != nil || !isSMTP {
		t.Errorf("%T, %v", n, err)
	}
	a.mail = mailFlags{}
	if n, err := a.notifier(); err != nil || n != nil {
		t.Errorf("%T, %v", n, err)
	}
}
