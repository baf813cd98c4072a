package velocity

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/muster-engine/muster/engine/transform/lettercase"
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
	case Map:
		result, known, err = v.call(name, arguments, isCall)
	case bool, int64, float64:
		result, known, err = scalarMethod(v, name, arguments)
	}
	if _, isObject := value.(Object); !known && err == nil && isCall && !isObject {
		// #set($Integer = 0) is how templates get at the static methods of a class.
		result, known, err = r.staticMethod(name, arguments)
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
	if len(arguments) == 0 {
		switch name {
		case "toString":
			return Text(value), true, nil
		case "booleanValue":
			_, isBool := value.(bool)
			return value, isBool, nil
		case "intValue", "longValue":
			if f, isFloat := value.(float64); isFloat {
				return whole(f)
			}
			_, isInt := value.(int64)
			return value, isInt, nil
		case "doubleValue", "floatValue":
			f, isNumber := number(value)
			return f, isNumber, nil
		}
		return nil, false, nil
	}
	switch name {
	case "equals", "compareTo":
		if err := count(name, arguments, 1, 1); err != nil {
			return nil, true, err
		}
		if name == "equals" {
			return equal(value, arguments[0]), true, nil
		}
		a, ok := number(value)
		b, okB := number(arguments[0])
		if !ok || !okB {
			return nil, true, fmt.Errorf("compareTo compares numbers, not %s and %s", kind(value), kind(arguments[0]))
		}
		return int64(cmp.Compare(a, b)), true, nil
	}
	return nil, false, nil
}

// whole cuts the fraction of a number off.
func whole(f float64) (any, bool, error) {
	if f >= math.MaxInt64 || f <= math.MinInt64 {
		return nil, true, errors.New("the number is too large")
	}
	return int64(f), true, nil
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
	case "toArray", "iterator":
		return items, true, count(name, arguments, 0, 0)
	case "contains", "indexOf", "lastIndexOf", "containsAll":
		if err := count(name, arguments, 1, 1); err != nil {
			return nil, true, err
		}
		return r.searchList(items, name, arguments[0])
	case "subList":
		if err := count(name, arguments, 2, 2); err != nil {
			return nil, true, err
		}
		from, okFrom := integer(arguments[0])
		to, okTo := integer(arguments[1])
		if !okFrom || !okTo || from < 0 || to < from || to > int64(len(items)) {
			return nil, true, fmt.Errorf("the list has no such part: it has %d elements", len(items))
		}
		return slices.Clone(items[from:to]), true, nil
	}
	return nil, false, nil
}

func (r *renderer) searchList(items []any, name string, wanted any) (any, bool, error) {
	switch name {
	case "contains":
		return indexOf(items, wanted) >= 0, true, nil
	case "indexOf":
		return int64(indexOf(items, wanted)), true, nil
	case "lastIndexOf":
		return int64(lastIndexOf(items, wanted)), true, nil
	}
	all, ok := wanted.([]any)
	if !ok {
		return nil, true, fmt.Errorf("argument 1 of containsAll is a list, not %s", kind(wanted))
	}
	for _, item := range all {
		if err := r.read(items); err != nil {
			return nil, true, err
		}
		if indexOf(items, item) < 0 {
			return false, true, nil
		}
	}
	return true, true, nil
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
	"stripLeading": "", "stripTrailing": "", "toString": "", "intern": "", "capitalize": "", "toCharArray": "",
	"hashCode": "", "substring": "n?n", "charAt": "n", "codePointAt": "n", "indexOf": "t?n", "lastIndexOf": "t?n",
	"contains": "t", "startsWith": "t?n", "endsWith": "t", "equals": "t", "equalsIgnoreCase": "t", "contentEquals": "t",
	"compareTo": "t", "compareToIgnoreCase": "t", "concat": "t", "replace": "tt", "replaceAll": "tt",
	"replaceFirst": "tt", "matches": "t", "split": "t?n", "repeat": "n",
}

// properties are the properties of texts: they are methods without their prefix.
var properties = map[string]string{"empty": "isEmpty", "blank": "isBlank"}

