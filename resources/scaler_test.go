package resources

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

var (
	errScalerBug     = errors.New("a bug")
	errScalerRefused = errors.New("no budget for that rate")
)

// scalerDevice is a memory of 1e9 bytes with an allocator that rounds up, and batches whose peaks vary.
type scalerDevice struct {
	fixed, per, noise float64
	step              float64 // of the allocator
	wild              bool    // peaks have a heavy tail
	limit             float64
	rng               *rand.Rand
}

func scalerDeviceOf(seed uint64) *scalerDevice {
	rng := rand.New(rand.NewPCG(seed, 7))
	d := &scalerDevice{limit: 1e9, rng: rng}
	d.fixed = d.limit * (.05 + .55*rng.Float64())
	d.per = (d.limit - d.fixed) / (20 + 1000*rng.Float64()*rng.Float64())
	d.noise = .03 * rng.Float64()
	d.step = []float64{1, 2 << 20, 20 << 20}[rng.IntN(3)]
	return d
}

// scalerWildDeviceOf has an allocator of larger steps too.
func scalerWildDeviceOf(seed uint64) *scalerDevice {
	d := scalerDeviceOf(seed)
	d.wild, d.noise = true, 8*d.noise
	d.step = max(1, 3.2*d.step)
	return d
}

// run is one batch: the noise is in what the examples take, as of sequences of several lengths.
func (d *scalerDevice) run(size int) BatchUse {
	noise := 2*d.rng.Float64() - 1
	if d.wild {
		noise = min(1.5, max(-1, d.rng.NormFloat64()/math.Sqrt(max(.2, d.rng.Float64()))/2))
	}
	used := d.fixed + d.per*float64(size)*(1+d.noise*noise)
	used = math.Ceil(used/d.step) * d.step
	u := BatchUse{Size: size, Used: Of(uint64(used)), Limit: Of(uint64(d.limit))}
	if used > d.limit {
		u.Err = fmt.Errorf("step: %w", syscall.ENOMEM)
	}
	return u
}

// best is the largest size whose peak leaves the headroom in the worst case.
func (d *scalerDevice) best(headroom float64) int {
	return int((d.limit*(1-headroom) - d.step - d.fixed) / (d.per * (1 + d.noise)))
}

func scalerOf(t testing.TB, cfg ScalerConfig) *Scaler {
	t.Helper()
	s, err := NewScaler(cfg)
	require.NoError(t, err)
	return s
}

// TestScalerOnRandomDevices: growth comes to most of what the headroom allows, and does not run out of memory on the
// way. Not told what is in use before the first batch, the policy that does not try may stay small.
func TestScalerOnRandomDevices(t *testing.T) {
	t.Parallel()
	const devices = 40
	for _, tc := range []struct {
		policy  ScalerPolicy
		told    bool
		device  func(seed uint64) *scalerDevice
		reached float64 // on each, at least
	}{
		{Conservative, true, scalerDeviceOf, .9}, {Balanced, true, scalerDeviceOf, .9}, {Aggressive, true, scalerDeviceOf, .9},
		{Conservative, false, scalerDeviceOf, .9}, {Balanced, false, scalerDeviceOf, .9}, {Aggressive, false, scalerDeviceOf, .9},
		{Conservative, true, scalerWildDeviceOf, .85}, {Balanced, true, scalerWildDeviceOf, .85}, {Aggressive, true, scalerWildDeviceOf, .85},
		{Conservative, false, scalerWildDeviceOf, 0}, {Balanced, false, scalerWildDeviceOf, .85}, {Aggressive, false, scalerWildDeviceOf, .85},
	} {
		var failures, tight, changes int
		var worst, sum float64 = 2, 0
		for seed := range uint64(devices) {
			d := tc.device(seed)
			s := scalerOf(t, ScalerConfig{Max: 4096, Start: 4, Policy: tc.policy, OnChange: func(_ context.Context, c BatchChange) error {
				changes++
				return nil
			}})
			if tc.told {
				require.NoError(t, s.Observe(BatchUse{Used: Of(uint64(d.fixed)), Limit: Of(uint64(d.limit))}))
			}
			size := 0
			for range 30 * s.cfg.GrowAfter {
				size = scalerNext(t, s)
				u := d.run(size)
				if u.Err != nil {
					failures++
				} else if float64(u.Used.V) > d.limit*(1-s.cfg.Headroom/2) {
					tight++
				}
				if err := s.Observe(u); err != nil {
					t.Fatal(err)
				}
			}
			reached := float64(size) / float64(min(4096, d.best(s.cfg.Headroom)))
			sum += reached
			worst = min(worst, reached)
		}
		t.Logf("%v, told %v, wild %v: %d batches failed, %d used up half of the headroom; reached %.3f of the best, %.3f at worst, in %.1f changes",
			tc.policy, tc.told, tc.device(0).wild, failures, tight, sum/devices, worst, float64(changes)/devices)
		if tc.device(0).wild { // peaks up to a third above the median do not always fit into a tenth of headroom
			require.LessOrEqual(t, failures, 2, "%v", tc.policy)
		} else {
			require.Zero(t, failures, "%v", tc.policy)
		}
		require.GreaterOrEqual(t, sum/devices, .95, "%v", tc.policy)
		require.GreaterOrEqual(t, worst, tc.reached, "%v", tc.policy)
	}
}

func TestScalerFindOnRandomDevices(t *testing.T) {
	t.Parallel()
	var trials, most, failures int
	var worst, sum float64 = 2, 0
	const devices = 300
	for seed := range uint64(devices) {
		d := scalerDeviceOf(seed)
		s := scalerOf(t, ScalerConfig{Max: 4096, Start: 4})
		n := 0
		size, err := s.Find(t.Context(), func(_ context.Context, size int) BatchUse {
			n++
			u := d.run(size)
			if u.Err != nil {
				failures++
			}
			return u
		})
		require.NoError(t, err)
		next, err := s.Next(t.Context())
		require.NoError(t, err)
		require.Equal(t, size, next)
		trials += n
		most = max(most, n)
		reached := float64(size) / float64(min(4096, d.best(s.cfg.Headroom)))
		sum += reached
		worst = min(worst, reached)
		require.LessOrEqual(t, float64(d.run(size).Used.V), d.limit*(1-s.cfg.Headroom/2))
	}
	t.Logf("%.1f trials, at most %d, %d failed on %d devices; reached %.3f of the best, %.3f at worst", float64(trials)/devices, most, failures, devices, sum/devices, worst)
	require.LessOrEqual(t, most, 15)
	require.GreaterOrEqual(t, sum/devices, .95)
	require.GreaterOrEqual(t, worst, .8)
}
