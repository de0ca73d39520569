package privacy

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"
)

// Whatever is returned is feasible by an evaluation of its own, and the next parameter is not.
func requireCalibrated(t *testing.T, c Calibration, target Budget, next Event, nextSteps int) {
	t.Helper()
	again, err := boundOf(c.Event, c.Steps, target.Delta)
	require.NoError(t, err)
	require.Equal(t, c.Achieved, again)
	require.LessOrEqual(t, again.Upper, target.Epsilon)
	if next != nil {
		miss, err := boundOf(next, nextSteps, target.Delta)
		require.NoError(t, err)
		require.Greater(t, miss.Upper, target.Epsilon)
	}
}

func TestCalibrateNoise(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		target Budget
		rate   float64
		steps  int
		clip   float64
	}{
		{Budget{3, 1e-5}, .01, 10000, 1}, {Budget{1, 1e-6}, .004, 5000, 7}, {Budget{8, 1e-5}, .02, 2000, 1e-3},
		{Budget{.1, 1e-7}, .001, 10000, 1}, {Budget{2, 1e-5}, 1, 100, 1}, {Budget{50, 1e-5}, .2, 1000, 1},
	} {
		event := func(noise float64) Event {
			return Poisson{c.rate, Gaussian{noise, c.clip, AddRemove}}
		}
		got, err := CalibrateNoise(c.target, c.steps, event)
		require.NoError(t, err)
		requireCalibrated(t, got, c.target, event(got.Value*(1-2e-9)), c.steps)
		require.Less(t, got.Evaluations, 25, "%+v", c)
	}
}

func TestCalibrateStepsRateAndBatch(t *testing.T) {
	t.Parallel()
	e := sampled(.01, 1)
	target := Budget{3, 1e-5}
	steps, err := CalibrateSteps(target, e)
	require.NoError(t, err)
	requireCalibrated(t, steps, target, e, steps.Steps+1)
	require.Equal(t, float64(steps.Steps), steps.Value)

	rate, err := CalibrateRate(target, 1000, func(q float64) Event { return sampled(q, 1.2) })
	require.NoError(t, err)
	requireCalibrated(t, rate, target, sampled(rate.Value*(1+2e-9), 1.2), 1000)
	all, err := CalibrateRate(Budget{1000, 1e-5}, 10, func(q float64) Event { return sampled(q, 2) })
	require.NoError(t, err)
	require.Equal(t, 1.0, all.Value, "even the whole data set is feasible")
	require.False(t, all.Tight)

	const records, epochs = 60000, 10
	run := func(batch int) (Event, int) {
		return sampled(float64(batch)/records, 1.1), epochs * records / batch
	}
	batch, err := CalibrateBatch(target, records, run)
	require.NoError(t, err)
	next, n := run(int(batch.Value) + 1)
	requireCalibrated(t, batch, target, next, n)
}

func TestInfeasibleTargetsAreExplained(t *testing.T) {
	t.Parallel()
	target := Budget{.01, 1e-5}
	_, err := CalibrateSteps(target, sampled(.5, 1))
	var no *InfeasibleError
	require.ErrorAs(t, err, &no)
	require.Equal(t, "steps", no.What)
	require.Equal(t, 1.0, no.Limit)
	require.Greater(t, no.Achieved.Upper, target.Epsilon)
	require.ErrorContains(t, err, "no steps meets epsilon 0.01 at delta 1e-05: at its limit 1 epsilon is up to ")
	require.True(t, no.Permanent() && no.Neutral())

	_, err = CalibrateNoise(target, 10, func(float64) Event { return sampled(.5, 1) }) // does not depend on the noise
	require.ErrorAs(t, err, &no)
	_, err = CalibrateNoise(Budget{}, 10, func(s float64) Event { return sampled(.5, s) })
	require.ErrorIs(t, err, ErrInvalid)
	_, err = CalibrateNoise(target, -1, func(s float64) Event { return sampled(.5, s) })
	require.ErrorIs(t, err, ErrInvalid)
	_, err = CalibrateNoise(target, 1, func(s float64) Event { return sampled(2, s) })
	require.ErrorIs(t, err, ErrInvalid)
	_, err = CalibrateNoise(target, 1, func(s float64) Event { return nil })
	require.ErrorIs(t, err, ErrInvalid)
	_, err = CalibrateBatch(target, 0, func(int) (Event, int) { return sampled(.1, 1), 1 })
	require.ErrorIs(t, err, ErrInvalid)
}

func FuzzCalibrateNoise(f *testing.F) {
	f.Add(3.0, 1e-5, .01, uint16(1000), 1.0)
	f.Add(1e-3, 1e-12, 1e-6, uint16(1), 1e9)
	f.Add(1e6, .5, 1.0, uint16(60000), 1e-9)
	f.Fuzz(func(t *testing.T, epsilon, delta, rate float64, steps uint16, clip float64) {
		target := Budget{epsilon, delta}
		event := func(noise float64) Event { return Poisson{rate, Gaussian{noise, clip, AddRemove}} }
		c, err := CalibrateNoise(target, int(steps), event)
		if err != nil {
			return
		}
		require.LessOrEqual(t, c.Achieved.Upper, epsilon)
		require.False(t, math.IsNaN(c.Value))
		require.LessOrEqual(t, c.Evaluations, 500)
	})
}
