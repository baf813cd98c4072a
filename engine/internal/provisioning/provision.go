package provisioning

import (
	"context"
	"errors"
	"math"

	"github.com/muster-engine/muster/engine/fault"
	"github.com/muster-engine/muster/engine/internal/processing"
	"github.com/muster-engine/muster/store"
)

// Provisioner carries out the operations of a tenant.
type Provisioner struct{ *processing.Processor }

// New returns the provisioner of the tenant whose identities a processor processes.
func New(processor *processing.Processor) *Provisioner { return &Provisioner{processor} }

// ProvisionResult says what [Provisioner.ProvisionPending] did.
type ProvisionResult struct {
	Done   int `json:"done"`
	Failed int `json:"failed"` // attempts
	Open   int `json:"open"`   // operations that are still to be done
}

// ProvisionPending tries every open operation once. It is for programs that have no workers running. Any number of
// callers may do it at the same time, beside workers. Processing is requested for the identities whose accounts it
// changes.
func (p *Provisioner) ProvisionPending(ctx context.Context) (ProvisionResult, error) {
	const op = "provision"
	var total ProvisionResult
	deliveries, err := p.Store.OpenDeliveries(ctx, p.Pool)
	if err != nil {
		return total, fault.Wrap(op, "", err)
	}
	for _, id := range deliveries {
		result, err := p.deliverByHand(ctx, id)
		total.Done += result.done
		total.Failed += result.failed
		if err != nil {
			return total, fault.Wrap(op, "", err)
		}
	}
	open, err := p.Store.CountOperations(ctx, p.Pool, store.OperationOpen)
	total.Open = int(open)
	return total, fault.Wrap(op, "", err)
}

// deliverByHand tries every operation of a delivery once, and removes the job of a delivery that is done with it.
func (p *Provisioner) deliverByHand(ctx context.Context, id store.ID) (deliveryResult, error) {
	job, err := p.Store.DeliveryJob(ctx, p.Pool, id)
	if errors.Is(err, store.ErrNotFound) {
		return deliveryResult{}, nil
	}
	if err != nil {
		return deliveryResult{}, err
	}
	result, err := p.deliver(ctx, id, func() bool { return ctx.Err() == nil }, math.MaxInt)
	if err != nil || job == 0 {
		return result, err
	}
	open, err := p.Store.DeliveryIsOpen(ctx, p.Pool, id)
	if err == nil && !open {
		err = p.DeleteJob(ctx, job)
	}
	return result, err
}
