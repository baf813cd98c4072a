package console

import (
	_ "embed"
	"fmt"
	"net/http"
	"strings"

	"golang.org/x/text/language"
	"golang.org/x/text/message"
	"golang.org/x/text/message/catalog"
)

// languageTag names a language.
type languageTag = language.Tag

// languages are the languages of the pages.
type languages struct {
	tags    []language.Tag // English first
	matcher language.Matcher
	catalog catalog.Catalog
}

// newLanguages returns English, German and the languages of a host, which may also replace texts of these.
func newLanguages(more map[language.Tag]map[string]string) (*languages, error) {
	l := &languages{tags: []language.Tag{language.English, language.German}}
	builder := catalog.NewBuilder(catalog.Fallback(language.English))
	add := func(tag language.Tag, texts map[string]string) error {
		for key, text := range texts {
			if err := builder.SetString(tag, key, text); err != nil {
				return fmt.Errorf("%s: %q: %w", tag, key, err)
			}
		}
		return nil
	}
	if err := add(language.German, readCatalogue(german)); err != nil {
		return nil, err
	}
	for tag, texts := range more {
		if err := add(tag, texts); err != nil {
			return nil, err
		}
		if tag != language.English && tag != language.German {
			l.tags = append(l.tags, tag)
		}
	}
	l.matcher, l.catalog = language.NewMatcher(l.tags), builder
	return l, nil
}

// languageCookie and themeCookie keep a visitor's settings. They are no secret.
const (
	languageCookie = "muster-language"
	themeCookie    = "muster-theme"
)

// of returns the language of a request: the visitor's setting, or what the browser asks for.
func (l *languages) of(r *http.Request) *speech {
	preferred := r.Header.Get("Accept-Language")
	if cookie, err := r.Cookie(languageCookie); err == nil {
		preferred = cookie.Value + "," + preferred
	}
	_, at := language.MatchStrings(l.matcher, preferred)
	return &speech{l.tags[at], message.NewPrinter(l.tags[at], message.Catalog(l.catalog))}
}

// speech says texts in a language.
type speech struct {
	tag     language.Tag
	printer *message.Printer
}

// T returns a text in the visitor's language, by its English form, which is a format of package fmt.
func (v *visit) T(key string, arguments ...any) string {
	return v.language.printer.Sprintf(key, arguments...)
}

// N returns the text for a number: one for 1, many for any other.
func (v *visit) N(one, many string, count int, arguments ...any) string {
	arguments = append([]any{count}, arguments...)
	if count == 1 {
		return v.language.printer.Sprintf(one, arguments...)
	}
	return v.language.printer.Sprintf(many, arguments...)
}

// text marks a text that is shown in the visitor's language later, by T.
func text(key string) string { return key }

//go:embed german.txt
var german string

// readCatalogue reads texts, each below its English form and indented.
func readCatalogue(file string) map[string]string {
	texts := map[string]string{}
	key := ""
	for line := range strings.Lines(file) {
		line = strings.TrimSuffix(line, "\n")
		if text, indented := strings.CutPrefix(line, "\t"); indented {
			texts[key] = text
		} else if line != "" && !strings.HasPrefix(line, "# ") {
			key = line
		}
	}
	return texts
}
