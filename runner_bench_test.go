package surefoot_test

import (
	"context"
	"testing"
	"time"

	"github.com/surefoot-ml/surefoot"
)

// allow is the cheapest possible admitter: what remains is the cost of the composition itself.
type allow struct{ admitted, done uint64 }

func (a *allow) Admit(context.Context) (uint64, error) { a.admitted++; return a.admitted, nil }
func (a *allow) Done(uint64, error)                    { a.done++ }

type never struct{}

func (never) Next(int, time.Duration, error) (time.Duration, bool) { return 0, false }

// five returns a Runner with five admitters and a retrier.
func five() *surefoot.Runner[int, float64] {
	return &surefoot.Runner[int, float64]{
		Gates:   []surefoot.Admitter{&allow{}, &allow{}},
		Attempt: []surefoot.Admitter{&allow{}, &allow{}, &allow{}},
		Retry:   never{},
	}
}

//go:noinline
func benchStep(_ context.Context, batch int) (float64, error) { return float64(batch), nil }

func BenchmarkStep(b *testing.B) {
	ctx := context.Background()
	b.Run("bare", func(b *testing.B) {
		b.ReportAllocs()
		step := surefoot.Step[int, float64](benchStep)
		for b.Loop() {
			_, _ = step(ctx, 1)
		}
	})
	b.Run("zero", func(b *testing.B) {
		b.ReportAllocs()
		var run surefoot.Runner[int, float64]
		for b.Loop() {
			_, _ = run.Do(ctx, 1, benchStep)
		}
	})
	b.Run("five+retry", func(b *testing.B) {
		b.ReportAllocs()
		run := five()
		for b.Loop() {
			_, _ = run.Do(ctx, 1, benchStep)
		}
	})
}
