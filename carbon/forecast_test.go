package carbon

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// wave is a made-up grid: a day, a weekend and slow weather.
func wave(at time.Time) float64 {
	h := float64(at.Unix()) / 3600
	v := 320 + 90*math.Sin(h*2*math.Pi/24) + 30*math.Sin(h*4*math.Pi/24+1) + 50*math.Sin(h/37) + 25*math.Sin(h/11.3)
	if d := at.UTC().Weekday(); d == time.Saturday || d == time.Sunday {
		v -= 60
	}
	return v
}

// taught is a learner that has seen the wave for a number of hours.
func taught(t testing.TB, step time.Duration, hours int) *Learner {
	t.Helper()
	l, err := NewLearner(LearnerConfig{Step: step})
	require.NoError(t, err)
	for at := noon; at.Before(noon.Add(time.Duration(hours) * time.Hour)); at = at.Add(step) {
		require.NoError(t, l.Observe(reading(wave(at), at, at.Add(step))))
	}
	return l
}

// TestForecastBeatsTheUsualDay compares the learner with the climatology and with the last value on the wave, at every step.
func TestForecastBeatsTheUsualDay(t *testing.T) {
	t.Parallel()
	slowUnderRace(t)
	for _, step := range []time.Duration{5 * time.Minute, 15 * time.Minute, 30 * time.Minute, time.Hour} {
		l := taught(t, step, 50*24)
		l.ResetScores()
		var o Outlook
		var err, flat float64
		ahead := int(6 * time.Hour / step)
		for at := l.Latest().Add(step); at.Before(noon.Add(60 * day)); at = at.Add(step) {
			require.NoError(t, l.Observe(reading(wave(at), at, at.Add(step))))
			require.NoError(t, l.Outlook(&o, at, ahead+1))
			require.Equal(t, wave(at), o.Mean[0], "the newest value is known")
			require.Equal(t, at, o.Start)
			later := wave(at.Add(6 * time.Hour))
			err += math.Abs(o.Mean[ahead] - later)
			flat += math.Abs(l.usual.mean[l.slot(at.Add(6*time.Hour))%int64(l.perDay)] - later)
		}
		require.Less(t, err, flat/2, step)
		for _, s := range l.Scores() {
			if s.Horizon == 6*time.Hour {
				require.Equal(t, int(10*day/step), s.Count)
				require.Less(t, s.WAPE, .05)
			}
		}
	}
}

// TestForecastCoverage feeds the learner noise of a kind it does not assume and counts what its intervals cover.
func TestForecastCoverage(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(21, 22))
	l := taught(t, time.Hour, 30*24)
	l.ResetScores()
	x := 0.0
	at := l.Latest()
	for range 200 * 24 {
		at = at.Add(time.Hour)
		x = .95*x + 10*rng.ExpFloat64() - 10 // skewed, correlated
		require.NoError(t, l.Observe(reading(max(0, wave(at)+x), at, at.Add(time.Hour))))
	}
	for _, s := range l.Scores() {
		require.InDelta(t, .5, s.Cover50, .03, s.Horizon)
		require.InDelta(t, .8, s.Cover80, .03, s.Horizon)
		require.InDelta(t, .9, s.Cover90, .03, s.Horizon)
		require.InDelta(t, .95, s.Cover95, .03, s.Horizon)
		require.Greater(t, s.MAE, 0.)
		require.Less(t, math.Abs(s.Bias), s.MAE)
	}
	var o Outlook
	require.NoError(t, l.Outlook(&o, at, 300))
	before := o.Quantile(nil, 0)
	for _, p := range []float64{.025, .04, .05, .2, .5, .77, .9, .975} {
		q := o.Quantile(nil, p)
		require.Equal(t, o.Mean[0], q[0], "a known value is certain")
		for i := range q {
			require.GreaterOrEqual(t, q[i], before[i])
			require.GreaterOrEqual(t, q[i], 0.)
		}
		before = q
	}
	require.Equal(t, before, o.Quantile(nil, 1))
}

