package javaregex

import (
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// horizontal and vertical are the characters of \h and \v.
const (
	horizontal = `\u0020\u0009\u00A0\u1680\u180E\u2000-\u200A\u202F\u205F\u3000`
	vertical   = `\u000A-\u000D\u0085\u2028\u2029`
)

// predefined are the classes of one letter. As in Java, they are ASCII.
var predefined = map[byte]string{
	'd': `0-9`, 'w': `a-zA-Z0-9_`, 's': `\u0009-\u000D\u0020`, 'h': horizontal, 'v': vertical,
}

// predefinedUnicode are the predefined classes under the flag U.
var predefinedUnicode = map[byte]string{'d': `\p{Nd}`, 'w': `\p{L}\p{M}\p{Nd}\p{Pc}`, 's': `\s`}

// properties are the names for \p that Java has and regexp2 does not have.
var properties = map[string]string{
	"Lower": `a-z`, "Upper": `A-Z`, "ASCII": `\u0000-\u007F`, "Alpha": `a-zA-Z`, "Digit": `0-9`, "Alnum": `a-zA-Z0-9`,
	"Punct": `\u0021-\u002F\u003A-\u0040\u005B-\u0060\u007B-\u007E`, "Graph": `\u0021-\u007E`, "Print": `\u0020-\u007E`,
	"Blank": `\u0020\u0009`, "Cntrl": `\u0000-\u001F\u007F`, "XDigit": `0-9a-fA-F`, "Space": `\u0009-\u000D\u0020`,
	"javaLowerCase": `\p{Ll}`, "javaUpperCase": `\p{Lu}`, "javaWhitespace": `\s`, "javaLetter": `\p{L}`,
	"javaDigit": `\p{Nd}`, "javaLetterOrDigit": `\p{L}\p{Nd}`, "javaAlphabetic": `\p{L}\p{Nl}`,
	"IsAlphabetic": `\p{L}\p{Nl}`, "IsLetter": `\p{L}`, "IsDigit": `\p{Nd}`, "IsUppercase": `\p{Lu}`,
	"IsLowercase": `\p{Ll}`, "IsTitlecase": `\p{Lt}`, "IsPunctuation": `\p{P}`, "IsControl": `\p{Cc}`,
	"IsWhite_Space": `\s`, "IsHex_Digit": `0-9a-fA-F`, "IsIdeographic": `\p{Han}`, "L1": `\u0000-\u00FF`,
	"LC": `\p{Lu}\p{Ll}\p{Lt}`, "LD": `\p{L}\p{Nd}`, "all": "\u0000-\U0010FFFF",
}

// blocks are the Unicode blocks that are used to clean names. The keys are in lower case, without blanks, hyphens and
// underscores.
var blocks = map[string]string{
	"basiclatin": `\u0000-\u007F`, "latin1supplement": `\u0080-\u00FF`, "latinextendeda": `\u0100-\u017F`,
	"latinextendedb": `\u0180-\u024F`, "ipaextensions": `\u0250-\u02AF`, "spacingmodifierletters": `\u02B0-\u02FF`,
	"combiningdiacriticalmarks": `\u0300-\u036F`, "greek": `\u0370-\u03FF`, "greekandcoptic": `\u0370-\u03FF`,
	"cyrillic": `\u0400-\u04FF`, "armenian": `\u0530-\u058F`, "hebrew": `\u0590-\u05FF`, "arabic": `\u0600-\u06FF`,
	"devanagari": `\u0900-\u097F`, "thai": `\u0E00-\u0E7F`, "latinextendedadditional": `\u1E00-\u1EFF`,
	"generalpunctuation": `\u2000-\u206F`, "currencysymbols": `\u20A0-\u20CF`, "hiragana": `\u3040-\u309F`,
	"katakana": `\u30A0-\u30FF`, "cjkunifiedideographs": `\u4E00-\u9FFF`, "hangulsyllables": `\uAC00-\uD7AF`,
}

// class reads a class in brackets and returns it as an expression for one character.
func (t *translator) class() (string, error) {
	t.at++ // [
	negated := strings.HasPrefix(t.pattern[t.at:], "^")
	if negated {
		t.at++
	}
	var all []string // operands of the intersection
	for {
		part, closed, err := t.union()
		if err != nil {
			return "", err
		}
		if part != "" {
			all = append(all, part)
		}
		if closed {
			break
		}
	}
	if len(all) == 0 {
		return "", t.fail(`the class is empty: write \[ for a bracket`)
	}
	var b strings.Builder
	if len(all) == 1 && !negated {
		return all[0], nil
	}
	if simple, ok := strings.CutPrefix(all[0], "["); ok && len(all) == 1 && !strings.HasPrefix(simple, "^") {
		return "[^" + simple, nil
	}
	b.WriteString("(?:")
	if negated {
		b.WriteString("(?!")
	}
	for _, part := range all[:len(all)-1] {
		b.WriteString("(?=" + part + ")")
	}
	b.WriteString(all[len(all)-1])
	if negated {
		b.WriteString(`)[\s\S]`)
	}
	b.WriteString(")")
	return b.String(), nil
}

// union reads the members of a class up to && or to the end of the class.
func (t *translator) union() (text string, closed bool, err error) {
	var simple strings.Builder
	var nested []string
	for first := true; ; first = false {
		rest := t.pattern[t.at:]
		switch {
		case rest == "":
			return "", false, t.fail("a class is not closed")
		case rest[0] == ']' && !first:
			t.at++
			return join(simple.String(), nested), true, nil
		case strings.HasPrefix(rest, "&&"):
			t.at += 2
			return join(simple.String(), nested), false, nil
		case rest[0] == '[':
			if len(nested) >= depthMax {
				return "", false, t.fail("a class has more than %d classes in it", depthMax)
			}
			inner, err := t.nested()
			if err != nil {
				return "", false, err
			}
			nested = append(nested, inner)
		case strings.HasPrefix(rest, `\Q`):
			quoted, _, ended := strings.Cut(rest[2:], `\E`)
			t.at += 2 + len(quoted)
			if ended {
				t.at += 2
			}
			for _, r := range quoted {
				simple.WriteString(quote(r))
			}
		default:
			member, own, err := t.member()
			if err != nil {
				return "", false, err
			}
			if own {
				nested = append(nested, member)
			} else {
				simple.WriteString(member)
			}
		}
	}
}

// nested reads a class inside a class.
func (t *translator) nested() (string, error) {
	t.open = append(t.open, 0)
	defer func() { t.open = t.open[:len(t.open)-1] }()
	if len(t.open) > depthMax {
		return "", t.fail("classes are nested deeper than %d", depthMax)
	}
	return t.class()
}

func join(simple string, nested []string) string {
	if simple != "" {
		nested = append([]string{"[" + simple + "]"}, nested...)
	}
	if len(nested) < 2 {
		return strings.Join(nested, "")
	}
	return "(?:" + strings.Join(nested, "|") + ")"
}

// member reads one character of a class, a range, or a predefined class. The complement of a class is a class of its
// own.
func (t *translator) member() (text string, own bool, err error) {
	set, low, err := t.classCharacter()
	if err != nil || set.text != "" {
		if set.negated {
			return set.String(), true, nil
		}
		return set.text, false, err
	}
	rest := t.pattern[t.at:]
	if len(rest) < 2 || rest[0] != '-' || rest[1] == ']' || rest[1] == '[' || strings.HasPrefix(rest[1:], "&&") {
		return quote(low), false, nil
	}
	t.at++
	set, high, err := t.classCharacter()
	switch {
	case err != nil:
		return "", false, err
	case set.text != "":
		return "", false, t.fail("a range ends with a character, not with a class")
	case high < low:
		return "", false, t.fail("the range %s-%s is upside down", string(low), string(high))
	}
	return quote(low) + "-" + quote(high), false, nil
}

// set is the meaning of an escape: the inside of a class, or its complement. The text is empty if the escape means one
// character.
type set struct {
	text    string
	negated bool
}

// String returns the set as a class.
func (s set) String() string {
	if s.negated {
		return "[^" + s.text + "]"
	}
	return "[" + s.text + "]"
}

func (t *translator) classCharacter() (set, rune, error) {
	if t.pattern[t.at] == '\\' {
		return t.characters()
	}
	r, size := utf8.DecodeRuneInString(t.pattern[t.at:])
	t.at += size
	return set{}, r, nil
}

// characters reads an escape that means one character or a set of characters.
func (t *translator) characters() (set, rune, error) {
	rest := t.pattern[t.at+1:]
	if rest == "" {
		return set{}, 0, t.fail(`the pattern ends with a backslash: write \\ for a backslash`)
	}
	c := rest[0]
	if text := t.predefined(c | 0x20); text != "" {
		t.at += 2
		return set{text, c&0x20 == 0}, 0, nil
	}
	switch c {
	case 'p', 'P':
		s, err := t.property()
		return s, 0, err
	case 't', 'n', 'r', 'f', 'a', 'e':
		t.at += 2
		return set{}, map[byte]rune{'t': '\t', 'n': '\n', 'r': '\r', 'f': '\f', 'a': '\a', 'e': 0x1B}[c], nil
	case 'x', 'u':
		r, err := t.hexadecimal(c)
		return set{}, r, err
	case '0':
		r, err := t.octal()
		return set{}, r, err
	case 'c':
		if len(rest) < 2 || rest[1] >= utf8.RuneSelf {
			return set{}, 0, t.fail(`\c is followed by an ASCII character`)
		}
		t.at += 3
		return set{}, rune(rest[1]) ^ 0x40, nil
	}
	if c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '1' && c <= '9' {
		return set{}, 0, t.fail(`\%c is not an escape that is supported here`, c)
	}
	r, size := utf8.DecodeRuneInString(rest)
	t.at += 1 + size
	return set{}, r, nil
}

func (t *translator) predefined(c byte) string {
	if set, ok := predefinedUnicode[c]; ok && t.unicode {
		return set
	}
	return predefined[c]
}

// property reads \p{Name}, \P{Name} or \pL.
func (t *translator) property() (set, error) {
	rest := t.pattern[t.at+1:]
	negated := rest[0] == 'P'
	name, size := "", 0
	switch {
	case strings.HasPrefix(rest[1:], "{"):
		inner, _, closed := strings.Cut(rest[2:], "}")
		if !closed {
			return set{}, t.fail(`\p{ is not closed`)
		}
		name, size = inner, len(inner)+2
	case len(rest) > 1:
		name, size = rest[1:2], 1
	}
	if inner, ok := strings.CutPrefix(name, "^"); ok {
		name, negated = inner, !negated
	}
	text := property(name)
	if text == "" {
		return set{}, t.fail(
			`\p{%s} is no class that is known: those of one letter such as L, of two such as Lu, Alpha and `+
				`the like, scripts such as IsLatin and blocks such as InGreek are`, name)
	}
	t.at += 2 + size
	return set{text, negated}, nil
}

// property returns the inside of a class for a name, or "" if there is none.
func property(name string) string {
	if set := properties[name]; set != "" {
		return set
	}
	if key, value, ok := strings.Cut(name, "="); ok {
		switch strings.ToLower(key) {
		case "script", "sc", "general_category", "gc":
			name = value
		case "block", "blk":
			name = "In" + value
		}
	}
	if block, ok := strings.CutPrefix(name, "In"); ok {
		key := strings.NewReplacer("_", "", "-", "", " ", "").Replace(strings.ToLower(block))
		return blocks[key]
	}
	if set := properties[name]; set != "" {
		return set
	}
	name = strings.TrimPrefix(name, "Is")
	if unicode.Categories[name] != nil || unicode.Scripts[name] != nil {
		return `\p{` + name + `}`
	}
	for script := range unicode.Scripts {
		if strings.EqualFold(script, name) {
			return `\p{` + script + `}`
		}
	}
	return ""
}

// hexadecimal reads \xhh, \x{h...} or \uhhhh.
func (t *translator) hexadecimal(c byte) (rune, error) {
	rest := t.pattern[t.at+2:]
	var digits string
	var size int
	if c == 'x' && strings.HasPrefix(rest, "{") {
		inner, _, closed := strings.Cut(rest[1:], "}")
		if !closed {
			return 0, t.fail(`\x{ is not closed`)
		}
		digits, size = inner, len(inner)+2
	} else {
		size = map[byte]int{'x': 2, 'u': 4}[c]
		if len(rest) < size {
			return 0, t.fail(`\%c is followed by %d hexadecimal digits`, c, size)
		}
		digits = rest[:size]
	}
	n, err := strconv.ParseUint(digits, 16, 32)
	if err != nil || n > unicode.MaxRune {
		return 0, t.fail(`\%c is followed by the hexadecimal digits of a character`, c)
	}
	t.at += 2 + size
	return rune(n), nil
}

// octal reads \0n, \0nn or \0mnn.
func (t *translator) octal() (rune, error) {
	rest := t.pattern[t.at+2:]
	n, size := 0, 0
	for size < 3 && size < len(rest) && rest[size] >= '0' && rest[size] <= '7' && n*8+int(rest[size]-'0') <= 0o377 {
		n = n*8 + int(rest[size]-'0')
		size++
	}
	if size == 0 {
		return 0, t.fail(`\0 is followed by octal digits`)
	}
	t.at += 2 + size
	return rune(n), nil
}
