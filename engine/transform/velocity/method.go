package velocity

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/cases"
	"golang.org/x/text/language"
)

// call calls a method of a value, or reads its property.
func (r *renderer) call(value any, name string, arguments []any, isCall bool) (any, error) {
	var (
		result any
		known  bool
		err    error
	)
	switch v := value.(type) {
	case Object:
		result, known, err = v.Call(name, arguments, isCall)
	case string:
		result, known, err = r.textMethod(v, name, arguments, isCall)
	case []any:
		result, known, err = r.listMethod(v, name, arguments)
	case bool, int64, float64:
		result, known, err = scalarMethod(v, name, arguments)
	}
	if !known && err == nil {
		what := "property"
		if isCall {
			what = "method"
		}
		err = fmt.Errorf("%s has no %s %s", kind(value), what, name)
		if _, ok := value.(string); ok && !isCall {
			err = fmt.Errorf("%w: write ${name}.%s for the text after a variable", err, name)
		}
	}
	return result, err
}

func scalarMethod(value any, name string, arguments []any) (any, bool, error) {
	switch name {
	case "toString", "intValue", "longValue", "booleanValue":
		if name == "toString" {
			return Text(value), true, count(name, arguments, 0, 0)
		}
		return value, true, count(name, arguments, 0, 0)
	case "equals":
		if err := count(name, arguments, 1, 1); err != nil {
			return nil, true, err
		}
		return equal(value, arguments[0]), true, nil
	}
	return nil, false, nil
}

func (r *renderer) listMethod(items []any, name string, arguments []any) (any, bool, error) {
	switch name {
	case "size", "length":
		return int64(len(items)), true, count(name, arguments, 0, 0)
	case "isEmpty", "empty":
		return len(items) == 0, true, count(name, arguments, 0, 0)
	case "toString":
		return Text(items), true, count(name, arguments, 0, 0)
	case "get":
		if err := count(name, arguments, 1, 1); err != nil {
			return nil, true, err
		}
		item, err := r.element(items, arguments[0])
		return item, true, err
	case "contains", "indexOf":
		if err := count(name, arguments, 1, 1); err != nil {
			return nil, true, err
		}
		at := int64(-1)
		for i, item := range items {
			if equal(item, arguments[0]) {
				at = int64(i)
				break
			}
		}
		if name == "contains" {
			return at >= 0, true, nil
		}
		return at, true, nil
	}
	return nil, false, nil
}

// count checks the number of arguments.
func count(name string, arguments []any, least, most int) error {
	if n := len(arguments); n < least || n > most {
		wanted := fmt.Sprint(least)
		if most > least {
			wanted = fmt.Sprintf("%d to %d", least, most)
		}
		return fmt.Errorf("%s takes %s arguments, %d are given", name, wanted, n)
	}
	return nil
}

// textMethods maps the methods of java.lang.String that templates call to their arguments: t is a text, n a number, and
// arguments after ? are optional.
var textMethods = map[string]string{
	"length": "", "isEmpty": "", "isBlank": "", "toLowerCase": "", "toUpperCase": "", "trim": "", "strip": "",
	"toString": "", "intern": "", "capitalize": "", "substring": "n?n", "charAt": "n", "indexOf": "t?n",
	"lastIndexOf": "t",
	"contains":    "t", "startsWith": "t", "endsWith": "t", "equals": "t", "equalsIgnoreCase": "t", "compareTo": "t",
	"compareToIgnoreCase": "t", "concat": "t", "replace": "tt", "replaceAll": "tt", "replaceFirst": "tt",
	"matches": "t",
	"split":   "t?n", "repeat": "n",
}

func (r *renderer) textMethod(s, name string, arguments []any, isCall bool) (any, bool, error) {
	signature, known := textMethods[name]
	if !known || !isCall && signature != "" {
		return nil, false, nil
	}
	texts, numbers, err := read(name, signature, arguments)
	if err != nil {
		return nil, true, err
	}
	switch signature {
	case "":
		return plainMethod(s, name), true, nil
	case "t":
		result, err := r.compareMethod(s, name, texts[0])
		return result, true, err
	case "tt":
		result, err := r.replaceMethod(s, name, texts[0], texts[1])
		return result, true, err
	}
	result, err := r.positionMethod(s, name, texts, numbers)
	return result, true, err
}

