package store

import "testing"

// BenchmarkIdentityWords calculates the words of an identity with 22 attributes, those of the population of the
// benchmark suite.
func BenchmarkIdentityWords(b *testing.B) {
	pairs := map[string]string{}
	for name, value := range storedValues([]byte(`{"uid": "12345", "site": "site 3", "team": "team 12", "grade": "grade 7", "login": "login12345",
		"title": "title 101", "cohort": "cohort 49", "street": "street 7", "company": "company 5", "project": "project 18",
		"building": "building 77", "contract": "contract 66", "division": "division 2", "lastname": "Last1234",
		"telephone": "telephone 9", "costCenter": "costCenter 3", "firstname": "First123", "cohortPlain": "cohort 49",
		"displayName": "Person 12345", "email": "p12345@example.com", "identificationNumber": "12345",
		"cloudLifecycleState": "active"}`)) {
		pairs[name] = value
	}
	var values ValueSeq = func(yield func(string, string) bool) {
		for name, value := range pairs {
			if !yield(name, value) {
				return
			}
		}
	}
	b.ReportAllocs()
	for b.Loop() {
		if IdentityWords("12345", "Person 12345", "p12345@example.com", values) == nil {
			b.Fatal("there are no words")
		}
	}
}
