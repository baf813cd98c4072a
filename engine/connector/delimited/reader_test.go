package delimited

import (
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"
)

// read returns the rows of a text as "line: values", faulty ones as "line: message".
func read(t *testing.T, text string, options Options) ([]string, error) {
	t.Helper()
	reader, err := NewReader(strings.NewReader(text), options)
	if err != nil {
		return nil, err
	}
	var lines []string
	for {
		row, err := reader.Next()
		var fault *RowError
		switch {
		case errors.Is(err, io.EOF):
			return lines, nil
		case errors.As(err, &fault):
			lines = append(lines, fault.Error())
		case err != nil:
			return lines, err
		default:
			lines = append(lines, strings.Join(append([]string{string(rune('0' + row.Line))}, row.Values...), "|"))
		}
	}
}

func TestReader(t *testing.T) {
	for _, test := range []struct {
		name, text string
		options    Options
		want       []string
	}{
		{"plain", "a,b\n1,2\n3,4\n", Options{}, []string{"2|1|2", "3|3|4"}},
		{"no line break at the end", "a,b\n1,2", Options{}, []string{"2|1|2"}},
		{"carriage returns", "a,b\r\n1,2\r\n", Options{}, []string{"2|1|2"}},
		{"byte order mark", "\xEF\xBB\xBFa,b\n1,2\n", Options{}, []string{"2|1|2"}},
		{"quotes", "a,b\n\"1,\n\"\"x\"\"\",2\n3,4\n", Options{}, []string{"2|1,\n\"x\"|2", "4|3|4"}},
		{"another delimiter", "a;b\n1,5;2\n", Options{Delimiter: ';'}, []string{"2|1,5|2"}},
		{"no header row", "1,2\n", Options{Columns: []string{"a", "b"}}, []string{"1|1|2"}},
		{"blank lines and empty values", "a,b\n\n,\n", Options{}, []string{"3||"}},
		{"every script", "имя,名\nЖ,👩‍🚀\n", Options{}, []string{"2|Ж|👩‍🚀"}},
		{
			"faulty rows do not stop the reading",
			"a,b\n1\n1,2,3\nx\"y,2\n\"z\"q,2\n\xff,2\n1,\x00\n5,6\n", Options{},
			[]string{
				"line 2: it has 1 values where there are 2 columns",
				"line 3: it has 3 values where there are 2 columns",
				"line 4: a quote stands inside a value that is not quoted",
				"line 5: a quoted value is not closed, or goes on behind its closing quote (a quote inside one is written \"\")",
				"line 6: the value of column 1 is not UTF-8 text",
				"line 7: the value of column 2 has a NUL character in it",
				"8|5|6",
			},
		},
		{"comments", "#x\na,b\n# 1,2\n3,4\n", Options{Comment: '#'}, []string{"4|3|4"}},
		{"empty rows", "a,b\n,\n3,4\n\"\",\n", Options{SkipEmpty: true}, []string{"3|3|4"}},
		{"names of the configuration", "\xff,2\n", Options{Columns: []string{"a", "b"}},
			[]string{"line 1: the value of column \"a\" is not UTF-8 text"}},
		{"too few values and a line break", "a,b\n1,2\n3\n", Options{},
			[]string{"2|1|2", "line 3: it has 1 values where there are 2 columns"}},
		{"too many values and no line break", "a,b\n1,2\n3,4,5", Options{},
			[]string{"2|1|2", "line 3: it has 3 values where there are 2 columns"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, err := read(t, test.text, test.options)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// A text that ends within a row is not taken for a whole one.
func TestReaderFindsTruncation(t *testing.T) {
	for _, text := range []string{"a,b\n1,2\n\"3,4\n5,6\n", "a,b\n1,2\n3", "a,b\n1,2\n3,\"4", "a,b\n1,2\n3,\"4\n"} {
		lines, err := read(t, text, Options{})
		if !errors.Is(err, ErrTruncated) || len(lines) != 1 || !strings.Contains(err.Error(), "line 3: ") {
			t.Errorf("%q: %q and %v", text, lines, err)
		}
	}
}

func TestReaderHeaderFault(t *testing.T) {
	for text, want := range map[string]string{
		"":                                 "the text is empty",
		"a,,b\n":                           "leaves column 2 without a name",
		"a,b,a\n":                          "names the columns 1 and 3 alike",
		"a,\xff\n":                         "the name of column 2 is not UTF-8",
		"a,\"b\n":                          "a quoted value is not closed",
		"\xff\xfea\x00":                    "UTF-16",
		"\xef\xbb\xbf":                     "the text is empty",
		strings.Repeat("a,", ColumnsMax+1): "columns",
	} {
		if _, err := read(t, text, Options{}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.20q: got %v, want %q", text, err, want)
		}
	}
}

func TestReaderBoundsMemory(t *testing.T) {
	endless := io.MultiReader(strings.NewReader("a,b\n1,2\n\""), io.LimitReader(repeat('x'), 10*RecordSizeMax))
	reader, err := NewReader(endless, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := reader.Next(); err != nil {
		t.Fatal(err)
	}
	if _, err := reader.Next(); err == nil || !strings.Contains(err.Error(), "after line 2: a row is longer than 16 MiB") {
		t.Errorf("an endless row: %v", err)
	}
}

type repeat byte

func (r repeat) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = byte(r)
	}
	return len(p), nil
}

func TestReaderPassesErrorsOn(t *testing.T) {
	broken := errors.New("the disk is gone")
	reader, err := NewReader(io.MultiReader(strings.NewReader("a,b\n1,2\n"), iotest.ErrReader(broken)), Options{})
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		_, err = reader.Next()
	}
	if !errors.Is(err, broken) {
		t.Errorf("got %v", err)
	}
}

func FuzzReader(f *testing.F) {
	f.Add("a,b\n1,\"2\n\"\"\"\n", ",")
	f.Add("\xEF\xBB\xBFa;b\n\n;\r\n", ";")
	f.Fuzz(func(t *testing.T, text, delimiter string) {
		runes := []rune(delimiter)
		if len(runes) != 1 {
			return
		}
		reader, err := NewReader(strings.NewReader(text), Options{Delimiter: runes[0]})
		if err != nil {
			return
		}
		for line := 0; ; {
			row, err := reader.Next()
			var fault *RowError
			if err != nil && !errors.As(err, &fault) {
				return
			}
			if err == nil && (len(row.Values) != len(reader.Columns()) || row.Line <= line) {
				t.Fatalf("%d values on line %d after line %d", len(row.Values), row.Line, line)
			}
			if err == nil {
				line = row.Line
			}
		}
	})
}
