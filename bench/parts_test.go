package bench

import (
	"context"
	"testing"
	"time"

	"github.com/cenkalti/backoff/v4"
	"github.com/failsafe-go/failsafe-go"
	fsbulkhead "github.com/failsafe-go/failsafe-go/bulkhead"
	"github.com/failsafe-go/failsafe-go/circuitbreaker"
	"github.com/failsafe-go/failsafe-go/ratelimiter"
	"github.com/failsafe-go/failsafe-go/retrypolicy"
	fstimeout "github.com/failsafe-go/failsafe-go/timeout"
	"github.com/sony/gobreaker/v2"
	"golang.org/x/sync/semaphore"
	"golang.org/x/time/rate"

	"github.com/surefoot-ml/surefoot/breaker"
	"github.com/surefoot-ml/surefoot/ratelimit"
	"github.com/surefoot-ml/surefoot/retry"
)

// call is what each part guards: nothing.
//
//go:noinline
func call(context.Context) error { return nil }

// peer is one way to do a thing.
type peer struct {
	name string
	do   func(ctx context.Context) error
}

func beside(b *testing.B, peers ...peer) {
	for _, p := range peers {
		b.Run(p.name, func(b *testing.B) {
			ctx := context.Background()
			b.ReportAllocs()
			for b.Loop() {
				if err := p.do(ctx); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// throughFailsafe runs a call through failsafe-go's executor with one policy.
func throughFailsafe(policy failsafe.Policy[any]) peer {
	run := failsafe.With(policy)
	return peer{"failsafe_go", func(ctx context.Context) error {
		return run.Run(func() error { return call(ctx) })
	}}
}

func BenchmarkBreaker(b *testing.B) {
	ours := must(breaker.New(breaker.Config{}))
	theirs := gobreaker.NewTwoStepCircuitBreaker[any](gobreaker.Settings{})
	beside(b,
		peer{"surefoot", func(ctx context.Context) error { return ours.Do(ctx, call) }},
		peer{"gobreaker_two_step", func(ctx context.Context) error {
			done, err := theirs.Allow()
			if err == nil {
				err = call(ctx)
				done(err)
			}
			return err
		}},
		throughFailsafe(circuitbreaker.NewWithDefaults[any]()),
	)
}

func BenchmarkRetry(b *testing.B) {
	beside(b,
		peer{"surefoot", func(ctx context.Context) error { return retry.Policy{}.Do(ctx, call) }},
		peer{"backoff_v4", func(ctx context.Context) error {
			return backoff.Retry(func() error { return call(ctx) }, backoff.WithContext(backoff.NewExponentialBackOff(), ctx))
		}},
		throughFailsafe(retrypolicy.NewWithDefaults[any]()),
	)
}

func BenchmarkTokenBucket(b *testing.B) {
	ours, theirs := must(ratelimit.New(perSecond, burst)), rate.NewLimiter(perSecond, burst)
	beside(b,
		peer{"surefoot", func(ctx context.Context) error {
			if err := ours.Wait(ctx); err != nil {
				return err
			}
			return call(ctx)
		}},
		peer{"x_time_rate", func(ctx context.Context) error {
			if err := theirs.Wait(ctx); err != nil {
				return err
			}
			return call(ctx)
		}},
		throughFailsafe(ratelimiter.NewBurstyBuilder[any](burst, time.Second).Build()),
	)
}

func BenchmarkBulkhead(b *testing.B) {
	ours, theirs := must(ratelimit.NewBulkhead(permits, 0)), semaphore.NewWeighted(permits)
	beside(b,
		peer{"surefoot", func(ctx context.Context) error { return ours.Do(ctx, call) }},
		peer{"x_sync_semaphore", func(ctx context.Context) error {
			if err := theirs.Acquire(ctx, 1); err != nil {
				return err
			}
			defer theirs.Release(1)
			return call(ctx)
		}},
		throughFailsafe(fsbulkhead.New[any](permits)),
	)
}

func BenchmarkDeadline(b *testing.B) {
	dog := must(retry.NewWatchdog(retry.WatchdogConfig{Hard: limit}))
	defer dog.Close()
	fixed := retry.Deadline{Limit: limit}
	beside(b,
		peer{"surefoot_watchdog", func(ctx context.Context) error { return dog.Do(ctx, call) }},
		peer{"surefoot_deadline", func(ctx context.Context) error { return fixed.Do(ctx, call) }},
		peer{"context_WithTimeout", func(ctx context.Context) error {
			ctx, cancel := context.WithTimeout(ctx, limit)
			defer cancel()
			return call(ctx)
		}},
		throughFailsafe(fstimeout.New[any](limit)),
	)
}
