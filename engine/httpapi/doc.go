// Package httpapi is the HTTP face of an engine: the Identities API (Beta) of SailPoint Identity Security Cloud. It is
// an [http.Handler] that a host mounts in its own mux:
//
//	verifier, err := httpapi.NewJWT(ctx, httpapi.JWTConfig{
//		JWKSURL: "https://login.example.com/.well-known/jwks.json", Issuer: "https://login.example.com",
//	})
//	api, err := httpapi.New(eng, httpapi.Config{Authenticator: verifier, Logger: logger})
//	mux.Handle("/", api)
//
// It serves all eleven operations under /beta, /v2024, /v2025 and /v2026, and with the version behind the resource, as
// in /identities/v1/... It serves the status of tasks as /task-status, there and at the root, and also /healthz,
// /readyz and /openapi.json. Bodies, status codes, headers and error bodies are the published ones. docs/api.md has the
// decisions where the publication is not clear.
//
// An [Authenticator] identifies the caller. [JWT] verifies JSON Web Tokens with a key set or, for development, with a
// shared secret. The table of the package right says what a caller may do, by its user levels and scopes. Each client
// may make 100 requests in 10 seconds to each version of the API; each process counts for itself. The log has a line
// for each request, with the tracking ID that the answer has too. It never has a token, a query or a body.
//
// The handler only answers requests. Workers and the schedule belong to the engine ([engine.Engine.Start]).
package httpapi
