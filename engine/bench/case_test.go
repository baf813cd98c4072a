package main

import (
	"io"
	"slices"
	"strings"
	"testing"
)

func TestSelectCases(t *testing.T) {
	t.Parallel()
	names := func(pattern string) []string {
		selected, err := selectCases(pattern)
		if err != nil {
			t.Fatal(err)
		}
		var list []string
		for _, c := range selected {
			list = append(list, c.name)
		}
		return list
	}
	if got := names("^full$|memory"); !slices.Equal(got, []string{"full", "memory"}) {
		t.Error(got)
	}
	if got := names(""); len(got) != len(cases)-2 || slices.Contains(got, "load-times") {
		t.Error(got)
	}
	if got := names("load-times"); !slices.Equal(got, []string{"load-times"}) {
		t.Error(got)
	}
	for pattern, want := range map[string]string{"nothing-like-it": "finds none", "(": "cases: "} {
		if _, err := selectCases(pattern); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %s: %v, want err != nil && strings.Contains(err.Error(), want)", pattern, err)
		}
	}
}

func TestOptions(t *testing.T) {
	t.Parallel()
	for arguments, want := range map[string]string{
		"-people 99":        "-people must be 100 or more, it is 99",
		"-rounds 0":         "-rounds must be 1 or more, it is 0",
		"-people 200 extra": `there are no arguments, "extra" is given`,
	} {
		if _, err := parseOptions(strings.Fields(arguments), io.Discard); err == nil || err.Error() != want {
			t.Errorf("got %s: %v, want err != nil && err.Error() == want", arguments, err)
		}
	}
	o, err := parseOptions([]string{"-growth", "1000, 2000"}, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	if sizes, err := o.sizes(); err != nil || !slices.Equal(sizes, []int{1000, 2000}) {
		t.Error(sizes, err)
	}
	o.growth = "1000,many"
	if _, err := o.sizes(); err == nil || !strings.Contains(err.Error(), `"many" is given`) {
		t.Error(err)
	}
}
