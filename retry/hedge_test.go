package retry_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/surefoot-ml/surefoot/retry"
)

// planned is one call: it takes so long, and then so much longer to return if it was cancelled.
type planned struct {
	takes, lingers time.Duration
	err            error
}

// plan makes the n-th call behave as planned, and counts calls and what runs at once.
type plan struct {
	calls                  []planned
	made, now, most, ended atomic.Int32
}

func (p *plan) call(ctx context.Context) (int, error) {
	n := p.made.Add(1)
	defer p.ended.Add(1)
	if now := p.now.Add(1); now > p.most.Load() {
		p.most.Store(now)
	}
	defer p.now.Add(-1)
	c := p.calls[n-1]
	select {
	case <-time.After(c.takes):
		return int(n), c.err
	case <-ctx.Done():
		<-time.After(c.lingers)
		return 0, context.Cause(ctx)
	}
}

func TestHedge(t *testing.T) {
	t.Parallel()
	s := time.Second
	for _, tt := range []struct {
		name  string
		calls int
		plan  []planned
		won   int // which call, 0 if none
		took  time.Duration
		made  int32
		err   string
	}{
		{"the first in time", 0, []planned{{takes: s}}, 1, s, 1, ""},
		{"the second overtakes", 0, []planned{{takes: 20 * s}, {takes: s}}, 2, 6 * s, 2, ""},
		{"the first after all", 0, []planned{{takes: 6 * s}, {takes: 9 * s}}, 1, 6 * s, 2, ""},
		{"the loser is waited for", 0, []planned{{takes: 20 * s, lingers: 3 * s}, {takes: s}}, 2, 9 * s, 2, ""},
		{"no more than two", 0, []planned{{takes: 20 * s}, {takes: 20 * s}}, 1, 20 * s, 2, ""},
		{"three", 3, []planned{{takes: 20 * s}, {takes: 20 * s}, {takes: s}}, 3, 11 * s, 3, ""},
		{"one", 1, []planned{{takes: 20 * s}}, 1, 20 * s, 1, ""},
		{"a failure is not repeated", 3, []planned{{takes: s, err: errTransient}}, 0, s, 1, "transient"},
		{"a failure is outlived", 0, []planned{{takes: 6 * s, err: errTransient}, {takes: 2 * s}}, 2, 7 * s, 2, ""},
		{"the other way round", 0, []planned{{takes: 8 * s}, {takes: s, err: errTransient}}, 1, 8 * s, 2, ""},
		{"all fail", 0, []planned{{takes: 8 * s, err: errTransient}, {takes: s, err: errors.New("other")}}, 0, 8 * s, 2, "other; transient"},
		{"permanent", 0, []planned{{takes: 20 * s}, {takes: s, err: fatalError{}}}, 0, 6 * s, 2, "fatal"},
	} {
		synctest.Test(t, func(t *testing.T) {
			p := &plan{calls: tt.plan}
			h := retry.Hedge[int]{Delay: 5 * s, Calls: tt.calls}
			start := time.Now()
			won, err := h.Do(t.Context(), p.call)
			require.Equal(t, tt.took, time.Since(start), tt.name)
			require.Equal(t, tt.won, won, tt.name)
			require.Equal(t, tt.made, p.made.Load(), tt.name)
			require.Equal(t, tt.made, p.ended.Load(), "%s: every call has returned", tt.name)
			if tt.err == "" {
				require.NoError(t, err, tt.name)
			} else {
				require.EqualError(t, err, tt.err, tt.name)
			}
		})
	}
}

func TestHedgeOfTheCaller(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 7*time.Second)
		defer cancel()
		p := &plan{calls: []planned{{takes: time.Hour, lingers: time.Second}, {takes: time.Hour}}}
		h := retry.Hedge[int]{Delay: 5 * time.Second}
		start := time.Now()
		_, err := h.Do(ctx, p.call)
		require.Equal(t, 8*time.Second, time.Since(start))
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.EqualValues(t, 2, p.ended.Load())

		_, err = h.Do(ctx, func(context.Context) (int, error) { t.Error("ran"); return 0, nil })
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.EqualError(t, err, "retry: stopped before the first attempt: context deadline exceeded")
	})
}

