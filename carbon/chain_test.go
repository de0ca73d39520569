package carbon

import (
	"bytes"
	"context"
	"log/slog"
	"math"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

var (
	_ Provider   = (*Chain)(nil)
	_ Forecaster = (*Chain)(nil)
	_ Outlooker  = (*Chain)(nil)
)

func chainOf(t testing.TB, cfg ChainConfig) *Chain {
	t.Helper()
	if cfg.Zone == "" {
		cfg.Zone = "DE"
	}
	c, err := NewChain(context.Background(), cfg)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, c.Close()) })
	return c
}

// chainSource is a source that can be turned off, with forecasts and a past.
type chainSource struct {
	cacheSource
	down      bool
	past      func(from, to time.Time) ([]Reading, error)
	future    func(from, to time.Time) ([]Reading, error)
	forecasts int
}

func chainWave() *chainSource {
	s := &chainSource{}
	s.at = func(_ context.Context, at time.Time) (Reading, error) {
		if s.down {
			return Reading{}, errCacheDown
		}
		return cacheHour(at), nil
	}
	return s
}

func (s *chainSource) Forecast(_ context.Context, from, to time.Time) ([]Reading, error) {
	s.forecasts++
	if s.future == nil || s.down {
		return nil, &NoDataError{}
	}
	return s.future(from, to)
}

func (s *chainSource) History(_ context.Context, from, to time.Time) ([]Reading, error) {
	if s.past == nil || s.down {
		return nil, &NoDataError{}
	}
	return s.past(from, to)
}

func chainPast(from, to time.Time) (out []Reading, err error) {
	for at := from.Truncate(time.Hour); at.Before(to); at = at.Add(time.Hour) {
		out = append(out, cacheHour(at))
	}
	return out, nil
}

// TestChainReachesEveryRung takes one source away after the other.
func TestChainReachesEveryRung(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		now := tableTime(2024).Truncate(time.Hour)
		own, near := chainWave(), chainWave()
		near.at = func(_ context.Context, at time.Time) (Reading, error) {
			if near.down {
				return Reading{}, errCacheDown
			}
			r := cacheHour(at)
			r.Intensity *= 3
			return r, nil
		}
		c := chainOf(t, ChainConfig{Source: own, Neighbours: []NeighbourZone{{"FR", near}}, Logger: slog.New(slog.NewTextHandler(&log, nil))})
		seen := map[Strategy]Reading{}
		ask := func(at time.Time) Reading {
			r, err := c.At(t.Context(), at)
			require.NoError(t, err)
			require.NoError(t, r.check(at, Average))
			require.NotEmpty(t, r.Source)
			require.NotZero(t, r.Strategy)
			require.Positive(t, r.ExpectedError)
			seen[r.Strategy] = r
			synctest.Wait()
			return r
		}
		for i := range 60 { // too little to know the hours of the day, enough for the ratio of the two levels
			require.Equal(t, Fresh, ask(now.Add(time.Duration(i)*time.Hour)).Strategy)
		}
		now = now.Add(59 * time.Hour)
		own.down = true
		ask(now.Add(20 * time.Minute)) // finds out
		require.Equal(t, Cached, ask(now.Add(21*time.Minute)).Strategy)
		near.down = true
		r := ask(now.Add(3 * time.Hour))
		require.Equal(t, Climatology, r.Strategy)
		require.Equal(t, 2*time.Hour, r.Age(now.Add(3*time.Hour)))
		near.down = false
		for h := 4; h < 20 && seen[Neighbour].Source == ""; h += 3 {
			ask(now.Add(time.Duration(h) * time.Hour))
		}
		require.Equal(t, "neighbour FR", seen[Neighbour].Source)
		require.InEpsilon(t, wave(seen[Neighbour].From), float64(seen[Neighbour].Intensity), .1, "scaled, not raw")
		near.down = true
		r = ask(now.Add(60 * day)) // too long ago for the zone's own past
		require.GreaterOrEqual(t, r.Strategy, Typical, "the figure that was seen to be nearest")
		for h, less := range map[string]Strategy{"US-CAL-CISO": Typical, "BE": Yearly, "BD": Country, "XX": World} {
			c := chainOf(t, ChainConfig{Zone: h, Logger: slog.New(slog.NewTextHandler(&log, nil))})
			r, err := c.At(t.Context(), now)
			require.NoError(t, err, "no source, no credential: it goes on")
			require.Equal(t, less, r.Strategy, h)
			seen[less] = r
		}
		for s := Fresh; s <= World; s++ {
			require.Contains(t, seen, s)
		}
		require.Equal(t, 4, strings.Count(log.String(), "no source"))
		require.LessOrEqual(t, strings.Count(log.String(), "source fails"), 4)
		require.Contains(t, log.String(), "strategy=typical")
		require.Less(t, seen[Cached].ExpectedError, seen[Climatology].ExpectedError+1e-12)
	})
}

