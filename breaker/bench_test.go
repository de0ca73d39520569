package breaker_test

import (
	"context"
	"errors"
	"testing"

	"github.com/sony/gobreaker/v2"
	"github.com/stretchr/testify/require"

	"github.com/surefoot-ml/surefoot/breaker"
)

//go:noinline
func step(context.Context) error { return nil }

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
	b.Run("breaker/Do/window", func(b *testing.B) {
		b.ReportAllocs()
		br := newBreaker(b, breaker.Config{FailureRate: .5})
		for b.Loop() {
			_ = br.Do(ctx, step)
		}
	})
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

func TestAllocations(t *testing.T) { // not parallel: AllocsPerRun counts those of the whole process
	ctx := context.Background()
	for name, cfg := range map[string]breaker.Config{"plain": {}, "window": {FailureRate: .5}} {
		br := newBreaker(t, cfg)
		require.LessOrEqual(t, testing.AllocsPerRun(1000, func() { _ = br.Do(ctx, step) }), 1., name)
	}
}
