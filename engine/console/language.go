package console

import _ "embed"

// T returns a text in the visitor's language, by its English form, which is a format of package fmt.
func (v *visit) T(key string, arguments ...any) string { return v.language.T(key, arguments...) }

// N returns the text for a number: one for 1, many for any other.
func (v *visit) N(one, many string, count int, arguments ...any) string {
	return v.language.N(one, many, count, arguments...)
}

// text marks a text that is shown in the visitor's language later, by T.
func text(key string) string { return key }

//go:embed german.txt
var german string
