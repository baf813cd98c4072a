package connector_test

import (
	"strings"
	"testing"

	"github.com/muster-engine/muster/engine/attribute"
	"github.com/muster-engine/muster/engine/connector"
)

func TestRefusePasswords(t *testing.T) {
	values := attribute.SetOf(map[string]attribute.Value{"mail": attribute.String("a"), "userPassword": attribute.String("geheim")})
	for _, kind := range connector.Kinds() {
		err := connector.RefusePasswords(&connector.Operation{Kind: kind, Attributes: values})
		if created := kind == connector.Create; created != (err == nil) || !created && !connector.IsPermanent(err) {
			t.Errorf("%s: %v", kind, err)
		}
		if err != nil && strings.Contains(err.Error(), "geheim") {
			t.Errorf("%v repeats the password", err)
		}
	}
	after := connector.Applied(new(attribute.Set), &connector.Operation{Kind: connector.Create, Attributes: values}, nil)
	if got := string(after.AppendJSON(nil)); got != `{"mail":"a"}` {
		t.Errorf("after a creation the account is %s", got)
	}
}

func TestHoldsPassword(t *testing.T) {
	for _, name := range []string{
		"userPassword", "USERPASSWORD", "userpassword;binary", "2.5.4.35", "authPassword", "unicodePwd", "dBCSPwd", "lmPwdHistory",
		"ntPwdHistory", "supplementalCredentials", "sambaNTPassword", "sambaLMPassword", "sambaPasswordHistory", "krbPrincipalKey",
		"krbPwdHistory", "krb5Key", "pwdHistory", "passwordHistory", "ms-Mcs-AdmPwd", "msLAPS-EncryptedPassword", "ipaNTHash",
		"msDS-ManagedPassword", "userPKCS12", "password", "Password", "passwd", "pwd", "PWD", "pw", "pass", "Passwort", "password_hash",
		"hashed_password", "passwordDigest", "encrypted_password", "login_pw", "user pwd", "crypt.passwd", "adminPassword",
		"accountpassword", "password salt", "initial-password", "contraseña", "PASSWORD_2", "signInPassword", "one time password",
		"lastPassword", "unlockPassword", "reset_password_token", "last_password_hash",
	} {
		if !connector.HoldsPassword(name) {
			t.Errorf("%q is taken for no password", name)
		}
	}
	for _, name := range []string{
		"", "uid", "mail", "cn", "dn", "pwdLastSet", "sambaPwdLastSet", "badPwdCount", "badPasswordTime", "pwdChangedTime",
		"pwdAccountLockedTime", "pwdPolicySubentry", "passwordExpirationTime", "passwordexpirationtime", "password_changed_at",
		"password_expires_on", "krbPasswordExpiration", "krbLastPwdChange", "sambaPwdMustChange", "pwdReset", "password_status",
		"passport", "passportNumber", "compass", "passenger", "bypass", "shadowLastChange", "username", "spwk", "isPasswordSet",
		"passwordNeverExpires", "compassion", "objectGUID", "keyword", "key",
	} {
		if connector.HoldsPassword(name) {
			t.Errorf("%q is taken for a password", name)
		}
	}
}
