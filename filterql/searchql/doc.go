// Package searchql is the search language: query strings such as
//
//	attributes.city:London AND @accounts(source.name:"Active Directory" AND disabled:false)
//
// Like package filterql, whose errors and types it uses, it goes from a text to a tree, checks the tree against the
// fields that documents have, and makes of it SQL for PostgreSQL, through squirrel, and a decision in memory.
//
//	expression, err := searchql.Parse(text)                        // a tree; knows no fields
//	query, err := searchql.Check(expression, schema, options)      // knows fields, types and the time
//	statement := sq.Select("i.id").From("identities i").Where(query.Where())
//	found := query.Eval(document)                                  // the same, of one document
//
// A [Schema] lists the fields of a kind of documents, each with the SQL expressions of its value and of its folded
// text, and the nested lists, whose elements are searched one by one by @name(...). The values of a field may be in
// other rows ([Field].From): it is then true where one of them is.
//
// Texts are compared by words and without regard to letter case; with .exact behind the field as a whole and as they
// are written. [Words] says what a word is. A field that does not exist finds nothing, and is named by [Query.Notes];
// a value of a wrong type is an error. A word without a field is looked for at the beginning of the words of those
// fields that the schema marks.
//
// AND goes before OR. What else the language decides where the product's documentation does not, and why, is in
// docs/search.md and docs/adr/0024-search.md.
//
// Besides texts, [ParseDSL] reads the JSON queries of the product's index, [Filter] and [TextQuery] are its typed ones,
// and [ParseOrder] reads what to sort by and where to go on.
//
// Nothing here is without a limit: [TextMax], [DepthMax], [ClausesMax], [RegexpMax], [RegexpRepeatMax],
// [RegexpSizeMax] and [SortMax]. Values reach SQL only as arguments, and columns come only from the schema.
package searchql
