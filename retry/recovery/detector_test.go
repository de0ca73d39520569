package recovery

import (
	"encoding/binary"
	"encoding/json"
	"math"
	"testing"

	"github.com/stretchr/testify/require"
)

func newDetector(t testing.TB, cfg DetectorConfig) *Detector {
	t.Helper()
	d, err := NewDetector(cfg)
	require.NoError(t, err)
	return d
}

var (
	nan = math.NaN()
	inf = math.Inf(1)
)

func TestDetector(t *testing.T) {
	t.Parallel()
	type step struct {
		loss, gradient float64
		want           Reason
	}
	// steps repeats a healthy pair of losses around 1.
	calm := func(n int) (out []step) {
		for i := range n {
			out = append(out, step{0.9 + 0.2*float64(i%2), 1, Healthy})
		}
		return out
	}
	join := func(parts ...[]step) (out []step) {
		for _, p := range parts {
			out = append(out, p...)
		}
		return out
	}
	for _, tt := range []struct {
		name  string
		cfg   DetectorConfig
		steps []step
	}{
		{"five in a row above twice the mean", DetectorConfig{Window: 20}, join(calm(20), []step{
			{2.1, 0, Suspect}, {3, 0, Suspect}, {9, 0, Suspect}, {1e9, 0, Suspect}, {2.1, 0, LossSpike}})},
		{"four are none", DetectorConfig{Window: 20}, join(calm(20), []step{
			{2.1, 0, Suspect}, {2.1, 0, Suspect}, {2.1, 0, Suspect}, {2.1, 0, Suspect}, {1.9, 0, Healthy}, {2.1, 0, Suspect}})},
		{"nothing is too high while warming up", DetectorConfig{Window: 20}, join(calm(19), []step{
			{50, 0, Healthy}, {50, 0, Suspect}})},
		{"a short warm-up", DetectorConfig{Window: 20, Warmup: 4, Consecutive: 1}, join(calm(4), []step{{2.1, 0, LossSpike}})},
		{"not a number", DetectorConfig{}, []step{{nan, 0, NotFinite}, {1, 0, Healthy}, {inf, 0, NotFinite}, {-inf, 0, NotFinite}}},
		{"nor a gradient", DetectorConfig{}, []step{{1, nan, NotFinite}, {1, inf, NotFinite}}},
		{"gradient", DetectorConfig{Gradient: 100, Consecutive: 3}, []step{
			{1, 100, Healthy}, {1, 101, Suspect}, {1, 5000, Suspect}, {1, 100.5, GradientSpike}}},
		{"no gradient limit unless asked", DetectorConfig{}, []step{{1, 1e300, Healthy}}},
		{"rises", DetectorConfig{Rises: 3}, []step{
			{1, 0, Healthy}, {2, 0, Healthy}, {3, 0, Healthy}, {4, 0, Rising}, {5, 0, Rising}, {5, 0, Healthy}, {6, 0, Healthy}}},
		{"ten rises by default", DetectorConfig{}, []step{
			{1, 0, Healthy}, {2, 0, Healthy}, {3, 0, Healthy}, {4, 0, Healthy}, {5, 0, Healthy}, {6, 0, Healthy}, {7, 0, Healthy},
			{8, 0, Healthy}, {9, 0, Healthy}, {10, 0, Healthy}, {11, 0, Rising}}},
		{"rises are no matter", DetectorConfig{Rises: -1}, func() (out []step) {
			for i := range 50 {
				out = append(out, step{float64(i), 0, Healthy})
			}
			return out
		}()},
		{"negative losses", DetectorConfig{Window: 4, Consecutive: 1}, []step{
			{-10, 0, Healthy}, {-9, 0, Healthy}, {-10, 0, Healthy}, {-9, 0, Healthy}, {-5, 0, Healthy}, {0.1, 0, LossSpike}}},
		{"losses around zero", DetectorConfig{Window: 8, Consecutive: 1, Rises: -1}, []step{
			{-1, 0, Healthy}, {1, 0, Healthy}, {-1, 0, Healthy}, {1, 0, Healthy}, {-1, 0, Healthy}, {1, 0, Healthy}, {-1, 0, Healthy},
			{1, 0, Healthy}, {1.5, 0, Healthy}, {9, 0, LossSpike}}},
		{"constant zero", DetectorConfig{Window: 4, Consecutive: 1}, []step{
			{0, 0, Healthy}, {0, 0, Healthy}, {0, 0, Healthy}, {0, 0, Healthy}, {0, 0, Healthy}}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			d := newDetector(t, tt.cfg)
			for i, s := range tt.steps {
				v := d.Observe(s.loss, s.gradient)
				require.Equal(t, s.want, v.Reason, "step %d: %+v", i, v)
				require.Equal(t, s.want >= NotFinite, v.Diverged())
				if v.Diverged() {
					require.ErrorIs(t, v.Err(), ErrDiverged)
					require.Equal(t, Diverged, Classify(v.Err()))
				} else {
					require.NoError(t, v.Err())
				}
			}
		})
	}
}

