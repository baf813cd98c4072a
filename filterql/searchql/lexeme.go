package searchql

import (
	"bytes"
	"cmp"
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
	text  []byte // of all lexemes, one behind the other
	list  []span
	last  map[string]int // the number of the last word of a field, by its tag
	words []string       // memory of Add
	spilt bool
}

// span is the place of a lexeme in a text, and the number of the word that it is: 0 for a form that is found by its
// beginning.
type span struct{ start, end, number int }

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
		l.last = make(map[string]int, 32) //nolint:mnd // as many attributes are usual
	}
	n := l.last[tag]
	if n > 0 {
		n++ // the last word of a value and the first of the next are no neighbours
	}
	l.words = appendWords(l.words[:0], folded)
	for _, word := range l.words {
		word = cut(word, lexemeMax)
		n++
		l.add(n, word, tagMark, tag)
		if beginnings {
			l.add(0, tagMark, tag, tagMark, word)
		}
	}
	l.last[tag] = n
	l.spilt = l.spilt || n > numberMax || len(l.text) > LexemesMax
}

func (l *Lexemes) add(number int, parts ...string) {
	start := len(l.text)
	for _, part := range parts {
		l.text = append(l.text, part...)
	}
	l.list = append(l.list, span{start, len(l.text), number})
}

// each calls do with each lexeme once, in their order, and with the spans that are it. It is false where the lexemes
// are too many for an index.
func (l *Lexemes) each(do func(text []byte, same []span)) bool {
	if l.spilt {
		return false
	}
	slices.SortFunc(l.list, func(a, b span) int {
		return cmp.Or(bytes.Compare(l.text[a.start:a.end], l.text[b.start:b.end]), cmp.Compare(a.number, b.number))
	})
	for i := 0; i < len(l.list); {
		text := l.text[l.list[i].start:l.list[i].end]
		k := i + 1
		for k < len(l.list) && bytes.Equal(text, l.text[l.list[k].start:l.list[k].end]) {
			k++
		}
		if k-i > numbersMax && l.list[k-1].number > 0 {
			return false
		}
		do(text, l.list[i:k])
		i = k
	}
	return true
}

// List returns the lexemes, sorted and each once. It is false where they are too many for an index.
func (l *Lexemes) List() ([]Lexeme, bool) {
	list := make([]Lexeme, 0, len(l.list))
	ok := l.each(func(text []byte, same []span) {
		x := Lexeme{Text: string(text)}
		for _, s := range same {
			if s.number > 0 {
				x.Numbers = append(x.Numbers, s.number)
			}
		}
		list = append(list, x)
	})
	if !ok {
		return nil, false
	}
	return list, true
}

// Text returns the lexemes as a text of the type tsvector. It is false where they are too many for an index.
func (l *Lexemes) Text() (string, bool) {
	text := make([]byte, 0, len(l.text)+8*len(l.list)) //nolint:mnd // quotes and a number
	ok := l.each(func(lexeme []byte, same []span) {
		if len(text) > 0 {
			text = append(text, ' ')
		}
		text = appendLexeme(text, lexeme)
		between := byte(':')
		for _, s := range same {
			if s.number > 0 {
				text = strconv.AppendInt(append(text, between), int64(s.number), 10)
				between = ','
			}
		}
	})
	if !ok {
		return "", false
	}
	return string(text), true
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

// appendLexeme writes a lexeme in the quotes of the types tsvector and tsquery.
func appendLexeme[T string | []byte](text []byte, lexeme T) []byte {
	text = append(text, '\'')
	for i := range len(lexeme) {
		if c := lexeme[i]; c == '\'' || c == '\\' {
			text = append(text, c)
		}
		text = append(text, lexeme[i])
	}
	return append(text, '\'')
}

// operand is a part of a question to an index over words: a lexeme, or the beginning of one.
type operand struct {
	lexeme    string
	beginning bool
}

// lexemeQuery returns operands as a text of the type tsquery.
func lexemeQuery(operands []operand, between string) string {
	var text []byte
	for i, o := range operands {
		if i > 0 {
			text = append(text, between...)
		}
		text = appendLexeme(text, o.lexeme)
		if o.beginning {
			text = append(text, ":*"...)
		}
	}
	return string(text)
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
