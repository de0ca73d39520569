// Package bench puts Surefoot beside what else there is, in one run: other libraries are dependencies of this module alone.
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

	"github.com/surefoot-ml/surefoot"
	"github.com/surefoot-ml/surefoot/breaker"
	"github.com/surefoot-ml/surefoot/privacy"
	"github.com/surefoot-ml/surefoot/ratelimit"
	"github.com/surefoot-ml/surefoot/retry"
)

const (
	perSecond = 1e9
	burst     = 1 << 30
	permits   = 4
	limit     = time.Minute
)

// step is what every stack runs: nothing, so that what is measured is the stack.
//
//go:noinline
func step(_ context.Context, batch int) (float64, error) { return float64(batch), nil }

// allow admits at once: five of these show the cost of the composition itself.
type allow struct{ tokens uint64 }

func (a *allow) Admit(context.Context) (uint64, error) { a.tokens++; return a.tokens, nil }
func (a *allow) Done(uint64, error)                    {}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func surefootParts(watch surefoot.Watcher, more ...surefoot.Admitter) *surefoot.Runner[int, float64] {
	return &surefoot.Runner[int, float64]{
		Retry: retry.Policy{},
		Attempt: append([]surefoot.Admitter{
			must(ratelimit.New(perSecond, burst)), must(ratelimit.NewBulkhead(permits, 0)), must(breaker.New(breaker.Config{})),
		}, more...),
		Watch: watch,
	}
}

// byHand is what people write: the same parts, nested.
type byHand struct {
	limiter   *rate.Limiter
	semaphore *semaphore.Weighted
	breaker   *gobreaker.TwoStepCircuitBreaker[float64]
	timeout   time.Duration
}

func newByHand(timeout time.Duration) *byHand {
	return &byHand{
		limiter: rate.NewLimiter(perSecond, burst), semaphore: semaphore.NewWeighted(permits),
		breaker: gobreaker.NewTwoStepCircuitBreaker[float64](gobreaker.Settings{}), timeout: timeout,
	}
}

func (h *byHand) do(ctx context.Context, batch int) (loss float64, err error) {
	attempt := func() error {
		if err := h.limiter.Wait(ctx); err != nil {
			return err
		}
		if err := h.semaphore.Acquire(ctx, 1); err != nil {
			return err
		}
		defer h.semaphore.Release(1)
		done, err := h.breaker.Allow()
		if err != nil {
			return err
		}
		if h.timeout > 0 {
			limited, cancel := context.WithTimeout(ctx, h.timeout)
			defer cancel()
			loss, err = step(limited, batch)
		} else {
			loss, err = step(ctx, batch)
		}
		done(err)
		return err
	}
	err = backoff.Retry(attempt, backoff.WithContext(backoff.WithMaxRetries(backoff.NewExponentialBackOff(), 2), ctx))
	return loss, err
}

func failsafeStack(timeout time.Duration) failsafe.Executor[float64] {
	policies := []failsafe.Policy[float64]{
		retrypolicy.NewBuilder[float64]().WithMaxRetries(2).WithDelay(time.Second).Build(),
		ratelimiter.NewBurstyBuilder[float64](burst, time.Second).Build(),
		fsbulkhead.New[float64](permits),
		circuitbreaker.NewWithDefaults[float64](),
	}
	if timeout > 0 {
		policies = append(policies, fstimeout.New[float64](timeout))
	}
	return failsafe.With(policies...)
}

// BenchmarkComposition is the cost of the Runner, with admitters that do nothing.
func BenchmarkComposition(b *testing.B) {
	ctx := context.Background()
	b.Run("bare_call", func(b *testing.B) {
		b.ReportAllocs()
		call := surefoot.Step[int, float64](step)
		for b.Loop() {
			_, _ = call(ctx, 1)
		}
	})
	b.Run("surefoot_zero", func(b *testing.B) {
		b.ReportAllocs()
		var run surefoot.Runner[int, float64]
		for b.Loop() {
			_, _ = run.Do(ctx, 1, step)
		}
	})
	b.Run("surefoot_five_admitters_and_retry", func(b *testing.B) {
		b.ReportAllocs()
		run := surefoot.Runner[int, float64]{
			Gates:   []surefoot.Admitter{&allow{}, &allow{}},
			Retry:   retry.Policy{},
			Attempt: []surefoot.Admitter{&allow{}, &allow{}, &allow{}},
		}
		for b.Loop() {
			_, _ = run.Do(ctx, 1, step)
		}
	})
}

// BenchmarkStack is retry, rate limit, bulkhead and breaker around a step that succeeds.
func BenchmarkStack(b *testing.B) {
	ctx := context.Background()
	b.Run("surefoot", func(b *testing.B) {
		b.ReportAllocs()
		run := surefootParts(nil)
		for b.Loop() {
			_, _ = run.Do(ctx, 1, step)
		}
	})
	b.Run("surefoot_and_privacy_budget", func(b *testing.B) {
		b.ReportAllocs()
		event := privacy.Poisson{Rate: 1e-6, Gaussian: privacy.Gaussian{StdDev: 1e4, Clip: 1, Relation: privacy.AddRemove}}
		run := surefootParts(nil, must(privacy.NewFilter(privacy.Budget{Epsilon: 90, Delta: 1e-5}, event)).For(event))
		for b.Loop() {
			if _, err := run.Do(ctx, 1, step); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("by_hand", func(b *testing.B) {
		b.ReportAllocs()
		h := newByHand(0)
		for b.Loop() {
			_, _ = h.do(ctx, 1)
		}
	})
	b.Run("failsafe_go", func(b *testing.B) {
		b.ReportAllocs()
		run := failsafeStack(0)
		for b.Loop() {
			_, _ = run.Get(func() (float64, error) { return step(ctx, 1) })
		}
	})
}

// BenchmarkStackDeadline is the same with a deadline on the attempt.
func BenchmarkStackDeadline(b *testing.B) {
	ctx := context.Background()
	b.Run("surefoot", func(b *testing.B) {
		b.ReportAllocs()
		dog := must(retry.NewWatchdog(retry.WatchdogConfig{Hard: limit}))
		defer dog.Close()
		run := surefootParts(dog)
		for b.Loop() {
			_, _ = run.Do(ctx, 1, step)
		}
	})
	b.Run("surefoot_context_deadline", func(b *testing.B) {
		b.ReportAllocs()
		run := surefootParts(&retry.Deadline{Limit: limit})
		for b.Loop() {
			_, _ = run.Do(ctx, 1, step)
		}
	})
	b.Run("by_hand", func(b *testing.B) {
		b.ReportAllocs()
		h := newByHand(limit)
		for b.Loop() {
			_, _ = h.do(ctx, 1)
		}
	})
	b.Run("failsafe_go", func(b *testing.B) {
		b.ReportAllocs()
		run := failsafeStack(limit)
		for b.Loop() {
			_, _ = run.Get(func() (float64, error) { return step(ctx, 1) })
		}
	})
}
