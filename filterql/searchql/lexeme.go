package searchql

import (
	"hash/fnv"
	"slices"
	"strings"
	"unicode/utf8"
)

// An index over the words of a document is a column of the type tsvector that has lexemes of three forms:
//
//	word~tag    the word is in the field with this tag
//	~tag~word   the same, for the fields whose words are found by their beginning
//
// No word has a tilde. So what begins with "word" has a word that begins so in one of the fields, and what begins with
// "word~" has this very word. The parser of the text search is not involved: the words are those of [Words].
const (
	tagMark = "~"
	// lexemeMax is how many bytes of a word are in a lexeme: PostgreSQL takes 2,046.
	lexemeMax = 200
	// LexemesMax is the most bytes of the lexemes of one document. PostgreSQL takes a mebibyte.
	LexemesMax = 256 << 10
)

// Tag returns the tag of a field in an index over words: three characters that follow from its name. Several fields may
// have the same one, so what an index finds by a tag is looked at again.
func Tag(field string) string {
	const digits = "0123456789abcdefghijklmnopqrstuvwxyz"
	sum := fnv.New32a()
	_, _ = sum.Write([]byte(field)) // cannot fail
	n := sum.Sum32()
	return string([]byte{digits[n%36], digits[n/36%36], digits[n/1296%36]})
}

// Lexemes are the lexemes of a document. The zero value has none.
type Lexemes struct {
	list []string
	size int
}

// Add adds the words of a folded text in a field with a tag; with beginnings also in the form in which the words of
// this field alone are found by their beginning.
func (l *Lexemes) Add(folded, tag string, beginnings bool) {
	if l.size > LexemesMax {
		return
	}
	for _, word := range Words(folded) {
		word = cutWord(word)
		l.add(word + tagMark + tag)
		if beginnings {
			l.add(tagMark + tag + tagMark + word)
		}
	}
}

func (l *Lexemes) add(lexeme string) {
	l.list = append(l.list, lexeme)
	l.size += len(lexeme)
}

// List returns the lexemes, sorted and each once. It is false where they are too many for an index.
func (l *Lexemes) List() ([]string, bool) {
	if l.size > LexemesMax {
		return nil, false
	}
	slices.Sort(l.list)
	return slices.Compact(append([]string{}, l.list...)), true
}

// LexemeText returns lexemes as a text of the type tsvector.
func LexemeText(list []string) string {
	var b strings.Builder
	for i, lexeme := range list {
		if i > 0 {
			b.WriteByte(' ')
		}
		writeLexeme(&b, lexeme)
	}
	return b.String()
}

// cutWord cuts a word to lexemeMax bytes, between two characters.
func cutWord(word string) string {
	if len(word) <= lexemeMax {
		return word
	}
	end := lexemeMax
	for end > 0 && !utf8.RuneStart(word[end]) {
		end--
	}
	return word[:end]
}

// writeLexeme writes a lexeme in the quotes of the types tsvector and tsquery.
func writeLexeme(b *strings.Builder, lexeme string) {
	b.WriteByte('\'')
	for i := range len(lexeme) {
		if c := lexeme[i]; c == '\'' || c == '\\' {
			b.WriteByte(c)
		}
		b.WriteByte(lexeme[i])
	}
	b.WriteByte('\'')
}

// operand is a part of a question to an index over words: a lexeme, or the beginning of one.
type operand struct {
	lexeme    string
	beginning bool
}

// lexemeQuery returns operands as a text of the type tsquery.
func lexemeQuery(operands []operand, between string) string {
	var b strings.Builder
	for i, o := range operands {
		if i > 0 {
			b.WriteString(between)
		}
		writeLexeme(&b, o.lexeme)
		if o.beginning {
			b.WriteString(":*")
		}
	}
	return b.String()
}

// whole asks for a whole word of the field, or of any field where it has no tag.
func (f *Field) whole(word string) operand {
	if f.Tag == "" {
		return operand{cutWord(word) + tagMark, true}
	}
	return operand{cutWord(word) + tagMark + f.Tag, false}
}

// beginning asks for a word of the field that begins so.
func (f *Field) beginning(word string) operand {
	if f.Tag != "" && f.Beginnings {
		return operand{tagMark + f.Tag + tagMark + cutWord(word), true}
	}
	return operand{cutWord(word), true}
}

// lexemes returns the question to the index over words that leaves out no value which passes a test; empty where there
// is none.
func (f *Field) lexemes(t test) string {
	if f.Words == "" {
		return ""
	}
	switch t := t.(type) {
	case wordsTest:
		operands := make([]operand, len(t.words))
		for i, word := range t.words {
			operands[i] = f.whole(word)
			if t.prefix && i == len(t.words)-1 {
				operands[i] = f.beginning(word)
			}
		}
		if t.any {
			return lexemeQuery(operands, " | ")
		}
		return lexemeQuery(operands, " & ")
	case exactTest:
		if f.Indexed {
			return "" // its own index finds fewer
		}
		var operands []operand
		for _, word := range Words(f.fold(string(t))) {
			operands = append(operands, f.whole(word))
		}
		return lexemeQuery(operands, " & ")
	case patternTest:
		if t.on != onWords {
			return ""
		}
		n := 0
		for n < len(t.pattern) && t.pattern[n] >= 0 {
			n++
		}
		if n == 0 {
			return ""
		}
		return lexemeQuery([]operand{f.beginning(string(t.pattern[:n]))}, "")
	}
	return ""
}
