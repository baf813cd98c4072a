package javadate

import (
	"testing"
	"time"
)

func BenchmarkFormat(b *testing.B) {
	f, err := Compile("yyyy-MM-dd'T'HH:mm:ss.SSSX")
	if err != nil {
		b.Fatal(err)
	}
	var text []byte
	b.ReportAllocs()
	for b.Loop() {
		text = f.Append(text[:0], now)
	}
}

func BenchmarkParse(b *testing.B) {
	f, err := Compile("MM/dd/yyyy")
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := f.Parse("07/04/2001", Options{Location: time.UTC, Now: now}); err != nil {
			b.Fatal(err)
		}
	}
}
