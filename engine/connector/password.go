package connector

import (
	"fmt"
	"slices"
	"strings"
	"unicode"
)

// HoldsPassword reports whether an attribute of that name holds passwords, their hashes, or keys from which they can be
// made. The engine never proposes, reads or stores such an attribute, even where a schema names it: a hash is as good
// as a password to somebody who can guess. Letter case and options such as ;binary do not count.
//
// It knows the attributes of the common directories by name or number. Of other names it looks at the words: one of
// them means a password, and none says that the attribute only tells about a password, as in pwdLastSet or
// password_expires_at. Where the words do not tell, it takes the attribute for a password.
func HoldsPassword(name string) bool {
	name, _, _ = strings.Cut(name, ";")
	folded := strings.ToLower(strings.TrimSpace(name))
	if slices.Contains(passwordNames, folded) {
		return true
	}
	found := false
	words := NameWords(name)
	for _, word := range words {
		found = found || slices.Contains(passwordWords, word)
	}
	letters := strings.Map(func(r rune) rune {
		if unicode.IsLetter(r) {
			return r
		}
		return -1
	}, folded)
	for _, stem := range passwordStems {
		found = found || strings.Contains(letters, stem)
	}
	if !found || containsAny(words, madeOfPasswords) {
		return found
	}
	tells := containsAny(words, aboutPasswords) ||
		slices.ContainsFunc(aboutPasswordStems, func(stem string) bool { return strings.Contains(letters, stem) })
	return !tells
}

// RefusePasswords returns a permanent error where an operation would change an attribute that holds passwords in an
// account that is there. No reading would find the new value, so the engine would change it again and again.
func RefusePasswords(operation *Operation) error {
	for name := range operation.Attributes.All() {
		if HoldsPassword(name) && operation.Kind.Effect() != Creates {
			return Permanent(fmt.Errorf("the attribute %q holds passwords, which are never read and so cannot be kept "+
				"in step: set a password by the operation %s", name, SetPassword))
		}
	}
	return nil
}

// passwordNames are attributes of directories that hold passwords, in lower case, where their words do not show it, and
// the numbers of those that have an official one: RFC 4519 and RFC 3112, Active Directory (MS-ADA1 to MS-ADA3), Samba,
// MIT Kerberos, Heimdal, FreeIPA.
var passwordNames = []string{
	"2.5.4.35", "1.3.6.1.4.1.4203.1.3.4", "userpkcs12", "2.16.840.1.113730.3.1.216", "olcrootpw", "rootpw",
	"1.2.840.113556.1.4.90", "1.2.840.113556.1.4.55", "1.2.840.113556.1.4.94", "1.2.840.113556.1.4.160",
	"1.2.840.113556.1.4.125", "supplementalcredentials", "dbcspwd", "ms-mcs-admpwd", "mslaps-password",
	"mslaps-encryptedpassword", "mslaps-encryptedpasswordhistory", "mslaps-encrypteddsrmpassword",
	"mslaps-encrypteddsrmpasswordhistory", "msds-managedpassword", "msfve-recoverypassword", "msfve-keypackage",
	"trustauthincoming", "trustauthoutgoing", "initialauthincoming", "initialauthoutgoing", "currentvalue",
	"priorvalue", "1.3.6.1.4.1.7165.2.1.24", "1.3.6.1.4.1.7165.2.1.25", "1.3.6.1.4.1.7165.2.1.54", "ipanthash",
	"mspkidpapimasterkeys", "mspkiaccountcredentials", "mspki-credentialroamingtokens", "krbprincipalkey",
	"2.16.840.1.113719.1.301.4.39.1", "krbmkey", "krb5key", "krbextradata", "ipatokenotpkey",
	"ipanttrustauthincoming", "ipanttrustauthoutgoing",
}

// passwordWords are words that mean a password.
var passwordWords = []string{
	"pw", "pass", "password", "passwd", "passwort", "pwd", "kennwort", "passphrase", "passcode",
}

// passwordStems mean a password within a word too, as in userpassword.
var passwordStems = []string{"password", "passwd", "passwort", "kennwort", "passphrase", "passcode", "pwd",
	"motdepasse", "contrasena", "contraseña", "wachtwoord"}

// madeOfPasswords are words of what is made of a password, or is as good as one.
var madeOfPasswords = []string{"hash", "hashed", "digest", "salt", "token", "history", "encrypted", "crypted"}

// aboutPasswords are words, and aboutPasswordStems parts of words, of attributes that only tell about a password.
var (
	aboutPasswords = []string{"set", "date", "count", "age", "days", "min", "max", "length", "state", "status",
		"enabled", "disabled", "must", "can", "is", "has", "allowed", "flag", "type", "quality", "grace", "until",
		"since", "valid"}
	aboutPasswordStems = []string{"lastset", "change", "expir", "policy", "requir", "never", "reset", "locked",
		"lockout", "fail", "attempt", "warn", "updated", "modified", "badpwdcount", "badpasswordtime",
		"gracelogin", "graceuse"}
)

func containsAny(words, wanted []string) bool {
	return slices.ContainsFunc(words, func(word string) bool { return slices.Contains(wanted, word) })
}

// NameWords returns the words of the name of an attribute or a setting in lower case: those between characters that are
// no letters, and those that begin with a capital letter, as in userPassword, CLIENT-SECRET or PFXPassword2.
func NameWords(name string) []string {
	var words []string
	var word []rune
	end := func() {
		if len(word) > 0 {
			words = append(words, strings.ToLower(string(word)))
		}
		word = word[:0]
	}
	runes := []rune(name)
	for i, r := range runes {
		if !unicode.IsLetter(r) {
			end()
			continue
		}
		next := i+1 < len(runes) && unicode.IsLower(runes[i+1])
		if unicode.IsUpper(r) && len(word) > 0 && (unicode.IsLower(runes[i-1]) || next) {
			end()
		}
		word = append(word, r)
	}
	end()
	return words
}