func (r *renderer) textMethod(s, name string, arguments []any, isCall bool) (any, bool, error) {
	if method := properties[name]; method != "" && !isCall {
		name = method
	}
	signature, known := textMethods[name]
	if !known || !isCall && signature != "" {
		return nil, false, nil
	}
	if (name == "equals" || name == "equalsIgnoreCase") && len(arguments) == 1 && arguments[0] == nil {
		return false, true, nil // nothing equals null
	}
	texts, numbers, err := read(name, signature, arguments)
	if err != nil {
		return nil, true, err
	}
	switch signature {
	case "":
		return r.plainMethod(s, name)
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

func (r *renderer) plainMethod(s, name string) (any, bool, error) {
	switch name {
	case "length":
		return int64(utf8.RuneCountInString(s)), true, nil
	case "isEmpty":
		return s == "", true, nil
	case "isBlank":
		return strings.TrimSpace(s) == "", true, nil
	case "toLowerCase":
		return lettercase.Lower(s), true, nil
	case "toUpperCase":
		return lettercase.Upper(s), true, nil
	case "trim":
		return strings.TrimFunc(s, func(r rune) bool { return r <= ' ' }), true, nil
	case "strip":
		return strings.TrimSpace(s), true, nil
	case "stripLeading":
		return strings.TrimLeftFunc(s, unicode.IsSpace), true, nil
	case "stripTrailing":
		return strings.TrimRightFunc(s, unicode.IsSpace), true, nil
	case "capitalize":
		return lettercase.Capitalize(s), true, nil
	case "hashCode":
		var hash int32
		for _, unit := range utf16.Encode([]rune(s)) {
			hash = 31*hash + int32(unit)
		}
		return int64(hash), true, nil
	case "toCharArray":
		if err := r.spend(len(s)); err != nil {
			return nil, true, err
		}
		characters := []any{}
		for _, c := range s {
			characters = append(characters, string(c))
		}
		return characters, true, nil
	default: // toString, intern
		return s, true, nil
	}
}

func (r *renderer) compareMethod(s, name, other string) (any, error) {
	switch name {
	case "contains":
		return strings.Contains(s, other), nil
	case "endsWith":
		return strings.HasSuffix(s, other), nil
	case "equals", "contentEquals":
		return s == other, nil
	case "equalsIgnoreCase":
		return strings.EqualFold(s, other), nil
	case "compareTo":
		return difference(s, other, false), nil
	case "compareToIgnoreCase":
		return difference(s, other, true), nil
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

// difference compares two texts as Java does: by the first characters that differ, or else by the lengths.
func difference(s, other string, ignoreCase bool) int64 {
	a, b := utf16.Encode([]rune(s)), utf16.Encode([]rune(other))
	for i := range min(len(a), len(b)) {
		x, y := rune(a[i]), rune(b[i])
		if ignoreCase {
			x, y = unicode.ToLower(unicode.ToUpper(x)), unicode.ToLower(unicode.ToUpper(y))
		}
		if x != y {
			return int64(x - y)
		}
	}
	return int64(len(a) - len(b))
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
	case "codePointAt":
		c, err := substring(s, numbers[0], numbers[0]+1)
		if err != nil {
			return nil, err
		}
		point, _ := utf8.DecodeRuneInString(Text(c))
		return int64(point), nil
	case "startsWith":
		if len(numbers) == 1 {
			runes := []rune(s)
			if numbers[0] < 0 || numbers[0] > int64(len(runes)) {
				return false, nil
			}
			s = string(runes[numbers[0]:])
		}
		return strings.HasPrefix(s, texts[0]), nil
	case "lastIndexOf":
		if len(numbers) == 1 {
			// It begins at the position at the latest.
			runes, wanted := []rune(s), int64(utf8.RuneCountInString(texts[0]))
			if numbers[0] < 0 {
				return int64(-1), nil
			}
			s = string(runes[:min(min(numbers[0], int64(len(runes)))+wanted, int64(len(runes)))])
		}
		return runeIndex(s, strings.LastIndex(s, texts[0])), nil
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
		limit := int64(0)
		if len(numbers) == 1 {
			limit = numbers[0]
		}
		parts, err := re.SplitLimit(s, int(max(min(limit, StepsMax), -1)), &r.budget.Regexps)
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
