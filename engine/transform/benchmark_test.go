package transform

import (
	"fmt"
	"strconv"
	"testing"

	"github.com/muster-engine/muster/engine/attribute"
)

// typical is one definition of each operation, of the size that profiles have.
var typical = []struct{ kind, input, definition string }{
	{"accountAttribute", "", `{"type": "accountAttribute", "attributes": {"sourceName": "AD", "attributeName": "title", "accountSortAttribute": "created", "accountPropertyFilter": "(title != \"none\")", "accountFilter": "!(nativeIdentity.startsWith(\"*DELETED*\"))"}}`},
	{"base64Decode", "TXVzdGVy", `{"type": "base64Decode"}`},
	{"base64Encode", "Muster", `{"type": "base64Encode"}`},
	{"concat", "", `{"type": "concat", "attributes": {"values": ["a", "-", {"type": "identityAttribute", "attributes": {"name": "uid"}}]}}`},
	{"conditional", "", `{"type": "conditional", "attributes": {"expression": "$dept eq Sales", "positiveCondition": "yes", "negativeCondition": "no", "dept": {"type": "identityAttribute", "attributes": {"name": "dept"}}}}`},
	{"dateCompare", "2026-02-01T00:00:00.000Z", `{"type": "dateCompare", "attributes": {"firstDate": "$input", "secondDate": "now", "operator": "lt", "positiveCondition": "past", "negativeCondition": "future", "input": "2026-02-01T00:00:00.000Z"}}`},
	{"dateFormat", "07/15/2026", `{"type": "dateFormat", "attributes": {"inputFormat": "MM/dd/yyyy", "outputFormat": "ISO8601"}}`},
	{"dateMath", "", `{"type": "dateMath", "attributes": {"expression": "now+7d/d"}}`},
	{"decomposeDiacriticalMarks", "Dvořák", `{"type": "decomposeDiacriticalMarks"}`},
	{"displayName", "", `{"type": "displayName"}`},
	{"e164phone", "020 123 4567", `{"type": "e164phone", "attributes": {"defaultRegion": "NL"}}`},
	{"firstValid", "", `{"type": "firstValid", "attributes": {"values": [{"type": "accountAttribute", "attributes": {"sourceName": "HR", "attributeName": "none"}}, {"type": "identityAttribute", "attributes": {"name": "uid"}}]}}`},
	{"identityAttribute", "", `{"type": "identityAttribute", "attributes": {"name": "dept"}}`},
	{"indexOf", "administrator", `{"type": "indexOf", "attributes": {"substring": "ator"}}`},
	{"iso3166", "Netherlands", `{"type": "iso3166", "attributes": {"format": "alpha3"}}`},
	{"join", "", `{"type": "join", "attributes": {"separator": ", ", "values": ["a", "b", "c"]}}`},
	{"lastIndexOf", "administrator", `{"type": "lastIndexOf", "attributes": {"substring": "t"}}`},
	{"leftPad", "1234", `{"type": "leftPad", "attributes": {"padding": "0", "length": "8"}}`},
	{"lookup", "RDU", `{"type": "lookup", "attributes": {"table": {"USA": "AMS", "FRA": "EMEA", "RDU": "AMS", "default": "?"}}}`},
	{"lower", "Adminiistraor", `{"type": "lower"}`},
	{"normalizeNames", "jOHN VON SMITH iii", `{"type": "normalizeNames"}`},
	{"randomAlphaNumeric", "", `{"type": "randomAlphaNumeric", "attributes": {"length": "10"}}`},
	{"randomNumeric", "", `{"type": "randomNumeric", "attributes": {"length": "10"}}`},
	{"reference", "ann", `{"type": "reference", "attributes": {"id": "Shout"}}`},
	{"replace", "ann-marie smith", `{"type": "replace", "attributes": {"regex": "[^a-z]", "replacement": ""}}`},
	{"replaceAll", "ann-marie o'neil", `{"type": "replaceAll", "attributes": {"table": {"-": " ", "'": "", "ñ": "n"}}}`},
	{"rfc5646", "Dutch", `{"type": "rfc5646"}`},
	{"rightPad", "1234", `{"type": "rightPad", "attributes": {"padding": "0", "length": "8"}}`},
	{"rule", "", `{"type": "rule", "attributes": {"name": "Cloud Services Deployment Utility", "operation": "generateRandomString", "includeNumbers": "true", "includeSpecialChars": "true", "length": "16"}}`},
	{"split", "a,b,c", `{"type": "split", "attributes": {"delimiter": ",", "index": 1}}`},
	{"static", "", `{"type": "static", "attributes": {"value": "#if($dept == 'Sales')Yes#{else}No#end", "dept": {"type": "identityAttribute", "attributes": {"name": "dept"}}}}`},
	{"substring", "adminiistraor", `{"type": "substring", "attributes": {"begin": 3, "end": 7}}`},
	{"trim", "  x  ", `{"type": "trim"}`},
	{"upper", "Adminiistraor", `{"type": "upper"}`},
	{"usernameGenerator", "", `{"type": "usernameGenerator", "attributes": {"patterns": ["$fn.$ln", "$fn.$ln${uniqueCounter}"], "fn": {"type": "identityAttribute", "attributes": {"name": "firstname"}}, "ln": {"type": "identityAttribute", "attributes": {"name": "lastname"}}}}`},
	{"uuid", "", `{"type": "uuid"}`},
}

