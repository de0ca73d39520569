package carbon

import (
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// These tests measure on recorded traces; they skip where the shared data is not.

func fallbackOf(t testing.TB, zone string, neighbours ...string) *fallback {
	t.Helper()
	table, err := NewTable(zone)
	require.NoError(t, err)
	f, err := newFallback(zone, Average, 0, time.Hour, table, neighbours)
	require.NoError(t, err)
	return f
}

// fallbackScore is how an outage of every age went in one zone.
type fallbackScore struct {
	abs, sum, expected, inside, count float64
}

func (s fallbackScore) wape() float64     { return 100 * s.abs / s.sum }
func (s fallbackScore) promised() float64 { return s.expected / s.abs }
func (s fallbackScore) covered() float64  { return 100 * s.inside / s.count }

var fallbackAges = []int{1, 2, 3, 6, 12, 24, 48, 72, 168}

// fallbackRun hands the values to a fallback hour by hour and asks it, every fifth hour from February on (every hour with SUREFOOT_LONG), for the value of a later
// hour, as if the source had gone just then. NaN is a gap.
func fallbackRun(t testing.TB, zone string, begin time.Time, v []float64, skip int) (scores []fallbackScore, interval map[float64]fallbackScore) {
	t.Helper()
	f := fallbackOf(t, zone)
	every := 5
	if os.Getenv("SUREFOOT_LONG") != "" {
		every = 1
	}
	scores = make([]fallbackScore, len(fallbackAges))
	interval = map[float64]fallbackScore{}
	var o Outlook
	for i, x := range v {
		at := begin.Add(time.Duration(i) * time.Hour)
		if math.IsNaN(x) {
			continue
		}
		require.NoError(t, f.observe(reading(x, at, at.Add(time.Hour))))
		if i < skip || i%every != 0 {
			continue
		}
		for k, age := range fallbackAges {
			if i+age >= len(v) || math.IsNaN(v[i+age]) {
				continue
			}
			r, err := f.at(at.Add(time.Duration(age) * time.Hour))
			require.NoError(t, err)
			s := &scores[k]
			later := v[i+age]
			s.abs += math.Abs(float64(r.Intensity) - later)
			s.expected += r.ExpectedError * float64(r.Intensity)
			s.sum += later
			s.count++
			if Intensity(later) >= r.Low && Intensity(later) <= r.High {
				s.inside++
			}
		}
		if i+25 < len(v) {
			require.NoError(t, f.outlook(&o, at, 25))
			for _, p := range []float64{.5, .8, .9} {
				low, high := o.Quantile(nil, .5-p/2), o.Quantile(nil, .5+p/2)
				s := interval[p]
				for _, h := range []int{1, 6, 12, 24} {
					if later := v[i+h]; !math.IsNaN(later) {
						s.count++
						if later >= low[h] && later <= high[h] {
							s.inside++
						}
					}
				}
				interval[p] = s
			}
		}
	}
	return scores, interval
}

// fallbackTraces are the recorded traces by zone and year, hourly.
func fallbackTraces(t testing.TB) map[string]func(testing.TB) (string, time.Time, []float64) {
	t.Helper()
	out := map[string]func(testing.TB) (string, time.Time, []float64){}
	for _, z := range devZones {
		out["2022 "+z] = func(t testing.TB) (string, time.Time, []float64) { return z, dev0, dev(t, z) }
	}
	out["held out US-CAL-CISO 2023"] = func(t testing.TB) (string, time.Time, []float64) {
		from, v := series(t, "em_portal_US-CAL-CISO_2023_hourly.csv.gz", 1, TraceOptions{Zone: "US-CAL-CISO", ValueColumn: fallbackColumn})
		return "US-CAL-CISO", from, v
	}
	for _, z := range []string{"DE", "FR"} {
		out["held out "+z+" 2020"] = func(t testing.TB) (string, time.Time, []float64) {
			from, v := series(t, "lwa_2020_30min_"+z+".csv.gz", 2, TraceOptions{Zone: z, ValueColumn: "gco2_per_kwh"})
			return z, from, v
		}
	}
	return out
}

const fallbackColumn = "Carbon Intensity gCO₂eq/kWh (LCA)"

// TestFallbackErrors prints the table of errors by age of the last value, and holds it against a damped climatology's 2.2,
// 7.6, 9.6 and 10.9 % at 1, 6, 12 and 24 hours (median of eight zones, 2022).
func TestFallbackErrors(t *testing.T) {
	t.Parallel()
	slowUnderRace(t)
	sharp := 3.0
	if os.Getenv("SUREFOOT_LONG") == "" {
		sharp = 4 // one hour of five is a sample
	}
	byAge := make([][]float64, len(fallbackAges))
	traces := fallbackTraces(t)
	for _, name := range slices.Sorted(maps.Keys(traces)) {
		zone, from, v := traces[name](t)
		if sharp > 3 {
			if !strings.HasPrefix(name, "2022") {
				continue
			}
			v = v[:min(len(v), 6000)]
		}
		skip := 31 * 24
		scores, interval := fallbackRun(t, zone, from, v, skip)
		var line strings.Builder
		for k, s := range scores {
			fmt.Fprintf(&line, " %3dh %5.1f (x%.2f, %2.0f)", fallbackAges[k], s.wape(), s.promised(), s.covered())
			most := sharp
			if fallbackAges[k] > 24 {
				most = 6 // a year holds few independent weeks
			}
			require.InDelta(t, 80, s.covered(), most, "%s at %d h: the bounds of one answer", name, fallbackAges[k])
			require.InDelta(t, 1, s.promised(), .3, "%s at %d h: the expected error", name, fallbackAges[k])
			if strings.HasPrefix(name, "2022") {
				byAge[k] = append(byAge[k], s.wape())
			}
		}
		for _, p := range []float64{.5, .8, .9} {
			require.InDelta(t, 100*p, interval[p].covered(), sharp, "%s: the interval of %v", name, p)
		}
		t.Logf("%-26s%s | 50/80/90 %%: %.1f %.1f %.1f", name, line.String(), interval[.5].covered(), interval[.8].covered(), interval[.9].covered())
	}
	want := map[int]float64{1: 2.2, 6: 7.6, 12: 9.6, 24: 10.9}
	for k, age := range fallbackAges {
		t.Logf("median at %3d h: %.2f %%", age, median(byAge[k]))
		if mark, ok := want[age]; ok {
			require.LessOrEqual(t, median(byAge[k]), mark)
		}
	}
}

// TestFallbackKnowsOnlyThePast: what comes later, or is corrupted there, changes nothing that was answered before.
func TestFallbackKnowsOnlyThePast(t *testing.T) {
	t.Parallel()
	const cut = 40 * 24
	answers := func(seed uint64) (out []Reading) {
		rng := rand.New(rand.NewPCG(seed, 3))
		f := fallbackOf(t, "DE", "FR")
		for i := range cut + 200 {
			at := noon.Add(time.Duration(i) * time.Hour)
			v, api := wave(at), func(h int) float64 { return wave(at.Add(time.Duration(h)*time.Hour)) * 1.1 }
			if i >= cut {
				v, api = 1000*rng.Float64(), func(int) float64 { return 1000 * rng.Float64() }
			}
			var said []Reading
			for h := range 48 {
				said = append(said, fallbackForecast(api(h), at.Add(time.Duration(h)*time.Hour)))
			}
			require.Equal(t, 48, f.foretold(said, at))
			require.NoError(t, f.near(0, reading(v/2, at, at.Add(time.Hour))))
			require.NoError(t, f.observe(reading(v, at, at.Add(time.Hour))))
			if i > cut-50 && i < cut {
				for _, h := range []int{0, 1, 5, 30, 100} {
					out = append(out, f.candidates(nil, at.Add(time.Duration(h)*time.Hour))...)
				}
			}
		}
		return out
	}
	require.Equal(t, answers(1), answers(2))
}

func fallbackForecast(v float64, from time.Time) Reading {
	r := reading(v, from, from.Add(time.Hour))
	r.Basis = Forecast
	return r
}

// TestFallbackNeighbour: the scaled neighbour is as good as measured before, never as bad as a raw one, and knows how good.
func TestFallbackNeighbour(t *testing.T) {
	t.Parallel()
	slowUnderRace(t)
	for zone, c := range map[string]struct {
		neighbour string
		most      float64
	}{"GB": {"FR", 26}, "FR": {"DE", 26}, "PL": {"DE", 15}, "DE": {"PL", 26}} {
		v, theirs := dev(t, zone), dev(t, c.neighbour)
		f := fallbackOf(t, zone, c.neighbour)
		var abs, raw, expected, sum float64
		for i := range v[:240*24] {
			at := dev0.Add(time.Duration(i) * time.Hour)
			if i > 40*24 {
				slot := f.learner.slot(at)
				require.NoError(t, f.near(0, reading(theirs[i], at, at.Add(time.Hour))))
				said, share, _, _ := f.neighbours[0].at(slot, 1)
				abs += math.Abs(said - v[i])
				raw += math.Abs(theirs[i] - v[i])
				expected += share * said
				sum += v[i]
			}
			require.NoError(t, f.near(0, reading(theirs[i], at, at.Add(time.Hour))))
			require.NoError(t, f.observe(reading(v[i], at, at.Add(time.Hour))))
		}
		t.Logf("%s by %s: scaled %.1f %%, expected %.1f %%, raw %.1f %%", zone, c.neighbour, 100*abs/sum, 100*expected/sum, 100*raw/sum)
		require.Less(t, 100*abs/sum, c.most)
		require.Less(t, abs, raw)
		require.InDelta(t, 1, expected/abs, .25, zone)
	}
}

// TestFallbackBlends: with forecasts of the quality of an official one, with useless ones and with perfect ones, what is given out
// is as good as the better of the source and the zone's own past, and where both know something better than either. The errors
// of the made-up forecasts are correlated over hours, as real ones are.
func TestFallbackBlends(t *testing.T) {
	t.Parallel()
	slowUnderRace(t)
	v := dev(t, "GB")
	level := mean(v)
	for name, c := range map[string]struct{ size, bias float64 }{"official": {.18, 0}, "poor": {.6, .5}, "perfect": {0, 0}} {
		rng := rand.New(rand.NewPCG(5, 6))
		f := fallbackOf(t, "GB")
		var own, api, given fallbackScore
		var o, alone Outlook
		inside := 0
		for i := range v[:130*24] {
			at := dev0.Add(time.Duration(i) * time.Hour)
			var said []Reading
			e := rng.NormFloat64() * c.size / 2
			for h := range 48 {
				e = .95*e + math.Sqrt(1-.95*.95)*rng.NormFloat64()*c.size/.8
				said = append(said, fallbackForecast(max(0, v[i+h]*(1+e)+c.bias*level), at.Add(time.Duration(h)*time.Hour)))
			}
			f.foretold(said, at)
			require.NoError(t, f.observe(reading(v[i], at, at.Add(time.Hour))))
			if i < 45*24 {
				continue
			}
			require.NoError(t, f.outlook(&o, at, 25))
			require.NoError(t, f.learner.Outlook(&alone, at, 25))
			low, high := o.Quantile(nil, .1), o.Quantile(nil, .9)
			for h := 1; h <= 24; h++ {
				later := v[i+h]
				own.abs += math.Abs(alone.Mean[h] - later)
				api.abs += math.Abs(float64(said[h].Intensity) - later)
				given.abs += math.Abs(o.Mean[h] - later)
				given.sum += later
				given.count++
				if later >= low[h]-1e-9 && later <= high[h]+1e-9 {
					inside++
				}
			}
		}
		own.sum, api.sum = given.sum, given.sum
		t.Logf("%s: climatology %.1f %%, source %.1f %%, given %.1f %%, 80 %% interval covers %.1f %%", name, own.wape(), api.wape(), given.wape(), 100*float64(inside)/given.count)
		require.LessOrEqual(t, given.abs, 1.02*min(own.abs, api.abs)+1e-6, name)
		if name == "official" {
			require.Less(t, given.abs, .9*min(own.abs, api.abs), "a blend of two that both know something")
		}
		if name != "perfect" {
			require.InDelta(t, .8, float64(inside)/given.count, .03, name)
		}
	}
}

// TestFallbackPolledFeed replays a log of half-hourly polls of a real feed: half of it repeats, hundreds of hours are missing, one
// gap is 288 hours long (289 from value to value). Nothing is counted twice, nothing is filled with zeros, and the age is that of the last real value.
func TestFallbackPolledFeed(t *testing.T) {
	t.Parallel()
	slowUnderRace(t)
	tr := realTrace(t, "em_pollog_US-CAL-CISO_2021-10_2022-12.csv.gz", TraceOptions{Zone: "US-CAL-CISO", ZoneColumn: "zone_name", TimeColumn: "zone_datetime", ValueColumn: "carbon_intensity_avg"})
	f, twice := fallbackOf(t, "US-CAL-CISO"), fallbackOf(t, "US-CAL-CISO")
	var gap, filled int
	var last time.Time
	for _, s := range tr.spans {
		r := tr.reading(s)
		if !last.IsZero() && r.From.After(last) {
			gap = max(gap, int(r.From.Sub(last)/time.Hour))
			a, err := f.at(r.From)
			require.NoError(t, err)
			require.Greater(t, float64(a.Intensity), 40., "a gap is no clean grid")
			if a.Strategy == Climatology {
				require.Equal(t, r.From.Sub(last), a.Age(r.From))
				filled++
			}
		}
		last = r.To
		require.NoError(t, f.observe(r))
		require.NoError(t, twice.observe(r))
		require.NoError(t, twice.observe(r))
	}
	require.Equal(t, 288, gap, "the longest gap")
	require.Greater(t, filled, 100)
	for _, age := range []time.Duration{0, time.Hour, day} {
		a, err := f.at(last.Add(age))
		require.NoError(t, err)
		b, err := twice.at(last.Add(age))
		require.NoError(t, err)
		require.Equal(t, a, b)
	}
}

// TestFallbackDoubtGrowsWithAge: for one hour, what was worked out from older values is never surer, and nothing is surer than
// what the source said itself.
func TestFallbackDoubtGrowsWithAge(t *testing.T) {
	t.Parallel()
	for _, hours := range []int{1, 20, 100, 2000} {
		f := fallbackOf(t, "DE")
		for i := range hours {
			at := noon.Add(time.Duration(i) * time.Hour)
			require.NoError(t, f.observe(cacheHour(at)))
		}
		end := noon.Add(time.Duration(hours) * time.Hour)
		for _, l := range []int64{1, 2, 3, 5, 9, 14, 24, 36, 70, 168, 400} {
			before, _, _ := f.spread(300, 50, l)
			after, low, high := f.spread(300, 50, l+1)
			require.GreaterOrEqual(t, after, before-1e-9, "%d hours of history, age %d h", hours, l)
			require.GreaterOrEqual(t, before, 300*f.revised.expected())
			require.Less(t, low, high)
		}
		known, err := f.at(end.Add(-time.Hour))
		require.NoError(t, err)
		require.Equal(t, Cached, known.Strategy)
		later, err := f.at(end.Add(10 * time.Hour))
		require.NoError(t, err)
		require.Greater(t, later.ExpectedError*float64(later.Intensity), known.ExpectedError*float64(known.Intensity))
	}
}

// TestFallbackInsideAGap: between two values, once the later one is known, the answer lies on the line between them.
func TestFallbackInsideAGap(t *testing.T) {
	t.Parallel()
	f := fallbackOf(t, "DE")
	require.NoError(t, f.observe(reading(100, noon, noon.Add(time.Hour))))
	require.NoError(t, f.observe(reading(200, noon.Add(4*time.Hour), noon.Add(5*time.Hour))))
	r, err := f.at(noon.Add(3 * time.Hour))
	require.NoError(t, err)
	require.InDelta(t, 175, float64(r.Intensity), 1e-9)
	require.Equal(t, Climatology, r.Strategy)
	require.Equal(t, Estimated, r.Basis)
	require.Equal(t, Estimated, r.Basis)
	r, err = f.at(noon.Add(-100 * time.Hour))
	require.NoError(t, err)
	require.GreaterOrEqual(t, r.Strategy, Typical, "before all values nothing of the zone's own is known")
}
