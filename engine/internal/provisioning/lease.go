package provisioning

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/muster-engine/muster/store"
)

// keepEvery is how often a worker that waits looks whether its lease is to be extended.
const keepEvery = 250 * time.Millisecond

// inTx runs do in a transaction, for the holder of a lease. It extends the lease as long as that takes: a transaction
// waits for the locks of others, one of whom may be paused, and without that the operation would be taken over, and
// repeated, again and again, by others who wait then.
func (p *Provisioner) inTx(ctx context.Context, lease *store.Lease, do func(tx pgx.Tx) error) error {
	defer p.keep(ctx, lease)()
	return p.InTx(ctx, do)
}

// keep extends a lease until the function is called that it returns. It ends where the lease is lost: the holder's own
// check finds that.
func (p *Provisioner) keep(ctx context.Context, lease *store.Lease) (stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	extended := p.Clock()
	var group sync.WaitGroup
	group.Go(func() {
		ticker := time.NewTicker(keepEvery)
		defer ticker.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-ticker.C:
			}
			now := p.Clock()
			if now.Sub(extended) < leaseTime/3 {
				continue
			}
			switch err := p.Store.ExtendLease(ctx, p.Pool, lease, now.Add(leaseTime)); {
			case errors.Is(err, store.ErrNotFound):
				return
			case err == nil: // any other error is one that the transaction meets too, and another try follows
				extended = now
			}
		}
	})
	return func() {
		cancel()
		group.Wait()
	}
}