// TestForecastKnowsOnlyThePast: two histories that agree up to an hour give the same outlook and the same decision then,
// whatever comes later; and there is no way to ask for one that is older than the newest value.
func TestForecastKnowsOnlyThePast(t *testing.T) {
	t.Parallel()
	const cut = 900
	decide := func(seed uint64) (decisions []bool, means []float64) {
		rng := rand.New(rand.NewPCG(seed, 1))
		l, err := NewLearner(LearnerConfig{})
		require.NoError(t, err)
		r, err := NewReplanner(ReplannerConfig{Outlooks: l, Start: 20, RegretCap: .2})
		require.NoError(t, err)
		work, running := 48, false
		for i := range cut + 100 {
			at := noon.Add(time.Duration(i) * time.Hour)
			v := wave(at)
			if i >= cut {
				v = 1000 * rng.Float64() // another future for every seed
			}
			require.NoError(t, l.Observe(reading(v, at, at.Add(time.Hour))))
			if i >= cut-150 && i < cut {
				s := Slot{At: at, Price: v, Left: cut + 50 - i, Work: work, Running: running}
				running = work > 0 && (s.Must() || r.Run(s))
				if running {
					work--
				}
				decisions = append(decisions, running)
				var o Outlook
				require.NoError(t, l.Outlook(&o, at, 264))
				means = append(means, o.Mean...)
			}
		}
		return decisions, means
	}
	d1, m1 := decide(1)
	d2, m2 := decide(2)
	require.Equal(t, d1, d2)
	require.Equal(t, m1, m2)
	require.Contains(t, d1, true)
	require.Contains(t, d1, false)

	l := taught(t, time.Hour, 48)
	var o Outlook
	require.ErrorContains(t, l.Outlook(&o, l.Latest().Add(-time.Second), 1), "would know")
}

// TestForecastOfABadFeed: gaps, repeats, any order and revisions lead to the same knowledge as a clean feed with the last
// word on every slot.
func TestForecastOfABadFeed(t *testing.T) {
	t.Parallel()
	clean, err := NewLearner(LearnerConfig{})
	require.NoError(t, err)
	messy, err := NewLearner(LearnerConfig{})
	require.NoError(t, err)
	say := func(l *Learner, i int, v float64) {
		at := noon.Add(time.Duration(i) * time.Hour)
		require.NoError(t, l.Observe(reading(v, at, at.Add(time.Hour))))
	}
	for i := range 40 * 24 {
		if i > 300 && i < 330 || i%17 == 0 {
			continue // gaps: not zeros
		}
		v := wave(noon.Add(time.Duration(i) * time.Hour))
		say(clean, i, v)
		if i%5 == 1 && i%17 != 1 && (i-1 <= 300 || i-1 >= 330) {
			say(messy, i, v*2) // revised below
			say(messy, i-1, wave(noon.Add(time.Duration(i-1)*time.Hour)))
		}
		say(messy, i, v)
		say(messy, i, v)
	}
	require.Equal(t, clean.newest, messy.newest)
	require.InDeltaSlice(t, finite(clean.usual.mean), finite(messy.usual.mean), 1e-9)
	require.InDelta(t, clean.level, messy.level, 1e-6)
	require.Equal(t, clean.Latest(), messy.Latest())

	var o Outlook
	from := clean.Latest().Add(30 * time.Hour) // an outage
	require.NoError(t, clean.Outlook(&o, from, 100))
	for i, m := range o.Mean {
		require.InDelta(t, wave(from.Add(time.Duration(i)*time.Hour)), m, 150)
		require.Positive(t, o.Spread[i])
	}
	require.ErrorIs(t, clean.Outlook(&o, clean.Latest().Add(50*day), 1), ErrNoData)

	// After a gap as long as the memory all is new.
	say(clean, 5000, 77)
	require.NoError(t, clean.Outlook(&o, clean.Latest(), 3))
	require.InDeltaSlice(t, []float64{77, 77, 77}, o.Mean, .01)
	say(clean, 10, 5)
	require.Equal(t, noon.Add(5000*time.Hour), clean.Latest(), "too old to matter")
}

