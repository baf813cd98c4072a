// Package crashtest has the crash suite: workers are killed and paused and PostgreSQL is crashed at random moments, and
// afterwards nothing is lost, and nobody has access that nobody grants. The suite needs slapd and the build tag crash;
// docs/reliability.md says what it does.
//
//	make crash
//	make crash KILLS=500 SEED=7
package crashtest
