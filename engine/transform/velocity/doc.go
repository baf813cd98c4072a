// Package velocity renders the subset of Apache Velocity's template language that transforms are written in:
//
//	t, err := velocity.Parse(`#if($dept == "Sales")$first.toLowerCase()#{else}${first}#end`)
//	text, err := t.Render(variables, limit, nil)
//
// It has references ($v, ${v}, $!v, properties, method calls, indexes), the directives #set, #if, #elseif, #else, #end,
// #foreach and #break, comments, and #[[ ]]# for text as it is; expressions with the logical, comparing and arithmetic
// operators, texts in single quotes, templates in double quotes, numbers, lists and ranges. Where versions of Velocity
// differ it follows 1.7: null is false and everything else that is not false is true, a reference that is null stands
// for itself in the text unless it is quiet ($!v), and a directive that is alone on its line takes the line's end
// along.
//
// It differs on purpose: names have no hyphen outside of braces, so that $first-$last means what it looks like; a
// method that a value does not have is an error, not text in somebody's name; there is no reflection, no include and no
// macro.
//
// Values are nil, string, bool, int64, float64, []any, or an [Object]. Positions in texts count code points. The
// package is pure, and a parsed [Template] may be rendered by many goroutines at once.
package velocity
