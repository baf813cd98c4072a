// Package javadate reads and writes dates by the patterns of Java's SimpleDateFormat, in the locale en-US:
//
//	f, err := javadate.Compile("EEE, d MMM yyyy HH:mm:ss Z")
//	text := f.Format(t)
//	t, err = f.Parse(text, javadate.Options{Location: time.UTC, Now: now})
//
// It follows the class as of Java 17: lenient parsing (a 30 February is 2 March, text after the date is ignored), two
// digit years within 80 years before and 20 years after the present, weeks that begin on Sunday with week 1 holding
// 1 January, and the Julian calendar before 15 October 1582. It differs on purpose in two points: where the text is
// read, Y (the week year) without w (the week) is taken for y, because users write YYYY-MM-dd and mean the year; and Z
// reads the letter Z as UTC.
//
// The package is pure. A compiled [Format] may be used by many goroutines at once.
package javadate
