package velocity

import (
	"cmp"
	"fmt"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"github.com/muster-engine/muster/engine/transform/lettercase"
)

// staticMethods are the static methods of Integer, Long, Double, Boolean, String and Math that templates call, with
// their least and most arguments. -1 is any number.
var staticMethods = map[string][2]int{
	"parseInt": {1, 2}, "parseLong": {1, 2}, "parseDouble": {1, 1}, "parseFloat": {1, 1}, "parseBoolean": {1, 1},
	"valueOf": {1, 1}, "toString": {1, 1}, "format": {1, -1}, "join": {2, -1}, "compare": {2, 2}, "max": {2, 2},
	"min": {2, 2}, "sum": {2, 2}, "abs": {1, 1}, "floor": {1, 1}, "ceil": {1, 1}, "round": {1, 1}, "signum": {1, 1},
	"toHexString": {1, 1}, "toBinaryString": {1, 1}, "toOctalString": {1, 1},
}

// staticMethod calls a static method by a value of any class.
func (r *renderer) staticMethod(name string, arguments []any) (any, bool, error) {
	limits, known := staticMethods[name]
	if !known {
		return nil, false, nil
	}
	most := limits[1]
	if most < 0 {
		most = max(len(arguments), limits[0])
	}
	if err := count(name, arguments, limits[0], most); err != nil {
		return nil, true, err
	}
	if i := slices.Index(arguments, nil); i >= 0 {
		return nil, true, fmt.Errorf("argument %d of %s is null", i+1, name)
	}
	var result any
	var err error
	switch name {
	case "parseInt", "parseLong":
		result, err = parseWhole(name, arguments)
	case "parseDouble", "parseFloat":
		f, parseErr := strconv.ParseFloat(strings.TrimSpace(Text(arguments[0])), 64)
		if result = f; parseErr != nil || math.IsNaN(f) || math.IsInf(f, 0) {
			err = fmt.Errorf("argument 1 of %s is no number", name)
		}
	case "parseBoolean":
		result = strings.EqualFold(Text(arguments[0]), "true")
	case "valueOf":
		result = arguments[0]
	case "toString":
		result = Text(arguments[0])
	case "format":
		result, err = r.format(Text(arguments[0]), arguments[1:])
	case "join":
		result, err = r.join(Text(arguments[0]), arguments[1:])
	default:
		result, err = calculate(name, arguments)
	}
	return result, true, err
}

// parseWhole reads a whole number, in the base of the second argument.
func parseWhole(name string, arguments []any) (any, error) {
	base, bits := int64(10), 64
	if name == "parseInt" {
		bits = 32
	}
	if len(arguments) == 2 {
		var ok bool
		if base, ok = integer(arguments[1]); !ok || base < 2 || base > 36 {
			return nil, fmt.Errorf("argument 2 of %s is a base from 2 to 36", name)
		}
	}
	text := Text(arguments[0])
	n, err := strconv.ParseInt(text, int(base), bits)
	if err != nil {
		return nil, fmt.Errorf("argument 1 of %s is no whole number, or too large", name) // it may be personal
	}
	return n, nil
}

func (r *renderer) join(separator string, arguments []any) (any, error) {
	if list, ok := arguments[0].([]any); ok && len(arguments) == 1 {
		arguments = list
	}
	parts := make([]string, len(arguments))
	size := 0
	for i, argument := range arguments {
		parts[i] = Text(argument)
		if size += len(parts[i]) + len(separator); size > r.limit+len(separator) {
			return nil, ErrTooLong
		}
	}
	return strings.Join(parts, separator), nil
}

func calculate(name string, arguments []any) (any, error) {
	numbers := make([]float64, len(arguments))
	wholes := make([]int64, len(arguments))
	allWhole := true
	for i, argument := range arguments {
		f, ok := number(argument)
		if !ok {
			return nil, fmt.Errorf("argument %d of %s is a number, not %s", i+1, name, kind(argument))
		}
		numbers[i] = f
		if wholes[i], ok = integer(argument); !ok {
			allWhole = false
		}
	}
	if allWhole {
		return calculateWhole(name, wholes), nil
	}
	switch x := numbers[0]; name {
	case "compare":
		return int64(compareFloats(x, numbers[1])), nil
	case "max":
		return max(x, numbers[1]), nil
	case "min":
		return min(x, numbers[1]), nil
	case "sum":
		return x + numbers[1], nil
	case "abs":
		return math.Abs(x), nil
	case "floor":
		return math.Floor(x), nil
	case "ceil":
		return math.Ceil(x), nil
	case "round":
		n, _, err := whole(math.Floor(x + 0.5)) // half up, as in Java
		return n, err
	case "signum":
		return float64(compareFloats(x, 0)), nil
	}
	return nil, fmt.Errorf("%s takes a whole number", name)
}

func compareFloats(a, b float64) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	default:
		return 0
	}
}

