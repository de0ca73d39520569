package validate

import (
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// rules is a rule set and the configuration that it checks.
type rules interface{ Check(c *Check) }

func run(r rules) *Check {
	c := new(Check)
	r.Check(c)
	return c
}

func goodPrivacy() Privacy {
	return Privacy{Epsilon: 3, Delta: 1e-5, Clip: 1, NoiseMultiplier: 1.1, SamplingRate: 0.01, Examples: 60000}
}

func goodTraining() Training {
	return Training{Epochs: 3, BatchSize: 8, LearningRate: 5e-5, WeightDecay: 0.01, WarmupSteps: 100, MaxGradNorm: 1, Examples: 1000}
}

func goodCarbon() Carbon {
	return Carbon{Zone: "US-CAL-CISO", Pause: 150, Resume: 80, Interval: 5 * time.Minute, MaxPause: 6 * time.Hour}
}

// limits tries the ends of a range, and what is just outside.
func limits[R rules](t *testing.T, good func() R, path string, lo, hi float64, set func(r *R, v float64)) {
	t.Helper()
	for _, v := range []float64{lo, hi} {
		r := good()
		set(&r, v)
		require.NoError(t, run(r).Err(), "%s %v", path, v)
	}
	for _, v := range []float64{math.Nextafter(lo, -1), math.Nextafter(hi, 1e9), nan, inf, -inf, -1} {
		r := good()
		set(&r, v)
		err := run(r).Err()
		var ps Problems
		require.ErrorAs(t, err, &ps, "%s %v", path, v)
		require.Equal(t, path, ps[0].Path, "%v", err)
		require.Equal(t, number(v), ps[0].Value)
		require.NotEmpty(t, ps[0].Limit)
	}
}

func limitsInt[R rules](t *testing.T, good func() R, path string, lo, hi int, set func(r *R, v int)) {
	t.Helper()
	for v, ok := range map[int]bool{lo: true, hi: true, lo - 1: false, math.MinInt: false} {
		r := good()
		set(&r, v)
		require.Equal(t, ok, run(r).Err() == nil, "%s %d", path, v)
	}
	if hi < math.MaxInt {
		r := good()
		set(&r, hi+1)
		require.ErrorContains(t, run(r).Err(), path)
	}
}

func TestPrivacy(t *testing.T) {
	t.Parallel()
	require.NoError(t, run(goodPrivacy()).ErrStrict())
	limits(t, goodPrivacy, "epsilon", 0.001, 100, func(p *Privacy, v float64) { p.Epsilon = v })
	limits(t, goodPrivacy, "delta", 1e-10, 0.1, func(p *Privacy, v float64) { p.Delta = v })
	limits(t, goodPrivacy, "clip", 1e-6, 100, func(p *Privacy, v float64) { p.Clip = v })
	limits(t, goodPrivacy, "noise_multiplier", 0.01, 10, func(p *Privacy, v float64) { p.NoiseMultiplier = v })
	limits(t, goodPrivacy, "sampling_rate", 5e-324, 1, func(p *Privacy, v float64) { p.SamplingRate = v })
	limitsInt(t, goodPrivacy, "examples", 0, math.MaxInt, func(p *Privacy, v int) { p.Examples = v; p.Delta = 1e-10; p.Epsilon = 1 })

	p := goodPrivacy()
	p.NoiseMultiplier = 0
	require.EqualError(t, run(p).Err(), "validate: noise_multiplier is 0, must be in [0.01, 10]: without noise there is no privacy")
	p.NoiseMultiplier = math.Copysign(0, -1)
	require.Error(t, run(p).Err())

	var all Problems
	require.ErrorAs(t, run(Privacy{}).ErrStrict(), &all)
	require.Len(t, all, 5, "every field but Examples: %v", all)
}

func TestPrivacyWarnings(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		epsilon, delta float64
		examples       int
		want           []string
	}{
		{10, 1e-5, 0, nil},
		{10.5, 1e-5, 0, []string{"epsilon is 10.5, should be at most 10: above it the guarantee says little"}},
		{0.1, 1e-5, 0, nil},
		{0.09, 1e-5, 0, []string{"epsilon is 0.09, should be in [0.1, 10]"}},
		{3, 1e-3, 0, nil},
		{3, 2e-3, 0, []string{"delta is 0.002, should be at most 0.001"}},
		{1, 2e-4, 0, nil},
		{0.9, 1e-4, 0, nil},
		{0.9, 2e-4, 0, []string{"delta is 0.0002, should be at most 0.0001 with an epsilon below 1"}},
		{0.9, 2e-3, 0, []string{"delta is 0.002, should be at most 0.001"}},
		{3, 1e-5, 100000, nil}, // exactly 1/n, as is common
		{3, 1e-5, 100001, []string{"delta is 1e-05, should be at most 1/examples (1/100001)"}},
		{20, 2e-3, 1000, []string{"delta is 0.002, should be at most 0.001", "delta is 0.002, should be at most 1/examples (1/1000)",
			"epsilon is 20, should be at most 10: above it the guarantee says little"}},
		{200, 0.5, 1000, []string{}}, // errors, which leave no room for warnings
	} {
		p := goodPrivacy()
		p.Epsilon, p.Delta, p.Examples = tt.epsilon, tt.delta, tt.examples
		c := run(p)
		var got []string
		for _, w := range c.Warnings() {
			got = append(got, w.String())
		}
		if tt.want != nil && len(tt.want) == 0 {
			require.Empty(t, got)
			require.Error(t, c.Err())
			continue
		}
		require.Equal(t, tt.want, got, "%+v", p)
		require.NoError(t, c.Err())
	}
}

