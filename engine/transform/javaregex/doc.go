// Package javaregex has the regular expressions of java.util.regex, in which transforms are written:
//
//	re, err := javaregex.Compile(`(?<first>\w+)\s+(\w+)`)
//	r, err := re.Replacement(`$2, ${first}`)
//	text, err := r.ReplaceAll("Ann Baker", limit)
//
// It translates the pattern for github.com/dlclark/regexp2, which has the look-around and back references that Go's own
// package leaves out. Covered are the constructs of [Pattern] as of Java 17: quoting by \Q and \E, the predefined,
// POSIX and Unicode classes, unions and intersections of classes, possessive quantifiers, named groups, inline flags.
// Not covered are \X, \N and the canonical equivalence flag: they are refused. Texts are taken as code points.
//
// Such expressions can take exponential time, so a match that takes longer than [Timeout] is given up with an error.
// The package is otherwise pure. What it compiles may be used by many goroutines at once.
//
// [Pattern]: https://docs.oracle.com/en/java/javase/17/docs/api/java.base/java/util/regex/Pattern.html
package javaregex
