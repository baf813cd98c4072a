package console

import _ "embed"

// T returns a text in the visitor's language, by its English form, which is a format of package fmt.
// A text without arguments is made once for a page: each row of a list says the same.
func (v *visit) T(key string, arguments ...any) string {
	if len(arguments) > 0 {
		return v.language.T(key, arguments...)
	}
	text, said := v.said[key]
	if !said {
		if v.said == nil {
			v.said = map[string]string{}
		}
		text = v.language.T(key)
		v.said[key] = text
	}
	return text
}

// N returns the text for a number: one for 1, many for any other.
func (v *visit) N(one, many string, count int, arguments ...any) string {
	return v.language.N(one, many, count, arguments...)
}

// text marks a text that is shown in the visitor's language later, by T.
func text(key string) string { return key }

//go:embed german.txt
var german string
