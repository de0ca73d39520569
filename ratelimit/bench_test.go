package ratelimit_test

import (
	"context"
	"testing"
	"time"

	"golang.org/x/sync/semaphore"
	"golang.org/x/time/rate"

	"github.com/surefoot-ml/surefoot/ratelimit"
)

// alone runs op in one goroutine, crowd in as many as there are processors.
func alone(b *testing.B, name string, op func()) {
	b.Run(name, func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			op()
		}
	})
}

func crowd(b *testing.B, name string, op func()) {
	b.Run(name, func(b *testing.B) {
		b.ReportAllocs()
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				op()
			}
		})
	})
}

// through returns an operation that is admitted and ends well.
func through(a admitter) func() {
	ctx := context.Background()
	return func() {
		token, err := a.Admit(ctx)
		if err != nil {
			panic(err)
		}
		a.Done(token, nil)
	}
}

func weighted(n int64) func() {
	ctx, s := context.Background(), semaphore.NewWeighted(n)
	return func() {
		_ = s.Acquire(ctx, 1)
		s.Release(1)
	}
}

func BenchmarkBulkhead(b *testing.B) {
	alone(b, "x_sync_semaphore", weighted(4))
	alone(b, "surefoot", through(must(ratelimit.NewBulkhead(4, 0))))
	alone(b, "gradient", through(must(ratelimit.NewGradient(ratelimit.GradientConfig{}))))
}

// Contended: more goroutines than permits, of which the others stand in line.
func BenchmarkBulkheadCrowd(b *testing.B) {
	crowd(b, "room/x_sync_semaphore", weighted(64))
	crowd(b, "room/surefoot", through(must(ratelimit.NewBulkhead(64, -1))))
	crowd(b, "line/x_sync_semaphore", weighted(1))
	crowd(b, "line/surefoot", through(must(ratelimit.NewBulkhead(1, -1))))
}

func waits() (xtime func(), ours map[string]pacer) {
	ctx, l := context.Background(), rate.NewLimiter(1e9, 1<<30)
	return func() { _ = l.Wait(ctx) }, map[string]pacer{
		"bucket":   must(ratelimit.New(1e9, 1<<30)),
		"smooth":   must(ratelimit.NewSmooth(1)),
		"window":   must(ratelimit.NewWindow(1<<20, time.Microsecond)),
		"adaptive": must(ratelimit.NewAdaptive(ratelimit.AdaptiveConfig{PerSecond: 1e9, Burst: 1 << 30})),
	}
}

func BenchmarkTokenBucket(b *testing.B) {
	ctx := context.Background()
	xtime, ours := waits()
	alone(b, "x_time_rate", xtime)
	for _, name := range []string{"bucket", "smooth", "window", "adaptive"} {
		l := ours[name]
		alone(b, name, func() { _ = l.Wait(ctx) })
	}
}

func BenchmarkTokenBucketCrowd(b *testing.B) {
	ctx := context.Background()
	xtime, ours := waits()
	crowd(b, "x_time_rate", xtime)
	for _, name := range []string{"bucket", "window"} {
		l := ours[name]
		crowd(b, name, func() { _ = l.Wait(ctx) })
	}
}

func BenchmarkKeyed(b *testing.B) {
	k := keyed(b, 10_000, 1e9, 1<<30)
	for key := range 10_000 {
		_ = must(allow(k, key, 1))
	}
	alone(b, "known", through(k.At(77)))
	full := keyed(b, 10_000, 1e-9, 2)
	for key := range 10_000 {
		_ = must(allow(full, key, 1))
	}
	alone(b, "refused", func() { _, _ = allow(full, -1, 1) })
}