func calculateWhole(name string, n []int64) any {
	switch name {
	case "compare":
		return int64(cmp.Compare(n[0], n[1]))
	case "max":
		return max(n[0], n[1])
	case "min":
		return min(n[0], n[1])
	case "sum":
		return n[0] + n[1]
	case "abs":
		return max(n[0], -n[0])
	case "signum":
		return int64(cmp.Compare(n[0], 0))
	case "toHexString":
		return formatBits(n[0], 16)
	case "toBinaryString":
		return formatBits(n[0], 2)
	case "toOctalString":
		return formatBits(n[0], 8)
	default: // floor, ceil, round
		return n[0]
	}
}

// formatBits writes a number without a sign: a negative one of 32 bits by its complement.
func formatBits(n int64, base int) string {
	if n < 0 && n >= math.MinInt32 {
		return strconv.FormatUint(uint64(uint32(n)), base)
	}
	return strconv.FormatUint(uint64(n), base)
}

// conversion is a conversion of java.util.Formatter: an index, flags, a width, a precision and its letter.
var conversion = regexp.MustCompile(`%(?:(\d+)\$)?([-+ 0,(#]*)(\d+)?(?:\.(\d+))?([a-zA-Z%])`)

// formatMax is the largest width and precision.
const formatMax = 1000

// format is String.format.
func (r *renderer) format(pattern string, arguments []any) (any, error) {
	if err := r.spend(regexpSteps + len(pattern)/100); err != nil {
		return nil, err
	}
	var b strings.Builder
	next, at := 0, 0
	for _, m := range conversion.FindAllStringSubmatchIndex(pattern, -1) {
		part := func(i int) string {
			if m[2*i] < 0 {
				return ""
			}
			return pattern[m[2*i]:m[2*i+1]]
		}
		if strings.Contains(pattern[at:m[0]], "%") {
			break // reported below
		}
		b.WriteString(pattern[at:m[0]])
		at = m[1]
		letter := part(5)
		if letter == "%" || letter == "n" {
			b.WriteString(map[string]string{"%": "%", "n": "\n"}[letter])
			continue
		}
		index := next
		if explicit := part(1); explicit != "" {
			n, _ := strconv.Atoi(explicit)
			index = n - 1
		} else {
			next++
		}
		if index < 0 || index >= len(arguments) {
			return nil, fmt.Errorf("format has no argument for %s", part(0))
		}
		text, err := convert(part(2), part(3), part(4), letter, arguments[index])
		if err != nil {
			return nil, err
		}
		if b.WriteString(text); b.Len() > r.limit {
			return nil, ErrTooLong
		}
	}
	if strings.Contains(pattern[at:], "%") {
		return nil, fmt.Errorf("format has a %% that begins no conversion such as %%s, %%d or %%.2f: write %%%% for it")
	}
	b.WriteString(pattern[at:])
	return b.String(), nil
}

// convert writes one argument.
func convert(flags, width, precision, letter string, argument any) (string, error) {
	for _, size := range []string{width, precision} {
		if n, err := strconv.Atoi(size); size != "" && (err != nil || n > formatMax) {
			return "", fmt.Errorf("format has a width of more than %d", formatMax)
		}
	}
	verb := "%" + strings.NewReplacer(",", "", "(", "").Replace(flags) + width
	var text string
	switch letter {
	case "d", "x", "X", "o":
		n, ok := argument.(int64)
		if !ok {
			return "", fmt.Errorf("%%%s of format is a whole number, not %s", letter, kind(argument))
		}
		if strings.Contains(flags, ",") && letter == "d" {
			return pad(group(strconv.FormatInt(n, 10)), flags, width), nil
		}
		text = fmt.Sprintf(verb+letter, n)
	case "f", "e":
		f, ok := number(argument)
		if _, isText := argument.(string); !ok || isText {
			return "", fmt.Errorf("%%%s of format is a number, not %s", letter, kind(argument))
		}
		if precision == "" {
			precision = "6"
		}
		text = fmt.Sprintf(verb+"."+precision+letter, f)
	case "s", "S", "c", "b":
		text = Text(argument)
		if n, ok := argument.(int64); ok && letter == "c" && n >= 0 && n <= unicode.MaxRune {
			text = string(rune(n))
		}
		if precision != "" {
			n, _ := strconv.Atoi(precision)
			runes := []rune(text)
			text = string(runes[:min(n, len(runes))])
		}
		if letter == "S" {
			text = lettercase.Upper(text)
		}
		text = pad(text, strings.ReplaceAll(flags, "0", ""), width)
	default:
		return "", fmt.Errorf("format does not know the conversion %%%s: it knows %%s, %%d, %%x, %%o, %%f, %%e, %%c "+
			"and %%b", letter)
	}
	return text, nil
}

// group puts commas between thousands.
func group(digits string) string {
	sign := ""
	if strings.HasPrefix(digits, "-") {
		sign, digits = "-", digits[1:]
	}
	for i := len(digits) - 3; i > 0; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	return sign + digits
}

func pad(text, flags, width string) string {
	n, _ := strconv.Atoi(width)
	lacking := max(n-len([]rune(text)), 0)
	switch {
	case strings.Contains(flags, "-"):
		return text + strings.Repeat(" ", lacking)
	case strings.Contains(flags, "0"):
		return strings.Repeat("0", lacking) + text
	default:
		return strings.Repeat(" ", lacking) + text
	}
}
