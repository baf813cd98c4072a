package searchql

import (
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// An index over the words of a document is a column of the type tsvector that has lexemes of two forms:
//
//	word~tag:n  the word is the n-th in the field with this tag
//	~tag~word   the same, for the fields whose words are found by their beginning
//
// No word has a tilde, and no two fields have the same tag. So what begins with "word" has a word that begins so in one
// of the fields, what begins with "word~" has this very word, and words whose numbers follow each other stand one
// behind the other. The parser of the text search is not involved: the words are those of [Words].
const (
	tagMark = "~"
	// lexemeMax is how many bytes of a word are in a lexeme: PostgreSQL takes 2,046. beginningMax is how many of a
	// beginning are looked for: a word that is cut has as many.
	lexemeMax, beginningMax = 200, 196
	// numberMax is the last number that PostgreSQL keeps of a word, and numbersMax is how many it keeps of a lexeme.
	numberMax, numbersMax = 16_383, 255
	// LexemesMax is the most bytes of the lexemes of one document. PostgreSQL takes a mebibyte.
	LexemesMax = 256 << 10
)

// Tag returns the tag of a field in an index over words.
func Tag(field string) string {
	if attribute, is := strings.CutPrefix(field, "attributes."); is {
		return attribute
	}
	return "." + field
}

// Lexemes are the lexemes of a document. The zero value has none.
type Lexemes struct {
	list  []Lexeme
	last  map[string]int // the number of the last word of a field, by its tag
	size  int
	spilt bool
}

// Lexeme is a lexeme with the numbers of the words that it is.
type Lexeme struct {
	Text    string
	Numbers []int // none for a form that is found by its beginning
}

// Add adds the words of a folded text in a field with a tag; with beginnings also in the form in which the words of
// this field alone are found by their beginning. Further values of a field do not follow those before.
func (l *Lexemes) Add(folded, tag string, beginnings bool) {
	if l.spilt {
		return
	}
	if l.last == nil {
		l.last = map[string]int{}
	}
	n := l.last[tag]
	if n > 0 {
		n++ // the last word of a value and the first of the next are no neighbours
	}
	for _, word := range Words(folded) {
		word = cut(word, lexemeMax)
		n++
		l.add(Lexeme{word + tagMark + tag, []int{n}})
		if beginnings {
			l.add(Lexeme{tagMark + tag + tagMark + word, nil})
		}
	}
	l.last[tag] = n
	l.spilt = l.spilt || n > numberMax || l.size > LexemesMax
}

func (l *Lexemes) add(x Lexeme) {
	l.list = append(l.list, x)
	l.size += len(x.Text)
}

// List returns the lexemes, sorted and each once. It is false where they are too many for an index.
func (l *Lexemes) List() ([]Lexeme, bool) {
	if l.spilt {
		return nil, false
	}
	slices.SortStableFunc(l.list, func(a, b Lexeme) int { return strings.Compare(a.Text, b.Text) })
	list := make([]Lexeme, 0, len(l.list))
	for _, x := range l.list {
		if n := len(list); n > 0 && list[n-1].Text == x.Text {
			list[n-1].Numbers = append(list[n-1].Numbers, x.Numbers...)
			if len(list[n-1].Numbers) > numbersMax {
				return nil, false
			}
			continue
		}
		list = append(list, Lexeme{x.Text, slices.Clone(x.Numbers)})
	}
	return list, true
}

// LexemeText returns lexemes as a text of the type tsvector.
func LexemeText(list []Lexeme) string {
	var b strings.Builder
	for i, x := range list {
		if i > 0 {
			b.WriteByte(' ')
		}
		writeLexeme(&b, x.Text)
		for k, n := range x.Numbers {
			b.WriteByte(":,"[min(k, 1)])
			b.WriteString(strconv.Itoa(n))
		}
	}
	return b.String()
}

// cut cuts a word to so many bytes, between two characters.
func cut(word string, most int) string {
	if len(word) <= most {
		return word
	}
	end := most
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
	word = cut(word, lexemeMax)
	if f.Tag == "" {
		return operand{word + tagMark, true}
	}
	return operand{word + tagMark + f.Tag, false}
}

// beginning asks for a word of the field that begins so.
func (f *Field) beginning(word string) operand {
	word = cut(word, beginningMax)
	if f.Tag != "" && f.Beginnings {
		return operand{tagMark + f.Tag + tagMark + word, true}
	}
	return operand{word, true}
}

// lexemes returns the question to the index over words that leaves out no value which passes a test, and whether it
// leaves out all others. It is empty where there is none.
func (f *Field) lexemes(t test) (question string, certain bool) {
	if f.Words == "" {
		return "", false
	}
	switch t := t.(type) {
	case wordsTest:
		return f.wordLexemes(t)
	case exactTest:
		if f.Indexed {
			return "", false // its own index finds fewer
		}
		var operands []operand
		for _, word := range Words(f.fold(string(t))) {
			operands = append(operands, f.whole(word))
		}
		return lexemeQuery(operands, " & "), false
	case patternTest:
		n := 0
		for n < len(t.pattern) && t.pattern[n] >= 0 {
			n++
		}
		if t.on != onWords || n == 0 {
			return "", false
		}
		beginning := string(t.pattern[:n])
		certain = f.Tag != "" && f.Beginnings && len(beginning) <= beginningMax && n == len(t.pattern)-1 &&
			t.pattern[n] == AnyText
		return lexemeQuery([]operand{f.beginning(beginning)}, ""), certain
	}
	return "", false
}

func (f *Field) wordLexemes(t wordsTest) (question string, certain bool) {
	operands := make([]operand, len(t.words))
	certain = f.Tag != ""
	for i, word := range t.words {
		operands[i] = f.whole(word)
		certain = certain && len(word) < beginningMax
	}
	if last := len(t.words) - 1; t.prefix && !t.any {
		operands[last] = f.beginning(t.words[last])
		// What is found by its beginning has no number.
		certain = certain && f.Beginnings && last == 0
	}
	switch {
	case t.any:
		return lexemeQuery(operands, " | "), certain
	case t.prefix || f.Tag == "":
		return lexemeQuery(operands, " & "), certain
	}
	return lexemeQuery(operands, " <-> "), certain
}