// TestChainOfAverageFiguresOnly: there are no figures of earlier years for marginal values and direct ones, and an average over
// the lifecycle never stands in for them.
func TestChainOfAverageFiguresOnly(t *testing.T) {
	t.Parallel()
	for _, cfg := range []ChainConfig{{Signal: Marginal}, {Scope: Direct}} {
		c := chainOf(t, cfg)
		_, err := c.At(t.Context(), noon)
		require.ErrorIs(t, err, ErrNoData)
		_, err = c.Forecast(t.Context(), noon, noon.Add(day))
		require.ErrorIs(t, err, ErrNoData)
		var o Outlook
		require.ErrorIs(t, c.Outlook(&o, noon, 5), ErrNoData)
	}
	synctest.Test(t, func(t *testing.T) {
		s := chainWave()
		s.at = func(_ context.Context, at time.Time) (Reading, error) {
			r := cacheHour(at)
			r.Scope = Direct
			return r, nil
		}
		r, err := chainOf(t, ChainConfig{Source: s, Scope: Lifecycle}).At(t.Context(), noon)
		require.NoError(t, err)
		require.Equal(t, Typical, r.Strategy, "a source of the wrong scope is no source")
		c := chainOf(t, ChainConfig{Source: s})
		_, err = c.At(t.Context(), noon)
		require.NoError(t, err)
		synctest.Wait()
		_, err = c.At(t.Context(), noon.Add(-30*day))
		require.NoError(t, err, "the source itself knows")
		s.at = func(context.Context, time.Time) (Reading, error) { return Reading{}, errCacheDown }
		_, err = c.At(t.Context(), noon.Add(90*day))
		require.ErrorIs(t, err, ErrNoData)
		require.ErrorIs(t, err, errCacheDown)
	})
}

// TestChainRemembers: a restart begins with what was seen before, also of neighbours.
func TestChainRemembers(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		own, near := chainWave(), chainWave()
		cfg := ChainConfig{Zone: "DE", Source: own, Neighbours: []NeighbourZone{{"FR", near}}, Dir: dir}
		own.past = chainPast
		c, err := NewChain(t.Context(), cfg)
		require.NoError(t, err)
		for i := range 30 {
			_, err := c.At(t.Context(), noon.Add(time.Duration(i)*time.Hour))
			require.NoError(t, err)
			synctest.Wait()
		}
		last := noon.Add(29 * time.Hour)
		require.Equal(t, last, c.known.learner.Latest())
		require.NoError(t, c.Close())
		want, err := c.At(t.Context(), last.Add(5*time.Hour))
		require.NoError(t, err)

		own.down, near.down = true, true
		c = chainOf(t, cfg)
		require.Equal(t, last, c.known.learner.Latest())
		require.InDelta(t, float64(42*24+30), c.known.hours(), 24, "the source's past was asked for and kept")
		require.False(t, math.IsNaN(c.known.neighbours[0].ratio))
		got, err := c.At(t.Context(), last.Add(5*time.Hour))
		require.NoError(t, err)
		require.Equal(t, want.Strategy, got.Strategy)
		require.InDelta(t, float64(want.Intensity), float64(got.Intensity), 1e-6)
		require.InDelta(t, want.ExpectedError, got.ExpectedError, 1e-3)
		require.Equal(t, Climatology, got.Strategy)
		require.InEpsilon(t, wave(last.Add(5*time.Hour)), float64(got.Intensity), .15)
	})
	// A directory that cannot be used is said, and is no error.
	var log bytes.Buffer
	c := chainOf(t, ChainConfig{Dir: "/dev/null/x", Logger: slog.New(slog.NewTextHandler(&log, nil))})
	_, err := c.At(t.Context(), noon)
	require.NoError(t, err)
	require.Contains(t, log.String(), "will not survive")
}

