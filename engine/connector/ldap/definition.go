package ldap

import (
	"slices"
	"strings"

	ldap "github.com/go-ldap/ldap/v3"
)

// definitions are those of one kind in a directory's schema (RFC 4512, section 4.1), as words, by each of their names
// in lower case and by their object identifiers.
type definitions map[string][]string

// readDefinitions reads the definitions in an attribute of the schema, such as attributeTypes.
func readDefinitions(schema *ldap.Entry, kind string) definitions {
	d := definitions{}
	for _, definition := range schema.GetAttributeValues(kind) {
		words := definitionWords(definition)
		for _, name := range definitionNames(words, "NAME") {
			d[strings.ToLower(name)] = words
		}
		if len(words) > 1 {
			d[words[1]] = words // its object identifier
		}
	}
	return d
}

// supMax is how many superior types are followed, at most.
const supMax = 16

// inherited returns what the definition of an attribute type has behind a keyword, or else the type that it is derived
// from.
func (d definitions) inherited(name, keyword string) []string {
	for range supMax {
		words := d[strings.ToLower(name)]
		if names := definitionNames(words, keyword); len(names) > 0 {
			return names
		}
		superior := definitionNames(words, "SUP")
		if len(superior) == 0 {
			return nil
		}
		name = superior[0]
	}
	return nil
}

// definitionWords splits a definition of a schema (RFC 4512) into words.
func definitionWords(definition string) []string {
	return strings.Fields(strings.NewReplacer("(", " ( ", ")", " ) ", "$", " ", "'", " ' ").Replace(definition))
}

// definitionNames returns the names behind a keyword: one, or several in parentheses.
func definitionNames(words []string, keyword string) []string {
	at := slices.Index(words, keyword)
	if at < 0 {
		return nil
	}
	var names []string
	quoted, inside := false, false
	for _, word := range words[at+1:] {
		switch {
		case word == "'":
			if quoted = !quoted; !quoted && !inside {
				return names
			}
		case word == "(":
			inside = true
		case word == ")":
			return names
		default:
			names = append(names, word)
			if !inside && !quoted {
				return names
			}
		}
	}
	return names
}
