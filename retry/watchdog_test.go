package retry_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/surefoot-ml/surefoot/retry"
)

// reports collects what a Watchdog reports, with the time since its making.
type reports struct {
	mu     sync.Mutex
	start  time.Time
	stalls []retry.Stall
	lines  []string
}

func (r *reports) add(_ context.Context, s *retry.Stall) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.stalls = append(r.stalls, *s)
	r.lines = append(r.lines, fmt.Sprintf("%v %v", time.Since(r.start), s.Stage))
}

func (r *reports) told() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.lines)
}

func watchdog(t *testing.T, cfg retry.WatchdogConfig) (*retry.Watchdog, *reports) {
	r := &reports{start: time.Now()}
	cfg.Report = r.add
	d, err := retry.NewWatchdog(cfg)
	require.NoError(t, err)
	return d, r
}

// The whole life of a step that hangs and does not listen: reported, cancelled, reported as stuck at growing intervals, and
// waited for; the next attempt does not begin before it has returned.
func TestStuckStep(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d, r := watchdog(t, retry.WatchdogConfig{Soft: time.Minute, Hard: 2 * time.Minute, Grace: 10 * time.Second})
		var running, attempts int
		step := func(ctx context.Context) error {
			running++
			attempts++
			require.Equal(t, 1, running, "two attempts at once")
			defer func() { running-- }()
			if attempts == 1 {
				<-time.After(5 * time.Minute)
				return ctx.Err()
			}
			return nil
		}
		policy := retry.Policy{Delays: retry.Constant(0)}
		require.NoError(t, policy.Do(t.Context(), func(ctx context.Context) error { return d.Do(ctx, step) }))
		require.Equal(t, 2, attempts)
		require.Equal(t, 5*time.Minute, time.Since(r.start))
		d.Close()
		require.Equal(t, []string{"1m0s slow", "2m0s overran", "2m10s stuck", "2m30s stuck", "3m10s stuck", "4m30s stuck"}, r.told())
		for _, s := range r.stalls {
			require.Contains(t, string(s.Stacks), "TestStuckStep", "the stack of the step")
			require.Equal(t, r.stalls[0].Attempt, s.Attempt)
			require.Equal(t, s.Elapsed, s.Silent)
		}
		require.Equal(t, time.Minute, r.stalls[0].Limit)
		require.Equal(t, 2*time.Minute+30*time.Second, r.stalls[5].Cancelled)
		require.Equal(t, retry.WatchdogStats{
			Watched: 2, Slow: 1, Overran: 1, Stuck: 1, Soft: time.Minute, Hard: 2 * time.Minute,
		}, d.Stats())
	})
}

func TestOverranWatchdog(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d, _ := watchdog(t, retry.WatchdogConfig{Hard: time.Minute})
		ctx, token := d.Watch(t.Context())
		child, cancel := context.WithCancel(ctx)
		defer cancel()
		_, ok := ctx.Deadline()
		require.False(t, ok, "a limit that moves is no deadline")
		<-child.Done()
		require.Equal(t, context.DeadlineExceeded, child.Err())
		require.ErrorIs(t, context.Cause(child), retry.ErrOverran)
		err := d.Release(token, context.Canceled)
		require.EqualError(t, err, "retry: attempt overran its deadline of 1m0s: context canceled")
		require.ErrorIs(t, err, context.DeadlineExceeded)
		var verdict interface{ Neutral() bool }
		require.ErrorAs(t, err, &verdict)
		require.False(t, verdict.Neutral())
		require.Equal(t, errTransient, d.Release(token, errTransient), "a token counts once")
		require.Equal(t, errTransient, d.Release(12345, errTransient), "an unknown token is nobody's")

		ctx, token = d.Watch(t.Context())
		<-ctx.Done()
		require.NoError(t, d.Release(token, nil), "a late success is a success")

		deadline, stop := context.WithTimeout(t.Context(), time.Second)
		defer stop()
		ctx, token = d.Watch(deadline)
		want, _ := deadline.Deadline()
		got, ok := ctx.Deadline()
		require.True(t, ok && want.Equal(got))
		<-ctx.Done()
		require.Equal(t, context.DeadlineExceeded, d.Release(token, ctx.Err()), "the end of the caller is no overrun")
	})
}

