package console

import (
	"embed"
	"fmt"
	"html/template"
	"io/fs"
	"net/url"
	"path"
	"strings"
	"time"

	"github.com/muster-engine/muster/engine/internal/page"
)

//go:embed templates/*.html
var templateFiles embed.FS

// The templates that every page has: the frame, and parts.
const (
	layoutFile = "templates/layout.html"
	partsFile  = "templates/parts.html"
)

// parseTemplates returns the template of each page by its name. Everything in them is escaped by html/template.
func parseTemplates() (map[string]*template.Template, error) {
	frame, err := template.ParseFS(templateFiles, layoutFile, partsFile)
	if err != nil {
		return nil, err
	}
	files, err := fs.Glob(templateFiles, "templates/*.html")
	if err != nil {
		return nil, err
	}
	pages := map[string]*template.Template{}
	for _, file := range files {
		if file == layoutFile || file == partsFile {
			continue
		}
		content, err := frame.Clone()
		if err == nil {
			content, err = content.ParseFS(templateFiles, file)
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
		pages[strings.TrimSuffix(path.Base(file), ".html")] = content
	}
	return pages, nil
}

// What templates ask of the visit.

// Base returns the mount as seen from the page.
func (v *visit) Base() string { return v.base }

// Asset returns the reference of an asset.
func (v *visit) Asset(name string) string { return page.Asset(v.base, name) }

// Lang returns the language of the page.
func (v *visit) Lang() string { return v.language.Tag.String() }

// Theme returns the visitor's choice of colours: light, dark, or empty for that of the system.
func (v *visit) Theme() string { return page.Theme(v.r) }

// Site returns the name of the installation.
func (v *visit) Site() string { return v.h.config.Name }

// Visitor returns who is there; nil for nobody.
func (v *visit) Visitor() *Principal { return v.principal }

// SignsOut reports whether the console itself ends sessions.
func (v *visit) SignsOut() bool { return v.h.config.Authenticator == nil && v.principal != nil }

// May reports whether the visitor may see what needs a right.
func (v *visit) May(needed string) (bool, error) { return v.may(right(needed)), known(needed) }

// Offers reports whether the page has the button of an action that needs a right.
func (v *visit) Offers(needed string) (bool, error) { return v.offers(right(needed)), known(needed) }

// known refuses a right that no table has: a template misspells it.
func known(needed string) error {
	if rights[right(needed)] == nil {
		return fmt.Errorf("there is no right %q", needed)
	}
	return nil
}

// ShowsPeople reports whether the rows of the page are of different people.
func (v *visit) ShowsPeople() bool { return v.values["id"] == "" }

// Because gives the part "because" its lines, and the visit that says its words.
func (v *visit) Because(lines []criterionLine) any {
	return struct {
		V     *visit
		Lines []criterionLine
	}{v, lines}
}

// StepsOf gives the part "steps" its steps, and the visit that says its words.
func (v *visit) StepsOf(steps []shownStep) any {
	return struct {
		V     *visit
		Steps []shownStep
	}{v, steps}
}

// PlotOf gives the part "plot" its plot, and the visit that says its words.
func (v *visit) PlotOf(p *plotted) any {
	return struct {
		V    *visit
		Plot *plotted
	}{v, p}
}

// At reports whether the page belongs to a part of the console, for the navigation.
func (v *visit) At(part string) bool {
	first, _, _ := strings.Cut(strings.TrimPrefix(v.path, "/"), "/")
	return first == part
}

// On reports whether the page is a route's, for the navigation.
func (v *visit) On(pattern string) bool { return v.route != nil && v.route.pattern == pattern }

// Here returns the page's own reference below the mount, with its query, to come back to.
func (v *visit) Here() string {
	here := strings.TrimPrefix(v.path, "/")
	if v.r.URL.RawQuery != "" {
		here += "?" + v.r.URL.RawQuery
	}
	return here
}

// Search returns what was asked for in the find box.
func (v *visit) Search() string {
	if v.route != nil && v.route.pattern == "find" {
		return v.r.FormValue("q")
	}
	return ""
}

// with returns the page's own reference with some parameters changed; an empty value takes one away.
func (v *visit) with(changes ...string) string {
	query := v.r.URL.Query()
	if list := query["columns"]; len(list) > 1 { // as a form with boxes sends them
		query.Set("columns", strings.Join(list, ","))
	}
	for i := 0; i+1 < len(changes); i += 2 {
		if changes[i+1] == "" {
			query.Del(changes[i])
		} else {
			query.Set(changes[i], changes[i+1])
		}
	}
	return "?" + query.Encode()
}

// With is with, for templates.
func (v *visit) With(changes ...string) string { return v.with(changes...) }

// List returns the reference of the Identity List with a filter.
func (v *visit) List(filters string) string {
	return v.base + "identities/?" + url.Values{"filters": {filters}}.Encode()
}

// accountsOf returns the reference of the list of accounts with a filter.
func (v *visit) accountsOf(filters string) string {
	return v.base + "accounts/?" + url.Values{"filters": {filters}}.Encode()
}

// urlQuery returns a text as the value of a parameter in an address.
func urlQuery(text string) string { return url.QueryEscape(text) }

// moment is a time as a page shows it.
type moment struct {
	ISO   string // UTC
	Text  string // to the minute, with its zone
	Exact string // to the second
	Ago   string
}

// Moment returns a time for the part "time"; nil for none.
func (v *visit) Moment(at *time.Time) *moment {
	if at == nil || at.IsZero() {
		return nil
	}
	zone, err := v.h.tenantZone(v.r.Context())
	if err != nil {
		zone = time.UTC // the page's own reads tell what is wrong
	}
	return &moment{ISO: at.UTC().Format(time.RFC3339), Text: at.In(zone).Format("2006-01-02 15:04 MST"),
		Exact: at.In(zone).Format("2006-01-02 15:04:05 MST"), Ago: v.ago(time.Since(*at))}
}

// MomentOf is Moment for a time that is always there.
func (v *visit) MomentOf(at time.Time) *moment { return v.Moment(&at) }

// ago says in words how long ago something was, or how long it takes until it is.
func (v *visit) ago(since time.Duration) string {
	past := since >= 0
	span := since.Abs()
	say := func(one, many, inOne, inMany string, unit time.Duration) string {
		count := int(span / unit)
		if past {
			return v.N(one, many, count)
		}
		return v.N(inOne, inMany, count)
	}
	switch {
	case span < time.Minute && past:
		return v.T("just now")
	case span < time.Minute:
		return v.T("in a moment")
	case span < time.Hour:
		return say("%d minute ago", "%d minutes ago", "in %d minute", "in %d minutes", time.Minute)
	case span < 48*time.Hour:
		return say("%d hour ago", "%d hours ago", "in %d hour", "in %d hours", time.Hour)
	default:
		return say("%d day ago", "%d days ago", "in %d day", "in %d days", 24*time.Hour)
	}
}

// The zone of the times on the page.
func (v *visit) Zone() string {
	zone, err := v.h.tenantZone(v.r.Context())
	if err != nil {
		return time.UTC.String()
	}
	return zone.String()
}
