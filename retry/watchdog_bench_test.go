package retry_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/surefoot-ml/surefoot/retry"
)

type watcher interface {
	Watch(ctx context.Context) (watched context.Context, token uint64)
	Release(token uint64, err error) error
}

// watchers are all types that watch, with limits that no benchmark reaches.
func watchers(tb testing.TB) map[string]watcher {
	fixed, err := retry.NewWatchdog(retry.WatchdogConfig{Hard: time.Hour})
	require.NoError(tb, err)
	return map[string]watcher{
		"Watchdog":           fixed,
		"Watchdog_learning":  new(retry.Watchdog),
		"Deadline":           &retry.Deadline{Limit: time.Hour},
		"EscalatingDeadline": &retry.EscalatingDeadline{Limit: time.Hour},
		"LearnedDeadline":    &retry.LearnedDeadline{Floor: time.Hour},
	}
}

// Watch and Release beside context.WithTimeout, in one run. For comparison, measured elsewhere: failsafe-go v0.9.8 needs
// 2630 ns and 27 allocations for retry, breaker and timeout around a call, on a machine where context.WithTimeout takes 740.
func BenchmarkWatch(b *testing.B) {
	parents := map[string]context.Context{"background": context.Background()}
	cancellable, cancel := context.WithCancel(context.Background())
	defer cancel()
	parents["cancellable"] = cancellable
	for under, parent := range parents {
		b.Run("under="+under+"/by=context.WithTimeout", func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				_, cancel := context.WithTimeout(parent, time.Hour)
				cancel()
			}
		})
		for name, w := range watchers(b) {
			b.Run("under="+under+"/by="+name, func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					_, token := w.Watch(parent)
					_ = w.Release(token, nil)
				}
			})
		}
	}
}

// What it costs if the step asks for Done, and so needs a channel that somebody will close.
func BenchmarkWatchDone(b *testing.B) {
	parent, cancel := context.WithCancel(context.Background())
	defer cancel()
	b.Run("by=context.WithTimeout", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			ctx, cancel := context.WithTimeout(parent, time.Hour)
			_ = ctx.Done()
			cancel()
		}
	})
	for name, w := range watchers(b) {
		b.Run("by="+name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				ctx, token := w.Watch(parent)
				_ = ctx.Done()
				_ = w.Release(token, nil)
			}
		})
	}
}

// A parent of its own for every attempt, which no two attempts can share.
func BenchmarkWatchNewParent(b *testing.B) {
	type key struct{}
	for name, w := range watchers(b) {
		b.Run("by="+name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				_, token := w.Watch(context.WithValue(context.Background(), key{}, b))
				_ = w.Release(token, nil)
			}
		})
	}
	b.Run("by=nobody", func(b *testing.B) {
		b.ReportAllocs()
		var ctx context.Context
		for b.Loop() {
			ctx = context.WithValue(context.Background(), key{}, b)
		}
		_ = ctx
	})
}

func BenchmarkWatchParallel(b *testing.B) {
	for name, w := range watchers(b) {
		b.Run("by="+name, func(b *testing.B) {
			b.ReportAllocs()
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					_, token := w.Watch(context.Background())
					_ = w.Release(token, nil)
				}
			})
		})
	}
}

func BenchmarkBeat(b *testing.B) {
	all := watchers(b)
	for _, name := range []string{"Watchdog", "Watchdog_learning"} {
		ctx, token := all[name].Watch(context.Background())
		derived, cancel := context.WithCancel(ctx)
		b.Run("to="+name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				retry.Beat(ctx)
			}
		})
		b.Run("to="+name+"/derived", func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				retry.Beat(derived)
			}
		})
		b.Run("to="+name+"/parallel", func(b *testing.B) {
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					retry.Beat(ctx)
				}
			})
		})
		cancel()
		_ = all[name].Release(token, nil)
	}
	b.Run("to=nobody", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			retry.Beat(context.Background())
		}
	})
}
