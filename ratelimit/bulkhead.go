package ratelimit

import (
	"context"
	"fmt"
	"sync"
	"time"

	"golang.org/x/sync/semaphore"
)

// ErrFull is returned by a Bulkhead that has no room and does not wait, or has waited long enough. It is neutral.
var ErrFull error = fullError{}

type fullError struct{}

func (fullError) Error() string { return "ratelimit: bulkhead is full" }
func (fullError) Neutral() bool { return true }

// Bulkhead admits a number of steps at once. It is safe for concurrent use. A nil or zero Bulkhead does not limit.
type Bulkhead struct {
	free *semaphore.Weighted // first come, first served
	wait time.Duration

	mu    sync.Mutex // guards the rest
	slots []uint32   // generation of each permit: odd while it is held
	idle  []uint32   // permits that are not held
}

// maxPermits bounds the memory of a bulkhead; more at once is no limit worth having.
const maxPermits = 1 << 20

// NewBulkhead returns a bulkhead that admits up to n steps at once. One more waits for up to maxWait, or until its context
// ends if maxWait is negative; zero means that it is refused at once.
func NewBulkhead(n int, maxWait time.Duration) (*Bulkhead, error) {
	if n < 1 || n > maxPermits {
		return nil, fmt.Errorf("ratelimit: bulkhead of %d, want 1 to %d", n, maxPermits)
	}
	b := &Bulkhead{free: semaphore.NewWeighted(int64(n)), wait: maxWait, slots: make([]uint32, n), idle: make([]uint32, n)}
	for i := range b.idle {
		b.idle[i] = uint32(n - 1 - i)
	}
	return b, nil
}

// Admit takes a permit. It fails with [ErrFull] if there is none in time, or with ctx's error if that ends first.
func (b *Bulkhead) Admit(ctx context.Context) (token uint64, err error) {
	if b == nil || b.free == nil {
		return 0, nil
	}
	if err := ended(ctx); err != nil {
		return 0, err
	}
	if !b.free.TryAcquire(1) {
		if err := b.acquire(ctx); err != nil {
			return 0, err
		}
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	slot := b.idle[len(b.idle)-1]
	b.idle = b.idle[:len(b.idle)-1]
	b.slots[slot]++
	return uint64(b.slots[slot])<<32 | uint64(slot), nil
}

// acquire waits for a permit. A waiter that gives up leaves the queue without one.
func (b *Bulkhead) acquire(ctx context.Context) error {
	if b.wait == 0 {
		return ErrFull
	}
	limited := ctx
	if b.wait > 0 {
		var cancel context.CancelFunc
		limited, cancel = context.WithTimeoutCause(ctx, b.wait, ErrFull)
		defer cancel()
	}
	if b.free.Acquire(limited, 1) == nil {
		return nil
	}
	if err := ended(ctx); err != nil {
		return err
	}
	return ErrFull
}

// Done gives the permit of a token back. A token that was given back already, or never given out, changes nothing.
func (b *Bulkhead) Done(token uint64, _ error) {
	if b == nil || b.free == nil {
		return
	}
	slot, generation := uint32(token), uint32(token>>32)
	b.mu.Lock()
	held := int(slot) < len(b.slots) && generation%2 == 1 && b.slots[slot] == generation
	if held {
		b.slots[slot]++
		b.idle = append(b.idle, slot)
	}
	b.mu.Unlock()
	if held {
		b.free.Release(1)
	}
}

// Do runs fn with a permit, which it gives back however fn ends.
func (b *Bulkhead) Do(ctx context.Context, fn func(context.Context) error) error {
	token, err := b.Admit(ctx)
	if err != nil {
		return err
	}
	defer b.Done(token, nil)
	return fn(ctx)
}

// InUse is how many permits are held now.
func (b *Bulkhead) InUse() int {
	if b == nil || b.free == nil {
		return 0
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.slots) - len(b.idle)
}
