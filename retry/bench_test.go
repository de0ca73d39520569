package retry_test

import (
	"context"
	"testing"
	"time"

	"github.com/cenkalti/backoff/v4"
	"github.com/stretchr/testify/require"

	"github.com/surefoot-ml/surefoot/retry"
)

// policies are ways to a first attempt that succeeds.
func policies() map[string]retry.Policy {
	return map[string]retry.Policy{
		"surefoot":          {},
		"surefoot_budget":   {Budget: new(retry.Budget)},
		"surefoot_provider": retry.ForProvider(),
		"surefoot_adaptive": {Delays: new(retry.Adaptive)},
	}
}

func BenchmarkFirstAttempt(b *testing.B) {
	ctx := context.Background()
	ok := func() error { return nil }
	okCtx := func(context.Context) error { return nil }
	b.Run("backoff_v4", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			_ = backoff.Retry(ok, backoff.WithContext(backoff.NewExponentialBackOff(), ctx))
		}
	})
	for name, p := range policies() {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				_ = p.Do(ctx, okCtx)
			}
		})
	}
}

func BenchmarkOneRetry(b *testing.B) {
	ctx := context.Background()
	b.Run("backoff_v4", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			calls := 0
			_ = backoff.Retry(func() error {
				if calls++; calls < 2 {
					return errTransient
				}
				return nil
			}, backoff.WithContext(backoff.NewConstantBackOff(0), ctx))
		}
	})
	b.Run("surefoot", func(b *testing.B) {
		b.ReportAllocs()
		p := retry.Policy{Delays: retry.Constant(0)}
		for b.Loop() {
			calls := 0
			_ = p.Do(ctx, func(context.Context) error {
				if calls++; calls < 2 {
					return errTransient
				}
				return nil
			})
		}
	})
}

func BenchmarkDelay(b *testing.B) {
	learned := new(retry.Adaptive)
	for range 64 {
		learned.Delay(1, 0)
		token, _ := learned.Admit(context.Background())
		learned.Done(token, nil)
	}
	for name, d := range map[string]retry.Delays{
		"exponential": retry.Exponential{}, "linear": retry.Linear{}, "fibonacci": retry.Fibonacci{},
		"decorrelated": retry.Decorrelated{}, "adaptive": learned,
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				_ = d.Delay(5, time.Second)
			}
		})
	}
	b.Run("backoff_v4", func(b *testing.B) {
		b.ReportAllocs()
		e := backoff.NewExponentialBackOff()
		for b.Loop() {
			_ = e.NextBackOff()
		}
	})
}

func TestFirstAttemptDoesNotAllocate(t *testing.T) {
	ctx := context.Background()
	for name, p := range policies() {
		require.Zero(t, testing.AllocsPerRun(1000, func() {
			_ = p.Do(ctx, func(context.Context) error { return nil })
		}), name)
	}
	b, a := new(retry.Budget), new(retry.Adaptive)
	require.Zero(t, testing.AllocsPerRun(1000, func() {
		_, _ = b.Admit(ctx)
		b.Done(0, nil)
		token, _ := a.Admit(ctx)
		a.Done(token, nil)
	}))
}
