package page

import (
	"fmt"
	"net/http"
	"slices"
	"strings"

	"golang.org/x/text/language"
	"golang.org/x/text/message"
	"golang.org/x/text/message/catalog"
)

// Languages are the languages of pages.
type Languages struct {
	Tags    []language.Tag // English first
	matcher language.Matcher
	catalog catalog.Catalog
}

// NewLanguages returns English, German by a catalogue as [ReadCatalogue] reads it, and the languages of a host, which
// may also replace texts of these.
func NewLanguages(german string, more map[language.Tag]map[string]string) (*Languages, error) {
	l := &Languages{Tags: []language.Tag{language.English, language.German}}
	builder := catalog.NewBuilder(catalog.Fallback(language.English))
	add := func(tag language.Tag, texts map[string]string) error {
		for key, text := range texts {
			if err := builder.SetString(tag, key, text); err != nil {
				return fmt.Errorf("%s: %q: %w", tag, key, err)
			}
		}
		return nil
	}
	if err := add(language.German, ReadCatalogue(german)); err != nil {
		return nil, err
	}
	for tag, texts := range more {
		if err := add(tag, texts); err != nil {
			return nil, err
		}
		if tag != language.English && tag != language.German {
			l.Tags = append(l.Tags, tag)
		}
	}
	l.matcher, l.catalog = language.NewMatcher(l.Tags), builder
	return l, nil
}

// Have reports whether there is a language.
func (l *Languages) Have(tag string) bool {
	return slices.ContainsFunc(l.Tags, func(t language.Tag) bool { return t.String() == tag })
}

// LanguageCookie and ThemeCookie keep a visitor's settings. They are no secret.
const (
	LanguageCookie = "muster-language"
	ThemeCookie    = "muster-theme"
)

// Of returns the language of a request: the visitor's setting, or what the browser asks for.
func (l *Languages) Of(r *http.Request) *Speech {
	preferred := r.Header.Get("Accept-Language")
	if cookie, err := r.Cookie(LanguageCookie); err == nil {
		preferred = cookie.Value + "," + preferred
	}
	_, at := language.MatchStrings(l.matcher, preferred)
	return &Speech{l.Tags[at], message.NewPrinter(l.Tags[at], message.Catalog(l.catalog))}
}

// Theme returns the visitor's choice of colours: light, dark, or empty for that of the system.
func Theme(r *http.Request) string {
	if cookie, err := r.Cookie(ThemeCookie); err == nil && (cookie.Value == "light" || cookie.Value == "dark") {
		return cookie.Value
	}
	return ""
}

// Speech says texts in a language.
type Speech struct {
	Tag     language.Tag
	printer *message.Printer
}

// T returns a text by its English form, which is a format of package fmt.
func (s *Speech) T(key string, arguments ...any) string { return s.printer.Sprintf(key, arguments...) }

// N returns the text for a number: one for 1, many for any other.
func (s *Speech) N(one, many string, count int, arguments ...any) string {
	arguments = append([]any{count}, arguments...)
	if count == 1 {
		return s.printer.Sprintf(one, arguments...)
	}
	return s.printer.Sprintf(many, arguments...)
}

// ReadCatalogue reads texts, each below its English form and indented.
func ReadCatalogue(file string) map[string]string {
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
