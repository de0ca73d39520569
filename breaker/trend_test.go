package breaker_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/surefoot-ml/surefoot/breaker"
)

func TestFailoverTrend(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx := t.Context()
		f := newFailover(t, breaker.FailoverConfig{
			Targets:    []breaker.Target{{Name: "a"}},
			Components: []breaker.Component{{Name: "even"}, {Name: "rising"}, {Name: "once"}, {Name: "uneven"}, {Name: "flat"}, {Name: "drop"}},
		})
		// .01 a minute, from 1 on: .3 is crossed after 70 minutes, whatever came before the last ten reports.
		require.ErrorIs(t, f.Report(ctx, "a", 0), breaker.ErrNoTarget)
		for i := range 20 {
			if i > 0 {
				<-time.After(time.Minute)
			}
			require.NoError(t, f.Report(ctx, "a", 1-float64(i)/100))
			require.NoError(t, f.Report(ctx, "even", .7))
			require.NoError(t, f.Report(ctx, "rising", .5+float64(i)/100))
			if i == 0 {
				tr, ok := f.Trend("a")
				require.False(t, ok, "too few reports")
				require.Equal(t, breaker.Trend{Reports: 2}, tr)
			}
		}
		tr, ok := f.Trend("a")
		require.True(t, ok)
		require.Equal(t, 10, tr.Reports)
		require.InDelta(t, -.01/60, tr.Slope, 1e-12, "per second")
		require.InDelta(t, (51 * time.Minute).Seconds(), tr.Until.Seconds(), 1e-3)

		<-time.After(time.Minute) // a minute later it is a minute less, without any report
		tr, _ = f.Trend("a")
		require.InDelta(t, (50 * time.Minute).Seconds(), tr.Until.Seconds(), 1e-3)
		<-time.After(time.Hour)
		tr, ok = f.Trend("a")
		require.True(t, ok)
		require.Zero(t, tr.Until, "never negative")

		for _, name := range []string{"even", "rising", "nobody"} {
			_, ok := f.Trend(name)
			require.False(t, ok, name)
		}
		tr, _ = f.Trend("rising")
		require.InDelta(t, .01/60, tr.Slope, 1e-12)

		for _, h := range []float64{1, .9, .8} {
			require.NoError(t, f.Report(ctx, "once", h))
		}
		_, ok = f.Trend("once")
		require.False(t, ok, "no time has passed")

		for i, h := range []float64{.9, .8} {
			<-time.After(time.Second)
			require.NoError(t, f.Report(ctx, "drop", h))
			_, ok = f.Trend("drop")
			require.False(t, ok, "%d reports make no line", i+1)
		}
		for _, h := range []float64{.9, .9, .2} {
			<-time.After(time.Second)
			require.NoError(t, f.Report(ctx, "drop", h))
		}
		tr, ok = f.Trend("drop")
		require.True(t, ok)
		require.Zero(t, tr.Until, "the line is still above, the last report is not")

		for _, h := range []float64{.9, .9, .9 - 1e-15} {
			<-time.After(time.Second)
			require.NoError(t, f.Report(ctx, "flat", h))
		}
		tr, ok = f.Trend("flat")
		require.False(t, ok, "in twenty million years")
		require.Negative(t, tr.Slope)

		// Times need not be even. By hand: x = 0, 1, 4, 10 s; y = .9, .8, .6, .4; slope -.285/60.75 a second.
		for _, p := range []struct {
			after time.Duration
			h     float64
		}{{0, .9}, {1, .8}, {3, .6}, {6, .4}} {
			<-time.After(p.after * time.Second)
			require.NoError(t, f.Report(ctx, "uneven", p.h))
		}
		tr, ok = f.Trend("uneven")
		require.True(t, ok)
		slope := -2.925 / 60.75
		require.InDelta(t, slope, tr.Slope, 1e-12)
		require.InDelta(t, (.3-.675)/slope+3.75-10, tr.Until.Seconds(), 1e-6)

		require.NoError(t, f.Report(ctx, "uneven", .2))
		tr, ok = f.Trend("uneven")
		require.True(t, ok)
		require.Zero(t, tr.Until, "it is below already")
	})
}
