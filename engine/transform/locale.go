package transform

import (
	"fmt"
	"strconv"
	"strings"
	"sync"

	"github.com/biter777/countries"
	"github.com/nyaruka/phonenumbers"
	"golang.org/x/text/language"
	"golang.org/x/text/language/display"

	"github.com/muster-engine/muster/engine/attribute"
	"github.com/muster-engine/muster/filterql/folding"
)

// phone writes a telephone number in the format of ITU-T E.164. A text that is not a valid number of its region becomes
// null.
type phone struct{ region operand }

func newPhone(d *definition) operation {
	p := &phone{d.operand("defaultRegion")}
	if !p.region.given() || p.region.kind == isLiteral && p.region.literal.Text() == "" {
		p.region = textOf("US")
	}
	if p.region.kind == isLiteral && !knownRegion(p.region.literal.Text()) {
		d.fault(d.at("defaultRegion"), "an ISO 3166-1 code of two letters is expected, such as US")
	}
	return p
}

func knownRegion(code string) bool {
	return phonenumbers.GetCountryCodeForRegion(strings.ToUpper(code)) != 0
}

func (p *phone) apply(e *evaluation, input attribute.Value) (attribute.Value, error) {
	if input.IsNull() {
		return attribute.Null, nil
	}
	region, _, err := p.region.text(e, input)
	if err != nil {
		return attribute.Null, err
	}
	// A number that begins with + needs no region, and another one is null without it.
	region = strings.ToUpper(strings.TrimSpace(region))
	if !knownRegion(region) {
		region = phonenumbers.UNKNOWN_REGION
	}
	number, err := phonenumbers.Parse(input.Text(), region)
	if err != nil || !phonenumbers.IsValidNumber(number) {
		return attribute.Null, nil //nolint:nilerr // null is the result for a text that is not a number
	}
	return attribute.String(phonenumbers.Format(number, phonenumbers.E164)), nil
}

// country returns the code of a country. The input is a code or a name of it; the result for any other text is null.
type country struct{ format string }

func newCountry(d *definition) operation {
	format := d.literal("format", "alpha2")
	switch format {
	case "alpha2", "alpha3", "numeric":
	default:
		d.fault(d.at("format"), "unknown format %q: alpha2, alpha3 and numeric are known", format)
	}
	return &country{format}
}

func (c *country) apply(_ *evaluation, input attribute.Value) (attribute.Value, error) {
	code := findCountry(input.Text())
	if code == countries.Unknown {
		return attribute.Null, nil
	}
	switch c.format {
	case "alpha3":
		return attribute.String(code.Alpha3()), nil
	case "numeric":
		return attribute.String(fmt.Sprintf("%03d", int64(code))), nil
	default:
		return attribute.String(code.Alpha2()), nil
	}
}

func findCountry(text string) countries.CountryCode {
	text = strings.TrimSpace(text)
	if text == "" {
		return countries.Unknown
	}
	if n, err := strconv.Atoi(text); err == nil {
		if code := countries.ByNumeric(n); isCountry(code) {
			return code
		}
		return countries.Unknown
	}
	if code, ok := countryNames()[fold(text)]; ok {
		return code
	}
	if code := countries.ByName(text); isCountry(code) {
		return code
	}
	return countries.Unknown
}

// isCountry reports whether a code is in ISO 3166-1. The library knows others too.
func isCountry(code countries.CountryCode) bool {
	return code.IsValid() && len(code.Alpha2()) == 2 && int64(code) > 0 && int64(code) < 1000
}

// countryNames maps the folded names of countries, in English and in their own languages, to their codes.
var countryNames = sync.OnceValue(func() map[string]countries.CountryCode {
	names := map[string]countries.CountryCode{}
	put := func(name string, code countries.CountryCode) {
		if _, taken := names[fold(name)]; name != "" && !taken {
			names[fold(name)] = code
		}
	}
	for _, code := range countries.All() {
		if isCountry(code) {
			put(code.Alpha2(), code)
			put(code.Alpha3(), code)
			put(code.String(), code)
		}
	}
	english := display.English.Regions()
	for _, code := range countries.All() {
		region, err := language.ParseRegion(code.Alpha2())
		if !isCountry(code) || err != nil {
			continue
		}
		put(english.Name(region), code)
		spoken := nativeLanguages(region)
		for _, tag := range display.Supported.Tags() {
			base, _ := tag.Base()
			if namer := display.Regions(tag); spoken[base.String()] && namer != nil {
				put(namer.Name(region), code)
			}
		}
	}
	return names
})

// manyLanguages are the official languages of countries with more than one, without the most likely language.
var manyLanguages = map[string]string{
	"AF": "ps fa", "BE": "nl fr de", "CA": "en fr", "CH": "de fr it", "CY": "el tr", "FI": "fi sv", "HK": "zh en",
	"IE": "en ga", "IL": "he ar", "IN": "hi en", "KZ": "kk ru", "LK": "si ta", "LU": "fr de lb", "MT": "mt en",
	"NO": "nb nn no",
	"NZ": "en", "PH": "fil en", "PY": "es", "SG": "en zh ms ta", "UA": "uk ru", "ZA": "en af zu", "BY": "be ru",
	"KE": "sw en",
	"BA": "bs hr sr", "MA": "ar fr", "DZ": "ar fr", "TN": "ar fr", "IQ": "ar", "RS": "sr", "ME": "sr",
	"ES": "es ca eu gl",
}

// nativeLanguages returns the languages of a region: the most likely one, and the other official ones.
func nativeLanguages(region language.Region) map[string]bool {
	spoken := map[string]bool{}
	if tag, err := language.Compose(language.Und, region); err == nil {
		base, _ := tag.Base() // from the likely subtags of the region
		spoken[base.String()] = true
	}
	for _, name := range strings.Fields(manyLanguages[region.String()]) {
		spoken[name] = true
	}
	return spoken
}

// fold removes case, blanks and marks from a name.
func fold(name string) string {
	bare, _ := decomposeDiacriticalMarks(name) // never fails
	return strings.Map(func(r rune) rune {
		if strings.ContainsRune(" .,'’-()&", r) {
			return -1
		}
		return r
	}, folding.Case(bare))
}
