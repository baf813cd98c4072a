package transform

import (
	"strings"
	"testing"
	"time"

	"github.com/muster-engine/muster/engine/attribute"
)

// TestDatesOfClocks says what the clocks of a zone do to dates. Java 17 gave the values: SimpleDateFormat for reading,
// ZonedDateTime for calculating.
func TestDatesOfClocks(t *testing.T) {
	t.Parallel()
	read := func(pattern string) string {
		return `{"type": "dateFormat", "attributes": {"inputFormat": "` + pattern + `"}}`
	}
	roundUp := `{"type": "dateMath", "attributes": {"expression": "/d", "roundUp": true}}`
	for _, test := range []struct{ zone, definition, input, want string }{
		{"Asia/Kolkata", read("ISO8601"), "2025-06-01T00:15:00Z", "2025-06-01T05:45:00.000+05:30"},
		{"Asia/Kathmandu", read("dd.MM.yyyy HH:mm"), "01.06.2025 09:00", "2025-06-01T09:00:00.000+05:45"},
		{"America/St_Johns", read("ISO8601"), "2025-01-01T00:00:00Z", "2024-12-31T20:30:00.000-03:30"},
		{"Europe/Berlin", read("ISO8601"), "2025-06-01", "2025-06-01T00:00:00.000+02:00"},
		// skipped, twice
		{"Europe/Berlin", read("yyyy-MM-dd HH:mm"), "2025-03-30 02:10", "2025-03-30T03:10:00.000+02:00"},
		{"Europe/Berlin", read("ISO8601"), "2025-03-30T02:10:00", "2025-03-30T03:10:00.000+02:00"},
		{"Europe/Berlin", read("yyyy-MM-dd HH:mm"), "2025-10-26 02:10", "2025-10-26T02:10:00.000+01:00"},
		{"Europe/Berlin", read("ISO8601"), "2025-10-26T02:10", "2025-10-26T02:10:00.000+01:00"},
		{"Europe/Berlin", read("ISO8601"), "2025-10-26T02:10+02:00", "2025-10-26T02:10:00.000+02:00"},
		{"Asia/Beirut", read("yyyy-MM-dd"), "2024-03-31", "2024-03-31T01:00:00.000+03:00"},
		{"Pacific/Apia", read("yyyy-MM-dd"), "2011-12-30", "2011-12-31T00:00:00.000+14:00"},
		// calculating
		{"Asia/Beirut", dateMathOf("/d"), "2024-03-31T15:00", "2024-03-31T01:00"},
		{"Asia/Beirut", roundUp, "2024-03-31T15:00", "2024-04-01T00:00"},
		{"Asia/Beirut", roundUp, "2024-03-30T15:00", "2024-03-31T01:00"},
		{"Asia/Beirut", dateMathOf("+1d"), "2024-03-30T00:10", "2024-03-31T01:10"},
		{"Asia/Beirut", dateMathOf("+1M-1w"), "2024-03-07T00:10", "2024-03-31T01:10"},
		{"Asia/Beirut", dateMathOf("+24h"), "2024-03-30T00:10", "2024-03-31T01:10"},
		{"Europe/Berlin", dateMathOf("+1d"), "2025-10-25T02:10", "2025-10-26T02:10"},
		{"Europe/Berlin", dateMathOf("+1d+1h"), "2025-10-25T02:10", "2025-10-26T02:10"}, // the second one
		{"Europe/Berlin", dateMathOf("-1d+1h"), "2025-10-27T02:10", "2025-10-26T03:10"}, // after the second one
		{"Europe/Berlin", dateMathOf("/h+1h"), "2025-10-26T02:10+02:00", "2025-10-26T02:00"},
		{"Europe/Berlin", dateMathOf("/h+1h"), "2025-10-26T02:10+01:00", "2025-10-26T03:00"},
		{"America/Havana", dateMathOf("/d+3h"), "2024-11-03T12:00", "2024-11-03T02:00"},
		{"Asia/Kolkata", dateMathOf("/h"), "2025-06-01T00:15:00Z", "2025-06-01T05:00"},
		{"UTC", dateMathOf("+3000000h"), "2025-06-01T00:00", "2367-08-28T00:00"}, // more than a time.Duration holds
		{"UTC", dateMathOf("-1M/M+1M-1d"), "2025-03-31T10:00", "2025-02-28T00:00"},
	} {
		compiled, location := compiledIn(t, test.definition, test.zone)
		got, err := compiled.Evaluate(&Input{Value: attribute.String(test.input), Location: location})
		if err != nil || got.Text() != test.want {
			t.Errorf("%s of %s in %s is %q %v, want %q", test.definition, test.input, test.zone, got.Text(), err, test.want)
		}
	}
}