func finite(s []float64) []float64 {
	out := make([]float64, len(s))
	for i, v := range s {
		if !math.IsNaN(v) {
			out[i] = v
		}
	}
	return out
}

func TestLearnerRefuses(t *testing.T) {
	t.Parallel()
	for _, cfg := range []LearnerConfig{{Step: -1}, {Step: time.Second}, {Step: 7 * time.Minute}, {Step: 48 * time.Hour}, {Signal: 3}} {
		_, err := NewLearner(cfg)
		require.Error(t, err, "%+v", cfg)
	}
	l, err := NewLearner(LearnerConfig{})
	require.NoError(t, err)
	var o Outlook
	require.ErrorIs(t, l.Outlook(&o, noon, 1), ErrNoData)
	require.True(t, l.Latest().IsZero())
	require.False(t, l.Known())
	require.True(t, math.IsNaN(l.Level()))
	r := reading(300, noon, noon.Add(time.Hour))
	for name, change := range map[string]func(*Reading){
		"NaN":       func(r *Reading) { r.Intensity = Intensity(math.NaN()) },
		"negative":  func(r *Reading) { r.Intensity = -1 },
		"forecast":  func(r *Reading) { r.Basis = Forecast },
		"too long":  func(r *Reading) { r.To = r.From.Add(25 * time.Hour) },
		"no slot":   func(r *Reading) { r.From, r.To = noon.Add(time.Minute), noon.Add(10*time.Minute) },
		"empty":     func(r *Reading) { r.To = r.From },
		"long past": func(r *Reading) { r.From, r.To = time.Unix(-7200, 0), time.Unix(-3600, 0) },
	} {
		bad := r
		change(&bad)
		require.ErrorIs(t, l.Observe(bad), ErrReading, name)
	}
	marginal := r
	marginal.Signal = Marginal
	require.ErrorIs(t, l.Observe(marginal), ErrSignal)
	require.NoError(t, l.Observe(r))
	require.Equal(t, 300., l.Level())
	require.Error(t, l.Outlook(&o, noon, -1))
	require.Error(t, l.Outlook(&o, noon, 61*24))
	require.NoError(t, l.Outlook(&o, noon, 60*24))

	// A reading of several hours fills all its slots; one of half an hour fills two of a finer learner.
	fine, err := NewLearner(LearnerConfig{Step: 15 * time.Minute})
	require.NoError(t, err)
	require.NoError(t, fine.Observe(reading(250, noon, noon.Add(30*time.Minute))))
	require.Equal(t, noon.Add(15*time.Minute), fine.Latest())
}

func FuzzLearner(f *testing.F) {
	f.Add([]byte{1, 2, 3, 200, 100, 0, 255, 9}, uint8(0))
	f.Add([]byte{0, 0, 0, 0, 0, 0, 0, 0, 0, 0}, uint8(3))
	f.Fuzz(func(t *testing.T, data []byte, step uint8) {
		l, err := NewLearner(LearnerConfig{Step: []time.Duration{5 * time.Minute, 30 * time.Minute, time.Hour, 6 * time.Hour}[step%4]})
		require.NoError(t, err)
		var o Outlook
		at := noon
		for i := 0; i+1 < len(data); i += 2 {
			at = at.Add(time.Duration(int8(data[i])) * l.Step() / 2)
			r := reading(float64(data[i+1])*20, at, at.Add(l.Step()))
			_ = l.Observe(r)
			if l.Known() {
				require.NoError(t, l.Outlook(&o, l.Latest().Add(time.Duration(data[i+1]%5)*l.Step()), 40))
				low, high := o.Quantile(nil, .05), o.Quantile(nil, .95)
				for j := range o.Mean {
					for _, v := range []float64{o.Mean[j], o.Spread[j], low[j], high[j]} {
						require.True(t, v >= 0 && v < 1e7, v)
					}
					require.LessOrEqual(t, low[j], high[j])
				}
			}
		}
	})
}
