// Package browsertest has the tests of the console in a real browser: by keyboard, and with axe-core on every page. It
// is a module of its own, so that nobody gets the browser's driver with the library.
//
//	make test-browser
package browsertest