// While the timer waits to report a stuck attempt again, which may be in hours, other attempts keep their limits.
func TestBesideAStuckAttempt(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d, r := watchdog(t, retry.WatchdogConfig{Soft: -1, Hard: 8 * time.Second, Grace: time.Hour})
		_, stuck := d.Watch(t.Context())
		<-time.After(10 * time.Second)
		for range 5 {
			start := time.Now()
			ctx, token := d.Watch(t.Context())
			<-ctx.Done()
			require.InDelta(t, 8.5, time.Since(start).Seconds(), 0.5)
			require.ErrorIs(t, d.Release(token, ctx.Err()), retry.ErrOverran)
			<-time.After(time.Second)
		}
		<-time.After(time.Hour)
		require.Equal(t, 1, d.Stats().LiveStuck)
		require.ErrorIs(t, d.Release(stuck, errTransient), retry.ErrOverran)
		require.Zero(t, d.Stats().Live)
		synctest.Wait()
		require.Equal(t, "1h0m8s stuck", r.told()[6])
	})
}

// A step goes on for as long as it beats, from whichever goroutine and through whichever context.
func TestBeats(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d, r := watchdog(t, retry.WatchdogConfig{Hard: 8 * time.Second})
		around, _ := watchdog(t, retry.WatchdogConfig{Hard: 16 * time.Second, Soft: -1})
		ctx, outer := around.Watch(t.Context())
		ctx, token := d.Watch(ctx)
		inner := retry.Deadline{Limit: 24 * time.Hour}
		within, last := inner.Watch(ctx)
		within = context.WithValue(within, valueKey{}, 1)
		for range 1000 {
			<-time.After(3 * time.Second)
			go retry.Beat(within)
		}
		synctest.Wait()
		require.NoError(t, within.Err())
		require.Empty(t, r.told())
		began := time.Now()
		<-within.Done()
		require.InDelta(t, 8.25, time.Since(began).Seconds(), 0.25, "an eighth of the soft limit late at most")
		require.ErrorContains(t, context.Cause(within), "overran its deadline of 8s without a beat, after 50m8")
		require.NoError(t, inner.Release(last, nil))
		require.ErrorIs(t, d.Release(token, errTransient), retry.ErrOverran)
		require.Equal(t, errTransient, around.Release(outer, errTransient))
		retry.Beat(t.Context()) // nobody to hear it
	})
}

// The first successes are not learned from; then the limits are five times the longest silence, and half of that.
func TestLearnedLimits(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d, r := watchdog(t, retry.WatchdogConfig{WarmUp: 2, Cap: time.Hour})
		step := func(silence ...time.Duration) func(ctx context.Context) error {
			return func(ctx context.Context) error {
				for i, s := range silence {
					if i > 0 {
						retry.Beat(ctx)
					}
					<-time.After(s)
				}
				return nil
			}
		}
		failing := func(context.Context) error { <-time.After(10 * time.Minute); return errTransient }
		for _, row := range []struct {
			event string
			step  func(ctx context.Context) error
			hard  time.Duration
		}{
			{"warm-up", step(10 * time.Minute), time.Hour},
			{"a failure teaches nothing", failing, time.Hour},
			{"warm-up", step(20 * time.Minute), time.Hour},
			{"the first to count", step(10 * time.Second), 50 * time.Second},
			{"a longer one", step(12 * time.Second), time.Minute},
			{"a shorter one", step(time.Second), time.Minute},
			{"failures teach nothing", failing, time.Minute},
			{"beats divide it", step(10*time.Second, 11*time.Second, 10*time.Second), time.Minute},
			{"the end is a silence too", step(10*time.Second, 14*time.Second), 70 * time.Second},
			{"a late success corrects the limit", step(90 * time.Second), 450 * time.Second},
			{"as far as the cap", step(30 * time.Minute), time.Hour},
		} {
			err := d.Do(t.Context(), row.step)
			require.True(t, err == nil || errors.Is(err, errTransient))
			s := d.Stats()
			require.Equal(t, row.hard, s.Hard, row.event)
			require.Equal(t, row.hard/2, s.Soft, row.event)
		}
		require.NotEmpty(t, r.told())
		require.Equal(t, 30*time.Minute, d.Stats().Longest)

		floor := new(retry.Watchdog)
		for range 7 {
			require.Zero(t, floor.Stats().Hard, "no limit before")
			_ = floor.Do(t.Context(), step(time.Microsecond))
			if floor.Stats().Longest != 0 {
				break
			}
		}
		require.Equal(t, time.Second, floor.Stats().Hard, "not a few microseconds")
		require.EqualValues(t, 6, floor.Stats().Watched, "five warm up")
	})
}

