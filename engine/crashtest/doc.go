// Package crashtest has the crash suite: workers are killed and PostgreSQL is crashed at random moments, and afterwards
// nothing is lost. The suite needs the build tag crash; docs/reliability.md says what it does.
//
//	make crash
//	make crash KILLS=500 SEED=7
package crashtest
