// Package console has the pages by which people work with an engine: an [http.Handler] that a host mounts below any
// path.
//
//	ui, err := console.New(eng, console.Config{Authenticator: login, Logger: logger, Name: "Acme"})
//	mux.Handle("/admin/people/", http.StripPrefix("/admin/people", ui))
//
// The console starts nothing and needs no path of its own: each reference in its pages is relative to the page, and so
// is each redirection. It works at the root, below a prefix that [http.StripPrefix] takes off, and behind a proxy that
// takes one off.
//
// # Who is there
//
// The host identifies the visitor of each request by an [Authenticator], or a person signs in to the console itself: by
// a password, at a [Provider] such as that of package oidclogin, or by a [Development] login, which is for the machine
// it runs on. What a visitor may do follows from the user levels. A
// page has a button only where its request would be allowed, and the request is checked again. Everything that is done
// through the console has the visitor as its actor, by engine.WithActor, via "console".
//
// # What holds for every page
//
// A GET changes nothing. A POST answers 303 to a page that says what happened. The state of a list is in its address,
// so a copied link shows the same list to whoever may see it. Every page works without script; the script only adds
// keys. Pages take nothing from another origin, and a policy of the browser (Content-Security-Policy) holds them to it.
//
// routes (route.go) is the table of all pages and actions, with the right that each needs. The tests go through it, so
// that no page is forgotten: whoever adds one adds a line there, a template under templates, and the German texts in
// german.go.
package console
