package ratelimit_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/surefoot-ml/surefoot/ratelimit"
)

var errStep = errors.New("step")

// answer is an error that knows when to come back, as of an HTTP answer 429.
type answer struct {
	after   time.Duration
	neutral bool
}

func (e answer) Error() string             { return "too many requests" }
func (e answer) RetryAfter() time.Duration { return e.after }
func (e answer) Neutral() bool             { return e.neutral }

func TestNewAdaptiveRefuses(t *testing.T) {
	t.Parallel()
	nan := math.NaN()
	for field, cfg := range map[string]ratelimit.AdaptiveConfig{
		"PerSecond 0":                    {},
		"PerSecond NaN":                  {PerSecond: nan},
		"PerSecond +Inf":                 {PerSecond: math.Inf(1)},
		"Burst -1":                       {PerSecond: 1, Burst: -1},
		"Interval -1ns":                  {PerSecond: 1, Interval: -1},
		"MinSamples -1":                  {PerSecond: 1, MinSamples: -1},
		"High 1.5":                       {PerSecond: 1, High: 1.5},
		"Low 0.2 is not between 0 and H": {PerSecond: 1, Low: .2},
		"Decrease 1":                     {PerSecond: 1, Decrease: 1},
		"Increase 1":                     {PerSecond: 1, Increase: 1},
		"Increase NaN":                   {PerSecond: 1, Increase: nan},
		"Floor 2":                        {PerSecond: 1, Floor: 2},
		"MaxPause -1ns":                  {PerSecond: 1, MaxPause: -1},
	} {
		_, err := ratelimit.NewAdaptive(cfg)
		require.ErrorContains(t, err, "ratelimit: "+field)
	}
}

func TestAdaptiveRate(t *testing.T) {
	t.Parallel()
	type row struct {
		after     time.Duration
		good, bad int
		want      float64
	}
	for name, rows := range map[string][]row{
		"more than a tenth slows down, to half at most": {
			{time.Minute, 8, 2, 80}, {time.Minute, 8, 2, 64}, {time.Minute, 0, 10, 51.2},
			{time.Minute, 0, 10, 50}, {time.Minute, 0, 10, 50},
		},
		"less than a twentieth speeds up, to the quota at most": {
			{time.Minute, 0, 10, 80}, {time.Minute, 10, 0, 88}, {time.Minute, 100, 4, 96.8},
			{time.Minute, 10, 0, 100}, {time.Minute, 1000, 0, 100},
		},
		"between the two nothing changes": {
			{time.Minute, 8, 2, 80}, {time.Minute, 9, 1, 80}, {time.Minute, 19, 1, 80}, {time.Minute, 20, 1, 88},
		},
		"not before the interval is over": {
			{59 * time.Second, 0, 1000, 100}, {time.Second, 0, 1, 80}, {59 * time.Second, 0, 1000, 80},
		},
		"not with fewer than ten, however long that takes": {
			{time.Hour, 0, 9, 100}, {time.Hour, 0, 1, 80}, {time.Hour, 9, 0, 80}, {time.Hour, 1, 0, 88},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				a := must(ratelimit.NewAdaptive(ratelimit.AdaptiveConfig{PerSecond: 100}))
				for i, r := range rows {
					<-time.After(r.after - time.Nanosecond*time.Duration(r.good+r.bad))
					for n := range r.good + r.bad { // a nanosecond each: the last ends the interval
						<-time.After(1)
						if n < r.bad {
							a.Done(0, errStep)
						} else {
							a.Done(0, nil)
						}
					}
					require.InDelta(t, r.want, a.Rate(), 1e-9, "row %d", i)
				}
			})
		})
	}
}

// Refusals and cancellations are no failures: a limiter that counts its own slows itself down for ever.
func TestAdaptiveIgnoresNeutral(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := must(ratelimit.NewAdaptive(ratelimit.AdaptiveConfig{PerSecond: 1, Burst: 1}))
		require.True(t, a.Allow())
		ctx, cancel := context.WithTimeout(t.Context(), time.Second/2)
		defer cancel()
		for range 100 {
			err := a.Wait(ctx)
			require.ErrorIs(t, err, ratelimit.ErrLimited)
			a.Done(0, err)
			a.Done(0, fmt.Errorf("wrapped: %w", err))
			a.Done(0, ratelimit.ErrFull)
			a.Done(0, context.Canceled)
			a.Done(0, answer{time.Hour, true})
		}
		<-time.After(2 * time.Minute)
		for range 10 {
			a.Done(0, nil)
		}
		require.EqualValues(t, 1, a.Rate())
		require.True(t, a.Allow(), "no pause")
	})
}