func TestTestedPointIsNotInItsBaseline(t *testing.T) {
	t.Parallel()
	d := newDetector(t, DetectorConfig{Window: 4, Warmup: 4, Consecutive: 5})
	for _, loss := range []float64{1, 1, 1, 1} {
		require.True(t, math.IsNaN(d.Observe(loss, 0).Mean))
	}
	for range 4 {
		v := d.Observe(1000, 0)
		require.InDelta(t, 1, v.Mean, 1e-12)
		require.InDelta(t, 2, v.Limit, 1e-12)
		if v.Diverged() {
			break
		}
	}
}

// A few outliers of the warm-up, when nothing is judged, must not raise the limit.
func TestBaselineIsRobust(t *testing.T) {
	t.Parallel()
	d := newDetector(t, DetectorConfig{Window: 20})
	for i := range 20 {
		loss := 1.0
		if i%5 == 0 {
			loss = 1e6
		}
		d.Observe(loss, 0)
	}
	require.InDelta(t, 2, d.Observe(1, 0).Limit, 1e-9)
}

// Losses that jump to and fro are never five in a row, and yet no training.
func TestHalfTheWindowOutOfBounds(t *testing.T) {
	t.Parallel()
	d := newDetector(t, DetectorConfig{Window: 20})
	for range 20 {
		d.Observe(1, 0)
	}
	diverged := 0
	for i := range 40 {
		loss := 50.0
		if i%4 == 3 {
			loss = 1
		}
		if v := d.Observe(loss, 0); v.Diverged() {
			require.Equal(t, LossSpike, v.Reason)
			require.Greater(t, v.Run, 10)
			diverged++
			break
		}
	}
	require.Equal(t, 1, diverged)
}

func TestDetectorConfig(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		cfg  DetectorConfig
		want string
	}{
		{DetectorConfig{Window: 3}, "Window is 3"},
		{DetectorConfig{Window: 10, Warmup: 11}, "Warmup is 11"},
		{DetectorConfig{Factor: 1}, "Factor is 1"},
		{DetectorConfig{Factor: nan}, "Factor is NaN"},
		{DetectorConfig{Consecutive: -1}, "Consecutive is -1"},
		{DetectorConfig{Gradient: nan}, "Gradient is NaN"},
	} {
		_, err := NewDetector(tt.cfg)
		require.ErrorContains(t, err, tt.want)
	}
}

func TestVerdictMessages(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		v    Verdict
		want string
	}{
		{Verdict{Reason: NotFinite, Loss: nan}, "recovery: training diverged: loss NaN, gradient norm 0"},
		{Verdict{Reason: LossSpike, Loss: 9, Limit: 4, Mean: 2, Run: 5}, "recovery: training diverged: loss 9 above 4 for 5 steps (mean 2)"},
		{Verdict{Reason: GradientSpike, Gradient: 101, Run: 5}, "recovery: training diverged: gradient norm 101 too large for 5 steps"},
		{Verdict{Reason: Rising, Loss: 3, Run: 10}, "recovery: training diverged: loss 3 after 10 rises in a row"},
	} {
		require.EqualError(t, tt.v.Err(), tt.want)
	}
	require.Equal(t, "rising", Rising.String())
	require.Equal(t, "reason 77", Reason(77).String())
}

// FuzzDetector: the verdict is a pure function of what was fed, also when the memory goes through a checkpoint at any time.
func FuzzDetector(f *testing.F) {
	f.Add([]byte{1, 2, 3, 4, 5, 6, 7, 8, 200, 200, 200, 200, 200, 200}, uint8(8))
	f.Add([]byte{255, 255, 255, 255, 255, 255, 239, 127}, uint8(1))
	f.Fuzz(func(t *testing.T, data []byte, cut uint8) {
		cfg := DetectorConfig{Window: 6, Warmup: 3, Consecutive: 2, Gradient: 1e3, Rises: 4}
		a, b := newDetector(t, cfg), newDetector(t, cfg)
		for i := 0; len(data) > 0; i++ {
			loss := float64(data[0])
			if data = data[1:]; len(data) >= 8 && data[0]%3 == 0 {
				loss = math.Float64frombits(binary.LittleEndian.Uint64(data))
				data = data[8:]
			}
			if i == int(cut) {
				kept, err := json.Marshal(b.snapshot())
				require.NoError(t, err)
				var m memory
				require.NoError(t, json.Unmarshal(kept, &m))
				b = newDetector(t, cfg)
				b.resume(m)
			}
			va, vb := a.Observe(loss, loss/2), b.Observe(loss, loss/2)
			require.Equal(t, va.Reason, vb.Reason)
			require.Equal(t, va.Run, vb.Run)
			require.Equal(t, math.Float64bits(va.Limit), math.Float64bits(vb.Limit))
			require.Equal(t, !finite(loss), va.Reason == NotFinite)
			require.False(t, math.IsNaN(va.Limit))
		}
	})
}

func TestObserveDoesNotAllocate(t *testing.T) { // not parallel: AllocsPerRun counts those of the whole process
	d := newDetector(t, DetectorConfig{})
	for i := range 300 {
		d.Observe(1+float64(i%7), 1)
	}
	x := 0.0
	require.Zero(t, testing.AllocsPerRun(1000, func() { x++; d.Observe(1+math.Mod(x, 7), 1) }))
}

func BenchmarkObserve(b *testing.B) {
	d := newDetector(b, DetectorConfig{})
	x := 0.0
	b.ReportAllocs()
	for b.Loop() {
		x++
		d.Observe(1+math.Mod(x, 7), 1)
	}
}
