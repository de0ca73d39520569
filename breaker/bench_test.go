package breaker_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/sony/gobreaker/v2"
	"github.com/stretchr/testify/require"

	"github.com/surefoot-ml/surefoot/breaker"
)

//go:noinline
func step(context.Context) error { return nil }

// kinds are the ways to count.
var kinds = []struct {
	name string
	cfg  breaker.Config
}{
	{"no window", breaker.Config{}},
	{"window in steps", breaker.Config{FailureRate: .5, WindowSteps: 100}},
	{"window in time", breaker.Config{FailureRate: .5}},
	{"window in steps, slow rate", breaker.Config{FailureRate: .5, SlowAfter: time.Hour, SlowRate: .5, WindowSteps: 100}},
	{"window in time, slow rate", breaker.Config{FailureRate: .5, SlowAfter: time.Hour, SlowRate: .5}},
}

func BenchmarkSuccess(b *testing.B) {
	ctx := context.Background()
	b.Run("breaker/Admit+Done", func(b *testing.B) {
		b.ReportAllocs()
		br := newBreaker(b, breaker.Config{})
		for b.Loop() {
			token, err := br.Admit(ctx)
			if err == nil {
				br.Done(token, step(ctx))
			}
		}
	})
	b.Run("breaker/Do", func(b *testing.B) {
		b.ReportAllocs()
		br := newBreaker(b, breaker.Config{})
		for b.Loop() {
			_ = br.Do(ctx, step)
		}
	})
	for _, kind := range kinds {
		b.Run("breaker/Do/"+kind.name, func(b *testing.B) {
			b.ReportAllocs()
			br := newBreaker(b, kind.cfg)
			for b.Loop() {
				_ = br.Do(ctx, step)
			}
		})
	}
	b.Run("gobreaker/two-step", func(b *testing.B) {
		b.ReportAllocs()
		gb := gobreaker.NewTwoStepCircuitBreaker[struct{}](gobreaker.Settings{})
		for b.Loop() {
			done, err := gb.Allow()
			if err == nil {
				done(step(ctx))
			}
		}
	})
}

func BenchmarkRefusal(b *testing.B) {
	ctx := context.Background()
	failed := errors.New("failed")
	b.Run("breaker", func(b *testing.B) {
		b.ReportAllocs()
		br := newBreaker(b, breaker.Config{Failures: 1})
		_ = br.Do(ctx, func(context.Context) error { return failed })
		for b.Loop() {
			_, _ = br.Admit(ctx)
		}
	})
	b.Run("gobreaker/two-step", func(b *testing.B) {
		b.ReportAllocs()
		gb := gobreaker.NewTwoStepCircuitBreaker[struct{}](gobreaker.Settings{
			ReadyToTrip: func(gobreaker.Counts) bool { return true },
		})
		done, _ := gb.Allow()
		done(failed)
		for b.Loop() {
			_, _ = gb.Allow()
		}
	})
}

// All goroutines use one breaker.
func BenchmarkContended(b *testing.B) {
	ctx := context.Background()
	for _, kind := range kinds {
		b.Run("breaker/Do/"+kind.name, func(b *testing.B) {
			b.ReportAllocs()
			br := newBreaker(b, kind.cfg)
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					_ = br.Do(ctx, step)
				}
			})
		})
	}
	b.Run("gobreaker/two-step", func(b *testing.B) {
		b.ReportAllocs()
		gb := gobreaker.NewTwoStepCircuitBreaker[struct{}](gobreaker.Settings{})
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				done, err := gb.Allow()
				if err == nil {
					done(step(ctx))
				}
			}
		})
	})
}

func TestAllocations(t *testing.T) { // not parallel: AllocsPerRun counts those of the whole process
	ctx := context.Background()
	for _, kind := range kinds {
		br := newBreaker(t, kind.cfg)
		require.Zero(t, testing.AllocsPerRun(1000, func() { _ = br.Do(ctx, step) }), kind.name)
		br.ForceClosed()
		require.Zero(t, testing.AllocsPerRun(1000, func() { _ = br.Do(ctx, step) }), kind.name)
		br.Disable()
		require.Zero(t, testing.AllocsPerRun(1000, func() { _ = br.Do(ctx, step) }), kind.name)
	}
}
