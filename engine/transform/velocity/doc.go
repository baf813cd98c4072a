// Package velocity renders the subset of Apache Velocity's template language that transforms use:
//
//	t, err := velocity.Parse(`#if($dept == "Sales")$first.toLowerCase()#{else}${first}#end`)
//	text, err := t.Render(variables, limit, nil)
//
// It supports
//
//   - references: $v, ${v}, $!v, properties, method calls, indexes;
//   - the directives #set, #if, #elseif, #else, #end, #foreach and #break, comments, and #[[ ]]# for literal text;
//   - expressions with logical, comparing and arithmetic operators, texts in single quotes, templates in double quotes,
//     numbers, lists, maps and ranges;
//   - the methods of Java's String, List, Map, Integer, Double and Math that templates call, the static ones by any
//     value: #set($Integer = 0)$Integer.parseInt($x).
//
// Versions of Velocity differ; this package follows 1.7. Only null and false are false. A quiet null reference ($!v)
// renders as an empty text. A directive that is alone on its line takes the end of the line with it.
//
// It differs on purpose in four points. A null reference is a [NullError], and a call of a method that a value does not
// have is an error, so neither becomes text in a person's name. Names have no hyphen outside of braces, so $first-$last
// means what it looks like. A list or map is changed only in the variable that the method is called on. There is no
// reflection, no include and no macro.
//
// Values are nil, string, bool, int64, float64, []any, [Map], or an [Object]. Positions in texts count code points. The
// package is pure, and many goroutines may render a parsed [Template].
package velocity
