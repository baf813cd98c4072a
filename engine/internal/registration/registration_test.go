package registration

import (
	"crypto/sha256"
	"encoding/base64"
	"testing"

	"github.com/muster-engine/muster/engine/attribute"
	"github.com/muster-engine/muster/engine/configuration"
	"github.com/muster-engine/muster/engine/refresh"
)

func TestAddressOf(t *testing.T) {
	both := refresh.State{Attributes: attribute.SetOf(map[string]attribute.Value{
		"email": attribute.String("ann@work.example"), "personalEmail": attribute.String("ann@home.example")})}
	want := map[string]string{ViaEmailWork: "ann@work.example", ViaLinkWork: "ann@work.example",
		ViaEmailPersonal: "ann@home.example", ViaLinkPersonal: "ann@home.example"}
	for via, address := range want {
		if got := addressOf(&both, via); got != address {
			t.Errorf("the address for %s is %q, want %q", via, got, address)
		}
		if got := addressOf(new(refresh.State), via); got != "" {
			t.Errorf("the address for %s of an identity without attributes is %q, want none", via, got)
		}
	}
}

func TestInvitationVia(t *testing.T) {
	profile := func(address string) *configuration.CompiledProfile {
		p := new(configuration.CompiledProfile)
		p.InvitationOptions = &struct {
			Address string `json:"address"`
		}{address}
		return p
	}
	for _, test := range []struct {
		name    string
		profile *configuration.CompiledProfile
		want    string
	}{
		{"no profile", nil, ViaLinkWork},
		{"no options", new(configuration.CompiledProfile), ViaLinkWork},
		{"no address", profile(""), ViaLinkWork},
		{"work", profile("WORK"), ViaLinkWork},
		{"personal", profile("PERSONAL"), ViaLinkPersonal},
	} {
		if got := invitationVia(test.profile); got != test.want {
			t.Errorf("%s: the way is %s, want %s", test.name, got, test.want)
		}
	}
}

func TestInvitable(t *testing.T) {
	for status, want := range map[string]bool{"UNREGISTERED": true, "PENDING": true, "REGISTERED": false,
		"DEACTIVATED": false, "": false} {
		if got := invitable(status); got != want {
			t.Errorf("invitable(%q) = %t, want %t", status, got, want)
		}
	}
}

func TestNewToken(t *testing.T) {
	first, digest := newToken()
	second, _ := newToken()
	if bits, err := base64.RawURLEncoding.DecodeString(first); err != nil || len(bits) != 32 {
		t.Errorf("the token has %d bytes, %v, want 32", len(bits), err)
	}
	if sum := sha256.Sum256([]byte(first)); string(digest) != string(sum[:]) {
		t.Error("the digest is not that of the token")
	}
	if first == second {
		t.Error("two tokens are the same")
	}
}
