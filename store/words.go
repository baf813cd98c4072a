package store

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"

	"github.com/muster-engine/muster/filterql/searchql"
)

// wordedAttributes are the attributes whose words are found by their beginnings, and whose values are compared as the
// column of a key has them.
var wordedAttributes = map[string]bool{"firstname": true, "lastname": true}

// identityWordsOf returns the words of an identity for the index over them, as a text of the type tsvector: those of
// its alias, its name, its e-mail address, and of all its attributes. It is nil where they are too many, or where an
// attribute has no plain values: the search then looks at the identity itself.
func identityWordsOf(alias, name, email string, attributes []byte) *string {
	lexemes, ok := identityLexemes(alias, name, email, attributes)
	if !ok {
		return nil
	}
	list, ok := lexemes.List()
	if !ok {
		return nil
	}
	text := searchql.LexemeText(list)
	return &text
}

func identityLexemes(alias, name, email string, attributes []byte) (*searchql.Lexemes, bool) {
	lexemes := &searchql.Lexemes{}
	lexemes.Add(FoldKey(alias), tagOf("name"), true)
	lexemes.Add(FoldKey(name), tagOf("displayName"), true)
	if email != "" {
		lexemes.Add(FoldKey(email), tagOf("email"), true)
	}
	ok := eachAttribute(attributes, func(attribute, value string) bool {
		folded := Fold(value)
		lexemes.Add(folded, tagOf("attributes."+attribute), wordedAttributes[attribute])
		return len(folded) <= KeyLengthMax || !wordedAttributes[attribute] && attribute != "email"
	})
	return lexemes, ok
}

func tagOf(field string) string { return searchql.Tag(field) }

// eachAttribute calls do for each value of each attribute, as PostgreSQL writes it as a text. It is false where a value
// is none that PostgreSQL writes as it came, or where do is.
func eachAttribute(attributes []byte, do func(attribute, value string) bool) bool {
	if len(attributes) == 0 {
		return true
	}
	decoder := json.NewDecoder(bytes.NewReader(attributes))
	decoder.UseNumber()
	var members map[string]any
	if decoder.Decode(&members) != nil {
		return false
	}
	one := func(attribute string, value any) bool {
		switch v := value.(type) {
		case nil:
			return true
		case string:
			return do(attribute, v)
		case bool:
			if v {
				return do(attribute, "true")
			}
			return do(attribute, "false")
		case json.Number:
			return !strings.ContainsAny(v.String(), "eE") && do(attribute, v.String())
		}
		return false
	}
	for attribute, value := range members {
		list, isList := value.([]any)
		if !isList {
			list = []any{value}
		}
		if slices.ContainsFunc(list, func(element any) bool { return !one(attribute, element) }) {
			return false
		}
	}
	return true
}

// wordsColumn are the words of an identity, which are only written.
func wordsColumn() column[IdentityState] {
	return column[IdentityState]{sql: "words", kind: "text", cast: "::tsvector", array: func(rows []IdentityState) any {
		list := make([]*string, len(rows))
		for i := range rows {
			r := &rows[i]
			if r.SameWords {
				continue
			}
			list[i] = identityWordsOf(r.Alias, r.Name, r.Email, r.Attributes)
		}
		return list
	}}
}
