// Package delimited reads accounts from delimited text: CSV in the form of RFC 4180, or with another character between
// the columns.
//
//	reader, err := delimited.NewReader(file, delimited.Options{Delimiter: ';'})
//	for {
//		row, err := reader.Next()
//		if err == io.EOF { break }
//		if fault := (*delimited.RowError)(nil); errors.As(err, &fault) { ... continue }   // the rest can be read
//		...
//	}
//
// Text is UTF-8, with or without a byte order mark. A quoted value may hold line breaks. A row that cannot be read is
// reported with its line, and reading goes on behind it. Memory is bounded by the longest row.
package delimited
