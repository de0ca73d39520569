package breaker_test

import (
	"context"
	"fmt"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/surefoot-ml/surefoot/breaker"
)

func TestSystemState(t *testing.T) {
	t.Parallel()
	ten := func(h ...float64) (all []float64) {
		for range 10 - len(h) {
			all = append(all, 1)
		}
		return append(all, h...)
	}
	for _, test := range []struct {
		health []float64 // the first is the active one's
		want   breaker.SystemState
		active string // after the reports
	}{
		{[]float64{1, 1, 1}, breaker.SystemHealthy, "0"},
		{[]float64{.8, .8, .8}, breaker.SystemHealthy, "0"},
		{[]float64{.7, .7, .7}, breaker.SystemDegraded, "0"},                            // all healthy, mean below .8
		{ten(.69), breaker.SystemDegraded, "0"},                                         // the mean is well above .8
		{append([]float64{.69}, ten()[1:]...), breaker.SystemDegraded, "0"},             // whichever it is
		{[]float64{.8, .8, .8, .8, .8, .8, .8, .8, .8, .8}, breaker.SystemHealthy, "0"}, // rounded to less than .8
		{ten(0, 0), breaker.SystemDegraded, "0"},
		{ten(0, 0, 0), breaker.SystemCritical, "0"}, // 70 % operational
		{[]float64{.5, .5, .5}, breaker.SystemCritical, "0"},
		{[]float64{1, 0}, breaker.SystemCritical, "0"},
		{[]float64{1, 0, 0}, breaker.SystemFailing, "0"},
		{[]float64{0, 0, 1}, breaker.SystemFailing, "2"},
		{[]float64{.29, .29}, breaker.SystemFailed, "0"},
	} {
		t.Run(fmt.Sprint(test.health), func(t *testing.T) {
			t.Parallel()
			var cfg breaker.FailoverConfig
			for i := range test.health {
				cfg.Targets = append(cfg.Targets, breaker.Target{Name: fmt.Sprint(i), Priority: i})
			}
			f := newFailover(t, cfg)
			for i, h := range slices.Backward(test.health) { // so that who takes over is known by then
				_ = f.Report(t.Context(), fmt.Sprint(i), h)
			}
			require.Equal(t, test.want, f.System().State)
			require.Equal(t, test.active, f.System().Active)
		})
	}

	t.Run("a failed active target is critical at least", func(t *testing.T) {
		t.Parallel()
		cfg := breaker.FailoverConfig{Targets: []breaker.Target{{Name: "a", Priority: -1}}}
		for i := range 9 {
			cfg.Targets = append(cfg.Targets, breaker.Target{
				Name: fmt.Sprint(i), Ready: func(context.Context) error { return errRefused },
			})
		}
		f := newFailover(t, cfg)
		require.ErrorIs(t, f.Report(t.Context(), "a", 0), breaker.ErrNoTarget)
		s := f.System()
		require.InDelta(t, .9, s.Mean, 1e-9)
		require.Equal(t, 9, s.Operational)
		require.Equal(t, breaker.SystemCritical, s.State)
	})

	t.Run("by rank", func(t *testing.T) { // by text, healthy would be the worst of all but one
		t.Parallel()
		require.Equal(t, breaker.SystemCritical, max(breaker.SystemCritical, breaker.SystemDegraded, breaker.SystemHealthy))
		names := []string{"healthy", "degraded", "critical", "failing", "failed", "system state 5"}
		for i, name := range names {
			require.Equal(t, name, breaker.SystemState(i).String())
		}
		require.Equal(t, "reason 0", breaker.SwitchReason(0).String())
	})

	t.Run("who failed because of whom", func(t *testing.T) {
		t.Parallel()
		f := newFailover(t, abc())
		require.NoError(t, f.Report(t.Context(), "net", 0))
		s := f.System()
		by := map[string]string{}
		for _, m := range s.Members {
			if m.Failed {
				by[m.Name] = m.FailedBy
			}
			require.Equal(t, len(m.Name) == 1, m.Target)
			require.Equal(t, m.Name == "c", m.Active)
			if m.Name == "a" {
				require.InDelta(t, 1, m.Reported, 0)
			}
		}
		require.Equal(t, map[string]string{"a": "rack", "b": "rack", "rack": "net", "net": ""}, by)
		require.Equal(t, breaker.SystemFailing, s.State)
		require.Equal(t, 1, s.Operational)
	})
}