// Once limits are learned, an attempt that begins while the timer is about to look is not timed until it has looked: too
// short a silence to matter is not learned, a longer one a sixteenth of the longest short at most.
func TestLearnedWithoutTheClock(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d, err := retry.NewWatchdog(retry.WatchdogConfig{WarmUp: -1})
		require.NoError(t, err)
		takes := func(took ...time.Duration) {
			require.NoError(t, d.Do(t.Context(), func(ctx context.Context) error {
				for _, d := range took {
					<-time.After(d)
					retry.Beat(ctx)
				}
				return nil
			}))
		}
		const step = 10 * time.Second / 16
		takes(10 * time.Second)
		require.Equal(t, 50*time.Second, d.Stats().Hard)
		for range 3 { // between two looks of the timer, the first of which is set by the first attempt
			takes(step / 8)
			takes(step / 8)
			takes(step/8, 9*time.Second, 9*time.Second)
			require.Equal(t, 10*time.Second, d.Stats().Longest)
		}
		takes(step / 8)
		takes(12*time.Second, time.Second)
		require.Equal(t, 12*time.Second-step*7/8, d.Stats().Longest, "from the next look of the timer on")
		takes(time.Second, 12*time.Second)
		require.Equal(t, 12*time.Second, d.Stats().Longest, "between beats it is exact")

		tiny, err := retry.NewWatchdog(retry.WatchdogConfig{WarmUp: -1, Floor: time.Millisecond})
		require.NoError(t, err)
		for _, took := range []time.Duration{1, 20, 300, 4000} { // where a look of the timer would come too often
			require.NoError(t, tiny.Do(t.Context(), func(context.Context) error { <-time.After(took); return nil }))
			require.Equal(t, took, tiny.Stats().Longest)
		}
	})
}

// Report alone: with no hard limit nothing is ever cancelled.
func TestSoftLimitAlone(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		for _, cfg := range []retry.WatchdogConfig{
			{Soft: time.Second, Hard: -1},
			{Hard: -1, WarmUp: -1, Cap: time.Second, Floor: time.Second},
		} {
			d, r := watchdog(t, cfg)
			ctx, token := d.Watch(t.Context())
			<-time.After(time.Hour)
			require.NoError(t, ctx.Err())
			require.Equal(t, errTransient, d.Release(token, errTransient))
			require.Equal(t, []string{"1s slow"}, r.told())
		}
	})
}

// Reports may panic, block, and call back; limits go on meanwhile. Close waits for them.
func TestReports(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var (
			d       *retry.Watchdog
			release = make(chan struct{})
			stages  []retry.Stage
			mu      sync.Mutex
		)
		d, err := retry.NewWatchdog(retry.WatchdogConfig{Hard: 8 * time.Second, Grace: -1, Dump: 1000, Report: func(ctx context.Context, s *retry.Stall) {
			mu.Lock()
			stages = append(stages, s.Stage)
			mu.Unlock()
			if len(s.Stacks) > 1000 || !strings.HasPrefix(string(s.Stacks), "goroutine ") || ctx.Value(valueKey{}) != "batch 7" {
				t.Errorf("%q %v", s.Stacks, ctx)
			}
			_ = d.Stats()
			_, token := d.Watch(ctx)
			_ = d.Release(token, nil)
			if s.Stage == retry.Slow {
				<-release
			}
			panic("in a report")
		}})
		require.NoError(t, err)
		ctx, token := d.Watch(context.WithValue(t.Context(), valueKey{}, "batch 7"))
		<-ctx.Done()
		synctest.Wait()
		mu.Lock()
		require.Equal(t, []retry.Stage{retry.Slow, retry.Overran}, stages, "the blocked report holds nothing up")
		mu.Unlock()
		closed := make(chan struct{})
		go func() { d.Close(); close(closed) }()
		synctest.Wait()
		select {
		case <-closed:
			t.Error("closed before the report has returned")
		default:
		}
		close(release)
		<-closed
		require.ErrorIs(t, d.Release(token, errTransient), retry.ErrOverran)

		ctx, token = d.Watch(t.Context())
		<-time.After(time.Hour)
		require.NoError(t, ctx.Err(), "no limits after Close")
		require.Equal(t, errTransient, d.Release(token, errTransient))
		d.Close()
	})
}

// A panic goes on to the caller, and Goexit ends its goroutine; either ends the watch, and neither is a success.
func TestDoAborted(t *testing.T) {
	t.Parallel()
	d, err := retry.NewWatchdog(retry.WatchdogConfig{WarmUp: -1})
	require.NoError(t, err)
	require.PanicsWithValue(t, "in a step", func() {
		_ = d.Do(t.Context(), func(context.Context) error { panic("in a step") })
	})
	var wg sync.WaitGroup
	wg.Go(func() {
		_ = d.Do(context.Background(), func(context.Context) error { t.SkipNow(); return nil })
	})
	wg.Wait()
	s := d.Stats()
	require.EqualValues(t, 2, s.Watched)
	require.Zero(t, s.Live)
	require.Zero(t, s.Longest)
}