func TestTraining(t *testing.T) {
	t.Parallel()
	require.NoError(t, run(goodTraining()).ErrStrict())
	limits(t, goodTraining, "learning_rate", 1e-8, 1, func(r *Training, v float64) { r.LearningRate = v })
	limits(t, goodTraining, "weight_decay", 0, 1, func(r *Training, v float64) { r.WeightDecay = v })
	limits(t, goodTraining, "max_grad_norm", 0.1, 100, func(r *Training, v float64) { r.MaxGradNorm = v })
	limitsInt(t, goodTraining, "epochs", 1, 10000, func(r *Training, v int) { r.Epochs = v })
	limitsInt(t, goodTraining, "batch_size", 1, 10000, func(r *Training, v int) { r.BatchSize = v })
	limitsInt(t, goodTraining, "warmup_steps", 0, 10000, func(r *Training, v int) { r.WarmupSteps = v })
	limitsInt(t, goodTraining, "examples", 0, math.MaxInt, func(r *Training, v int) { r.Examples = v })

	r := goodTraining()
	r.MaxGradNorm = 0
	require.NoError(t, run(r).ErrStrict(), "no clipping")
	r.BatchSize = 1001
	require.NoError(t, run(r).Err())
	require.EqualError(t, run(r).ErrStrict(), "validate: batch_size is 1001, should be at most examples (1000)")
	r.Examples = 0
	require.NoError(t, run(r).ErrStrict())
}

func TestCarbon(t *testing.T) {
	t.Parallel()
	require.NoError(t, run(goodCarbon()).ErrStrict())
	limits(t, goodCarbon, "resume", 0, 150, func(k *Carbon, v float64) { k.Resume = v })
	limits(t, func() Carbon { k := goodCarbon(); k.Resume = 0; return k }, "pause", 0, 2000, func(k *Carbon, v float64) { k.Pause = v })

	k := goodCarbon()
	k.Resume = 150
	require.NoError(t, run(k).Err())
	require.EqualError(t, run(k).ErrStrict(), "validate: resume is 150, should be below pause (150)")
	k.Resume = 151
	require.EqualError(t, run(k).ErrStrict(), "validate: resume is 151, must be at most pause (150)")

	var all Problems
	require.ErrorAs(t, run(Carbon{}).Err(), &all)
	require.Len(t, all, 3, "zone and both durations: %v", all)
	k = goodCarbon()
	k.Interval, k.MaxPause = 25*time.Hour, 169*time.Hour
	require.EqualError(t, run(k).Err(), "validate: interval is 25h0m0s, must be in [1s, 24h0m0s]; max_pause is 169h0m0s, must be in [1s, 168h0m0s]")
}

func goodMonitor() Monitor {
	return Monitor{Interval: time.Minute, CPU: 90, Memory: 85, Disk: 95, ErrorRate: 0.1, ResponseTime: 5 * time.Second,
		Timeout: 10 * time.Second, Retries: 3, Intensity: 500}
}

func TestMonitor(t *testing.T) {
	t.Parallel()
	require.NoError(t, run(goodMonitor()).ErrStrict())
	limits(t, goodMonitor, "cpu", 5e-324, 100, func(m *Monitor, v float64) { m.CPU = v })
	limits(t, goodMonitor, "memory", 5e-324, 100, func(m *Monitor, v float64) { m.Memory = v })
	limits(t, goodMonitor, "disk", 5e-324, 100, func(m *Monitor, v float64) { m.Disk = v })
	limits(t, goodMonitor, "error_rate", 5e-324, 1, func(m *Monitor, v float64) { m.ErrorRate = v })
	limits(t, goodMonitor, "intensity", 0, 2000, func(m *Monitor, v float64) { m.Intensity = v })
	limitsInt(t, goodMonitor, "retries", 0, 10, func(m *Monitor, v int) { m.Retries = v })
	m := goodMonitor()
	m.CPU, m.Memory, m.Timeout, m.ErrorRate = 20, 99.5, 2*time.Minute, 10 // a share in percent
	require.EqualError(t, run(m).ErrStrict(), "validate: cpu is 20, should be in [50, 99]; error_rate is 10, must be in (0, 1]; "+
		"memory is 99.5, should be in [50, 99]; timeout is 2m0s, should be at most interval (1m0s)")
	var all Problems
	require.ErrorAs(t, run(Monitor{}).Err(), &all)
	require.Len(t, all, 7, "%v", all)
}
