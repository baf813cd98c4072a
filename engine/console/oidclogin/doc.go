// Package oidclogin signs people in to the console at an OpenID provider: a [console.Provider] by OpenID Connect, with
// the authorization code flow and PKCE.
//
//	login, err := oidclogin.New(oidclogin.Config{
//		Issuer: "https://id.example.com", ClientID: "muster", ClientSecret: secret, Name: "Acme",
//		RedirectURL: "https://people.example.com/admin/people/login/return", AliasClaim: "preferred_username"})
//	ui, err := console.New(eng, console.Config{Provider: login, ExternalURL: "https://people.example.com/"})
//
// It is a package of its own, so that only those who use it get the OpenID client.
//
// # Who may do what
//
// The identity is that of the claim identity_id, or else the one whose alias is in [Config].AliasClaim. It must be
// registered, and has its user levels as these are at each request. With [Config].Levels the provider's groups give the
// levels instead, for the time of a session.
//
// # What is checked
//
// An answer of the provider is taken once, within ten minutes, from the browser in which the sign-in was begun. The
// browser keeps a random secret in a cookie; state, nonce and the verifier of PKCE are HMACs under it, so that no
// process has to remember anything. The ID token must be signed by a key of the provider, be for this client, and
// neither be expired nor have another nonce. With [Config].MaxAge the person must have signed in at the provider
// lately.
//
// The provider need not be there when the program starts: it is asked when somebody comes, and asked again after
// [RetryEvery].
package oidclogin