// read checks the arguments against the signature and converts them.
func read(name, signature string, arguments []any) (texts []string, numbers []int64, err error) {
	required, _, _ := strings.Cut(signature, "?")
	all := strings.Replace(signature, "?", "", 1)
	if err := count(name, arguments, len(required), len(all)); err != nil {
		return nil, nil, err
	}
	for i, argument := range arguments {
		if argument == nil {
			return nil, nil, fmt.Errorf("argument %d of %s is null", i+1, name)
		}
		if all[i] == 't' {
			texts = append(texts, Text(argument))
			continue
		}
		n, ok := integer(argument)
		if !ok {
			return nil, nil, fmt.Errorf("argument %d of %s is a number, not %s", i+1, name, kind(argument))
		}
		numbers = append(numbers, n)
	}
	return texts, numbers, nil
}

func plainMethod(s, name string) any {
	switch name {
	case "length":
		return int64(utf8.RuneCountInString(s))
	case "isEmpty":
		return s == ""
	case "isBlank":
		return strings.TrimSpace(s) == ""
	case "toLowerCase":
		return cases.Lower(language.Und).String(s)
	case "toUpperCase":
		return cases.Upper(language.Und).String(s)
	case "trim":
		return strings.TrimFunc(s, func(r rune) bool { return r <= ' ' })
	case "strip":
		return strings.TrimSpace(s)
	case "capitalize":
		r, size := utf8.DecodeRuneInString(s)
		if size == 0 {
			return s
		}
		return string(unicode.ToTitle(r)) + s[size:]
	default:
		return s
	}
}

func (r *renderer) compareMethod(s, name, other string) (any, error) {
	switch name {
	case "lastIndexOf":
		return runeIndex(s, strings.LastIndex(s, other)), nil
	case "contains":
		return strings.Contains(s, other), nil
	case "startsWith":
		return strings.HasPrefix(s, other), nil
	case "endsWith":
		return strings.HasSuffix(s, other), nil
	case "equals":
		return s == other, nil
	case "equalsIgnoreCase":
		return strings.EqualFold(s, other), nil
	case "compareTo":
		return int64(strings.Compare(s, other)), nil
	case "compareToIgnoreCase":
		return int64(strings.Compare(strings.ToLower(s), strings.ToLower(other))), nil
	case "matches":
		re, err := r.budget.Regexps.Compile(other)
		if err != nil {
			return nil, err
		}
		return re.Matches(s, &r.budget.Regexps)
	default: // concat
		return join(s, other, r.limit)
	}
}

func (r *renderer) replaceMethod(s, name, old, replacement string) (any, error) {
	if name == "replace" {
		if len(s)+strings.Count(s, old)*(len(replacement)-len(old)) > r.limit {
			return nil, ErrTooLong
		}
		return strings.ReplaceAll(s, old, replacement), nil
	}
	re, err := r.budget.Regexps.Compile(old)
	if err != nil {
		return nil, err
	}
	with, err := re.Replacement(replacement)
	if err != nil {
		return nil, err
	}
	if name == "replaceFirst" {
		return with.ReplaceFirst(s, r.limit, &r.budget.Regexps)
	}
	return with.ReplaceAll(s, r.limit, &r.budget.Regexps)
}

func (r *renderer) positionMethod(s, name string, texts []string, numbers []int64) (any, error) {
	switch name {
	case "substring":
		to := int64(utf8.RuneCountInString(s))
		if len(numbers) == 2 {
			to = numbers[1]
		}
		return substring(s, numbers[0], to)
	case "charAt":
		return substring(s, numbers[0], numbers[0]+1)
	case "repeat":
		if numbers[0] < 0 || numbers[0] > int64(r.limit) || len(s)*int(numbers[0]) > r.limit {
			return nil, ErrTooLong
		}
		return strings.Repeat(s, int(numbers[0])), nil
	case "indexOf":
		return indexFrom(s, texts[0], numbers), nil
	default: // split
		re, err := r.budget.Regexps.Compile(texts[0])
		if err != nil {
			return nil, err
		}
		parts, err := re.Split(s, StepsMax, &r.budget.Regexps)
		items := make([]any, len(parts))
		for i, part := range parts {
			items[i] = part
		}
		return items, err
	}
}

func indexFrom(s, wanted string, from []int64) int64 {
	skipped := int64(0)
	if len(from) > 0 && from[0] > 0 {
		runes := []rune(s)
		skipped = min(from[0], int64(len(runes)))
		s = string(runes[skipped:])
	}
	if at := runeIndex(s, strings.Index(s, wanted)); at >= 0 {
		return at + skipped
	}
	return -1
}

// runeIndex converts a byte index to a code point index.
func runeIndex(s string, at int) int64 {
	if at < 0 {
		return -1
	}
	return int64(utf8.RuneCountInString(s[:at]))
}
