// Package page has what the pages of all faces share: the languages, the headers and the policy of the browser, where a
// request comes from, references that are relative to the page, and, in package assets, the style, the script and the
// icon.
package page
