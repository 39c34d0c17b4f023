package relay

import (
	"context"
	"fmt"
	"time"
)

// yieldAfter is how long TAK must be out of this pod's reach before others may deliver what it holds: they may reach TAK
// where it does not. What it holds it delivers as well when TAK is back, so some of it may arrive twice.
const yieldAfter = 5 * time.Minute

// holding is this pod's lease as the goroutine that renews it knows it.
type holding struct {
	due       time.Time     // when it is to be renewed
	lease     time.Duration // what the store was told last; 0: others may adopt at once
	downSince time.Time     // when TAK was found out of reach, zero while it is in reach
	adoptFrom time.Time     // before it nothing is adopted: others who have TAK back too must have time to say so
}

// hold renews the lease when it is due, and at once when the pod loses TAK for long or has it back: a pod adopts nothing
// while TAK is out of its reach, so where no pod has TAK each keeps its rows.
func (r *Relay) hold(ctx context.Context, h *holding) (renewed bool, err error) {
	now, lease := r.opts.Now(), r.opts.Lease
	if !r.takDown.Load() {
		h.downSince = time.Time{}
	} else if h.downSince.IsZero() || now.Before(h.downSince) {
		h.downSince = now
	} else if now.Sub(h.downSince) >= yieldAfter {
		lease = 0
	}
	due := !now.Before(h.due) || h.due.Sub(now) > r.opts.Lease // or the clock was set back
	if !due && lease == h.lease {
		return false, nil
	}
	if err := r.renew(ctx, lease); err != nil {
		return false, err
	}
	if lease == 0 && h.lease > 0 {
		r.log.Warn("TAK has been out of reach for long; other pods may deliver what this one holds", "for",
			now.Sub(h.downSince).String())
	}
	if lease > 0 && h.lease == 0 && !h.due.IsZero() {
		h.adoptFrom = now.Add(backoffMax)
	}
	h.due, h.lease = now.Add(r.opts.Lease/3), lease
	return true, nil
}

// mayAdopt says that nobody needs to be waited for, by a clock that may have been set back.
func (h *holding) mayAdopt(now time.Time) bool {
	wait := h.adoptFrom.Sub(now)
	return wait <= 0 || wait > backoffMax
}

func (r *Relay) renew(ctx context.Context, lease time.Duration) error {
	call, cancel := context.WithTimeout(ctx, r.opts.StoreTimeout)
	defer cancel()
	if err := r.opts.Store.Renew(call, r.opts.Owner, lease); err != nil {
		return fmt.Errorf("renew the lease: %w", err)
	}
	return nil
}
