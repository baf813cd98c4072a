// Package registration has the pages to which the links in invitations and verifications lead, and on which a code is
// typed in: an [http.Handler] that a host mounts below any path.
//
//	pages, err := registration.New(eng, registration.Config{Name: "Acme", SignIn: "../console/"})
//	mux.Handle("/register/", http.StripPrefix("/register", pages))
//
// A person chooses a password. An invitation's token registers with it, by engine.Register; a verification's sets it
// on the source that the verification names, or for Muster itself, by engine.RedeemVerification. What the token is for
// follows from the token, so one mount serves both, and so do two.
//
// A GET redeems nothing: mail programs and scanners follow links. It moves the token from the address into a cookie,
// and redirects, so that the token is not in the history, in what other sites are told, or in the log of a proxy behind
// this one. The token is redeemed by the form alone. The pages work without script, and they are shown where what the
// browser sends stays secret: over TLS, or on this machine.
package registration
