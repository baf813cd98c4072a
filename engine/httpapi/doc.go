// Package httpapi is the HTTP face of an engine: the Identities API (Beta) of SailPoint Identity Security Cloud, as an
// [http.Handler] that a host mounts in its own mux.
//
//	verifier, err := httpapi.NewJWT(ctx, httpapi.JWTConfig{
//		JWKSURL: "https://login.example.com/.well-known/jwks.json", Issuer: "https://login.example.com",
//	})
//	api, err := httpapi.New(eng, httpapi.Config{Authenticator: verifier, Logger: logger})
//	mux.Handle("/", api)
//
// It serves all eleven operations under /beta, /v2024, /v2025 and /v2026, and with the version behind the resource, as
// /identities/v1/...; the status of tasks as /task-status, there and at the root; /healthz, /readyz and /openapi.json.
// Bodies, status codes, headers and error bodies are the published ones; what the publication leaves open is decided in
// docs/api.md.
//
// Who calls is told by an [Authenticator]: [JWT] verifies JSON Web Tokens by a key set or, for development, by a shared
// secret. What a caller may do is the published table of scopes and user levels. Each client may make 100 requests in
// 10 seconds of each version of the API, counted by the process. A line is logged for each request, with its tracking
// ID, which the answer has too, and never with a token, a query or a body.
//
// The handler does nothing by itself: workers and the schedule are the engine's ([engine.Engine.Start]).
package httpapi
