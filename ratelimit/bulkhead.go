package ratelimit

import (
	"context"
	"fmt"
	"time"
)

// Bulkhead admits a number of steps at once. It is safe for concurrent use. A nil or zero Bulkhead does not limit.
type Bulkhead struct {
	room     *room // shared by all that At returns
	priority int
}

// BulkheadConfig configures a [Bulkhead].
type BulkheadConfig struct {
	// Permits is how many steps run at once, up to 1048576. The default is 1.
	Permits int
	// MaxWait is how long a step waits for a permit. Zero means that it is refused at once, a negative time that it waits
	// until its context ends.
	MaxWait time.Duration
	// Queue is how many may wait. When the line is full, a step that would stand at its end is refused; one of higher
	// priority takes the place of the last in line, who is refused instead. The default, 0, is no bound.
	Queue int
	// Age is how long a step waits to rise by one priority: a step of priority p stands in line as if it had come p times
	// Age earlier. So nobody starves: a step of priority p is passed only by those of a higher priority q that come
	// less than (q-p) times Age after it. The default is a minute; at most 24 hours.
	Age time.Duration
}

// maxPermits bounds the memory of a bulkhead; more at once is no limit worth having.
const maxPermits = 1 << 20

// maxPriority bounds priorities on either side of 0, so that Age times a priority cannot overflow.
const maxPriority = 1000

// NewBulkhead returns a bulkhead that admits up to n steps at once. One more waits for up to maxWait, or until its context
// ends if maxWait is negative; zero means that it is refused at once.
func NewBulkhead(n int, maxWait time.Duration) (*Bulkhead, error) {
	if n < 1 || n > maxPermits {
		return nil, fmt.Errorf("ratelimit: bulkhead of %d, want 1 to %d", n, maxPermits)
	}
	return NewBulkheadWith(BulkheadConfig{Permits: n, MaxWait: maxWait})
}

// NewBulkheadWith returns a bulkhead, or an error that names the field of cfg that is out of its range.
func NewBulkheadWith(cfg BulkheadConfig) (*Bulkhead, error) {
	if cfg.Permits == 0 {
		cfg.Permits = 1
	}
	var s settings
	s.want(cfg.Permits >= 1 && cfg.Permits <= maxPermits, "Permits", cfg.Permits, fmt.Sprintf("from 1 to %d", maxPermits))
	s.want(cfg.Queue >= 0, "Queue", cfg.Queue, "0 or more")
	s.want(cfg.Age >= 0 && cfg.Age <= 24*time.Hour, "Age", cfg.Age, "between 0 and 24 hours")
	if s.err != nil {
		return nil, s.err
	}
	return &Bulkhead{room: newRoom(cfg, cfg.Permits)}, nil
}

// At returns the same bulkhead for steps of a priority: higher ones stand further in front of the line, first come first
// served among equals. A Bulkhead that did not come from At has priority 0. Priorities below -1000 or above 1000 count as
// those.
func (b *Bulkhead) At(priority int) *Bulkhead {
	if b == nil {
		return nil
	}
	return &Bulkhead{room: b.room, priority: min(max(priority, -maxPriority), maxPriority)}
}

// Admit takes a permit. It fails with [ErrFull] if there is none in time, or with ctx's error if that ends first.
func (b *Bulkhead) Admit(ctx context.Context) (token uint64, err error) {
	if b == nil || b.room == nil {
		return 0, nil
	}
	if err := ended(ctx); err != nil {
		return 0, err
	}
	r := b.room
	r.mu.Lock()
	if r.held() < r.limit { // then nobody waits
		token = r.take()
		r.mu.Unlock()
		return token, nil
	}
	return r.wait(ctx, b.priority)
}

// Done gives the permit of a token back. A token that was given back already, or never given out, changes nothing.
func (b *Bulkhead) Done(token uint64, _ error) {
	if b == nil || b.room == nil {
		return
	}
	b.room.mu.Lock()
	b.room.release(token)
	b.room.mu.Unlock()
}

// Do runs fn with a permit, which it gives back however fn ends.
func (b *Bulkhead) Do(ctx context.Context, fn func(context.Context) error) error {
	return do(ctx, b, fn)
}

// InUse is how many permits are held now.
func (b *Bulkhead) InUse() int {
	if b == nil || b.room == nil {
		return 0
	}
	b.room.mu.Lock()
	defer b.room.mu.Unlock()
	return b.room.held()
}

// Waiting is how many steps stand in line now.
func (b *Bulkhead) Waiting() int {
	if b == nil || b.room == nil {
		return 0
	}
	b.room.mu.Lock()
	defer b.room.mu.Unlock()
	return len(b.room.line)
}

func (b *Bulkhead) fresh(time.Time) bool {
	if b == nil || b.room == nil {
		return true
	}
	b.room.mu.Lock()
	defer b.room.mu.Unlock()
	return b.room.held() == 0 && len(b.room.line) == 0
}
