package breaker_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/surefoot-ml/surefoot/breaker"
)

// Each preset opens at what its doc says, probes, and closes again.
func TestPresets(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		for name, tt := range map[string]struct {
			cfg       breaker.Config
			row       int // failures in a row that open it, from new
			probes    int // successes that close it
			longest   time.Duration
			longStep  time.Duration // how long a step can take and still count in a window, close the breaker
			slowOpens int           // successes of a minute that open it; 0 for none
		}{
			"step":       {breaker.ForStep(), 3, 2, 30 * time.Minute, 20 * time.Hour, 0},
			"loading":    {breaker.ForLoading(), 20, 8, 5 * time.Minute, 20 * time.Second, 20},
			"checkpoint": {breaker.ForCheckpoint(), 2, 1, 15 * time.Minute, 5 * time.Hour, 0},
			"provider":   {breaker.ForProvider(), 5, 3, 30 * time.Minute, 9 * time.Second, 5},
		} {
			b := newBreaker(t, tt.cfg)
			for range tt.row {
				require.Equal(t, breaker.Closed, b.State(), name)
				require.Equal(t, errFailed, takes(b, tt.longStep, errFailed))
			}
			require.Equal(t, breaker.Open, b.State(), name)
			for range 20 { // it stays broken
				<-time.After(time.Until(b.Snapshot().Until))
				for b.State() == breaker.HalfOpen {
					require.Equal(t, errFailed, takes(b, tt.longStep, errFailed))
				}
			}
			period := time.Until(b.Snapshot().Until)
			require.LessOrEqual(t, period, tt.longest, name)
			require.GreaterOrEqual(t, float64(period), float64(tt.longest)*(1-tt.cfg.Jitter)-1, name)
			<-time.After(period)
			for range tt.probes {
				require.Equal(t, breaker.HalfOpen, b.State(), name)
				require.NoError(t, takes(b, tt.longStep, nil))
			}
			require.Equal(t, breaker.Closed, b.State(), name)

			slow := 0
			for b.State() == breaker.Closed && slow < 200 {
				require.NoError(t, takes(b, time.Minute, nil))
				slow++
			}
			if tt.slowOpens > 0 {
				require.Equal(t, tt.slowOpens, slow, name)
			} else {
				require.Equal(t, breaker.Closed, b.State(), name)
			}
		}
	})
}

// What is for steps counts in steps, and needs few of them.
func TestPresetsCountInSteps(t *testing.T) {
	t.Parallel()
	for _, cfg := range []breaker.Config{breaker.ForStep(), breaker.ForLoading(), breaker.ForCheckpoint()} {
		require.Positive(t, cfg.WindowSteps)
		require.Zero(t, cfg.Window)
	}
	require.LessOrEqual(t, breaker.ForStep().MinSteps, uint32(5))
	require.Less(t, breaker.ForStep().Failures, uint32(5))
}
