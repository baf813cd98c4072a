package javaregex

import (
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
)

// depthMax is the deepest nesting of groups. regexp2 recurses.
const depthMax = 100

// translator rewrites a pattern of java.util.regex for regexp2.
type translator struct {
	pattern string
	at      int
	out     strings.Builder
	groups  int
	names   map[string]int
	// open holds the offset in out of each open group.
	open []int
	// atom is the offset in out of the last atom, which a quantifier repeats; -1 if there is none.
	atom int
	// unicode is the flag U: \w, \d, \s and \b mean Unicode's letters, digits and white space.
	unicode bool
	// dotAll is the flag s: a dot matches line ends.
	dotAll bool
}

func (t *translator) fail(format string, arguments ...any) error {
	position := utf8.RuneCountInString(t.pattern[:min(t.at, len(t.pattern))]) + 1
	return fmt.Errorf("at character %d of the pattern: %s", position, fmt.Sprintf(format, arguments...))
}

func (t *translator) translate() error {
	t.atom = -1
	for t.at < len(t.pattern) {
		if err := t.next(); err != nil {
			return err
		}
	}
	if len(t.open) > 0 {
		return t.fail("a group is not closed")
	}
	return nil
}

// emit writes an atom.
func (t *translator) emit(text string) {
	t.atom = t.out.Len()
	t.out.WriteString(text)
}

func (t *translator) next() error {
	c, size := utf8.DecodeRuneInString(t.pattern[t.at:])
	switch c {
	case '\\':
		return t.escape()
	case '[':
		class, err := t.class()
		if err != nil {
			return err
		}
		t.emit(class)
		return nil
	case '(':
		return t.group()
	case ')':
		return t.closeGroup()
	case '*', '+', '?':
		return t.quantifier(string(c))
	case '{':
		end := strings.IndexByte(t.pattern[t.at:], '}')
		if end < 0 || !isRepetition(t.pattern[t.at+1:t.at+end]) {
			return t.fail(`{ begins a repetition such as {2,5}: write \{ for a brace`)
		}
		return t.quantifier(t.pattern[t.at : t.at+end+1])
	case '|':
		t.at++
		t.out.WriteByte('|')
		t.atom = -1
		return nil
	case '.':
		t.at++
		if t.dotAll {
			t.emit(`[\s\S]`)
		} else {
			t.emit(`[^\n\r\u0085\u2028\u2029]`)
		}
		return nil
	case '^', '$':
		t.at++
		t.emit(string(c))
		return nil
	default:
		t.at += size
		t.emit(quote(c))
		return nil
	}
}

// isRepetition reports whether text is n, "n," or "n,m".
func isRepetition(text string) bool {
	first, second, ranged := strings.Cut(text, ",")
	number := func(s string) bool {
		return s != "" && len(s) <= 4 && strings.Trim(s, "0123456789") == ""
	}
	return number(first) && (!ranged || second == "" || number(second))
}

func (t *translator) quantifier(text string) error {
	if t.atom < 0 {
		return t.fail(`there is nothing for %s to repeat: write \%s for the character`, text, text[:1])
	}
	t.at += len(text)
	rest := t.pattern[t.at:]
	switch {
	case strings.HasPrefix(rest, "+"): // possessive
		t.at++
		before := t.out.String()
		t.out.Reset()
		t.out.WriteString(before[:t.atom] + "(?>" + before[t.atom:] + text + ")")
	case strings.HasPrefix(rest, "?"):
		t.at++
		t.out.WriteString(text + "?")
	default:
		t.out.WriteString(text)
	}
	// Java allows no second quantifier, so the atom is used up.
	t.atom = -1
	return nil
}

func (t *translator) closeGroup() error {
	if len(t.open) == 0 {
		return t.fail(`) closes no group: write \) for a parenthesis`)
	}
	t.at++
	t.out.WriteByte(')')
	t.atom = t.open[len(t.open)-1]
	t.open = t.open[:len(t.open)-1]
	return nil
}

