package carbon

import (
	"context"
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestProfileAnswersByUTCHour(t *testing.T) {
	t.Parallel()
	var hours [24]Intensity
	for h := range hours {
		hours[h] = Intensity(100 + h)
	}
	p, err := NewProfile("XX", "ramp", hours)
	require.NoError(t, err)
	// 23:30 at +05:45 is 17:45 UTC.
	at := time.Date(2024, 5, 1, 23, 30, 0, 0, time.FixedZone("", 5*3600+45*60))
	r, err := p.At(t.Context(), at)
	require.NoError(t, err)
	require.NoError(t, r.check(at, Average))
	require.Equal(t, Reading{
		Intensity: 117, Signal: Average, Basis: Estimated, Zone: "XX", Source: "estimate: ramp",
		From: time.Date(2024, 5, 1, 17, 0, 0, 0, time.UTC), To: time.Date(2024, 5, 1, 18, 0, 0, 0, time.UTC),
	}, r)
}

func TestProfileRefusals(t *testing.T) {
	t.Parallel()
	_, err := NewProfile("XX", "", [24]Intensity{})
	require.ErrorContains(t, err, "name")
	for _, bad := range []Intensity{Intensity(math.NaN()), -1, MaxIntensity + 1} {
		hours := [24]Intensity{5: bad}
		_, err := NewProfile("XX", "bad", hours)
		require.ErrorContains(t, err, "hour 5")
	}
	// The zero profile must not pass for a perfectly clean grid.
	_, err = Profile{}.At(t.Context(), noon)
	require.ErrorIs(t, err, ErrNoData)

	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = TypicalDay(0).At(ctx, noon)
	require.ErrorIs(t, err, context.Canceled)
}

func TestTypicalDayShape(t *testing.T) {
	t.Parallel()
	p := TypicalDay(0)
	low, high, sum := p.hours[0], p.hours[0], 0.0
	for h, v := range p.hours {
		require.True(t, v.Valid())
		low, high, sum = min(low, v), max(high, v), sum+float64(v)
		next := p.hours[(h+1)%24]
		require.Less(t, math.Abs(float64(next-v)), 60.0, "a jump after hour %d", h)
	}
	require.Equal(t, low, p.hours[12], "cleanest at midday")
	require.Equal(t, high, p.hours[19], "dirtiest in the evening")
	require.InDelta(t, 295, float64(low), 5)
	require.InDelta(t, 420, float64(high), 5)
	require.InDelta(t, 360, sum/24, 5)

	// The curve must not run against the sun, as one that peaks at noon UTC everywhere would.
	// California's midday is at 20:00 UTC; any offset, even of several days, is taken round the clock.
	require.Equal(t, p.hours[12], TypicalDay(-8 * time.Hour).hours[20])
	require.Equal(t, TypicalDay(-8*time.Hour), TypicalDay(16*time.Hour))
	require.Equal(t, TypicalDay(time.Hour), TypicalDay(-95*time.Hour))
	r, err := p.At(t.Context(), noon)
	require.NoError(t, err)
	require.Equal(t, Estimated, r.Basis)
	require.Contains(t, r.Source, "estimate")
}

// TestTypicalDayAgainstRealZones: where the day has a shape, the drawn one beats a flat line of the same mean.
func TestTypicalDayAgainstRealZones(t *testing.T) {
	t.Parallel()
	slowUnderRace(t)
	for zone, offset := range map[string]time.Duration{"DE": time.Hour, "US-CAL-CISO": -8 * time.Hour, "AU-SA": 9*time.Hour + 30*time.Minute} {
		tr := realTrace(t, "em_2022_hourly_8zones.csv.gz", TraceOptions{Zone: zone})
		p := TypicalDay(offset)
		var mean, level, flat, shaped float64
		for _, s := range tr.spans {
			mean += float64(s.value) / float64(len(tr.spans))
		}
		for _, v := range p.hours {
			level += float64(v) / 24
		}
		for _, s := range tr.spans {
			h := time.UnixMilli(s.from).UTC().Hour()
			flat += math.Abs(float64(s.value) - mean)
			shaped += math.Abs(float64(s.value) - mean*float64(p.hours[h])/level)
		}
		require.Less(t, shaped, flat, zone)
	}
}
