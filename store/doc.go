// Package store is what Muster keeps: the rows of a tenant and all SQL over them, one file per noun.
//
// A [Store] knows the tenant's schema and nothing else; it holds no connection. Every method takes the pool or the
// transaction to work on, so that a caller decides what commits together:
//
//	s, err := store.New("muster")
//	identity, err := s.IdentityByID(ctx, pool, id)
//
//	tx, err := pool.Begin(ctx)
//	ids, err := s.LockIdentities(ctx, tx, ids)   // locks are taken in one order everywhere, see docs/architecture.md
//
// Errors of the database become a [NotFoundError], a [ConflictError] or an [UnavailableError] where they mean one.
// A Store is safe for concurrent use.
package store