// TestDatesOutOfRange says that a date that a format cannot have is an error, never another date.
func TestDatesOutOfRange(t *testing.T) {
	t.Parallel()
	format := func(from, to string) string {
		return `{"type": "dateFormat", "attributes": {"inputFormat": "` + from + `", "outputFormat": "` + to + `"}}`
	}
	for _, test := range []struct{ definition, input, want, fault string }{
		{format("yyyy-MM-dd", "EPOCH_TIME_WIN32"), "1601-01-02", "864000000000", ""},
		{format("yyyy-MM-dd", "EPOCH_TIME_WIN32"), "1600-12-31", "-864000000000", ""},
		{format("yyyy-MM-dd HH:mm:ss.SSS", "EPOCH_TIME_WIN32"), "1970-01-01 00:00:00.002", "116444736000020000", ""},
		{format("yyyy-MM-dd", "EPOCH_TIME_WIN32"), "30000-01-01", "", "the number of units of 100 ns since 1601 is too large"},
		{format("yyyy-MM-dd", "EPOCH_TIME_WIN32"), "-30000-01-01", "", "is too large"},
		{format("yyyy-MM-dd", "EPOCH_TIME_JAVA"), "30000-01-01", "884541340800000", ""},
		{format("yyyy-MM-dd HH:mm:ss.SSS", "EPOCH_TIME_JAVA"), "1970-01-01 00:00:01.002", "1002", ""},
		{format("yyyy-MM-dd", "EPOCH_TIME_JAVA"), "900000000-01-01", "", "the number of milliseconds since 1970 is too large"},
		{format("yyyy-MM-dd", "EPOCH_TIME_JAVA"), "-900000000-01-01", "", "is too large"},
		{format("EPOCH_TIME_JAVA", "ISO8601"), "253402300799999", "9999-12-31T23:59:59.999Z", ""},
		{format("EPOCH_TIME_JAVA", "ISO8601"), "253402300800000", "", "the format ISO8601 has the years 1 to 9999"},
		{format("EPOCH_TIME_JAVA", "ISO8601"), "-62135596800000", "0001-01-03T00:00:00.000Z", ""}, // the Julian calendar
		{format("EPOCH_TIME_JAVA", "ISO8601"), "-62167219200001", "", "the years 1 to 9999"},
		{format("yyyy-MM-dd", "LDAP"), "12345-01-01", "", "the format LDAP has the years 1 to 9999"},
		{format("EPOCH_TIME_WIN32", "ISO8601"), "9223372036854775806", "", "want the number of units of 100 ns since 1601"},
		{format("EPOCH_TIME_JAVA", "ISO8601"), "9223372036854775807", "", "want the number of milliseconds since 1970"},
		{dateMathOf("+100000000h"), "2026-01-01", "", "the date leaves the years 1 to 9999"},
		{dateMathOf("-100000000y"), "2026-01-01", "", "the date leaves the years 1 to 9999"},
		{dateMathOf("+100000000s"), "2026-01-01", "2029-03-03T09:46", ""},
		// an account that never expires
		{format("EPOCH_TIME_WIN32", "ISO8601"), "9223372036854775807", "9999-12-31T00:00:00.000Z", ""},
		{format("EPOCH_TIME_WIN32", "yyyy"), " 0 ", "9999", ""},
		{format("EPOCH_TIME_WIN32", "ISO8601"), "1", "1601-01-01T00:00:00.000Z", ""},
		// LDAP
		{format("ISO8601", "LDAP"), "2026-11-23T08:01:02Z", "20261123080102.+0000", ""},
		{format("LDAP", "ISO8601"), "20261123080102.+0000", "2026-11-23T08:01:02.000Z", ""},
		{format("LDAP", "ISO8601"), "20261123080102.0Z", "2026-11-23T08:01:02.000Z", ""},
		{format("LDAP", "ISO8601"), "20261123080102+0130", "2026-11-23T06:31:02.000Z", ""},
		{format("LDAP", "ISO8601"), "2026112308", "2026-11-23T08:00:00.000Z", ""},
		{format("LDAP", "ISO8601"), "20261123080102.25Z", "2026-11-23T08:01:02.250Z", ""},
		{format("LDAP", "ISO8601"), "202611230801,5+0100", "2026-11-23T07:01:30.000Z", ""},
		{format("LDAP", "ISO8601"), "2026112308.5", "2026-11-23T08:30:00.000Z", ""},
		{format("LDAP", "ISO8601"), "20261123080102.5X", "", "want yyyyMMddHHmmss.Z"},
		{format("LDAP", "ISO8601"), "20261323080102Z", "", "want yyyyMMddHHmmss.Z"},
		{format("LDAP", "ISO8601"), "20261123080102+1:30", "", "want yyyyMMddHHmmss.Z"},
		{format("LDAP", "ISO8601"), "20261123", "", "want yyyyMMddHHmmss.Z"},
	} {
		compiled, err := Compile([]byte(test.definition), nil)
		if err != nil {
			t.Fatal(err)
		}
		got, err := compiled.Evaluate(&Input{Value: attribute.String(test.input)})
		if test.fault == "" && (err != nil || got.Text() != test.want) {
			t.Errorf("%s of %s is %q %v, want %q", test.definition, test.input, got.Text(), err, test.want)
		}
		if test.fault != "" && (err == nil || !strings.Contains(err.Error(), test.fault)) {
			t.Errorf("%s of %s is %q %v, want the error %s", test.definition, test.input, got.Text(), err, test.fault)
		}
	}
}

// compiledIn returns a transform and a time zone.
func compiledIn(t *testing.T, definition, zone string) (*Transform, *time.Location) {
	t.Helper()
	compiled, err := Compile([]byte(definition), nil)
	if err != nil {
		t.Fatal(err)
	}
	location, err := time.LoadLocation(zone)
	if err != nil {
		t.Fatal(err)
	}
	return compiled, location
}