func TestAdaptivePauses(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := must(ratelimit.NewAdaptive(ratelimit.AdaptiveConfig{PerSecond: 1, Burst: 2, MaxPause: 10 * time.Minute}))
		start := time.Now()
		a.Done(0, fmt.Errorf("call: %w", answer{after: 30 * time.Second}))
		a.Done(0, answer{after: 10 * time.Second})
		a.Done(0, answer{after: -time.Hour})
		require.False(t, a.Allow())
		ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
		defer cancel()
		var limited *ratelimit.LimitedError
		require.ErrorAs(t, a.Wait(ctx), &limited)
		require.Equal(t, 30*time.Second, limited.RetryAfter(), "the longest of the pauses")
		for _, want := range []time.Duration{30, 30, 31} {
			require.NoError(t, a.Wait(t.Context()))
			require.Equal(t, want*time.Second, time.Since(start))
		}

		// A pause that comes while one waits: who can still come in time waits on, who cannot is told at once.
		<-time.After(29*time.Second + time.Second/2)
		require.True(t, a.AllowN(2))
		early, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		failed := make(chan time.Duration, 1)
		go func() {
			if errors.Is(a.Wait(early), ratelimit.ErrLimited) {
				failed <- time.Since(start)
			}
		}()
		synctest.Wait()
		a.Done(0, answer{after: 1 << 62})
		require.NoError(t, a.Wait(t.Context()))
		require.Equal(t, time.Minute+time.Second/2+10*time.Minute, time.Since(start), "ten minutes at most")
		require.Equal(t, time.Minute+time.Second/2+time.Second, <-failed)
	})
}

func TestAdaptiveDo(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := must(ratelimit.NewAdaptive(ratelimit.AdaptiveConfig{PerSecond: 1, Burst: 100}))
		<-time.After(time.Hour)
		for range 9 {
			require.Equal(t, errStep, a.Do(t.Context(), func(context.Context) error { return errStep }))
		}
		require.EqualValues(t, 1, a.Rate())
		require.Panics(t, func() { _ = a.Do(t.Context(), func(context.Context) error { panic("step") }) })
		require.EqualValues(t, .8, a.Rate(), "a panic is a failure")
	})
}

// FuzzAdaptive compares with a rate that is counted by hand, and never lets more through than the quota.
func FuzzAdaptive(f *testing.F) {
	f.Add([]byte{2, 1, 5, 1, 5, 1, 5, 0, 60, 2, 2, 3, 9})
	f.Add([]byte{0, 4, 4, 4, 4, 4, 4, 4, 4, 4, 255, 4, 255, 251, 4, 7, 251, 3})
	f.Fuzz(func(t *testing.T, ops []byte) {
		if len(ops) < 2 || len(ops) > 1000 {
			return
		}
		synctest.Test(t, func(t *testing.T) {
			const quota, burst = 4, 3
			a := must(ratelimit.NewAdaptive(ratelimit.AdaptiveConfig{PerSecond: quota, Burst: burst, MinSamples: 3}))
			start := time.Now()
			var until, began time.Time
			began = start
			rate := float64(quota)
			good, bad, admitted := 0, 0, 0
			for i, op := range ops {
				arg := int(op / 4)
				switch op % 4 {
				case 0, 1:
					var err error
					good++
					if op%4 == 1 {
						good, bad, err = good-1, bad+1, errStep
						if arg%8 == 0 {
							pause := time.Duration(arg) * time.Second
							err = answer{after: pause}
							if end := time.Now().Add(pause); end.After(until) {
								until = end
							}
						}
					}
					a.Done(0, err)
					if n := good + bad; n >= 3 && time.Since(began) >= time.Minute {
						if 10*bad > n {
							rate = max(rate*.8, quota*.5)
						} else if 20*bad < n {
							rate = min(rate*1.1, quota)
						}
						good, bad, began = 0, 0, time.Now()
					}
				case 2:
					for range 1 + arg {
						if !a.Allow() {
							break
						}
						require.False(t, time.Now().Before(until), "op %d: admitted in a pause", i)
						admitted++
					}
				case 3:
					<-time.After(time.Duration(arg) * time.Second)
				}
				require.InDelta(t, rate, a.Rate(), 1e-9, "op %d", i)
				require.LessOrEqual(t, float64(admitted), burst+quota*time.Since(start).Seconds()+1e-6, "op %d", i)
			}
		})
	})
}
