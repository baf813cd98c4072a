package configuration

import (
	"encoding/json"
	"strconv"
	"strings"
)

// expected returns what values of the kind are, as an error says it.
func (k Kind) expected() string {
	switch k {
	case KindText:
		return "a text"
	case KindFlag:
		return "true or false"
	case KindWhole:
		return "a whole number"
	case KindTime:
		return "a time, as a text,"
	case KindTexts:
		return "a list of texts"
	case KindObjects:
		return "a list of objects"
	case KindReferences:
		return "a list of references"
	case KindReference:
		return "a reference, an object with the id or the name,"
	case KindObject, KindMap:
		return "an object"
	case KindAny, KindTransform:
	}
	return "another value"
}

// givenWord returns what a value is, as an error says it. It does not repeat the value, which may be a secret.
func givenWord(value any) string {
	switch v := value.(type) {
	case nil:
		return "null"
	case bool:
		return strconv.FormatBool(v)
	case json.Number:
		if !isWhole(string(v)) {
			return "a number with a fraction"
		}
		return "a number"
	case string:
		return "a text"
	case []any:
		return "a list"
	}
	return "an object"
}

// isWhole reports whether the text of a number is whole. Exports write 10.0 too; who decodes it judges an exponent.
func isWhole(text string) bool {
	digits, zeros, _ := strings.Cut(text, ".")
	if strings.ContainsAny(text, "eE") {
		return true
	}
	_, err := strconv.ParseInt(digits, 10, 64)
	return err == nil && strings.Trim(zeros, "0") == ""
}

// isSingle reports whether a value that is neither an object nor a list is one of the kind. loose lets any such value
// pass, and kept a text that says a flag or a number, as exports write them.
func (k Kind) isSingle(value any, kept, loose bool) bool {
	text, isText := value.(string)
	switch k {
	case KindText, KindTime:
		return isText || loose
	case KindFlag:
		_, isFlag := value.(bool)
		says := isText && (strings.EqualFold(text, "true") || strings.EqualFold(text, "false"))
		return isFlag || loose || kept && says
	case KindWhole:
		number, isNumber := value.(json.Number)
		return isNumber && isWhole(string(number)) || loose || kept && isText && isWhole(text)
	case KindTexts:
		return isText || loose // a list of one
	case KindAny, KindTransform:
		return true
	}
	return false
}

// fits records a fault where the value of a member is of another type than the member's, and leaves out what does not
// fit. Of a list these are the elements that do not. It reports whether anything is left.
func (i *inspector) fits(m *Member, loose bool, object map[string]any, name string, at []step) bool {
	value, kept := object[name], m.Use == Kept
	wrong := func(at []step, value any, expected string) {
		i.find(&i.wrong, at, "%s is given where %s is expected", givenWord(value), expected)
	}
	switch v := value.(type) {
	case nil:
		return true
	case map[string]any:
		switch m.Kind {
		case KindObject, KindReference, KindMap, KindAny, KindTransform:
			return true
		}
	case []any:
		element := elementKind(m.Kind)
		switch {
		case m.Kind == KindAny || m.Kind == KindTransform:
			return true
		case element == "":
			wrong(at, value, m.Kind.expected())
			i.leaveOut(object, name)
			return false
		}
		left := make([]any, 0, len(v))
		for k, inner := range v {
			_, right := inner.(map[string]any)
			if element == KindText {
				right = isScalar(inner) && element.isSingle(inner, kept, loose)
			}
			if right {
				left = append(left, inner)
				continue
			}
			wrong(append(at[:len(at):len(at)], step{at: k}), inner, element.expected())
			i.changed = true
		}
		if len(left) < len(v) {
			object[name] = left
		}
		return true
	default:
		if m.Kind.isSingle(value, kept, loose) {
			return true
		}
	}
	wrong(at, value, m.Kind.expected())
	i.leaveOut(object, name)
	return false
}

// elementKind returns the kind of the elements of lists of a kind, or "" for kinds that are no list.
func elementKind(k Kind) Kind {
	switch k {
	case KindTexts:
		return KindText
	case KindObjects:
		return KindObject
	case KindReferences:
		return KindReference
	}
	return ""
}
