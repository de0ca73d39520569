package logging

import (
	"context"
	"fmt"
	"log/slog"
	"math"
	"math/bits"
	"sync/atomic"
	"time"
)

const (
	subBits    = 5 // of a duration that a bucket tells apart: 1/32, so a quantile is at most 3.2 % too high
	subBuckets = 1 << subBits
	bucketN    = (64 - subBits) * subBuckets
)

// TimerConfig configures a Timer.
type TimerConfig struct {
	// Slow, if positive, is the duration from which an operation is logged, with level Warn.
	Slow time.Duration
	// Failures logs operations that failed, with level Error.
	Failures bool
}

// Timer measures how long an operation takes and how often it fails, and logs what is slow. It is safe for concurrent use;
// measuring takes no lock and no memory. A nil Timer measures nothing.
type Timer struct {
	name    string
	log     *slog.Logger
	cfg     TimerConfig
	buckets [bucketN]atomic.Uint64
	failed  atomic.Uint64
	sum     atomic.Int64
	max     atomic.Int64
}

// NewTimer returns a timer for the operation of that name. A nil log logs nothing.
func NewTimer(log *slog.Logger, name string, cfg TimerConfig) (*Timer, error) {
	if cfg.Slow < 0 {
		return nil, fmt.Errorf("logging: timer %q is slow from %v, must not be negative", name, cfg.Slow)
	}
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	return &Timer{name: name, log: log, cfg: cfg}, nil
}

// Time runs an operation and measures it, also when it panics: that counts as failed.
func (t *Timer) Time(ctx context.Context, operation func(context.Context) error) (err error) {
	start := time.Now()
	ended := false
	defer func() {
		if ended {
			t.Record(ctx, time.Since(start), err)
		} else {
			t.Record(ctx, time.Since(start), errEnded)
		}
	}()
	err = operation(ctx)
	ended = true
	return err
}

var errEnded = fmt.Errorf("logging: operation panicked or ended its goroutine")

// Record counts an operation that took d and ended with err.
func (t *Timer) Record(ctx context.Context, d time.Duration, err error) {
	if t == nil {
		return
	}
	d = max(d, 0)
	t.buckets[bucketOf(uint64(d))].Add(1)
	t.sum.Add(int64(d))
	for old := t.max.Load(); int64(d) > old && !t.max.CompareAndSwap(old, int64(d)); old = t.max.Load() {
	}
	if err != nil {
		t.failed.Add(1)
	}
	switch {
	case err != nil && t.cfg.Failures:
		t.log.LogAttrs(ctx, slog.LevelError, "operation failed", slog.String("operation", t.name), slog.Duration("took", d), Error(err))
	case t.cfg.Slow > 0 && d >= t.cfg.Slow:
		t.log.LogAttrs(ctx, slog.LevelWarn, "operation was slow", slog.String("operation", t.name), slog.Duration("took", d),
			slog.Duration("slow_from", t.cfg.Slow))
	}
}

// Timing is what a Timer has measured so far.
type Timing struct {
	Count, Failed      uint64
	Mean, Max          time.Duration
	P50, P90, P95, P99 time.Duration // at most 3.2 % above the truth, never below it
}

// Timing returns what was measured. Operations that end meanwhile may be in some of its numbers and not in others.
func (t *Timer) Timing() Timing {
	if t == nil {
		return Timing{}
	}
	var counts [bucketN]uint64
	s := Timing{Failed: t.failed.Load(), Max: time.Duration(t.max.Load())}
	for i := range t.buckets {
		counts[i] = t.buckets[i].Load()
		s.Count += counts[i]
	}
	if s.Count == 0 {
		return s
	}
	s.Mean = time.Duration(uint64(t.sum.Load()) / s.Count)
	for _, q := range []struct {
		dst   *time.Duration
		share float64
	}{{&s.P50, 0.5}, {&s.P90, 0.9}, {&s.P95, 0.95}, {&s.P99, 0.99}} {
		rank, seen := uint64(math.Ceil(q.share*float64(s.Count))), uint64(0)
		for i, n := range counts {
			if seen += n; seen >= rank {
				*q.dst = min(time.Duration(bucketEnd(i)), s.Max)
				break
			}
		}
	}
	return s
}

// LogValue implements slog.LogValuer.
func (s Timing) LogValue() slog.Value {
	return slog.GroupValue(slog.Uint64("count", s.Count), slog.Uint64("failed", s.Failed), slog.Duration("mean", s.Mean),
		slog.Duration("p50", s.P50), slog.Duration("p90", s.P90), slog.Duration("p95", s.P95), slog.Duration("p99", s.P99), slog.Duration("max", s.Max))
}

// bucketOf returns the bucket of a number: below 32 its own, from there on 32 for every power of two.
func bucketOf(v uint64) int {
	if v < subBuckets {
		return int(v)
	}
	shift := bits.Len64(v) - subBits - 1
	return (shift+1)<<subBits + int(v>>shift) - subBuckets
}

// bucketEnd returns the largest number of a bucket.
func bucketEnd(i int) uint64 {
	if i < subBuckets {
		return uint64(i)
	}
	shift := i>>subBits - 1
	return uint64(i&(subBuckets-1)+subBuckets+1)<<shift - 1
}
