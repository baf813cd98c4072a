package notify

import (
	"net/mail"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/muster-engine/muster/engine"
)

// headers are those that a message has, however it is named and addressed.
var headers = []string{"Content-Type", "Date", "From", "Message-Id", "Mime-Version", "Subject", "To", "User-Agent", "X-Mailer"}

// Whatever an identity is called, and whatever its address is, the message has the headers that it has, and goes to that
// address alone.
func FuzzMessage(f *testing.F) {
	f.Add("ayse@example.com", `Ayşe "A" Ünal <b>`, "Directory", "token")
	f.Add("a@example.com\r\nBcc: all@example.com", "a\r\nBcc: all@example.com\r\n\r\nbody", "s\nX: y", "t")
	f.Add("a@example.com, b@example.com", "=?utf-8?q?a?=", "\x00", "\xff")
	f.Add(`"a b"@example.com`, strings.Repeat("long name ", 200), "{{.Token}}", "<script>")
	f.Add("Ann <a@example.com>", "a,b;c:d@e", "\u2028\u0085", "&%")
	f.Add("a@[127.0.0.1]", "\r", "\n", " ")
	sender, err := NewSMTP(SMTPConfig{Host: "127.0.0.1", From: "muster@example.com",
		Links: Links{Invitation: "https://example.com/?token={token}", Verification: "https://example.com/?token={token}"}})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, address, name, source, token string) {
		for _, m := range []*engine.Message{
			{ID: "1", Purpose: engine.PurposeInvitation, Via: engine.ViaLinkWork},
			{ID: "2", Purpose: engine.PurposeVerification, Via: engine.ViaEmailWork, Source: source},
		} {
			m.To, m.Identity.Name, m.Token, m.Expires = address, name, token, time.Unix(0, 0)
			message, err := sender.message(m)
			if err != nil {
				if len(address) > 12 && strings.Contains(err.Error(), address) || len(token) > 12 && strings.Contains(err.Error(), token) {
					t.Fatalf("%v repeats what it must not", err)
				}
				continue
			}
			recipients, err := message.GetRecipients()
			if err != nil || len(recipients) != 1 {
				t.Fatalf("got %q: %q, %v, want err == nil && len(recipients) == 1", address, recipients, err)
			}
			var text strings.Builder
			if _, err := message.WriteTo(&text); err != nil {
				t.Fatal(err)
			}
			read, err := mail.ReadMessage(strings.NewReader(text.String()))
			if err != nil {
				t.Fatalf("%v: %q", err, text.String())
			}
			for header, values := range read.Header {
				if !slices.Contains(headers, header) || len(values) != 1 {
					t.Fatalf("%q has the header %s %q", name, header, values)
				}
			}
			to, err := read.Header.AddressList("To")
			want, wrong := mail.ParseAddress(address)
			if err != nil || wrong != nil || len(to) != 1 || to[0].Address != want.Address {
				t.Fatalf("%q is sent to %v, %q: %v, %v", address, to, recipients, err, wrong)
			}
			if plainName(name) && to[0].Name != name {
				t.Fatalf("%q is called %q", name, to[0].Name)
			}
		}
	})
}

// plainName reports whether a name has nothing in it that a mail cannot have in one.
func plainName(name string) bool {
	return utf8.ValidString(name) && strings.TrimSpace(name) == name && !strings.Contains(name, "  ") && !strings.Contains(name, "=?") &&
		!strings.ContainsFunc(name, func(r rune) bool { return r < ' ' || r == 0x7f })
}