// TestChainForecasts: the source's forecast is asked for although none is known yet, once per Refresh, and serves when it is down.
func TestChainForecasts(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := chainWave()
		s.past = chainPast
		s.future = func(from, _ time.Time) (out []Reading, err error) {
			for h := range 48 {
				at := from.Truncate(time.Hour).Add(time.Duration(h) * time.Hour)
				out = append(out, fallbackForecast(wave(at), at)) // knows the future
			}
			return out, nil
		}
		c := chainOf(t, ChainConfig{Source: s})
		for i := range 10 * 24 * 4 {
			_, err := c.At(t.Context(), noon.Add(time.Duration(i)*15*time.Minute))
			require.NoError(t, err)
			synctest.Wait()
		}
		require.InDelta(t, 240, s.forecasts, 2)
		now := noon.Add(10*day - time.Hour)
		s.down = true
		readings, err := c.Forecast(t.Context(), now, now.Add(day))
		require.NoError(t, err)
		require.Len(t, readings, 24)
		for i, r := range readings {
			require.Equal(t, Forecast, r.Basis)
			require.Equal(t, now.Add(time.Duration(i)*time.Hour), r.From)
			require.InEpsilon(t, wave(r.From), float64(r.Intensity), .02, "the better of the two: %v", r)
			require.LessOrEqual(t, r.Low, r.Intensity)
			require.GreaterOrEqual(t, r.High, r.Intensity)
		}
		require.Equal(t, Cached, readings[12].Strategy)
		var o Outlook
		require.NoError(t, c.Outlook(&o, now, 100))
		for i := range 48 {
			require.InEpsilon(t, wave(now.Add(time.Duration(i)*time.Hour)), o.Mean[i], .03)
		}
		r, err := c.At(t.Context(), now.Add(20*time.Hour))
		require.NoError(t, err)
		require.InEpsilon(t, wave(now.Add(20*time.Hour)), float64(r.Intensity), .02)
		for _, s := range c.Scores() {
			if s.Horizon == 12*time.Hour {
				require.Greater(t, s.Climatology.WAPE, s.Source.WAPE)
				require.Equal(t, 1., s.Share)
				require.Greater(t, s.Source.Count, 100)
			}
		}
	})
}

func TestChainRefuses(t *testing.T) {
	t.Parallel()
	p := hourly(1)
	for _, cfg := range []ChainConfig{{}, {Zone: strings.Repeat("x", 65)}, {Zone: "DE", Signal: 3}, {Zone: "DE", Scope: 3}, {Zone: "DE", Step: 7 * time.Minute},
		{Zone: "DE", Refresh: -1}, {Zone: "DE", Source: p, TTL: -1}, {Zone: "DE", Neighbours: []NeighbourZone{{"FR", nil}}},
		{Zone: "DE", Neighbours: []NeighbourZone{{"DE", p}}}} {
		_, err := NewChain(t.Context(), cfg)
		require.Error(t, err, "%+v", cfg)
	}
	c := chainOf(t, ChainConfig{})
	_, err := c.Forecast(t.Context(), noon, noon)
	require.Error(t, err)
	_, err = c.Forecast(t.Context(), noon, noon.Add(100*day))
	require.Error(t, err)
}

// TestChainForecastWithoutAPast: figures of earlier years by the hour of the day beat a flat line, and a planner can use them.
func TestChainForecastWithoutAPast(t *testing.T) {
	t.Parallel()
	c := chainOf(t, ChainConfig{Zone: "US-CAL-CISO"})
	from, v := series(t, "em_portal_US-CAL-CISO_2023_hourly.csv.gz", 1, TraceOptions{Zone: "US-CAL-CISO", ValueColumn: fallbackColumn})
	var shaped, flat float64
	level := mean(v)
	for i, x := range v {
		r, err := c.At(t.Context(), from.Add(time.Duration(i)*time.Hour))
		require.NoError(t, err)
		require.Equal(t, Typical, r.Strategy)
		shaped += math.Abs(float64(r.Intensity) - x)
		flat += math.Abs(level - x)
	}
	t.Logf("typical day %.1f %%, flat at the true mean %.1f %%", shaped/level/float64(len(v))*100, flat/level/float64(len(v))*100)
	require.Less(t, shaped, flat)
	var o Outlook
	require.NoError(t, c.Outlook(&o, from, 48))
	require.Greater(t, o.Quantile(nil, .9)[3], o.Mean[3])
	require.Less(t, o.Quantile(nil, .1)[3], o.Mean[3])
}
