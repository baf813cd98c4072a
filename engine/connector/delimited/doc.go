// Package delimited reads accounts from delimited text, and writes them to files. The text is CSV as in RFC 4180, or
// has another character between the columns. [New] makes the connector of a source. A [Reader] only reads rows:
//
//	reader, err := delimited.NewReader(file, delimited.Options{Delimiter: ';'})
//	for {
//		row, err := reader.Next()
//		if err == io.EOF { break }
//		if fault := (*delimited.RowError)(nil); errors.As(err, &fault) { ... continue }   // reading can go on
//		...
//	}
//
// Text is UTF-8, with or without a byte order mark. A quoted value may contain line breaks. The error of an unreadable
// row has its line, and the next row can be read. A text that ends within a row is an error. Reading needs memory only
// for the longest row, or for all values where rows are merged ([Settings]).
package delimited
