// Package javaregex has the regular expressions of java.util.regex, which transforms use:
//
//	re, err := javaregex.Compile(`(?<first>\w+)\s+(\w+)`)
//	r, err := re.Replacement(`$2, ${first}`)
//	text, err := r.ReplaceAll("Ann Baker", limit, nil)
//
// It translates a pattern for github.com/dlclark/regexp2, which has the look-around and back references that Go's own
// package does not have. It supports the constructs of [Pattern] as of Java 17: quoting with \Q and \E, the predefined,
// POSIX and Unicode classes, unions and intersections of classes, possessive quantifiers, named groups, inline flags.
// It refuses \X, \N and the canonical equivalence flag, which it does not support. Texts are sequences of code points.
//
// Such expressions can take exponential time, so a search fails after [Timeout]. A [Budget] limits several searches
// together. The package is otherwise pure. Many goroutines may use a compiled [Regexp].
//
// [Pattern]: https://docs.oracle.com/en/java/javase/17/docs/api/java.base/java/util/regex/Pattern.html
package javaregex
