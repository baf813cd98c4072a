package filterql_test

import (
	"strings"
	"testing"

	sq "github.com/Masterminds/squirrel"

	"github.com/muster-engine/muster/filterql"
)

const typical = `firstname sw "john" and (email sw "joe" or correlated eq false)`

func BenchmarkParse(b *testing.B) {
	for b.Loop() {
		if _, err := filterql.Parse(typical); err != nil {
			b.Fatal(err)
		}
	}
}

// The time per byte must not grow with the text.
func BenchmarkParseLong(b *testing.B) {
	text := strings.Repeat("a eq 1 or ", 255) + "a eq 1"
	b.SetBytes(int64(len(text)))
	for b.Loop() {
		if _, err := filterql.Parse(text); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkCheck(b *testing.B) {
	e, err := filterql.Parse(typical)
	if err != nil {
		b.Fatal(err)
	}
	schema := people(b)
	for b.Loop() {
		if _, err := filterql.Check(e, schema); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkCompile(b *testing.B) {
	filter, err := filterql.ParseFilter(typical, people(b))
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if _, _, err := filter.Where().ToSql(); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkParseCheckCompile(b *testing.B) {
	schema := people(b)
	for b.Loop() {
		filter, err := filterql.ParseFilter(typical, schema)
		if err != nil {
			b.Fatal(err)
		}
		if _, _, err := filter.Where().ToSql(); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkSquirrelByHand builds the same condition with squirrel, from values that are known.
func BenchmarkSquirrelByHand(b *testing.B) {
	for b.Loop() {
		condition := sq.And{
			sq.GtOrEq{"p.firstname_key": "john"}, sq.Lt{"p.firstname_key": "joho"},
			sq.Or{
				sq.And{sq.GtOrEq{"p.email_key": "joe"}, sq.Lt{"p.email_key": "jof"}},
				sq.Eq{"p.correlated": false},
			},
		}
		if _, _, err := condition.ToSql(); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkEval(b *testing.B) {
	filter, err := filterql.ParseFilter(typical, people(b))
	if err != nil {
		b.Fatal(err)
	}
	row := map[string]any{"firstname": "Johnny", "email": "jack@example.org", "correlated": false}
	get := func(name string) any { return row[name] }
	for b.Loop() {
		if !filter.Eval(get) {
			b.Fatal("not selected")
		}
	}
}

func BenchmarkFold(b *testing.B) {
	texts := map[string]string{
		"lower": "ada.lovelace@example.org", "ASCII": "Ada.Lovelace@Example.org", "Greek": "Οδυσσεύς",
	}
	for name, text := range texts {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				filterql.Fold(text)
			}
		})
	}
}

func BenchmarkSorters(b *testing.B) {
	schema := people(b)
	for b.Loop() {
		order, err := filterql.ParseOrdering("firstname,-created", schema, "id")
		if err != nil {
			b.Fatal(err)
		}
		order.OrderBy()
	}
}