func TestTypicalIsComplete(t *testing.T) {
	t.Parallel()
	kinds := map[string]bool{}
	for _, c := range typical {
		kinds[c.kind] = true
		in := testInput()
		in.Value = attribute.String(c.input)
		if got := evaluate(t, c.definition, in); got == "null" || got[0] == 'E' {
			t.Errorf("got %s: %s, want got != \"null\" && got[0] != 'E'", c.kind, got)
		}
	}
	for _, name := range operationNames {
		if !kinds[name] {
			t.Errorf("no benchmark of %s", name)
		}
	}
}

func BenchmarkCompile(b *testing.B) {
	for _, c := range typical {
		b.Run(c.kind, func(b *testing.B) {
			definition := []byte(c.definition)
			b.ReportAllocs()
			for b.Loop() {
				if _, err := Compile(definition, library); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkEvaluate(b *testing.B) {
	for _, c := range typical {
		b.Run(c.kind, func(b *testing.B) {
			compiled, err := Compile([]byte(c.definition), library)
			if err != nil {
				b.Fatal(err)
			}
			in := testInput()
			in.Value = attribute.String(c.input)
			b.ReportAllocs()
			for b.Loop() {
				if _, err := compiled.Evaluate(in); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// profile are 20 mappings as a profile of employees has them: most take an attribute as it is, some work on one.
var profile = []string{
	hr("employeeId"), hr("givenName"), hr("familyName"), hr("department"), hr("jobTitle"), hr("managerId"), hr("costCenter"),
	hr("company"), hr("building"), hr("mobile"), hr("contract"), hr("hireDate"),
	`{"type": "trim", "attributes": {"input": ` + hr("city") + `}}`,
	`{"type": "lower", "attributes": {"input": {"type": "concat", "attributes": {"values": [` + hr("givenName") + `, ".", ` + hr("familyName") + `, "@example.com"]}}}}`,
	`{"type": "firstValid", "attributes": {"values": [` + hr("preferredName") + `, {"type": "concat", "attributes": {"values": [` + hr("givenName") + `, " ", ` + hr("familyName") + `]}}]}}`,
	`{"type": "lookup", "attributes": {"table": {"NL": "EMEA", "US": "AMS", "default": "APAC"}, "input": ` + hr("country") + `}}`,
	`{"type": "dateFormat", "attributes": {"inputFormat": "yyyy-MM-dd", "outputFormat": "ISO8601", "input": ` + hr("endDate") + `}}`,
	`{"type": "static", "attributes": {"value": "#if($status == 'T')inactive#{else}active#end", "status": ` + hr("status") + `}}`,
	`{"type": "conditional", "attributes": {"expression": "$type eq Employee", "positiveCondition": "true", "negativeCondition": "false", "type": ` + hr("workerType") + `}}`,
	`{"type": "substring", "attributes": {"begin": 0, "end": 3, "input": ` + hr("department") + `}}`,
}

func hr(name string) string {
	return fmt.Sprintf(`{"type": "accountAttribute", "attributes": {"sourceName": "HR", "attributeName": %q}}`, name)
}

// An identity's attributes are calculated by one profile: 20 mappings from an account of 30 attributes.
func BenchmarkProfile(b *testing.B) {
	var mappings []*Transform
	for _, definition := range profile {
		compiled, err := Compile([]byte(definition), nil)
		if err != nil {
			b.Fatal(err)
		}
		mappings = append(mappings, compiled)
	}
	set := setOf("employeeId", "100017", "givenName", "Ann", "familyName", "Dvořák", "department", "Engineering",
		"jobTitle", "Engineer", "managerId", "100003", "costCenter", "C-17", "company", "Example", "building", "B2",
		"mobile", "+31 6 1234 5678", "contract", "permanent", "hireDate", "2019-04-01", "city", "Delft ", "country", "NL",
		"endDate", "2027-01-31", "status", "A", "workerType", "Employee", "preferredName", "")
	for i := set.Len(); i < 30; i++ {
		set.Put("extra"+strconv.Itoa(i), attribute.String("value"))
	}
	in := testInput()
	in.Accounts = []Account{{SourceName: "HR", SourceID: "hr", ID: "1", NativeIdentity: "100017", Created: now, Attributes: set}}
	in.Value = attribute.Null
	b.ReportAllocs()
	for b.Loop() {
		for _, mapping := range mappings {
			if _, err := mapping.Evaluate(in); err != nil {
				b.Fatal(err)
			}
		}
	}
}