// group reads the beginning of a group. Named groups become numbered ones: unlike Java, regexp2 counts the two apart.
func (t *translator) group() error {
	if len(t.open) == depthMax {
		return t.fail("groups are nested deeper than %d", depthMax)
	}
	rest := t.pattern[t.at:]
	begin := func(java, out string) {
		t.open = append(t.open, t.out.Len())
		t.out.WriteString(out)
		t.at += len(java)
		t.atom = -1
	}
	for _, prefix := range []string{"(?:", "(?=", "(?!", "(?<=", "(?<!", "(?>"} {
		if strings.HasPrefix(rest, prefix) {
			begin(prefix, prefix)
			return nil
		}
	}
	if strings.HasPrefix(rest, "(?<") {
		name, _, closed := strings.Cut(rest[len("(?<"):], ">")
		if !closed || !isGroupName(name) {
			return t.fail("a group's name consists of letters and digits, as in (?<name>...)")
		}
		if t.names[name] > 0 {
			return t.fail("the group %q is there twice", name)
		}
		t.groups++
		t.names[name] = t.groups
		begin("(?<"+name+">", "(")
		return nil
	}
	if strings.HasPrefix(rest, "(?") {
		return t.flags(begin)
	}
	t.groups++
	begin("(", "(")
	return nil
}

func isGroupName(name string) bool {
	for i := range len(name) {
		c := name[i]
		letter := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
		if !letter && (i == 0 || c < '0' || c > '9') {
			return false
		}
	}
	return name != ""
}

// flags reads (?i) or (?i-s:
func (t *translator) flags(begin func(java, out string)) error {
	end := strings.IndexAny(t.pattern[t.at:], ":)")
	if end < 0 {
		return t.fail("a group is not closed")
	}
	flags := t.pattern[t.at+len("(?") : t.at+end]
	var out strings.Builder
	on := true
	for i := range len(flags) {
		switch c := flags[i]; c {
		case '-':
			if !on {
				return t.fail("flags are removed twice")
			}
			on = false
			out.WriteByte('-')
		case 'i', 'm', 'x':
			out.WriteByte(c)
		case 's':
			t.dotAll = on
		case 'U':
			t.unicode = on
		case 'u', 'd': // Comparison of letters is always Unicode's. Unix line ends are a subset of ours.
		default:
			return t.fail("(?%s is no flag: flags are i, m, s, x, u, d, U", flags)
		}
	}
	java := t.pattern[t.at : t.at+end+1]
	text := strings.TrimSuffix(out.String(), "-")
	if strings.HasSuffix(java, ":") {
		begin(java, "(?"+text+":")
		return nil
	}
	t.at += len(java)
	if text != "" {
		t.out.WriteString("(?" + text + ")")
	}
	t.atom = -1
	return nil
}

// escape reads an escape outside of a class.
func (t *translator) escape() error {
	rest := t.pattern[t.at+1:]
	if rest == "" {
		return t.fail(`the pattern ends with a backslash: write \\ for a backslash`)
	}
	switch c := rest[0]; {
	case c == 'Q':
		text, _, closed := strings.Cut(rest[1:], `\E`)
		t.at += 2 + len(text)
		if closed {
			t.at += 2
		}
		for _, r := range text {
			t.emit(quote(r))
		}
		return nil
	case c == 'E':
		t.at += 2
		return nil
	case c >= '1' && c <= '9':
		return t.backReference(rest)
	case c == 'k':
		name, _, closed := strings.Cut(strings.TrimPrefix(rest[1:], "<"), ">")
		if !strings.HasPrefix(rest[1:], "<") || !closed || t.names[name] == 0 {
			return t.fail(`\k names a group that stands before it, as in \k<name>`)
		}
		t.at += len(`\k<>`) + len(name)
		t.emit(`\k<` + strconv.Itoa(t.names[name]) + `>`)
		return nil
	case strings.IndexByte("bBAGZz", c) >= 0:
		t.at += 2
		t.emit(`\` + string(c)) // Here words consist of letters and digits of any script.
		return nil
	case c == 'R':
		t.at += 2
		t.emit(`(?:\r\n|[\n\u000B\f\r\u0085\u2028\u2029])`)
		return nil
	}
	set, r, err := t.characters()
	if err != nil {
		return err
	}
	if set.text != "" {
		t.emit(set.String())
		return nil
	}
	t.emit(quote(r))
	return nil
}

// backReference reads as many digits as make the number of an existing group.
func (t *translator) backReference(rest string) error {
	group, size := int(rest[0]-'0'), 1
	for size < len(rest) && rest[size] >= '0' && rest[size] <= '9' && group*10+int(rest[size]-'0') <= t.groups {
		group = group*10 + int(rest[size]-'0')
		size++
	}
	if group > t.groups {
		return t.fail("there is no group %d before it", group)
	}
	t.at += 1 + size
	t.emit(`\k<` + strconv.Itoa(group) + `>`)
	return nil
}

// quote returns an expression for one literal character, valid inside and outside of a class.
func quote(r rune) string {
	switch {
	case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9', r > 0xFFFF:
		return string(r)
	default:
		return fmt.Sprintf(`\u%04X`, r)
	}
}
