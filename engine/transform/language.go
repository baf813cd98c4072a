package transform

import (
	"strings"
	"sync"

	"github.com/biter777/countries"
	"golang.org/x/text/language"
	"golang.org/x/text/language/display"

	"github.com/muster-engine/muster/engine/attribute"
)

// languageTag returns the tag of a language. The input is an English name, which may have a script or a region in
// parentheses, or an ISO 639-2 code; the result for any other text is null. The tags follow the published table: they
// have underscores, the older codes for Hebrew and Indonesian, and a script only if it is Cyrillic. A tag that is not
// in the table is a valid one: https://developer.sailpoint.com/docs/extensibility/transforms/operations/rfc-5646.
type languageTag struct{}

func newLanguage(*definition) operation { return languageTag{} }

func (languageTag) apply(_ *evaluation, input attribute.Value) (attribute.Value, error) {
	return textOrNull(findLanguage(input.Text())), nil
}

// textLanguageMax is more than the length of any language's name.
const textLanguageMax = 200

func findLanguage(text string) string {
	text = strings.TrimSpace(text)
	if len(text) > textLanguageMax {
		return ""
	}
	if len(text) == 3 {
		return languageByCode(strings.ToLower(text))
	}
	parts := strings.Split(text, "(")
	tag := languageNames()[fold(parts[0])]
	if tag == "" {
		return ""
	}
	script := ""
	for _, part := range parts[1:] {
		inner, rest, closed := strings.Cut(part, ")")
		if !closed || strings.TrimSpace(rest) != "" {
			return ""
		}
		switch name := fold(inner); {
		case name == "latin":
		case name == "cyrillic":
			script = "_#Cyrl"
		case variants[tag+"/"+name] != "":
			tag = variants[tag+"/"+name]
		default:
			region := findRegion(name, inner)
			if region == "" || strings.Contains(tag, "_") || region == caribbean && tag != "en" {
				return ""
			}
			tag += "_" + region
		}
	}
	if odd := oddTags[tag]; odd != "" {
		tag = odd
	}
	if script != "" && !cyrillic[tag] {
		return ""
	}
	return tag + script
}

// caribbean is the published table's own code of a region. Only English has it.
const caribbean = "CB"

// cyrillic are the tags that the published table has with the script.
var cyrillic = map[string]bool{"az_AZ": true, "sr_BA": true, "sr_SP": true, "uz_UZ": true}

// variants are words in parentheses that change the language itself.
var variants = map[string]string{
	"no/bokmal": "nb", "no/bokm?l": "nb", "no/nynorsk": "nn", "zh/s": "zh_CN", "zh/t": "zh_TW",
	"zh/simplified":  "zh_CN",
	"zh/traditional": "zh_TW",
}

// oddTags are tags that the published table writes differently.
var oddTags = map[string]string{"ps_AF": "ps_AR", "sr_CS": "sr_SP"}

// regionAliases are names of regions in addition to the names of countries.
var regionAliases = map[string]string{
	"caribbean": caribbean, "serbiaandmontenegro": "CS", "formeryugoslavrepublicofmacedonia": "MK", "uae": "AE",
	"macau":                    "MO",
	"republicofthephilippines": "PH", "principalityofmonaco": "MC", "islamicrepublicofpakistan": "PK",
}

func findRegion(folded, name string) string {
	if alias := regionAliases[folded]; alias != "" {
		return alias
	}
	if code := findCountry(name); code != countries.Unknown {
		return code.Alpha2()
	}
	return ""
}

// olderCodes are the codes that Java and the published table still use.
var olderCodes = map[string]string{"he": "iw", "id": "in", "yi": "ji"}

func languageByCode(code string) string {
	base, err := language.ParseBase(code)
	if err != nil || base.IsPrivateUse() || special[code] {
		return ""
	}
	// A bibliographic code, such as ger, is no tag: it stands for the language's code of two letters.
	if canonical, _ := language.Default.Canonicalize(language.Make(code)); base.String() == code {
		if other, _ := canonical.Base(); len(other.String()) == 2 && language.Make(other.String()) == canonical {
			base = other
		}
	}
	if older := olderCodes[base.String()]; older != "" {
		return older
	}
	return base.String()
}

// special are codes of no language: of several, of none, and of one that has no code.
var special = map[string]bool{"mis": true, "mul": true, "und": true, "zxx": true}

// languageAliases are English names of languages in addition to those of the Unicode repository.
var languageAliases = map[string]string{
	"azeri": "az", "divehi": "dv", "farsi": "fa", "fyromacedonian": "mk", "northernsotho": "ns", "sami": "se",
	"norwegian": "no", "norwegianbokmal": "nb", "norwegiannynorsk": "nn", "kirghiz": "ky", "chineses": "zh",
	"oriya": "or", "tagalog": "tl",
}

// languageNames maps the folded names of the languages with a code of two letters, and of a few others, to their codes.
var languageNames = sync.OnceValue(func() map[string]string {
	names := map[string]string{}
	english := display.English.Languages()
	add := func(code string) {
		base, err := language.ParseBase(code)
		if err != nil || base.String() != code {
			return
		}
		if name := english.Name(base); name != "" {
			names[fold(name)] = code
			if older := olderCodes[code]; older != "" {
				names[fold(name)] = older
			}
		}
	}
	for a := 'a'; a <= 'z'; a++ {
		for b := 'a'; b <= 'z'; b++ {
			add(string(a) + string(b))
		}
	}
	for _, code := range []string{"kok", "syr", "fil", "haw", "chr", "gsw", "yue"} {
		add(code)
	}
	for name, code := range languageAliases {
		names[name] = code
	}
	return names
})
