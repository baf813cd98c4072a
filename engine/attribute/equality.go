package attribute

import (
	"cmp"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// Equality says how a source compares the values of an attribute. The names are those of the matching rules of LDAP
// (RFC 4517). Several values are always compared without their order. "" stands for [CaseExactMatch].
type Equality string

// The equalities.
const (
	// CaseExactMatch compares texts as they are written, byte by byte.
	CaseExactMatch Equality = "caseExactMatch"
	// CaseIgnoreMatch ignores letter case, spaces at the ends, the number of spaces in between, and which of several
	// encodings of one character was written (RFC 4518). A letter is never taken for two: ß is no ss.
	CaseIgnoreMatch Equality = "caseIgnoreMatch"
	// DistinguishedNameMatch compares the parts of distinguished names (RFC 4514), each by [CaseIgnoreMatch]: escapes
	// are decoded, spaces around the parts do not count, nor does the order within an RDN of several parts. A text that
	// is no DN compares by CaseIgnoreMatch.
	DistinguishedNameMatch Equality = "distinguishedNameMatch"
)

// ParseEquality returns the equality of a name, in any letter case.
func ParseEquality(name string) (Equality, error) {
	known := []Equality{CaseExactMatch, CaseIgnoreMatch, DistinguishedNameMatch}
	for _, e := range known {
		if strings.EqualFold(name, string(e)) {
			return e, nil
		}
	}
	return "", fmt.Errorf("the equality %q is unknown: %s, %s and %s are known", name, known[0], known[1], known[2])
}

// Key returns the normal form of a text: equal texts have the same.
func (e Equality) Key(text string) string {
	switch e {
	case CaseIgnoreMatch:
		return ignoringCase(text)
	case DistinguishedNameMatch:
		if key, err := nameKey(text); err == nil {
			return key
		}
		return ignoringCase(text)
	}
	return text
}

// Same reports whether two texts are equal.
func (e Equality) Same(a, b string) bool {
	return a == b || e.ignores() && e.Key(a) == e.Key(b)
}

// ignores reports whether texts can be equal that differ.
func (e Equality) ignores() bool { return e == CaseIgnoreMatch || e == DistinguishedNameMatch }

// Find returns which text of a list is equal to another one, or -1.
func (e Equality) Find(list []string, text string) int {
	at := slices.Index(list, text)
	if at >= 0 || len(list) == 0 || !e.ignores() {
		return at
	}
	key := e.Key(text)
	return slices.IndexFunc(list, func(other string) bool { return e.Key(other) == key })
}

// SameValues reports whether two values are equal: they have the same texts, in any order and each as often as it
// likes. A number is equal to its text. Null, an empty text and an empty list are equal.
func (e Equality) SameValues(a, b Value) bool {
	if a.Equal(b) || a.Text() == "" && b.Text() == "" {
		return true
	}
	one, other := a.Strings(), b.Strings()
	if len(one) == 1 && len(other) == 1 {
		return e.Same(one[0], other[0])
	}
	return slices.Equal(e.keys(one), e.keys(other))
}

// keys returns the normal forms of texts, sorted and each once.
func (e Equality) keys(texts []string) []string {
	keys := make([]string, len(texts))
	for i, text := range texts {
		keys[i] = e.Key(text)
	}
	slices.Sort(keys)
	return slices.Compact(keys)
}

// ignoringCase returns a text in the form that caseIgnoreMatch compares.
func ignoringCase(text string) string {
	plain := true
	for i := 0; i < len(text) && plain; i++ {
		c := text[i]
		plain = c > ' ' && c < utf8.RuneSelf && (c < 'A' || c > 'Z')
	}
	if plain {
		return text
	}
	text = norm.NFKC.String(strings.Map(unicode.ToLower, norm.NFKC.String(text)))
	return strings.Join(strings.Fields(text), " ")
}

// typeNames are the short names of attribute types that names contain, by their long names and object identifiers
// (RFC 4519).
var typeNames = map[string]string{
	"commonname": "cn", "2.5.4.3": "cn", "surname": "sn", "2.5.4.4": "sn", "2.5.4.5": "serialnumber",
	"countryname": "c", "2.5.4.6": "c", "localityname": "l", "2.5.4.7": "l", "stateorprovincename": "st",
	"2.5.4.8": "st", "streetaddress": "street", "2.5.4.9": "street", "organizationname": "o", "2.5.4.10": "o",
	"organizationalunitname": "ou", "2.5.4.11": "ou", "2.5.4.12": "title", "2.5.4.42": "givenname", "gn": "givenname",
	"domaincomponent": "dc", "0.9.2342.19200300.100.1.25": "dc", "userid": "uid", "0.9.2342.19200300.100.1.1": "uid",
	"rfc822mailbox": "mail", "0.9.2342.19200300.100.1.3": "mail",
}

// typeCharacters are the characters of an attribute type's name or object identifier.
const typeCharacters = "abcdefghijklmnopqrstuvwxyz0123456789-._"

var errNoName = errors.New("the text is no distinguished name")

// nameKey returns the normal form of a distinguished name, which is one itself.
func nameKey(text string) (string, error) {
	rest := text
	if strings.TrimSpace(rest) == "" {
		return "", nil
	}
	var parts []string // of the RDN
	var key strings.Builder
	for {
		equals := strings.IndexByte(rest, '=')
		if equals < 0 {
			return "", errNoName
		}
		name := strings.ToLower(strings.TrimSpace(rest[:equals]))
		if after, legacy := strings.CutPrefix(name, "oid."); legacy {
			name = after
		}
		if name == "" || strings.Trim(name, typeCharacters) != "" {
			return "", errNoName
		}
		value, next, err := nameValue(rest[equals+1:])
		if err != nil {
			return "", err
		}
		parts = append(parts, cmp.Or(typeNames[name], name)+"="+value)
		if next != "" && next[0] == '+' {
			rest = next[1:]
			continue
		}
		slices.Sort(parts)
		if key.Len() > 0 {
			key.WriteByte(',')
		}
		key.WriteString(strings.Join(parts, "+"))
		parts = parts[:0]
		if next == "" {
			return key.String(), nil
		}
		rest = next[1:]
	}
}

// nameValue reads the value at the beginning of a text, up to what separates it from the next part, and returns its
// normal form and the rest.
func nameValue(text string) (key, rest string, err error) {
	text = strings.TrimLeft(text, " ")
	var raw []byte
	quoted := strings.HasPrefix(text, `"`) // as names were written before (RFC 2253, section 4)
	encoded := strings.HasPrefix(text, "#")
	i := 0
	if quoted {
		i = 1
	}
loop:
	for ; i < len(text); i++ {
		switch c := text[i]; {
		case c == '\\':
			if i+1 == len(text) {
				return "", "", errNoName
			}
			if b, hexErr := hex.DecodeString(text[i+1 : min(i+3, len(text))]); hexErr == nil && len(b) == 1 {
				raw, i = append(raw, b[0]), i+2
				continue
			}
			if !strings.ContainsRune(` "#+,;<=>\`, rune(text[i+1])) {
				return "", "", errNoName
			}
			raw, i = append(raw, text[i+1]), i+1
		case quoted && c == '"':
			if rest = strings.TrimLeft(text[i+1:], " "); rest != "" && !separates(rest[0]) {
				return "", "", errNoName
			}
			return valueKey(string(raw), rest)
		case !quoted && separates(c):
			break loop
		default:
			raw = append(raw, c)
		}
	}
	if quoted {
		return "", "", errNoName // it has no end
	}
	value := string(raw)
	if encoded {
		if value, err = encodedValue(strings.TrimRight(value, " ")); err != nil {
			return "", "", err
		}
		if strings.HasPrefix(value, "#") {
			return value, text[i:], nil // no text: it stays encoded
		}
	}
	return valueKey(value, text[i:])
}

// separates reports whether a character stands between two parts of a name.
func separates(c byte) bool { return c == ',' || c == ';' || c == '+' }

// valueKey returns the normal form of a decoded value, escaped.
func valueKey(value, rest string) (string, string, error) {
	if !utf8.ValidString(value) {
		return "", "", errNoName
	}
	value = ignoringCase(value)
	var key strings.Builder
	for i := range len(value) {
		c := value[i]
		if strings.IndexByte(`\,+;"`, c) >= 0 || i == 0 && c == '#' {
			key.WriteByte('\\')
		}
		key.WriteByte(c)
	}
	return key.String(), rest, nil
}

// The tags of BER whose values are texts: OCTET STRING, UTF8String, PrintableString, T61String and IA5String.
const textTags = "\x04\x0c\x13\x14\x16"

// encodedValue decodes the value that is written as # and the hexadecimal digits of its BER (RFC 4514, section 2.4).
// What is no text stays encoded, in lower case. A text that begins with # is left encoded too.
func encodedValue(text string) (string, error) {
	b, err := hex.DecodeString(text[1:])
	if err != nil || len(b) < 2 {
		return "", errNoName
	}
	length, content := int(b[1]), b[2:]
	if b[1] >= 0x80 { // the length itself has a length
		n := int(b[1] & 0x7f)
		if n == 0 || n > 2 || len(content) < n {
			return "", errNoName
		}
		length = 0
		for _, digit := range content[:n] {
			length = length<<8 | int(digit)
		}
		content = content[n:]
	}
	if length != len(content) {
		return "", errNoName
	}
	if strings.IndexByte(textTags, b[0]) < 0 || !utf8.Valid(content) || strings.HasPrefix(string(content), "#") {
		return "#" + hex.EncodeToString(b), nil
	}
	return string(content), nil
}
