// Package folding makes texts comparable: it gives two texts that a person takes for the same one form.
//
// Everything that compares names, keys and values without regard to letter case does it by this package: the filter
// language, the tables and their indexes, and criteria. [Case] ignores letter case alone; [Text] also takes composed and
// decomposed letters for the same, and is what the columns whose name ends in _key hold. PostgreSQL makes the same forms
// of the same texts; a test compares every character.
package folding
