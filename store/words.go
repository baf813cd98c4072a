package store

import (
	"bytes"
	"encoding/json"
	"iter"
	"strconv"
	"strings"

	"github.com/muster-engine/muster/filterql/searchql"
)

// wordedAttributes are the attributes whose words are found by their beginnings, and whose values are compared as the
// column of a key has them.
var wordedAttributes = map[string]bool{"firstname": true, "lastname": true}

// ValueSeq yields the values of the attributes of an identity, as PostgreSQL writes them as texts. The name is empty
// for a value that has no such text: see [IdentityWords].
type ValueSeq = iter.Seq2[string, string]

// IdentityWords returns the words of an identity for the index over them, as a text of the type tsvector: those of its
// alias, its name, its e-mail address, and of all its attributes. It is nil where they are too many, or where a value
// has no plain text: the search then looks at the identity itself.
func IdentityWords(alias, name, email string, attributes ValueSeq) *string {
	lexemes, ok := identityLexemes(alias, name, email, attributes)
	if !ok {
		return nil
	}
	text, ok := lexemes.Text()
	if !ok {
		return nil
	}
	return &text
}

func identityLexemes(alias, name, email string, attributes ValueSeq) (*searchql.Lexemes, bool) {
	lexemes := &searchql.Lexemes{}
	lexemes.Add(FoldKey(alias), tagOf("name"), true)
	lexemes.Add(FoldKey(name), tagOf("displayName"), true)
	if email != "" {
		lexemes.Add(FoldKey(email), tagOf("email"), true)
	}
	for attribute, value := range attributes {
		if attribute == "" {
			return nil, false
		}
		folded := Fold(value)
		lexemes.Add(folded, tagOf("attributes."+attribute), wordedAttributes[attribute])
		if len(folded) > KeyLengthMax && (wordedAttributes[attribute] || attribute == "email") {
			return nil, false
		}
	}
	return lexemes, true
}

func tagOf(field string) string { return searchql.Tag(field) }

// storedValues yields the values of attributes as the database has them.
func storedValues(attributes []byte) ValueSeq {
	return func(yield func(string, string) bool) {
		if len(attributes) == 0 {
			return
		}
		decoder := json.NewDecoder(bytes.NewReader(attributes))
		decoder.UseNumber()
		var members map[string]any
		if decoder.Decode(&members) != nil {
			yield("", "")
			return
		}
		for attribute, value := range members {
			list, isList := value.([]any)
			if !isList {
				list = []any{value}
			}
			for _, element := range list {
				if element == nil {
					continue
				}
				text, ok := plainText(element)
				if !ok {
					attribute = ""
				}
				if !yield(attribute, text) {
					return
				}
			}
		}
	}
}

// plainText returns a value as PostgreSQL writes it as a text, unless it may write it in another way.
func plainText(value any) (string, bool) {
	switch v := value.(type) {
	case string:
		return v, true
	case bool:
		return strconv.FormatBool(v), true
	case json.Number:
		return v.String(), !strings.ContainsAny(v.String(), "eE")
	}
	return "", false
}