func TestWatchdogConfig(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		cfg  retry.WatchdogConfig
		want string
	}{
		{retry.WatchdogConfig{}, ""},
		{retry.WatchdogConfig{Soft: time.Second, Hard: time.Minute, Factor: 1, Floor: time.Second, Cap: time.Second}, ""},
		{retry.WatchdogConfig{Cap: 10 * time.Millisecond}, ""},
		{retry.WatchdogConfig{Soft: time.Microsecond}, "WatchdogConfig.Soft is 1µs, it must be at least 1ms"},
		{retry.WatchdogConfig{Hard: time.Microsecond}, "WatchdogConfig.Hard is 1µs, it must be at least 1ms"},
		{retry.WatchdogConfig{Soft: time.Second, Hard: time.Second}, "WatchdogConfig.Soft is 1s, it must be less than Hard, 1s"},
		{retry.WatchdogConfig{Soft: -1, Hard: -1}, "WatchdogConfig has neither a Soft nor a Hard limit"},
		{retry.WatchdogConfig{Factor: 0.5}, "WatchdogConfig.Factor is 0.5, it must be finite and at least 1"},
		{retry.WatchdogConfig{Factor: math.NaN()}, "WatchdogConfig.Factor is NaN, it must be finite and at least 1"},
		{retry.WatchdogConfig{Floor: -1}, "WatchdogConfig.Floor is -1ns, it must not be negative"},
		{retry.WatchdogConfig{Cap: -1}, "WatchdogConfig.Cap is -1ns, it must not be negative"},
		{retry.WatchdogConfig{Floor: time.Minute, Cap: time.Second}, "WatchdogConfig.Cap is 1s, it must be at least Floor, 1m0s, and 1ms"},
	} {
		d, err := retry.NewWatchdog(row.cfg)
		if row.want == "" {
			require.NoError(t, err)
			require.NotNil(t, d)
			continue
		}
		require.EqualError(t, err, "retry: "+row.want)
		require.Nil(t, d)
	}
	var none *retry.Watchdog
	ctx, token := none.Watch(t.Context())
	require.Equal(t, t.Context(), ctx)
	require.Equal(t, errTransient, none.Release(token, errTransient))
	require.Zero(t, none.Stats())
	none.Close()
	new(retry.Watchdog).Close()
	for stage, want := range map[retry.Stage]string{retry.Slow: "slow", retry.Overran: "overran", retry.Stuck: "stuck", 0: "Stage(0)"} {
		require.Equal(t, want, stage.String())
	}
}

func TestEndlessLimits(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d, err := retry.NewWatchdog(retry.WatchdogConfig{Hard: math.MaxInt64})
		require.NoError(t, err)
		for _, w := range []watcher{
			d, &retry.Deadline{Limit: math.MaxInt64}, &retry.LearnedDeadline{Cap: math.MaxInt64}, &retry.Watchdog{},
		} {
			ctx, token := w.Watch(t.Context())
			<-time.After(100 * 365 * 24 * time.Hour)
			require.NoError(t, ctx.Err())
			require.Equal(t, errTransient, w.Release(token, errTransient))
		}
	})
}

// Half a second is half a second, for every watcher and from any goroutine.
func TestHalfASecond(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const limit = 500 * time.Millisecond
		d, err := retry.NewWatchdog(retry.WatchdogConfig{Hard: limit})
		require.NoError(t, err)
		var wg sync.WaitGroup
		for _, w := range []watcher{
			d, &retry.Deadline{Limit: limit}, &retry.EscalatingDeadline{Limit: limit}, &retry.LearnedDeadline{Cap: limit},
		} {
			wg.Go(func() {
				start := time.Now()
				ctx, token := w.Watch(t.Context())
				<-ctx.Done()
				if time.Since(start) != limit || !errors.Is(w.Release(token, ctx.Err()), retry.ErrOverran) {
					t.Errorf("%T after %v", w, time.Since(start))
				}
			})
		}
		wg.Wait()
	})
}

func ExampleWatchdog() {
	dog, err := retry.NewWatchdog(retry.WatchdogConfig{
		Hard: 40 * time.Millisecond, // of silence; in training rather minutes, or left to be learned
		Soft: -1,
		Report: func(_ context.Context, s *retry.Stall) {
			fmt.Println("report:", s.Stage, "with stacks:", len(s.Stacks) > 0)
		},
	})
	if err != nil {
		panic(err)
	}
	defer dog.Close()

	err = dog.Do(context.Background(), func(ctx context.Context) error {
		for range 3 {
			retry.Beat(ctx) // after each part of the batch
		}
		<-ctx.Done() // hangs, but listens
		return errors.New("all-reduce interrupted")
	})
	dog.Close() // waits for the report
	fmt.Println(errors.Is(err, retry.ErrOverran), errors.Is(err, context.DeadlineExceeded))
	// Output:
	// report: overran with stacks: true
	// true true
}
