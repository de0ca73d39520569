package carbon

import (
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestTimeline(t *testing.T) {
	t.Parallel()
	wall := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	for name, tc := range map[string]struct {
		tl   Timeline
		at   time.Time
		want time.Time
		hour time.Duration // wall time of an hour of trace
	}{
		"real time":         {Timeline{}, wall.Add(time.Minute), wall.Add(time.Minute), time.Hour},
		"replay":            {Timeline{Start: wall, Origin: noon}, wall.Add(time.Minute), noon.Add(time.Minute), time.Hour},
		"a day in a minute": {Timeline{wall, noon, 1440}, wall.Add(time.Second), noon.Add(24 * time.Minute), 2500 * time.Millisecond},
		"half speed":        {Timeline{wall, noon, .5}, wall.Add(time.Hour), noon.Add(30 * time.Minute), 2 * time.Hour},
		"before the start":  {Timeline{wall, noon, 60}, wall.Add(-time.Minute), noon.Add(-time.Hour), time.Minute},
	} {
		require.NoError(t, tc.tl.Validate(), name)
		require.Equal(t, tc.want, tc.tl.At(tc.at), name)
		require.Equal(t, tc.hour, tc.tl.Wall(time.Hour), name)
		require.Equal(t, time.Hour, tc.tl.trace(tc.hour), name)
	}
}

func TestTimelineEdges(t *testing.T) {
	t.Parallel()
	fast := Timeline{Start: noon, Origin: noon, Speed: 1e12}
	require.Equal(t, time.Duration(1), fast.Wall(time.Nanosecond), "a positive wait never becomes zero")
	require.Equal(t, time.Duration(math.MaxInt64), fast.trace(time.Hour), "no overflow")
	require.Equal(t, time.Duration(math.MinInt64), fast.trace(-time.Hour), "no overflow")
	slow := Timeline{Start: noon, Origin: noon, Speed: 1e-12}
	require.Equal(t, time.Duration(math.MaxInt64), slow.Wall(time.Hour))
}

func TestTimelineValidate(t *testing.T) {
	t.Parallel()
	for name, tl := range map[string]Timeline{
		"no origin":         {Start: noon},
		"no start":          {Origin: noon},
		"speed without":     {Speed: 60},
		"negative":          {noon, noon, -1},
		"not a number":      {noon, noon, math.NaN()},
		"infinite":          {noon, noon, math.Inf(1)},
		"negative infinite": {noon, noon, math.Inf(-1)},
	} {
		require.ErrorContains(t, tl.Validate(), "carbon: timeline", name)
	}
	require.NoError(t, Timeline{Speed: 1}.Validate())
}
