package objectfilter

import (
	"errors"
	"strings"
	"testing"

	"github.com/muster-engine/muster/engine/attribute"
)

func get(name string) attribute.Value {
	return map[string]attribute.Value{
		"dept": attribute.String("Sales"), "age": attribute.Int(42), "text10": attribute.String("10"),
		"active": attribute.Bool(true), "groups": attribute.List([]string{"Admin", "cn=Users,dc=x"}),
		"empty": attribute.String(""), "none": attribute.List(nil), "a.b": attribute.String("dotted"),
		"_Zz9$-À": attribute.String("odd"),
	}[name]
}

func TestMatch(t *testing.T) {
	for filter, want := range map[string]bool{
		`dept == "Sales"`: true, `(dept == "sales")`: false, `dept == i"sales"`: true, `dept != "Sales"`: false,
		`dept != "X" && age == 42`: true, `dept == "X" || age == 42`: true, `!(dept == "X")`: true, `!dept.isNull()`: true,
		`dept.startsWith("Sa")`: true, `dept.startsWithIgnoreCase("sa")`: true, `dept.endsWith("es")`: true, `dept.contains("al")`: true,
		`dept.contains("AL")`: false, `dept.equalsIgnoreCase("SALES")`: true, `dept.startsWith(i"sA")`: true,
		`age > 9`: true, `age >= 42`: true, `age < 42`: false, `age <= 42.0`: true, `text10 > 9`: true, `text10 > "9"`: true, `text10 < "9a"`: true,
		`age > 42`: false, `_Zz9$-À == "odd"`: true,
		`age < "` + strings.Repeat("0", 28) + `50"`: true,  // a number
		`age < "` + strings.Repeat("0", 29) + `50"`: false, // too long for a number: a text
		`active == true`: true, `active == "true"`: true, `active == false`: false,
		`groups.containsAll({"Admin"})`: true, `groups.containsAll({"Admin", "X"})`: false, `groups.containsAny({"X","Admin"})`: true,
		`groups.contains("Users")`: true, `groups == "Admin"`: true, `groups != "Admin"`: false, `groups == "X"`: false,
		`dept.in({"A", "Sales"})`: true, `dept.in("A", "B")`: false, `dept.notIn({"A"})`: true, `dept.inIgnoreCase({"SALES"})`: true,
		`missing.isNull()`: true, `missing == null`: true, `missing != null`: false, `dept.notNull()`: true, `missing == "x"`: false,
		`missing != "x"`: true, `missing.isEmpty()`: true, `empty.isEmpty()`: true, `none.isEmpty()`: true, `groups.notEmpty()`: true,
		`missing < 3`: false, `a.b == "dotted"`: true, `a.b.contains("ott")`: true, `dept == 'Sales'`: true, `dept == "Sa\"les"`: false,
		`dept == "X" && dept == "Y" || age == 42`: true, `dept == "X" && (dept == "Y" || age == 42)`: false,
		`!(nativeIdentity.startsWith("*DELETED*"))`: true,
	} {
		f, err := Parse(filter)
		if err != nil {
			t.Errorf("%s: %v", filter, err)
			continue
		}
		if got := f.Match(get); got != want {
			t.Errorf("got %s: %v, want got == want", filter, got)
		}
	}
}

func TestParseFaults(t *testing.T) {
	for filter, want := range map[string]string{
		``:                        "at character 1 of the filter: the name of a property is expected",
		`dept`:                    "a comparison or a method is expected after dept",
		`dept = "x"`:              "a comparison or a method is expected after dept",
		`dept == Sales`:           "at character 9 of the filter: a value is expected: texts stand between double quotes",
		`dept == "x`:              `the text is not closed by "`,
		`(dept == "x"`:            ") is expected",
		`dept == "x" dept == "y"`: "&& or || is expected",
		`dept.endWith("x")`:       `at character 6 of the filter: unknown method "endWith"; did you mean "endsWith"?`,
		`dept.zzz("x")`:           "methods are contains,",
		`startsWith("x")`:         "a method belongs to a property",
		`groups.containsAll({"a"`: "} is expected",
		`dept == "x\`:             `the text is not closed by "`,
		`.startsWith("x")`:        "a method belongs to a property",
		strings.Repeat("!", DepthMax) + `dept == "x"`: "it is nested deeper than 64",
		strings.Repeat("!", 100) + "a":                "it is nested deeper than 64",
		strings.Repeat("a", 5000):                     "4096 are allowed",
	} {
		_, err := Parse(filter)
		var fault *Error
		if !errors.As(err, &fault) || !strings.Contains(err.Error(), want) {
			t.Errorf("%.30s: %v, want %q", filter, err, want)
		}
	}
}

// The limits themselves are allowed, and what stands side by side is not nested.
func TestLimits(t *testing.T) {
	for _, filter := range []string{
		`dept == "` + strings.Repeat("x", TextMax-len(`dept == ""`)) + `"`,
		strings.Repeat("!", DepthMax-1) + `dept == "x"`,
		`dept == "x"` + strings.Repeat(` && dept == "x"`, DepthMax),
	} {
		if _, err := Parse(filter); err != nil {
			t.Errorf("%.30s: %v", filter, err)
		}
	}
}

func TestProperties(t *testing.T) {
	f, err := Parse(`a == "1" && (b.isNull() || !c.d.in({"x"}))`)
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(f.Properties(), " "); got != "a b c.d" {
		t.Error(got)
	}
}

func FuzzParse(f *testing.F) {
	f.Add(`!(a.startsWith("x")) && (b == i"y" || c.containsAll({"1", "2"})) || d >= 3.5`)
	f.Fuzz(func(_ *testing.T, text string) {
		if filter, err := Parse(text); err == nil {
			filter.Match(get)
		}
	})
}
