// Package javadate reads and writes dates with the patterns of Java's SimpleDateFormat, in the locale en-US:
//
//	f, err := javadate.Compile("EEE, d MMM yyyy HH:mm:ss Z")
//	text := f.Format(t)
//	t, err = f.Parse(text, javadate.Options{Location: time.UTC, Now: now})
//
// It follows the class as of Java 17:
//
//   - Parsing is lenient: 30 February is 2 March, and text after the date is ignored.
//   - A year of two digits is within 80 years before and 20 years after the present.
//   - Weeks begin on Sunday, and week 1 contains 1 January.
//   - The calendar before 15 October 1582 is the Julian one.
//
// Parsing differs on purpose in two points. Y (the week year) without w (the week) is read as y, because users write
// YYYY-MM-dd and mean the year. Z also reads the letter Z, as UTC.
//
// The package is pure. Many goroutines may use a compiled [Format].
package javadate
