// Package folding makes texts comparable: texts that look the same to a person get the same form.
//
// The filter language, the tables with their indexes, and criteria compare names, keys and values without regard to
// letter case, and all of them use this package. [Case] ignores only letter case. [Text] also treats composed and
// decomposed letters as the same; columns whose names end in _key hold its result. PostgreSQL makes the same forms from
// the same texts; a test compares every character.
//
//	folding.Case("Jürgen STRASSE") // jürgen strasse
//	folding.Case("Straße")         // strasse
package folding