// A panic and a runtime.Goexit go on in the goroutine of the caller, when nothing runs any more.
func TestHedgeUnwinds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := retry.Hedge[int]{Delay: time.Second}
		var made, ended atomic.Int32
		require.PanicsWithValue(t, "broken", func() {
			_, _ = h.Do(t.Context(), func(ctx context.Context) (int, error) {
				defer ended.Add(1)
				if made.Add(1) == 2 {
					panic("broken")
				}
				<-ctx.Done()
				return 0, ctx.Err()
			})
		})
		require.EqualValues(t, 2, ended.Load())

		require.PanicsWithValue(t, "broken late", func() {
			_, _ = h.Do(t.Context(), func(ctx context.Context) (int, error) {
				if made.Add(1) == 4 {
					return 1, nil
				}
				<-ctx.Done()
				panic("broken late")
			})
		}, "not hidden by the success before it")

		reached := false
		var wg sync.WaitGroup
		wg.Go(func() {
			_, _ = h.Do(context.Background(), func(context.Context) (int, error) { runtime.Goexit(); return 0, nil })
			reached = true
		})
		wg.Wait()
		require.False(t, reached)
	})
}

func TestHedgeBudget(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := &retry.Budget{Tokens: 2}
		h := retry.Hedge[int]{Delay: time.Second, Budget: b}
		slow := []planned{{takes: time.Minute}, {takes: time.Second}}
		p := &plan{calls: slow}
		_, err := h.Do(t.Context(), p.call)
		require.NoError(t, err)
		require.EqualValues(t, 2, p.made.Load())
		_, _ = retry.Policy{Budget: b}.Next(1, 0, errTransient)
		p = &plan{calls: slow}
		_, err = h.Do(t.Context(), p.call)
		require.NoError(t, err)
		require.EqualValues(t, 1, p.made.Load(), "no retries, no hedges")
	})
}

// A learned delay lets about one call in twenty be made twice, whatever calls take, and though the slowest are cut short.
func TestHedgeLearns(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		random := rand.New(rand.NewPCG(3, 4))
		h := new(retry.Hedge[int])
		made := 0
		draws := make([]time.Duration, 2)
		for i := range 3000 {
			if i == 20 {
				require.Equal(t, 20, made, "none before twenty calls")
			}
			for j := range draws {
				draws[j] = time.Duration(random.ExpFloat64() * float64(time.Second))
			}
			n := atomic.Int32{}
			_, err := h.Do(t.Context(), func(ctx context.Context) (int, error) {
				select {
				case <-time.After(draws[n.Add(1)-1]):
				case <-ctx.Done():
				}
				return 0, ctx.Err()
			})
			require.NoError(t, err)
			made += int(n.Load())
		}
		// 61 of 64 are expected to leave out 4/65 = 6.2 %, with a standard deviation of 0.8 % over what was drawn.
		require.InDelta(t, 0.062, float64(made-3000)/3000, 0.03)
	})
}

func TestHedgeAtOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := &retry.Hedge[int]{Delay: time.Millisecond, Calls: 4}
		var wg sync.WaitGroup
		for range 50 {
			wg.Go(func() {
				p := &plan{calls: []planned{{takes: 20 * time.Millisecond}, {takes: 20 * time.Millisecond}, {takes: 20 * time.Millisecond}, {takes: time.Millisecond}}}
				won, err := h.Do(t.Context(), p.call)
				if won != 4 || err != nil || p.most.Load() != 4 || p.now.Load() != 0 {
					t.Error(won, err, p.most.Load(), p.now.Load())
				}
			})
		}
		wg.Wait()
	})
}

// Inside a Do the whole is retried like one call.
func TestHedgeInDo(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := retry.Hedge[int]{Delay: time.Second}
		load := func(errs ...error) (attempts int, err error) {
			r, err := retry.Policy{Delays: retry.Constant(0)}.DoReport(t.Context(), func(ctx context.Context) error {
				p := &plan{calls: []planned{{takes: 3 * time.Second, err: errs[0]}, {takes: time.Second, err: errs[1]}}}
				_, err := h.Do(ctx, p.call)
				return err
			})
			return r.Attempts, err
		}
		attempts, err := load(errTransient, busyError(time.Minute))
		require.Equal(t, 3, attempts)
		require.ErrorIs(t, err, errTransient)
		var busy busyError
		require.ErrorAs(t, err, &busy)
		attempts, err = load(errTransient, fatalError{})
		require.Equal(t, 1, attempts, "the same call: what is permanent for one is permanent")
		require.Equal(t, fatalError{}, err)
	})
}

func ExampleHedge() {
	// A shard hangs on a bad disk; its replica answers.
	replicas := make(chan string, 2)
	replicas <- "bad disk"
	replicas <- "replica"
	hedge := retry.Hedge[string]{Delay: time.Millisecond}
	shard, err := hedge.Do(context.Background(), func(ctx context.Context) (string, error) {
		from := <-replicas
		if from == "bad disk" {
			<-ctx.Done()
			return "", ctx.Err()
		}
		return "shard 3 from the " + from, nil
	})
	fmt.Println(shard, err)
	// Output: shard 3 from the replica <nil>
}
